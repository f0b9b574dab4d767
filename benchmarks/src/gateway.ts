/**
 * What a whole gateway costs per photo beside the least that the work can cost: decode and resize alone.
 *
 * The gateway runs on core 0, this process (clients and an instant model tier) on core 1. Rounds alternate with
 * the bare loop: Pillow where VITRINE_PYTHON names a Python that has it, else sharp's own decode and resize,
 * which is not exact. Images per second of CPU are compared, so a busy machine changes the ratio little.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadAnswer, runLoad } from "./harness/http-load.js";
import { shippedModel, startInstantModelTier } from "./harness/instant-model-tier.js";
import { largePhotos, type PhotoSet, smallPhotos } from "./harness/photos.js";
import { cpuSeconds, metricOf, residentMiB, runBareLoop, startVitrine } from "./harness/processes.js";
import { median, percentile, spread } from "./harness/statistics.js";

const ROUNDS = 3;
const ROUND_MS = 5000;
const CONCURRENCY = 8;
const SIZE = 256;
const VERSION_FOLDER = fileURLToPath(new URL("../../models/clothing-model/2", import.meta.url));

execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
const tier = await startInstantModelTier(await shippedModel(VERSION_FOLDER));
for (const set of [await smallPhotos(40), await largePhotos(4)]) await compare(set);
tier.close();

async function compare(set: PhotoSet): Promise<void> {
  const gateway = await startVitrine(
    ["gateway", "--port", "0", "--host", "127.0.0.1", "--tf-serving-host", `127.0.0.1:${tier.port}`],
    { core: 0 },
  );
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-bench-"));
  try {
    await Promise.all(set.photos.map((photo, index) => writeFile(path.join(folder, `${index}.jpg`), photo)));
    const url = gateway.ready;
    await loadFor(url, set, 1000);
    const ours: number[] = [];
    const bare: number[] = [];
    const answers: LoadAnswer[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const began = await cpuSeconds(gateway.pid);
      const answered = await loadFor(url, set, ROUND_MS);
      ours.push(answered.length / ((await cpuSeconds(gateway.pid)) - began));
      answers.push(...answered);
      bare.push(await bareLoop(folder));
    }
    const failed = answers.filter(({ status }) => status !== 200);
    const p99Ms = 1000 * (await metricOf(url, 'nodejs_eventloop_delay_seconds{quantile="0.99"}'));
    const durations = answers.map(({ durationMs }) => durationMs);
    console.log(`gateway, ${set.name}, upload, ${CONCURRENCY} clients, instant model tier:`);
    console.log(`  ${spread(ours)} images per CPU second; bare ${bareName()}: ${spread(bare)}`);
    console.log(
      `  ratio ${(median(ours) / median(bare)).toFixed(2)} (whole gateway / decode + resize alone)`,
    );
    console.log(
      `  ${failed.length} of ${answers.length} failed; p50 ${percentile(durations, 0.5).toFixed(1)} ms, ` +
        `p99 ${percentile(durations, 0.99).toFixed(1)} ms; memory ${(await residentMiB(gateway.pid)).toFixed(0)} MiB; ` +
        `event-loop delay p99 ${p99Ms.toFixed(1)} ms`,
    );
  } finally {
    await gateway.stop();
    await rm(folder, { recursive: true });
  }
}

function loadFor(url: string, { photos }: PhotoSet, durationMs: number): Promise<LoadAnswer[]> {
  return runLoad({
    url,
    concurrency: CONCURRENCY,
    signal: AbortSignal.timeout(durationMs),
    requestOf: (index) => ({
      path: "/predict",
      body: photos[index % photos.length] ?? new Uint8Array(0),
      contentType: "image/jpeg",
    }),
  });
}

function bareName(): string {
  return process.env.VITRINE_PYTHON === undefined ? "sharp (its own resize, not exact)" : "Pillow";
}

/** @returns images per CPU second of decode + resize in a process of its own on core 0. */
async function bareLoop(folder: string): Promise<number> {
  const python = process.env.VITRINE_PYTHON;
  const script = python === undefined ? "harness/sharp-loop.js" : "../src/harness/pillow_loop.py";
  const program = [python ?? process.execPath, fileURLToPath(new URL(script, import.meta.url))] as const;
  const [images, seconds] = await runBareLoop([...program, folder, String(ROUND_MS / 1000), String(SIZE)], {
    core: 0,
  });
  return (images ?? Number.NaN) / (seconds ?? Number.NaN);
}
