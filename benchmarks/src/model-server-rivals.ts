/**
 * The model server beside others that take the same tensors for the same model: one written by hand on grpcio and ONNX
 * Runtime (benchmarks/rivals/grpc-onnxruntime), and MLServer (benchmarks/rivals/mlserver), both with batching on and one
 * session per core. All run on all cores, the load on the same ones; rounds alternate.
 *
 * VITRINE_RIVALS_PYTHON and VITRINE_MLSERVER_PYTHON name Pythons with the packages of their requirements.txt; a rival
 * without one is left out. Words: --version N of the shipped model, --concurrency N, --rounds N, --seconds N.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { MODEL_INFER } from "@vitrine/protocol/inference-services";
import { PREDICT } from "@vitrine/protocol/services";
import { pictures, predictRequest } from "./harness/predict-load.js";
import {
  cpuSeconds,
  type MeasuredProcess,
  residentMiB,
  startProgram,
  startReady,
  VITRINE,
} from "./harness/processes.js";
import { median, percentile, spread } from "./harness/statistics.js";

const { values: words } = parseArgs({
  options: {
    version: { type: "string", default: "2" },
    concurrency: { type: "string", default: "32" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
  },
});
const MODEL = fileURLToPath(new URL("../../models/clothing-model", import.meta.url));
const MODEL_FILE = path.join(MODEL, words.version, "model.onnx");
const RIVALS = fileURLToPath(new URL("../rivals", import.meta.url));
const PROTOS = fileURLToPath(new URL("../../packages/protocol/protos", import.meta.url));
const WARM_UP_REQUESTS = 300;
const input = pictures("uint8", [1, 256, 256, 3]);

interface Contestant {
  readonly name: string;
  readonly process: MeasuredProcess;
  ask(): Promise<unknown>;
  close(): void;
}

interface Result {
  readonly contestant: Contestant;
  readonly perSecond: number[];
  readonly perCpuSecond: number[];
  readonly durations: number[];
}

const scratch = await mkdtemp(path.join(tmpdir(), "vitrine-rivals-"));
const contestants = [await startOurs()];
try {
  const { VITRINE_RIVALS_PYTHON: python, VITRINE_MLSERVER_PYTHON: mlserver } = process.env;
  if (python === undefined) console.log("grpcio + ONNX Runtime not run: VITRINE_RIVALS_PYTHON is not set");
  else contestants.push(await startHandWritten(python));
  if (mlserver === undefined) console.log("MLServer not run: VITRINE_MLSERVER_PYTHON is not set");
  else contestants.push(await startMlServer(mlserver));
  await compare();
} finally {
  for (const { process, close } of contestants) {
    close();
    await process.stop();
  }
  await rm(scratch, { recursive: true });
}

async function compare(): Promise<void> {
  const results = contestants.map(
    (contestant): Result => ({ contestant, perSecond: [], perCpuSecond: [], durations: [] }),
  );
  for (const { contestant } of results) {
    let sent = 0;
    await load(contestant, () => sent++ < WARM_UP_REQUESTS, []);
  }
  for (let round = 0; round < Number(words.rounds); round++) {
    for (const result of results) await measure(result);
  }
  console.log(
    `clothing-model/${words.version}, 256 px uint8, ${words.concurrency} in flight, ${availableParallelism()} cores for server and load:`,
  );
  const [ours] = results;
  for (const { contestant, perSecond, perCpuSecond, durations } of results) {
    const pids = await family(contestant.process.pid);
    const memory = await Promise.all(pids.map(residentMiB));
    const ratioOf = (kind: "perSecond" | "perCpuSecond") =>
      median(
        (ours?.[kind] ?? []).map(
          (rate, round) => rate / ({ perSecond, perCpuSecond }[kind][round] ?? Number.NaN),
        ),
      );
    console.log(
      `  ${contestant.name}: ${spread(perSecond)} images per second, ${spread(perCpuSecond)} per CPU second, ` +
        `p50 ${percentile(durations, 0.5).toFixed(0)} ms, p99 ${percentile(durations, 0.99).toFixed(0)} ms, ` +
        `memory ${memory.reduce((sum, mib) => sum + mib, 0).toFixed(0)} MiB` +
        (contestant === ours?.contestant
          ? ""
          : `; vitrine has ${ratioOf("perSecond").toFixed(2)} times its images, ${ratioOf("perCpuSecond").toFixed(2)} by CPU time`),
    );
  }
}

async function measure({ contestant, perSecond, perCpuSecond, durations }: Result): Promise<void> {
  const pids = await family(contestant.process.pid);
  const cpuBegan = await totalCpuSeconds(pids);
  const began = performance.now();
  const ends = began + 1000 * Number(words.seconds);
  const images = await load(contestant, () => performance.now() < ends, durations);
  const wallSeconds = (performance.now() - began) / 1000;
  perSecond.push(images / wallSeconds);
  perCpuSecond.push(images / ((await totalCpuSeconds(pids)) - cpuBegan));
}

async function load({ ask }: Contestant, goesOn: () => boolean, durations: number[]): Promise<number> {
  let images = 0;
  const client = async (): Promise<void> => {
    while (goesOn()) {
      const began = performance.now();
      await ask();
      durations.push(performance.now() - began);
      images += 1;
    }
  };
  await Promise.all(Array.from({ length: Number(words.concurrency) }, client));
  return images;
}

async function startOurs(): Promise<Contestant> {
  const config = path.join(scratch, "models.config");
  await writeFile(
    config,
    `model_config_list { config { name: "clothing-model" base_path: "${MODEL}" model_platform: "tensorflow"
       model_version_policy { specific { versions: ${words.version} } } } }`,
  );
  const process_ = await startReady([
    process.execPath,
    ...MODEL_SERVER_NODE_FLAGS,
    VITRINE,
    ...["serve", `--model_config_file=${config}`, "--host=127.0.0.1", "--port=auto", "--rest-api-port=0"],
    "--log-level=warn",
  ]);
  return withPredict("vitrine", process_, Number(new URL(process_.ready).port));
}

async function startHandWritten(python: string): Promise<Contestant> {
  const files = [
    "tensorflow_serving/apis/predict.proto",
    "tensorflow_serving/apis/model.proto",
    "tensorflow/core/framework/tensor.proto",
    "tensorflow/core/framework/tensor_shape.proto",
    "tensorflow/core/framework/types.proto",
  ];
  execFileSync(python, ["-m", "grpc_tools.protoc", `-I${PROTOS}`, `--python_out=${scratch}`, ...files]);
  const script = path.join(RIVALS, "grpc-onnxruntime", "server.py");
  const process_ = await startReady([python, script, MODEL_FILE, String(availableParallelism())], {
    env: { MESSAGES: scratch },
  });
  return withPredict("grpcio + ONNX Runtime", process_, Number(process_.ready));
}

function withPredict(name: string, process_: MeasuredProcess, port: number): Contestant {
  const channel = new GrpcChannel("127.0.0.1", port);
  const request = predictRequest("clothing-model", "pixels", input, ["logits"]);
  return {
    name,
    process: process_,
    ask: () => channel.unary(PREDICT, request, { timeoutMs: 60_000 }),
    close: () => channel.close(),
  };
}

/** Its default: one process for each core that runs models, and its gRPC, which takes raw tensors. */
async function startMlServer(python: string): Promise<Contestant> {
  const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  const process_ = await startProgram(
    [path.join(path.dirname(python), "mlserver"), "start", path.join(RIVALS, "mlserver")],
    {
      env: {
        MODEL_FILE,
        MLSERVER_HOST: "127.0.0.1",
        MLSERVER_HTTP_PORT: String(http),
        MLSERVER_GRPC_PORT: String(grpc),
        MLSERVER_METRICS_PORT: String(metrics),
        MLSERVER_PARALLEL_WORKERS: String(availableParallelism()),
        MLSERVER_GRPC_MAX_MESSAGE_LENGTH: String(64 * 1024 * 1024),
        // It imports the model's file from there.
        PYTHONPATH: path.join(RIVALS, "mlserver"),
      },
      isReady: (line) => line.includes("Loaded model 'clothing-model' successfully"),
    },
  );
  const channel = new GrpcChannel("127.0.0.1", grpc);
  const { data } = input;
  if (!(data instanceof Uint8Array)) throw new Error("pictures were no bytes");
  const request = {
    modelName: "clothing-model",
    modelVersion: "",
    id: "",
    parameters: new Map(),
    inputs: [
      {
        name: "pixels",
        datatype: "UINT8",
        shape: input.shape.map(BigInt),
        parameters: new Map(),
        contents: undefined,
      },
    ],
    outputs: [],
    rawInputContents: [data],
  };
  return {
    name: "MLServer",
    process: process_,
    ask: () => channel.unary(MODEL_INFER, request, { timeoutMs: 60_000 }),
    close: () => channel.close(),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A process and all that it has started. Linux only. */
async function family(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`);
  const children = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8")),
  );
  const pids = children.join(" ").split(" ").filter(Boolean).map(Number);
  return [pid, ...(await Promise.all(pids.map(family))).flat()];
}

async function totalCpuSeconds(pids: readonly number[]): Promise<number> {
  const seconds = await Promise.all(pids.map(cpuSeconds));
  return seconds.reduce((sum, each) => sum + each, 0);
}
