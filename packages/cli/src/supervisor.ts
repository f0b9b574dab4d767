/** Keeps one tier alive as a child process: starts it, reads its lines, restarts it when it dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "@vitrine/runtime/settings";
import { CommandFailure } from "./command-failure.js";

export interface SupervisedTierOptions {
  /** As the tier calls itself in the line `NAME listens on ADDRESS…`, such as `model server`. */
  readonly name: string;
  /**
   * Program and arguments of one start.
   *
   * @param addresses where the tier listened before it died, so that it can come back there; empty at first.
   */
  readonly commandLine: (addresses: readonly string[]) => readonly [string, ...string[]];
  readonly env: Environment;
  /** Takes each line that the tier writes to stderr. */
  readonly onLine: (line: string) => void;
  /** Takes sentences about its life. */
  readonly say: (sentence: string) => void;
  readonly backoff?: Partial<Backoff>;
}

export interface Backoff {
  /** Wait before the first restart; each further one in a row waits twice as long. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A tier that lived so long after it was ready starts to count anew. */
  readonly stableMs: number;
  /** Deaths in a row after which it is given up. */
  readonly mostDeaths: number;
}

const DEFAULT_BACKOFF: Backoff = { firstDelayMs: 100, longestDelayMs: 5_000, stableMs: 5_000, mostDeaths: 6 };

/** How many lines of a dead tier are kept to tell why it died. */
const MOST_LAST_LINES = 20;

export interface SupervisedTier {
  /** Where it listens, once it does for the first time. */
  readonly listening: Promise<readonly string[]>;
  /** Resolves with its addresses when it can answer for the first time. */
  readonly ready: Promise<readonly string[]>;
  /** Rejects with a {@link TierLost} when it is given up; never resolves. */
  readonly failed: Promise<never>;
  /** Of the process that runs at this moment; undefined between two. */
  pid(): number | undefined;
  /** Asks it to drain and waits for its end; kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** A tier died and is not started again. Its message ends with the last lines that it wrote to stderr. */
export class TierLost extends CommandFailure {
  override readonly name = "TierLost";

  constructor(sentence: string, lastLines: readonly string[]) {
    const words = lastLines.map((line) => `\n    ${line}`).join("");
    super(words === "" ? sentence : `${sentence}. Its last words:${words}`);
  }
}

interface Life {
  readonly ready: boolean;
  readonly stable: boolean;
  readonly ending: string;
  /** It ended by itself, not by a signal. */
  readonly byItself: boolean;
  readonly lastLines: readonly string[];
}

/**
 * Starts a tier and keeps it alive. The child gets a process group of its own, so that a terminal's Ctrl-C
 * reaches only us and tiers drain in our order, and an IPC channel, so that it drains when we are killed.
 *
 * A tier that ends by itself before it was ever ready is not started again: the same start would end the
 * same way.
 */
export function superviseTier(options: SupervisedTierOptions): SupervisedTier {
  const { name, say } = options;
  const backoff = { ...DEFAULT_BACKOFF, ...options.backoff };
  const listening = deferred<readonly string[]>();
  const ready = deferred<readonly string[]>();
  const failed = deferred<never>();
  const stopping = new AbortController();
  const listensOn = `${name} listens on `;
  let addresses: readonly string[] = [];
  let child: ChildProcess | undefined;

  async function live(): Promise<Life> {
    const [program, ...args] = options.commandLine(addresses);
    const started = spawn(program, args, {
      env: { ...options.env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: process.platform !== "win32",
    });
    child = started;
    // Without a number the start failed, and the error event says why.
    if (started.pid !== undefined) say(`${name} is process ${started.pid}`);
    const { stdout, stderr } = started;
    if (stdout === null || stderr === null) throw new Error("a child with pipes has no pipes");
    const lastLines: string[] = [];
    let readyAt: number | undefined;

    createInterface({ input: stderr }).on("line", (line) => {
      if (line.startsWith(listensOn)) {
        addresses = line.slice(listensOn.length).split(" ");
        listening.resolve(addresses);
      }
      lastLines.push(line);
      if (lastLines.length > MOST_LAST_LINES) lastLines.shift();
      options.onLine(line);
    });
    createInterface({ input: stdout }).on("line", (line) => {
      if (!line.startsWith("ready ")) return;
      if (readyAt === undefined && ready.settled) say(`${name} is back`);
      readyAt = performance.now();
      ready.resolve(line.slice("ready ".length).split(" "));
    });

    return await new Promise((resolve, reject) => {
      started.on("error", reject);
      // "close" and not "exit": by then the last lines have been read.
      started.on("close", (code, signal) => {
        resolve({
          ready: readyAt !== undefined,
          stable: readyAt !== undefined && performance.now() - readyAt >= backoff.stableMs,
          ending: signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`,
          byItself: signal === null,
          lastLines,
        });
      });
    });
  }

  async function keepAlive(): Promise<void> {
    let deaths = 0;
    while (true) {
      const life = await live();
      if (stopping.signal.aborted) return;
      if (life.byItself && !life.ready && !ready.settled) {
        throw new TierLost(`the ${name} ${life.ending} before it was ready`, life.lastLines);
      }
      deaths = life.stable ? 1 : deaths + 1;
      if (deaths >= backoff.mostDeaths) {
        throw new TierLost(`the ${name} ${life.ending}, ${deaths} times in a row`, life.lastLines);
      }
      const delayMs = Math.min(backoff.longestDelayMs, backoff.firstDelayMs * 2 ** (deaths - 1));
      say(`${name} ${life.ending}; it starts again in ${delayMs / 1000} s`);
      await delay(delayMs, undefined, { signal: stopping.signal });
    }
  }

  const ended = keepAlive().catch((error: unknown) => {
    // Also what `delay` throws when the stop comes during a wait.
    if (stopping.signal.aborted) return;
    for (const promise of [listening, ready, failed]) promise.reject(error);
  });

  return {
    listening: listening.promise,
    ready: ready.promise,
    failed: failed.promise,
    pid: () => (child?.exitCode === null && child.signalCode === null ? child.pid : undefined),
    async stop(graceMs) {
      if (!stopping.signal.aborted) {
        stopping.abort();
        child?.kill("SIGTERM");
      }
      const kill = setTimeout(() => child?.kill("SIGKILL"), graceMs);
      await ended;
      clearTimeout(kill);
    },
  };
}

function deferred<T>() {
  let settle: { resolve: (value: T) => void; reject: (error: unknown) => void } | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // A caller may wait for one of several such promises only; the others' rejections are not unhandled.
  promise.catch(() => undefined);
  const result = {
    promise,
    settled: false,
    resolve(value: T): void {
      result.settled = true;
      settle?.resolve(value);
    },
    reject(error: unknown): void {
      result.settled = true;
      settle?.reject(error);
    },
  };
  return result;
}
