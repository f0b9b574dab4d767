/** `--fix`: runs the mends that can be taken back, after saying them. */
import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import type { ProgramResult } from "./cluster/access.js";
import { bySeverity, type Finding } from "./finding.js";

export interface FixOptions {
  /** Runs every mend without asking. */
  readonly yes: boolean;
  /** Where answers come from. */
  readonly input: Readable;
  /** For questions and what was done. */
  readonly talk: Writable;
  readonly signal: AbortSignal;
  run(argv: readonly string[]): Promise<ProgramResult>;
}

/**
 * Says each safe mend, asks, runs it, and says how to take it back. A mend that fails ends those of its finding,
 * which build on one another.
 *
 * @returns how many were run, and how many of those failed.
 */
export async function applyMends(
  findings: readonly Finding[],
  options: FixOptions,
): Promise<{ applied: number; failed: number }> {
  const { talk, run } = options;
  let applied = 0;
  let failed = 0;
  const done = new Set<string>();
  for (const { subject, problem, mends } of bySeverity(findings)) {
    for (const { does, command = "", safe } of mends) {
      if (safe === undefined || done.has(command)) continue;
      done.add(command);
      talk.write(`\n${subject}: ${problem}\n  ${does}\n  $ ${command}\n`);
      if (!options.yes && !(await agrees(options))) break;
      const { code, stdout, stderr } = await run(safe.argv);
      applied++;
      const said = (stderr.trim() === "" ? stdout : stderr).trim();
      if (code !== 0) {
        failed++;
        talk.write(`  failed: ${said}\n`);
        break;
      }
      talk.write(`  done${said === "" ? "" : `: ${said}`}\n  to take it back: ${safe.undo}\n`);
    }
  }
  return { applied, failed };
}

/** Anything but a yes is a no, as is the end of the input. */
async function agrees({ input, talk, signal }: FixOptions): Promise<boolean> {
  const lines = createInterface({ input, output: talk, signal });
  try {
    const closed = new AbortController();
    lines.once("close", () => closed.abort());
    const answer = await lines.question("  run it? [y/N] ", { signal: closed.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "AbortError") return false;
    throw error;
  } finally {
    lines.close();
  }
}
