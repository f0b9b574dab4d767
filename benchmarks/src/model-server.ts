/**
 * The model server beside the least that the work can cost: a bare ONNX Runtime loop on the same model and batch.
 *
 * Server and loop run on core 0, this process, which makes the load, on core 1; rounds alternate, so that a busy
 * machine slows both. Words: --model FOLDER, --version N (else the latest), --rows 1,8,32, --concurrency 1,8,64, --rounds N, --seconds N,
 * --output NAME, --unpinned (all cores, as many loops as cores), --serve FLAG (repeatable).
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { findModel, listVersions } from "@vitrine/model-server/models/version-folders";
import { InferenceSession } from "onnxruntime-node";
import { openPredictLoad, pictures, predictRequest } from "./harness/predict-load.js";
import {
  cpuSeconds,
  type MeasuredProcess,
  metricOf,
  residentMiB,
  runBareLoop,
  startReady,
  VITRINE,
} from "./harness/processes.js";
import { median, percentile } from "./harness/statistics.js";

const { values: words } = parseArgs({
  options: {
    model: {
      type: "string",
      default: fileURLToPath(new URL("../../models/clothing-model", import.meta.url)),
    },
    version: { type: "string" },
    output: { type: "string", default: "logits" },
    rows: { type: "string", default: "1,8,32" },
    concurrency: { type: "string", default: "1,8,64" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
    // Requests before the first round: V8 optimizes a function after some hundred calls.
    warm: { type: "string", default: "300" },
    unpinned: { type: "boolean", default: false },
    serve: { type: "string", multiple: true, default: [] },
  },
});
const DELAY_P99 = 'nodejs_eventloop_delay_seconds{quantile="0.99"}';
const seconds = Number(words.seconds);
const cores = words.unpinned ? availableParallelism() : 1;

interface Rate {
  /** Images per second of wall time. */
  readonly perSecond: number;
  /** Images per second of CPU time of the process: what a neighbour on the core cannot change. */
  readonly perCpuSecond: number;
}

const version = words.version ?? (await latestVersion(words.model));
const modelFile = await modelFileOf(path.join(words.model, version));
const input = await inputOf(modelFile);
const name = path.basename(words.model);

const scratch = await mkdtemp(path.join(tmpdir(), "vitrine-benchmark-"));
const config = path.join(scratch, "models.config");
await writeFile(
  config,
  `model_config_list { config { name: "${name}" base_path: "${path.resolve(words.model)}" model_platform: "tensorflow"
     model_version_policy { specific { versions: ${Number(version)} } } } }`,
);
if (!words.unpinned) execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
// As `vitrine up` starts it.
const server = await startReady(
  [
    process.execPath,
    ...MODEL_SERVER_NODE_FLAGS,
    VITRINE,
    "serve",
    ...[`--model_config_file=${config}`, "--host", "127.0.0.1", "--port=auto", "--rest-api-port=auto"],
    ...["--log-level", "warn", ...words.serve],
  ],
  words.unpinned ? {} : { core: 0 },
);
const [grpcAddress = "", restAddress = ""] = server.ready.split(" ");
const port = Number(new URL(grpcAddress).port);
try {
  console.log(
    `model server, ${name}/${version}, ${input.dtype}, ${words.unpinned ? `${cores} cores, load on the same ones` : "one core, load on the other"}: ` +
      "images per second of wall time and of CPU time, ratio to a bare loop of the same batch",
  );
  for (const rows of numbers(words.rows)) {
    for (const concurrency of numbers(words.concurrency)) await measure(rows, concurrency);
  }
  console.log(`  memory ${(await residentMiB(server.pid)).toFixed(0)} MiB`);
} finally {
  await server.stop();
  await rm(scratch, { recursive: true });
}

async function measure(rows: number, concurrency: number): Promise<void> {
  const request = predictRequest(name, input.name, pictures(input.dtype, input.shapeOf(rows)), [
    words.output,
  ]);
  const load = openPredictLoad(port, request);
  const warm = Math.ceil(Number(words.warm) / rows);
  await load.send(concurrency, () => load.durations.length < warm);
  load.forget();
  await metricOf(restAddress, DELAY_P99);
  const ours: Rate[] = [];
  const bare: Rate[] = [];
  for (let round = 0; round < Number(words.rounds); round++) {
    bare.push(await bareLoop(rows));
    ours.push(await serverRate(server, () => load.send(concurrency, deadline()), rows));
  }
  const delayMs = 1000 * (await metricOf(restAddress, DELAY_P99));
  const bareRunMs = (1000 * cores * rows) / median(bare.map(({ perSecond }) => perSecond));
  const p50 = percentile(load.durations, 0.5);
  console.log(
    `  batch ${String(rows).padStart(2)}, ${String(concurrency).padStart(2)} in flight: ` +
      `${rate(ours, "perSecond")} of ${rate(bare, "perSecond")}, ratio ${ratio(ours, bare, "perSecond")}; ` +
      `by CPU time ${ratio(ours, bare, "perCpuSecond")}; ` +
      `p50 ${p50.toFixed(1)} ms, p99 ${percentile(load.durations, 0.99).toFixed(1)} ms` +
      `${concurrency === 1 ? `, ${(p50 - bareRunMs).toFixed(2)} ms above a bare run` : ""}; event-loop delay p99 ${delayMs.toFixed(1)} ms`,
  );
  load.close();
}

function deadline(): () => boolean {
  const ends = performance.now() + 1000 * seconds;
  return () => performance.now() < ends;
}

async function serverRate(
  { pid }: MeasuredProcess,
  send: () => Promise<number>,
  rows: number,
): Promise<Rate> {
  const cpuBegan = await cpuSeconds(pid);
  const began = performance.now();
  const images = rows * (await send());
  const wallSeconds = (performance.now() - began) / 1000;
  return { perSecond: images / wallSeconds, perCpuSecond: images / ((await cpuSeconds(pid)) - cpuBegan) };
}

/** One loop for each core. */
async function bareLoop(rows: number): Promise<Rate> {
  const script = fileURLToPath(new URL("harness/onnx-loop.js", import.meta.url));
  const loops = await Promise.all(
    Array.from({ length: cores }, () =>
      runBareLoop(
        [process.execPath, script, modelFile, words.seconds, String(rows), words.output],
        words.unpinned ? {} : { core: 0 },
      ),
    ),
  );
  const rates = loops.map(([images = 0, wall = 0, cpu = 0]) => ({ wall: images / wall, images, cpu }));
  return {
    perSecond: rates.reduce((sum, { wall }) => sum + wall, 0),
    perCpuSecond:
      rates.reduce((sum, { images }) => sum + images, 0) / rates.reduce((sum, { cpu }) => sum + cpu, 0),
  };
}

async function latestVersion(folder: string): Promise<string> {
  const versions = await listVersions(folder, undefined);
  const latest = Math.max(...versions.keys());
  return path.basename(versions.get(latest) ?? "");
}

async function modelFileOf(folder: string): Promise<string> {
  const files = await findModel(folder, undefined);
  if (files?.kind !== "onnx") throw new Error(`${folder} held no ONNX model`);
  return files.file;
}

async function inputOf(file: string) {
  const [first] = (await InferenceSession.create(file)).inputMetadata;
  if (first?.isTensor !== true || (first.type !== "uint8" && first.type !== "float32")) {
    throw new Error(`${file} takes neither uint8 nor float32 pictures`);
  }
  const { type, shape } = first;
  const dtype: "uint8" | "float32" = type === "uint8" ? "uint8" : "float32";
  return {
    name: first.name,
    dtype,
    shapeOf: (rows: number) => shape.map((size) => (typeof size === "number" ? size : rows)),
  };
}

function numbers(list: string): number[] {
  return list.split(",").map(Number);
}

function rate(rates: readonly Rate[], kind: keyof Rate): string {
  return median(rates.map((entry) => entry[kind])).toFixed(0);
}

/** Median over the rounds of each round's own ratio. */
function ratio(ours: readonly Rate[], bare: readonly Rate[], kind: keyof Rate): string {
  return median(ours.map((entry, round) => entry[kind] / (bare[round]?.[kind] ?? Number.NaN))).toFixed(2);
}
