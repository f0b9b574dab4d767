/** The `vitrine` command as a process of its own, as a person would start it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const PROGRAM = fileURLToPath(new URL("../../packages/cli/bin/vitrine.js", import.meta.url));

/** A drawing of trousers; the shipped model was never trained on drawings. */
export const DRAWING = fileURLToPath(new URL("pictures/trousers.jpg", import.meta.url));

/** Folder with train/ and validation/, one folder per label in each; tests with real photos need it. */
export const PHOTOS = process.env.VITRINE_PHOTOS;

/** Takes what is to be done at the end: of the test, or for `afterAll` of a suite that shares something. */
export type AtEnd = (end: () => void) => void;

export interface VitrineProcess {
  readonly child: ChildProcess;
  /** Everything on stdout so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the first match in either stream, also one that is already there. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the exit code, or the signal's name, when it has ended. */
  readonly ended: Promise<number | string>;
}

/** Starts `vitrine ARGS`; when the test ends, or `atEnd` says so, it is killed, which ends its tiers too. */
export function startVitrine(
  args: readonly string[],
  env: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
): VitrineProcess {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  atEnd(() => void child.kill("SIGKILL"));
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      child.emit("said");
    });
  }
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
    child.emit("said");
  });
  return {
    child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    async says(pattern) {
      while (true) {
        const match = pattern.exec(text.stdout) ?? pattern.exec(text.stderr);
        if (match !== null) return match;
        if (hasEnded) throw new Error(`vitrine ended without ${pattern}:\n${text.stdout}${text.stderr}`);
        await once(child, "said");
      }
    },
  };
}

export interface UpProcess extends VitrineProcess {
  /** Of the gateway. */
  readonly url: string;
  /** Process number of a tier, after the given number of restarts. */
  processOf(tier: "gateway" | "model server", restarts?: number): Promise<number>;
}

/** Starts `vitrine up` on free ports and waits until it is ready. */
export async function startUp(
  args: readonly string[] = [],
  env: Record<string, string> = {},
  atEnd: AtEnd = onTestFinished,
): Promise<UpProcess> {
  const vitrine = startVitrine(["up", "--port=0", "--grpc-port=0", "--rest-port=0", ...args], env, atEnd);
  const [, url = ""] = await vitrine.says(/^ready (\S+)$/m);
  return {
    ...vitrine,
    url,
    async processOf(tier, restarts = 0) {
      const line = `${tier} is process (\\d+)$`;
      const match = await vitrine.says(new RegExp(`^${line}${`[\\s\\S]*^${line}`.repeat(restarts)}`, "m"));
      return Number(match.at(-1));
    },
  };
}

/** Runs `vitrine ARGS` to its end. */
export async function runVitrine(args: readonly string[], env: Record<string, string> = {}) {
  const vitrine = startVitrine(args, env);
  const code = await vitrine.ended;
  return { code, stdout: vitrine.stdout(), stderr: vitrine.stderr() };
}
