/**
 * What callers of the model server see while things go wrong: dying sessions, broken files, full queues, callers that
 * do not read or leave, connections by the thousand, and SIGTERM under load. Each line ends with ok or BROKEN; the exit
 * code is 1 when a promise was broken. Runs on a tiny model: it is about the server, not about arithmetic.
 */
import { cp, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { PREDICT } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { pictures, predictRequest } from "./harness/predict-load.js";
import { type MeasuredProcess, residentMiB, startReady, startVitrine } from "./harness/processes.js";

const FIXTURE = fileURLToPath(new URL("../../packages/model-server/fixtures/pixel-sum", import.meta.url));
const CRASHABLE = fileURLToPath(new URL("./harness/crashable-model-server.js", import.meta.url));
const CALLERS = 16;
/** Longer than a look at the disk takes to be acted upon. */
const NOTICE_MS = 4000;

const folder = await mkdtemp(path.join(tmpdir(), "vitrine-faults-"));
let broken = 0;

await workersDieAtLoad();
await workersDieInRuns();
await configurationBreaks();
await versionIsDeleted();
await queueIsFull();
await callersDoNotRead();
await callersLeave();
await connectionsComeAndGo();
await sigtermUnderLoad();
await rm(folder, { recursive: true });
process.exit(broken === 0 ? 0 : 1);

interface Target {
  readonly server: MeasuredProcess;
  readonly grpcPort: number;
  readonly rest: string;
}

interface Tally {
  readonly answered: number;
  /** Failures by code and message. */
  readonly failures: ReadonlyMap<string, number>;
}

async function workersDieAtLoad(): Promise<void> {
  for (const deaths of [1, 2]) {
    const model = await modelFolder(`dies-${deaths}`);
    for (let death = 0; death < deaths; death++)
      await writeFile(path.join(model, "1", `die-at-load-${death}`), "");
    const target = await startCrashable(model);
    const tally = await load(target, path.basename(model), 500);
    report(
      `a session died at its load, ${deaths} in a row`,
      tally,
      failures(tally) === 0 && tally.answered > 0,
    );
    await target.server.stop();
  }
}

async function workersDieInRuns(): Promise<void> {
  const model = await modelFolder("dies-in-runs");
  const target = await startCrashable(model);
  for (const [what, signal, allowed] of [
    ["a session died in a run", "SIGUSR2", 0],
    // The run of the first may be the one that the second dies over, too: then it is answered with WORKER_LOST.
    ["every session died in a run, at once", "SIGHUP", 2],
  ] as const) {
    const loading = load(target, path.basename(model), 2500);
    await sleep(800);
    target.server.child.kill(signal);
    const tally = await loading;
    report(what, tally, failures(tally) <= allowed);
  }
  await target.server.stop();
}

async function configurationBreaks(): Promise<void> {
  const model = await modelFolder("first");
  const file = path.join(folder, "models.config");
  const config = (names: readonly string[]) =>
    names
      .map((name) => `config { name: "${name}" base_path: "${model}" model_platform: "tensorflow" }`)
      .join("\n");
  await writeFile(file, `model_config_list { ${config(["first"])} }`);
  const target = await startServer([
    `--model_config_file=${file}`,
    "--model_config_file_poll_wait_seconds=1",
  ]);
  const loading = load(target, "first", 3 * NOTICE_MS);
  await sleep(500);
  await writeFile(file, "model_config_list { config { name: ");
  await sleep(NOTICE_MS);
  await writeFile(`${file}.new`, `model_config_list { ${config(["first", "second"])} }`);
  await rename(`${file}.new`, file);
  const tally = await loading;
  const second = await load(target, "second", 300);
  report("the configuration was broken, then mended with one model more", tally, failures(tally) === 0);
  report("  the model that came with the mended one", second, failures(second) === 0 && second.answered > 0);
  await target.server.stop();
}

async function versionIsDeleted(): Promise<void> {
  const model = await modelFolder("deleted");
  await cp(path.join(model, "1"), path.join(model, "2"), { recursive: true });
  const target = await startServer([`--model_base_path=${model}`]);
  const loading = load(target, "deleted", 2 * NOTICE_MS);
  await sleep(500);
  await rm(path.join(model, "2"), { recursive: true });
  const tally = await loading;
  report("the served version's folder was deleted, an older one is there", tally, failures(tally) === 0);
  await target.server.stop();
}

async function queueIsFull(): Promise<void> {
  const model = await modelFolder("full");
  const target = await startServer([`--model_base_path=${model}`, "--max_enqueued_batches=1", "--workers=1"]);
  const tally = await load(target, "full", 2000, 200);
  const onlyRefused = [...tally.failures.keys()].every((failure) => failure.startsWith("UNAVAILABLE"));
  report("200 callers and a queue of one", tally, onlyRefused && tally.answered > 0);
  await target.server.stop();
}

/** Each asks and gives no window for the answer, so that it stays with the server. */
async function callersDoNotRead(): Promise<void> {
  const model = await modelFolder("slow");
  const target = await startServer([`--model_base_path=${model}`]);
  const message = Buffer.concat(PREDICT.encodeRequest(request("slow")));
  const body = Buffer.alloc(5 + message.byteLength);
  body.writeUInt32BE(message.byteLength, 1);
  message.copy(body, 5);
  const sessions = Array.from({ length: 20 }, () => {
    const session = connectHttp2(`http://127.0.0.1:${target.grpcPort}`, {
      settings: { initialWindowSize: 0 },
    });
    session.on("error", () => {});
    return session;
  });
  for (let round = 0; round < 10; round++) {
    // As many as fit into the queue: it is about answers that stay, not about too many requests.
    for (const session of sessions) for (let call = 0; call < 5; call++) askWithoutReading(session, body);
    await sleep(200);
  }
  const tally = await load(target, "slow", 2000);
  report("1000 answers that nobody reads, beside callers who do", tally, failures(tally) === 0);
  const began = performance.now();
  await target.server.stop();
  const tookMs = performance.now() - began;
  line(`  its drain with them took ${(tookMs / 1000).toFixed(1)} s, its grace is 2 s`, tookMs < 5000);
  for (const session of sessions) session.destroy();
}

function askWithoutReading(session: ClientHttp2Session, body: Buffer): void {
  const stream = session.request({
    ":method": "POST",
    ":path": PREDICT.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(body);
}

async function callersLeave(): Promise<void> {
  const model = await modelFolder("gone");
  const target = await startServer([`--model_base_path=${model}`]);
  for (let round = 0; round < 20; round++) {
    const channel = new GrpcChannel("127.0.0.1", target.grpcPort);
    const calls = Array.from({ length: 100 }, () => channel.unary(PREDICT, request("gone")));
    await sleep(5);
    channel.close();
    await Promise.allSettled(calls);
  }
  const tally = await load(target, "gone", 500);
  const waiting = await sumOf(target, "vitrine_model_server_waiting_requests");
  const busy = await sumOf(target, "vitrine_model_server_busy_sessions");
  report(
    `2000 calls whose callers left; ${waiting} wait and ${busy} run now`,
    tally,
    failures(tally) === 0 && waiting === 0 && busy === 0,
  );
  await target.server.stop();
}

async function connectionsComeAndGo(): Promise<void> {
  const model = await modelFolder("doors");
  const target = await startServer([`--model_base_path=${model}`]);
  const restPort = Number(new URL(target.rest).port);
  const visit = (port: number) =>
    new Promise<void>((resolve) => {
      const socket = connectTcp(port, "127.0.0.1", () => socket.destroy());
      socket.once("error", () => resolve());
      socket.once("close", () => resolve());
    });
  const visits = async (count: number) => {
    for (let done = 0; done < count; done += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => visit(index % 2 === 0 ? target.grpcPort : restPort)),
      );
    }
  };
  await visits(1000);
  const before = await residentMiB(target.server.pid);
  await visits(10_000);
  const after = await residentMiB(target.server.pid);
  const tally = await load(target, "doors", 500);
  report(
    `10,000 connections opened and closed, memory ${before.toFixed(0)} to ${after.toFixed(0)} MiB`,
    tally,
    failures(tally) === 0 && after < before + 50,
  );
  await target.server.stop();
}

/** What was accepted is answered; each caller's last call finds no server any more. */
async function sigtermUnderLoad(): Promise<void> {
  const model = await modelFolder("ending");
  let answered = 0;
  const lost = new Map<string, number>();
  for (let round = 0; round < 5; round++) {
    const target = await startServer([`--model_base_path=${model}`]);
    const loading = load(target, "ending", 3000, CALLERS, true);
    await sleep(800);
    await target.server.stop();
    const tally = await loading;
    answered += tally.answered;
    for (const [failure, count] of tally.failures) lost.set(failure, (lost.get(failure) ?? 0) + count);
  }
  const refused = [...lost].filter(([failure]) => failure.includes("the server could not be reached"));
  report(
    `SIGTERM under load, 5 times, ${CALLERS} callers without a pause`,
    { answered, failures: lost },
    refused.length === lost.size,
  );
}

async function modelFolder(name: string): Promise<string> {
  const model = path.join(folder, name);
  await cp(FIXTURE, model, { recursive: true });
  return model;
}

async function startServer(flags: readonly string[]): Promise<Target> {
  const server = await startVitrine([
    "serve",
    ...["--host=127.0.0.1", "--port=auto", "--rest-api-port=auto", "--drain-grace-ms=2000"],
    ...["--log-level=error", ...flags],
  ]);
  const [grpc = "", rest = ""] = server.ready.split(" ");
  return { server, grpcPort: Number(new URL(grpc).port), rest };
}

async function startCrashable(model: string): Promise<Target> {
  const server = await startReady([process.execPath, CRASHABLE, model]);
  const [grpcPort = "", restPort = ""] = server.ready.split(" ");
  return { server, grpcPort: Number(grpcPort), rest: `http://127.0.0.1:${restPort}` };
}

function request(model: string) {
  return predictRequest(model, "pixels", pictures("uint8", [1, 2, 2, 3]), []);
}

/**
 * Callers who send their next request when the last is answered.
 *
 * @param untilRefused a caller ends at its first failure: the server is going.
 */
async function load(
  { grpcPort }: Target,
  model: string,
  forMs: number,
  callers = CALLERS,
  untilRefused = false,
): Promise<Tally> {
  const channel = new GrpcChannel("127.0.0.1", grpcPort);
  const ends = performance.now() + forMs;
  const failures = new Map<string, number>();
  let answered = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < ends) {
      try {
        await channel.unary(PREDICT, request(model), { timeoutMs: 10_000 });
        answered += 1;
      } catch (error) {
        const failure =
          error instanceof ServeError ? `${error.code} ${error.reason}: ${error.message}` : String(error);
        failures.set(failure, (failures.get(failure) ?? 0) + 1);
        if (untilRefused) return;
        await sleep(2);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  channel.close();
  return { answered, failures };
}

async function sumOf({ rest }: Target, metric: string): Promise<number> {
  const page = await (await fetch(new URL("/metrics", rest))).text();
  const samples = page.split("\n").filter((candidate) => candidate.startsWith(`${metric}{`));
  return samples.reduce((sum, sample) => sum + Number(sample.split(" ").at(-1)), 0);
}

function failures(tally: Tally): number {
  return [...tally.failures.values()].reduce((sum, count) => sum + count, 0);
}

function report(what: string, tally: Tally, isKept: boolean): void {
  const kinds = [...tally.failures].map(([failure, count]) => `${count} x ${failure.slice(0, 90)}`);
  line(`${what}: ${failures(tally)} of ${tally.answered + failures(tally)} failed`, isKept);
  for (const kind of kinds.slice(0, 5)) console.log(`    ${kind}`);
}

function line(what: string, isKept: boolean): void {
  console.log(`${what}: ${isKept ? "ok" : "BROKEN"}`);
  if (!isKept) broken += 1;
}
