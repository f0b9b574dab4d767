/**
 * What a caller sees while parts of the system die under steady load: one session worker, all of them at once, then
 * the model server and the gateway by SIGKILL. Prints requests, failures and the time to the first answer after.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type LoadAnswer, runLoad } from "./harness/http-load.js";
import { smallPhotos } from "./harness/photos.js";
import { type MeasuredProcess, metricOf, startReady, startVitrine } from "./harness/processes.js";

const CONCURRENCY = 4;
const BEFORE_MS = 3000;
const AFTER_MS = 9000;
const MODEL = fileURLToPath(new URL("../../models/clothing-model", import.meta.url));
const { photos } = await smallPhotos(20);

await crashWorkers("one session worker of the model server died over a run", "SIGUSR2");
await crashWorkers("every session worker of the model server died over a run", "SIGHUP");
await killTier("serve");
await killTier("gateway");

async function crashWorkers(what: string, signal: NodeJS.Signals): Promise<void> {
  const script = fileURLToPath(new URL("./harness/crashable-model-server.js", import.meta.url));
  const server = await startReady([process.execPath, script, MODEL]);
  const [grpcPort, restPort] = server.ready.split(" ");
  const gateway = await startVitrine([
    ...["gateway", "--port", "0", "--host", "127.0.0.1", "--log-level", "error"],
    ...["--tf-serving-host", `127.0.0.1:${grpcPort}`],
  ]);
  await loadAround(what, gateway.ready, async () => {
    server.child.kill(signal);
  });
  const restarts = await metricOf(
    `http://127.0.0.1:${restPort}`,
    "vitrine_model_server_worker_restarts_total",
  );
  console.log(`  ${restarts} workers were replaced`);
  await gateway.stop();
  await server.stop();
}

async function killTier(word: "serve" | "gateway"): Promise<void> {
  const up = await startVitrine(["up", MODEL, "--port", "0", "--grpc-port", "0", "--rest-port", "0"]);
  await loadAround(`kill -9 of \`vitrine ${word}\` under \`vitrine up\``, up.ready, async () => {
    process.kill(await childOf(up, word), "SIGKILL");
  });
  await up.stop();
}

async function loadAround(what: string, url: string, strike: () => Promise<void>): Promise<void> {
  const load = runLoad({
    url,
    concurrency: CONCURRENCY,
    signal: AbortSignal.timeout(BEFORE_MS + AFTER_MS),
    pauseAfterFailureMs: 50,
    requestOf: (index) => ({
      path: "/predict",
      body: photos[index % photos.length] ?? new Uint8Array(0),
      contentType: "image/jpeg",
    }),
  });
  await sleep(BEFORE_MS);
  const struckAt = performance.now();
  await strike();
  report(what, await load, struckAt);
}

function report(what: string, answers: readonly LoadAnswer[], struckAt: number): void {
  const failed = answers.filter(({ status }) => status !== 200);
  const lastFailure = Math.max(
    struckAt,
    ...failed.map(({ startedMs, durationMs }) => startedMs + durationMs),
  );
  const firstAnswer = answers
    .filter(({ status, startedMs }) => status === 200 && startedMs >= struckAt)
    .map(({ startedMs, durationMs }) => startedMs + durationMs)
    .filter((endedAt) => endedAt >= lastFailure);
  const recoveredMs = failed.length === 0 ? 0 : Math.min(...firstAnswer) - struckAt;
  const kinds = new Map<string, number>();
  for (const { status, body } of failed) {
    const kind = status === 0 ? body : `${status} ${/"reason":"(\w+)"/.exec(body)?.[1] ?? ""}`.trim();
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const before = answers.filter(({ startedMs }) => startedMs < struckAt).length / (BEFORE_MS / 1000);
  console.log(`${what}, ${CONCURRENCY} clients, ${before.toFixed(0)} requests per second before:`);
  console.log(
    `  ${failed.length} of ${answers.length} requests failed` +
      `${failed.length === 0 ? "" : ` (${[...kinds].map(([kind, count]) => `${count} x ${kind}`).join(", ")})`}, ` +
      `all well again after ${(recoveredMs / 1000).toFixed(2)} s`,
  );
}

/** Process id of the child that runs `vitrine WORD`. Linux only. */
async function childOf({ pid }: MeasuredProcess, word: string): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"))
    .trim()
    .split(" ")
    .map(Number);
  for (const child of children) {
    const words = (await readFile(`/proc/${child}/cmdline`, "utf8")).split("\0");
    if (words.includes(word)) return child;
  }
  throw new Error(`process ${pid} had no child that runs ${word}`);
}
