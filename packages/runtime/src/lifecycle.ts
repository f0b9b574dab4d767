/** Life and death of a process: its streams, the signals that end it, and its exit code. */
import type { Writable } from "node:stream";
import { ServeError } from "@vitrine/protocol/status";
import { z } from "zod";
import { type Environment, setting, UsageError } from "./settings.js";

/** Everything that a command takes from its process. Tests pass their own. */
export interface Io {
  /** Results and the ready line. */
  readonly stdout: Writable;
  /** Talk, progress and logs. */
  readonly stderr: Writable;
  readonly env: Environment;
  /** Aborts when the process is asked to end: drain, then return. */
  readonly signal: AbortSignal;
}

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** What a shell says of a program that SIGPIPE ended: whoever read its output has left, as `head` does. */
export const EXIT_READER_LEFT = 141;

/** The setting that every tier has. */
export const drainGraceSetting = setting(z.int().min(0).max(600_000).default(20_000), {
  description:
    "Milliseconds that accepted work may take to finish after SIGTERM. Keep it below the time after which the platform kills.",
  placeholder: "milliseconds",
});

/** The setting of a tier behind a load balancer that asks for its readiness. */
export const drainWaitSetting = setting(z.int().min(0).max(600_000).default(0), {
  description:
    "Milliseconds after SIGTERM in which the tier says that it is not ready and still answers all that comes, so that load balancers notice; then it drains. Needed where the platform does not wait by itself (a preStop sleep on Kubernetes does the same).",
  placeholder: "milliseconds",
});

/** A tier that listens. */
export interface Tier {
  /** Where it really listens, such as `http://127.0.0.1:9696`. */
  readonly addresses: readonly string[];
  /** Resolves when the first answer is possible. Rejects when it never will be: the tier then ends with 1. */
  readonly ready: Promise<void>;
  /** Rejects when the tier cannot go on, such as after a crash loop of its workers; never resolves. */
  readonly failed?: Promise<never>;
  /**
   * Refuses new work, finishes accepted work, closes everything.
   *
   * @param graceMs after which it ends what is still running.
   */
  drain(graceMs: number): Promise<void>;
}

/** Sent over the IPC channel it asks a child to end, once: beside a signal it does not count as the second. */
export const END_MESSAGE = "end";

/**
 * Takes streams, environment and signals of this process. The first SIGINT or SIGTERM aborts `signal`, the
 * second ends the process at once with 1. Where the process was started with an IPC channel, the end of its
 * parent counts as a signal, so that children do not outlive a parent that was killed.
 */
export function processIo(): Io {
  const controller = new AbortController();
  const end = (reason: string): void => {
    if (controller.signal.aborted) process.exit(EXIT_FAILED);
    controller.abort(new Error(reason));
  };
  process.on("SIGINT", () => end("received SIGINT"));
  process.on("SIGTERM", () => end("received SIGTERM"));
  if (process.channel !== undefined) {
    process.once("disconnect", () => end("the parent process is gone"));
    process.on("message", (message) => {
      if (message === END_MESSAGE && !controller.signal.aborted) end("the parent process ends");
    });
    // A listener alone would keep a process alive that has nothing left to do.
    process.channel.unref();
  }
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error) => {
      // The reader has left, as `| head` does; what is written from here on goes nowhere.
      if (!isBrokenPipe(error)) throw error;
      controller.abort(error);
    });
  }
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: controller.signal };
}

/** Whether the process ends because nobody reads its output any more: nobody is there to be told. */
export function hasReaderLeft({ signal }: Io): boolean {
  return signal.aborted && isBrokenPipe(signal.reason);
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

/**
 * Runs a tier until it is asked to end: says where it listens on stderr and `ready …` on stdout when it can
 * answer, then drains once.
 *
 * @param name  for the lines on stderr, such as `gateway`.
 * @param start begins to listen. Its signal aborts when the process shall end before the start is through.
 * @returns exit code: 0 after a drain that was asked for, 1 when the tier failed.
 * @throws what `start` throws, unless the process was asked to end meanwhile.
 */
export async function runTier(
  name: string,
  start: (signal: AbortSignal) => Promise<Tier>,
  { stdout, stderr, signal }: Io,
  { graceMs }: { graceMs: number },
): Promise<number> {
  let tier: Tier;
  try {
    tier = await start(signal);
  } catch (error) {
    if (signal.aborted) return EXIT_DONE;
    throw error;
  }
  const addresses = tier.addresses.join(" ");
  stderr.write(`${name} listens on ${addresses}\n`);

  const failure = await new Promise<{ error: unknown } | undefined>((resolve) => {
    const fail = (error: unknown): void => resolve({ error });
    const asked = (): void => resolve(undefined);
    if (signal.aborted) asked();
    else signal.addEventListener("abort", asked, { once: true });
    tier.failed?.catch(fail);
    tier.ready.then(() => {
      if (!signal.aborted) stdout.write(`ready ${addresses}\n`);
    }, fail);
  });

  if (failure === undefined) stderr.write(`${name} drains\n`);
  else stderr.write(`${name} failed: ${errorText(failure.error)}\n`);
  await tier.drain(graceMs);
  return failure === undefined ? EXIT_DONE : EXIT_FAILED;
}

/** What to print for an error: its message where it says what is wrong by itself, the stack of a bug. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const foreseen = error instanceof UsageError || error instanceof ServeError || "syscall" in error;
  return foreseen ? error.message : (error.stack ?? error.message);
}
