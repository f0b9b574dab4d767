/** Lists of pictures: a text file, gzipped or not, with one path or link a line. */
import { createHash } from "node:crypto";
import { UsageError } from "@vitrine/runtime/settings";
import { readLines } from "./lines.js";

/** A path or link is far shorter; a longer line is a file that is no list. */
const MOST_LINE_BYTES = 65_536;

/** What two readers of a list must agree on. */
export interface ListFacts {
  /** `sha256:` and 64 hex digits, over the entries, each with a line end: how the file is zipped does not count. */
  readonly digest: string;
  readonly entries: number;
}

export interface ListEntry {
  /** A path or a link. */
  readonly source: string;
  /** Of the file, from 1: empty lines count here, though they are no entries. */
  readonly line: number;
}

/** Of the system, when it is the list that is wrong; a disk that does not answer is another matter. */
const WRONG_FILE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "EACCES"]);

/**
 * Yields the entries of a list in order; empty lines are none.
 *
 * @throws {UsageError} when it is not there or is no text; of the system when it cannot be read.
 */
export async function* readList(file: string): AsyncGenerator<ListEntry> {
  let line = 0;
  try {
    for await (const { text } of readLines(file, MOST_LINE_BYTES)) {
      line++;
      const source = text.trim();
      if (source !== "") yield { source, line };
    }
  } catch (cause) {
    if (!isWrongFile(cause)) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const problem = `@${file} could not be read: ${why}, expected a list with one path or link a line`;
    throw new UsageError([problem], { cause });
  }
}

function isWrongFile(cause: unknown): boolean {
  if (cause instanceof RangeError) return true;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return WRONG_FILE.has(code) || (typeof code === "string" && code.startsWith("Z_"));
}

/** Reads a whole list for its facts; a second or two for a million entries. */
export async function listFactsOf(file: string): Promise<ListFacts> {
  const facts = createListFacts();
  for await (const { source } of readList(file)) facts.add(source);
  return facts.end();
}

/** The same while the entries pass by for another purpose. */
export function createListFacts(): { add(entry: string): void; end(): ListFacts } {
  const hash = createHash("sha256");
  let entries = 0;
  let pending = "";
  return {
    add(entry) {
      entries++;
      pending += `${entry}\n`;
      // One call of the hash for many short lines.
      if (pending.length < 65_536) return;
      hash.update(pending);
      pending = "";
    },
    end: () => ({ digest: `sha256:${hash.update(pending).digest("hex")}`, entries }),
  };
}
