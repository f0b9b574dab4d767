/** `--fix`: runs the mends that can be taken back, after saying them. */
import { createInterface } from "node:readline";
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
 * Says each safe mend, asks, runs it, and says how to take it back. A no, or a mend that fails, ends those of its
 * finding, which build on one another.
 *
 * @returns how many were run, and how many of those failed.
 */
export async function applyMends(
  findings: readonly Finding[],
  options: FixOptions,
): Promise<{ applied: number; failed: number }> {
  const { yes, input, talk, signal, run } = options;
  const lines = yes ? undefined : createInterface({ input, signal });
  // An iterator keeps the lines that come before they are asked for, and ends with the input.
  const answers = lines?.[Symbol.asyncIterator]();
  let applied = 0;
  let failed = 0;
  const done = new Set<string>();
  const undos = new Set<string>();
  try {
    for (const { subject, problem, mends } of bySeverity(findings)) {
      for (const { does, command = "", safe } of mends) {
        if (safe === undefined || done.has(aimOf(safe.argv))) continue;
        done.add(aimOf(safe.argv));
        talk.write(`\n${subject}: ${problem}\n  ${does}\n  $ ${command}\n`);
        if (answers !== undefined) {
          talk.write("  run it? [y/N] ");
          if (!isYes(await answers.next())) break;
        }
        const { code, stdout, stderr } = await run(safe.argv);
        applied++;
        const said = (stderr.trim() === "" ? stdout : stderr).trim();
        if (code !== 0) {
          failed++;
          talk.write(`  failed: ${said}\n`);
          break;
        }
        talk.write(`  done${said === "" ? "" : `: ${said}`}\n  ${undoText(safe.undo, undos)}\n`);
        undos.add(safe.undo);
      }
    }
  } finally {
    lines?.close();
  }
  signal.throwIfAborted();
  return { applied, failed };
}

/** Of two limits for one container the first counts, that of the worse finding: the second may be the lower one. */
function aimOf(argv: readonly string[]): string {
  return JSON.stringify(argv.map((word) => word.replace(/^(--limits=memory)=.*/, "$1")));
}

/** Changes of one Deployment have one undo, which goes back to before the first of them. */
function undoText(undo: string, undos: ReadonlySet<string>): string {
  return undos.has(undo) ? `taken back by the same: ${undo}` : `to take it back: ${undo}`;
}

/** Anything but a yes is a no, as is the end of the input. */
function isYes({ value, done }: IteratorResult<string, unknown>): boolean {
  return done !== true && /^y(es)?$/i.test(value.trim());
}
