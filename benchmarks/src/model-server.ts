/**
 * The model server beside the least that the work can cost: a bare ONNX Runtime loop on the same model.
 *
 * Server and loop run on core 0, this process, which makes the load, on core 1; rounds alternate, so that a busy
 * machine slows both. Words: --model FOLDER, --rounds N, --seconds N, --concurrency N, --rows N, --serve FLAG (repeatable).
 */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { findLatestVersion } from "@vitrine/model-server/version-folders";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { PREDICT } from "@vitrine/protocol/services";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";
import {
  cpuSeconds,
  type MeasuredProcess,
  metricOf,
  residentMiB,
  runBareLoop,
  startReady,
  VITRINE,
} from "./harness/processes.js";
import { median, percentile, spread } from "./harness/statistics.js";

const { values: words } = parseArgs({
  options: {
    model: {
      type: "string",
      default: fileURLToPath(new URL("../../models/clothing-model", import.meta.url)),
    },
    output: { type: "string", default: "logits" },
    size: { type: "string", default: "256" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    concurrency: { type: "string", default: "8" },
    rows: { type: "string", default: "1" },
    // Requests before the first round: V8 optimizes a function after some hundred calls.
    warm: { type: "string", default: "1000" },
    serve: { type: "string", multiple: true, default: [] },
  },
});
const DELAY_P99 = 'nodejs_eventloop_delay_seconds{quantile="0.99"}';
const modelName = path.basename(words.model);
const { modelFile, version } = await findLatestVersion(words.model);
const rows = Number(words.rows);
const size = Number(words.size);

/** The bare loop runs so many rows at a time, too: what the server joins waiting requests up to. */
const BARE_BATCH_ROWS = 4;

interface Rate {
  /** Per second of wall time. */
  readonly perSecond: number;
  /** Per second of CPU time of the process: what a neighbour on the core cannot change. */
  readonly perCpuSecond: number;
}

const pixels = new Uint8Array(rows * size * size * 3).map((_, index) => index % 251);
const request = {
  modelSpec: { name: modelName, versionChoice: undefined, signatureName: "" },
  inputs: new Map([
    [
      "pixels",
      tensorToProto({ dtype: DataType.DT_UINT8, shape: [rows, size, size, 3], data: pixels }, "content"),
    ],
  ]),
  outputFilter: [words.output],
};

execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
// As `vitrine up` starts it.
const server = await startReady(
  [
    process.execPath,
    ...MODEL_SERVER_NODE_FLAGS,
    VITRINE,
    "serve",
    `--model-base-path=${words.model}`,
    "--host=127.0.0.1",
    "--port=auto",
    "--rest-api-port=auto",
    ...words.serve,
  ],
  { core: 0 },
);
const [grpcAddress = "", restAddress = ""] = server.ready.split(" ");
const channel = new GrpcChannel("127.0.0.1", Number(new URL(grpcAddress).port));
const durations: number[] = [];
try {
  const warm = Number(words.warm);
  await load(() => durations.length < warm);
  durations.length = 0;
  await metricOf(restAddress, DELAY_P99);
  const ours: Rate[] = [];
  const bare: Rate[] = [];
  const bareBatches: Rate[] = [];
  for (let round = 0; round < Number(words.rounds); round++) {
    bare.push(await bareLoop(rows));
    bareBatches.push(await bareLoop(BARE_BATCH_ROWS));
    ours.push(await measured(server));
  }
  const delayMs = 1000 * (await metricOf(restAddress, DELAY_P99));
  console.log(
    `model server, ${modelName}/${version}, ${rows} x ${size} px uint8, ${words.concurrency} in flight:`,
  );
  for (const kind of ["perSecond", "perCpuSecond"] as const) {
    console.log(
      `  images ${kind === "perSecond" ? "per second    " : "per CPU second"}  ${rate(ours, kind)}; ` +
        `bare loop of ${rows}: ${rate(bare, kind)}, ratio ${ratio(ours, bare, kind)}; ` +
        `of ${BARE_BATCH_ROWS}: ${rate(bareBatches, kind)}, ratio ${ratio(ours, bareBatches, kind)}`,
    );
  }
  console.log(
    `  p50 ${percentile(durations, 0.5).toFixed(1)} ms, p99 ${percentile(durations, 0.99).toFixed(1)} ms; memory ${(await residentMiB(server.pid)).toFixed(0)} MiB; ` +
      `event-loop delay p99 ${delayMs.toFixed(1)} ms`,
  );
} finally {
  channel.close();
  await server.stop();
}

/** @returns answered images. */
async function load(goesOn: () => boolean): Promise<number> {
  let images = 0;
  const client = async () => {
    while (goesOn()) {
      const began = performance.now();
      await channel.unary(PREDICT, request, { timeoutMs: 20_000 });
      durations.push(performance.now() - began);
      images += rows;
    }
  };
  await Promise.all(Array.from({ length: Number(words.concurrency) }, client));
  return images;
}

async function measured({ pid }: MeasuredProcess): Promise<Rate> {
  const cpuBegan = await cpuSeconds(pid);
  const began = performance.now();
  const images = await load(() => performance.now() - began < Number(words.seconds) * 1000);
  const wallSeconds = (performance.now() - began) / 1000;
  return { perSecond: images / wallSeconds, perCpuSecond: images / ((await cpuSeconds(pid)) - cpuBegan) };
}

async function bareLoop(rowsPerRun: number): Promise<Rate> {
  const script = fileURLToPath(new URL("harness/onnx-loop.js", import.meta.url));
  const [images = 0, wallSeconds = 0, cpu = 0] = await runBareLoop(
    [process.execPath, script, modelFile, words.seconds, String(rowsPerRun), words.output],
    { core: 0 },
  );
  return { perSecond: images / wallSeconds, perCpuSecond: images / cpu };
}

function rate(rates: readonly Rate[], kind: keyof Rate): string {
  return spread(rates.map((entry) => entry[kind]));
}

/** Median over the rounds of each round's own ratio. */
function ratio(ours: readonly Rate[], bare: readonly Rate[], kind: keyof Rate): string {
  return median(ours.map((entry, round) => entry[kind] / (bare[round]?.[kind] ?? Number.NaN))).toFixed(2);
}
