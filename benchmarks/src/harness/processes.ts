/** Processes under measurement: started on a core of their own, watched through /proc, ended by their id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { MODEL_SERVER_ENVIRONMENT, MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";

export const VITRINE = fileURLToPath(new URL("../../../packages/cli/bin/vitrine.js", import.meta.url));

/** Linux counts CPU time in ticks of 10 ms for programs. */
const TICKS_PER_SECOND = 100;

export interface MeasuredProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What followed `ready ` on its first line. */
  readonly ready: string;
  stop(): Promise<void>;
}

interface StartOptions {
  /** undefined: any. */
  readonly core?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program and waits for a line that begins with `ready`. */
export function startReady(
  command: readonly [string, ...string[]],
  options: StartOptions = {},
): Promise<MeasuredProcess> {
  return startProgram(command, { ...options, isReady: (line) => line.startsWith("ready") });
}

/** Starts a program that says in words of its own, on either stream, that it is ready. */
export async function startProgram(
  command: readonly [string, ...string[]],
  { core, env = {}, isReady }: StartOptions & { readonly isReady: (line: string) => boolean },
): Promise<MeasuredProcess> {
  const [program, ...args] = core === undefined ? command : onCore(core, command);
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let talk = "";
  child.stderr.on("data", (chunk: Buffer) => {
    talk = (talk + chunk.toString()).slice(-4000);
  });
  const ready = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${command.join(" ")} ended with ${code}:\n${talk}`)));
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        if (isReady(line)) resolve(line.replace(/^ready/, "").trim());
      });
    }
  });
  child.removeAllListeners("exit");
  return { child, pid: child.pid ?? 0, ready, stop: () => stop(child) };
}

/** Starts `vitrine WORDS…`; `serve` with all that it wants of its process, so that the one that is watched is the server. */
export function startVitrine(words: readonly string[], options: StartOptions = {}): Promise<MeasuredProcess> {
  const isServer = words[0] === "serve";
  return startReady(
    [process.execPath, ...(isServer ? MODEL_SERVER_NODE_FLAGS : []), VITRINE, ...words],
    isServer ? { ...options, env: { ...MODEL_SERVER_ENVIRONMENT, ...options.env } } : options,
  );
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

/**
 * Runs a bare loop to its end, on one core where `core` says so.
 *
 * @returns the numbers on the last line that it printed.
 */
export async function runBareLoop(
  command: readonly [string, ...string[]],
  { core }: { core?: number } = {},
): Promise<number[]> {
  const [program, ...args] = core === undefined ? command : onCore(core, command);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`);
  return (printed.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
}

function onCore(core: number, command: readonly [string, ...string[]]): [string, ...string[]] {
  return ["taskset", "-c", String(core), ...command];
}

/** CPU seconds, all threads, user and system, since the process began. Linux only. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The second field is the program's name in brackets and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory in MiB. Linux only. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** One sample of a Prometheus page, such as `nodejs_eventloop_delay_seconds{quantile="0.99"}`. */
export async function metricOf(url: string, sample: string): Promise<number> {
  const page = await (await fetch(new URL("/metrics", url))).text();
  const line = page.split("\n").find((candidate) => candidate.startsWith(`${sample} `));
  if (line === undefined) throw new Error(`${url}/metrics had no sample ${sample}`);
  return Number(line.slice(sample.length + 1));
}
