/** What doctor says: a finding of the catalogue about one thing, and its mends. */
import { CATALOGUE, type FindingId, type Severity } from "./catalogue.js";

export interface Mend {
  /** What it does, in words. */
  readonly does: string;
  /** To copy into a shell. Undefined: no one command does it. */
  readonly command?: string;
  /** The same as program and arguments, and how to take it back: set where `--fix` may run it. */
  readonly safe?: { readonly argv: readonly string[]; readonly undo: string };
}

/** What the check knows; severity and reason come from the catalogue. */
export interface FindingFacts {
  /** What it is about, such as `deployment/gateway in vitrine`. */
  readonly subject: string;
  /** What is wrong, in one sentence with the values that show it. */
  readonly problem: string;
  /** How that was seen: the command or file, and what it said. */
  readonly seen: string;
  readonly mends: readonly Mend[];
}

export interface Finding extends FindingFacts {
  readonly id: FindingId;
  readonly severity: Severity;
  /** Why it matters. */
  readonly why: string;
}

export function finding(id: FindingId, facts: FindingFacts): Finding {
  return { id, ...CATALOGUE[id], ...facts };
}

/** A mend that `--fix` may run; `undo` takes it back. */
export function safeMend(does: string, argv: readonly string[], undo: readonly string[]): Mend {
  return { does, command: shellText(argv), safe: { argv, undo: shellText(undo) } };
}

/** A mend that the user has to run, since it cannot be taken back or is a matter of choice. */
export function mend(does: string, argv?: readonly string[]): Mend {
  return argv === undefined ? { does } : { does, command: shellText(argv) };
}

/** Words as a POSIX shell takes them. */
export function shellText(argv: readonly string[]): string {
  return argv
    .map((word) => (/^~?[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(" ");
}

/** Faults before warnings, each in the order of the catalogue, then by what they are about. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  const order = Object.keys(CATALOGUE);
  const rank = ({ id, severity }: Finding): number => order.indexOf(id) + (severity === "fault" ? 0 : 1e3);
  return [...findings].sort((a, b) => rank(a) - rank(b) || a.subject.localeCompare(b.subject));
}
