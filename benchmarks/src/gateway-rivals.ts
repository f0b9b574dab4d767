/**
 * The gateway beside the course's own: Flask, gunicorn and Pillow, without TensorFlow (benchmarks/rivals/flask-gateway).
 *
 * Both do the same work: photo by link or by upload, NEAREST to 299 x 299, float32 for Xception, Predict of 1.07 MB to
 * a model tier that answers at once, scores as JSON. Each runs on core 0 in turn, the clients, the picture's host and
 * the model tier on core 1. Images per second of CPU are compared. VITRINE_RIVALS_PYTHON names a Python with the
 * packages of the rival's requirements.txt.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createPortFinder } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadAnswer, runLoad } from "./harness/http-load.js";
import { COURSE_MODEL, startInstantModelTier } from "./harness/instant-model-tier.js";
import { largePhotos, type PhotoSet, smallPhotos } from "./harness/photos.js";
import {
  cpuSeconds,
  type MeasuredProcess,
  residentMiB,
  startProgram,
  startVitrine,
} from "./harness/processes.js";
import { median, percentile, spread } from "./harness/statistics.js";

const ROUNDS = 3;
const ROUND_MS = 4000;
const CONCURRENCY = 8;
const WARM_UP_CPU_SECONDS = 4;
const LABELS = "dress,hat,longsleeve,outwear,pants,shirt,shoes,shorts,skirt,t-shirt";
const RIVAL = fileURLToPath(new URL("../rivals/flask-gateway", import.meta.url));
const PROTOS = fileURLToPath(new URL("../../packages/protocol/protos", import.meta.url));

interface Contestant {
  readonly name: string;
  readonly url: string;
  /** Processes that do its work. */
  pids(): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const python = process.env.VITRINE_RIVALS_PYTHON;
if (python === undefined) {
  console.log(`not run: VITRINE_RIVALS_PYTHON names no Python with ${path.join(RIVAL, "requirements.txt")}`);
  process.exit(0);
}
execFileSync("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
const messages = await generateMessages(python);
const tier = await startInstantModelTier(COURSE_MODEL);
try {
  for (const set of [await smallPhotos(40), await largePhotos(4)]) await compare(set);
} finally {
  tier.close();
  await rm(messages, { recursive: true });
}

async function compare(set: PhotoSet): Promise<void> {
  const host = await startPictureHost(set);
  const contestants = [await startOurs(host.authority), await startRival()];
  try {
    for (const way of ["link", "upload"] as const) {
      const results = contestants.map((each) => ({
        each,
        rates: [] as number[],
        answers: [] as LoadAnswer[],
      }));
      for (const { each } of results) await warmUp(each, set, way, host.authority);
      for (let round = 0; round < ROUNDS; round++) {
        for (const { each, rates, answers } of results) {
          const pids = await each.pids();
          const began = await totalCpuSeconds(pids);
          const answered = await loadFor(each.url, set, way, host.authority, ROUND_MS);
          rates.push(answered.length / ((await totalCpuSeconds(pids)) - began));
          answers.push(...answered);
        }
      }
      console.log(`${set.name}, by ${way}, ${CONCURRENCY} clients:`);
      for (const { each, rates, answers } of results) {
        const durations = answers.map(({ durationMs }) => durationMs);
        const failed = answers.filter(({ status }) => status !== 200).length;
        const memory = await Promise.all((await each.pids()).map(residentMiB));
        console.log(
          `  ${each.name}: ${spread(rates)} images per CPU second, p50 ${percentile(durations, 0.5).toFixed(1)} ms, ` +
            `p99 ${percentile(durations, 0.99).toFixed(1)} ms, ${failed} of ${answers.length} failed, ` +
            `memory ${memory.reduce((sum, mib) => sum + mib, 0).toFixed(0)} MiB`,
        );
      }
      const [ours, rival] = results.map(({ rates }) => median(rates));
      console.log(`  ratio ${((ours ?? Number.NaN) / (rival ?? Number.NaN)).toFixed(2)} (vitrine / Flask)`);
    }
  } finally {
    for (const each of contestants) await each.stop();
    host.close();
  }
}

/** Until so much CPU was spent that its code is compiled, however busy the machine is. */
async function warmUp(
  { url, pids }: Contestant,
  set: PhotoSet,
  way: "link" | "upload",
  authority: string,
): Promise<void> {
  const began = await totalCpuSeconds(await pids());
  while ((await totalCpuSeconds(await pids())) - began < WARM_UP_CPU_SECONDS) {
    await loadFor(url, set, way, authority, 1000);
  }
}

function loadFor(
  url: string,
  { photos }: PhotoSet,
  way: "link" | "upload",
  authority: string,
  durationMs: number,
): Promise<LoadAnswer[]> {
  return runLoad({
    url,
    concurrency: CONCURRENCY,
    signal: AbortSignal.timeout(durationMs),
    requestOf: (index) =>
      way === "upload"
        ? {
            path: "/predict",
            body: photos[index % photos.length] ?? new Uint8Array(0),
            contentType: "image/jpeg",
          }
        : {
            path: "/predict",
            body: Buffer.from(JSON.stringify({ url: `http://${authority}/${index % photos.length}.jpg` })),
            contentType: "application/json",
          },
  });
}

async function startOurs(authority: string): Promise<Contestant> {
  const gateway = await startVitrine(
    [
      "gateway",
      ...["--port", "0", "--host", "127.0.0.1", "--tf-serving-host", `127.0.0.1:${tier.port}`],
      ...["--preprocess", "xception", "--size", "299", "--resample", "nearest", "--orientation", "ignore"],
      ...["--labels", LABELS, "--score-kind", "logits", "--response-format", "scores"],
      ...["--allow-image-host", authority],
    ],
    { core: 0 },
  );
  return { name: "vitrine", url: gateway.ready, pids: async () => [gateway.pid], stop: gateway.stop };
}

/** One worker of gunicorn's default kind, as the course starts it. */
async function startRival(): Promise<Contestant> {
  const port = await freePort();
  const gunicorn: MeasuredProcess = await startProgram(
    [python ?? "", "-m", "gunicorn", "--bind", `127.0.0.1:${port}`, "--chdir", RIVAL, "gateway:app"],
    {
      core: 0,
      env: { MESSAGES: messages, LABELS, TF_SERVING_HOST: `127.0.0.1:${tier.port}` },
      isReady: (line) => line.includes("Booting worker"),
    },
  );
  const children = async () =>
    (await readFile(`/proc/${gunicorn.pid}/task/${gunicorn.pid}/children`, "utf8"))
      .trim()
      .split(" ")
      .map(Number);
  return {
    name: "Flask",
    url: `http://127.0.0.1:${port}`,
    pids: async () => [gunicorn.pid, ...(await children())],
    stop: gunicorn.stop,
  };
}

async function totalCpuSeconds(pids: readonly number[]): Promise<number> {
  const seconds = await Promise.all(pids.map(cpuSeconds));
  return seconds.reduce((sum, each) => sum + each, 0);
}

async function startPictureHost({ photos }: PhotoSet) {
  const server = createServer((request, response) => {
    response
      .writeHead(200, { "content-type": "image/jpeg" })
      .end(photos[Number.parseInt(request.url?.slice(1) ?? "", 10)]);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    authority: `127.0.0.1:${address.port}`,
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** gunicorn does not say which port it took when asked for any. */
async function freePort(): Promise<number> {
  const finder = createPortFinder().listen(0, "127.0.0.1");
  await once(finder, "listening");
  const address = finder.address();
  finder.close();
  await once(finder, "close");
  return address === null || typeof address === "string" ? 0 : address.port;
}

/** @returns a new folder with the messages as Python has them. */
async function generateMessages(program: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-messages-"));
  const files = [
    "tensorflow_serving/apis/predict.proto",
    "tensorflow_serving/apis/model.proto",
    "tensorflow/core/framework/tensor.proto",
    "tensorflow/core/framework/tensor_shape.proto",
    "tensorflow/core/framework/types.proto",
  ];
  execFileSync(program, ["-m", "grpc_tools.protoc", `-I${PROTOS}`, `--python_out=${folder}`, ...files]);
  return folder;
}
