/**
 * Files of rows that the workers of a shard write. Each run of a worker makes a file of its own and never touches
 * another's, so a run may be killed at any byte, and two runs of one shard may go on at once: what counts is decided
 * by who reads them. A file is a head, and then rows with the number of their entry, ascending.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CommandFailure } from "../command-failure.js";
import { type Line, LineTooLong, readLines } from "./lines.js";
import type { ListFacts } from "./list.js";
import { answerSchema, type Row } from "./row.js";
import type { Shard } from "./shard.js";

/** Rows of models with ten thousand labels fit. */
const MOST_ROW_BYTES = 4_194_304;

const headSchema = z.object({
  vitrine_rows: z.literal(1),
  list: z.string(),
  entries: z.int().min(0),
  shard: z.object({ index: z.int().min(0), of: z.int().min(1) }),
  /** Of the gateway when the run began. */
  model: z.string(),
  contract: z.string(),
});

/** What a file of rows says of itself in its first line. */
export type ShardHead = z.output<typeof headSchema>;

const rowSchema = z.intersection(z.object({ entry: z.int().min(0), source: z.string() }), answerSchema);

/** A row with the number of its entry in the list, counted from 0. */
export type ShardRow = { readonly entry: number } & Row;

export interface ShardWriter {
  readonly file: string;
  /** Resolves when the system has taken the row: from then on the death of this process does not lose it. */
  write(row: ShardRow): Promise<void>;
  /** Waits until the rows are on the disk. */
  close(): Promise<void>;
}

/** Makes a new file for one run, named for its shard; the folder is made where it is missing. */
export async function createShardFile(folder: string, head: ShardHead): Promise<ShardWriter> {
  await mkdir(folder, { recursive: true });
  const { index, of } = head.shard;
  const file = path.join(folder, `shard-${index}-of-${of}.${randomBytes(6).toString("hex")}.jsonl`);
  const handle = await open(file, "wx");
  await handle.appendFile(`${JSON.stringify(head)}\n`);
  return {
    file,
    write: async (row) => await handle.appendFile(`${JSON.stringify(row)}\n`),
    async close() {
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

/** Files of rows in a folder, of one shard or of all; none where there is no folder. */
export async function shardFilesIn(folder: string, shard?: Shard): Promise<string[]> {
  const prefix = shard === undefined ? "shard-" : `shard-${shard.index}-of-${shard.of}.`;
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  const files = names.filter((name) => name.startsWith(prefix) && name.endsWith(".jsonl"));
  return files.sort().map((name) => path.join(folder, name));
}

/** @returns the facts of the list that the rows are about. */
export function listOfHead({ list, entries }: ShardHead): ListFacts {
  return { digest: list, entries };
}

/** Reads the rows of one file, entry by entry. */
export interface RowReader {
  readonly file: string;
  readonly head: ShardHead;
  /** The row of an entry; undefined when the file has none. Ask in ascending order. */
  rowOf(entry: number): Promise<ShardRow | undefined>;
  /** Complete lines so far that were no rows, as a disk may leave them; their entries count as not done. */
  unreadable(): number;
  close(): Promise<void>;
}

/**
 * Opens a file of rows. What a disk has spoilt, as by a loss of power, does not count: its entries are not done.
 *
 * @param damaged told in a sentence what of the file does not count, as long as it is more than a line.
 * @returns undefined when there is no head: its writer died before it was whole, or it was spoilt.
 */
export async function openShardFile(
  file: string,
  damaged: (sentence: string) => void,
): Promise<RowReader | undefined> {
  let unreadable = 0;
  const lines = untilNoText(readLines(file, MOST_ROW_BYTES), () => {
    unreadable++;
    damaged(`${file} is no text from some line on, what comes after it does not count`);
  });
  const first = await lines.next();
  const head = headSchema.safeParse(first.done === true ? undefined : parseJson(first.value.text));
  if (first.done === true || !first.value.hasEnd || !head.success) {
    await lines.return(undefined);
    if (first.done !== true && first.value.hasEnd) {
      damaged(`${file} does not begin as vitrine classify --shard has written it, it does not count`);
    }
    return undefined;
  }
  let pending: ShardRow | undefined;
  let lastEntry = -1;
  let ended = false;

  async function next(): Promise<ShardRow | undefined> {
    while (!ended) {
      const { done, value: line } = await lines.next();
      // Without its end a line was cut off, or is being written.
      if (done === true || !line.hasEnd) {
        ended = true;
        await lines.return(undefined);
        return undefined;
      }
      const row = rowSchema.safeParse(parseJson(line.text));
      if (!row.success) {
        unreadable++;
        continue;
      }
      if (row.data.entry <= lastEntry) {
        throw new CommandFailure(
          `${file} had entry ${row.data.entry} after ${lastEntry}, expected ascending ones: it was changed since`,
        );
      }
      lastEntry = row.data.entry;
      return row.data;
    }
    return undefined;
  }

  return {
    file,
    head: head.data,
    async rowOf(entry) {
      while (pending === undefined || pending.entry < entry) {
        pending = await next();
        if (pending === undefined) return undefined;
      }
      return pending.entry === entry ? pending : undefined;
    },
    unreadable: () => unreadable,
    close: async () => void (await lines.return(undefined)),
  };
}

/**
 * The row that counts among all files: a prediction before an error, and of equals that of the first file.
 *
 * @throws {CommandFailure} when a row is about another source than the list has at its place.
 */
export async function bestRowOf(
  entry: number,
  source: string,
  readers: readonly RowReader[],
): Promise<ShardRow | undefined> {
  let best: ShardRow | undefined;
  for (const reader of readers) {
    const row = await reader.rowOf(entry);
    if (row === undefined) continue;
    if (row.source !== source) {
      throw new CommandFailure(
        `${reader.file} has ${row.source} as entry ${entry}, expected ${source} as in the list`,
      );
    }
    if (best === undefined || ("error" in best && !("error" in row))) best = row;
  }
  return best;
}

/** A file that had not reached the disk when the power went may be long and hold zeros only. */
async function* untilNoText(lines: AsyncGenerator<Line>, noText: () => void): AsyncGenerator<Line> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof LineTooLong)) throw error;
    noText();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Who asks counts it, or tells of it.
  }
}
