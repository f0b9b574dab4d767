/** The rows of all shards as one file, in the order of the list, each entry exactly once. */
import { CommandFailure } from "../command-failure.js";
import { createListFacts, type ListEntry, readList } from "./list.js";
import type { Row } from "./row.js";
import { shardOf } from "./shard.js";
import { bestRowOf, openShardFile, type RowReader } from "./shard-file.js";

/** How many missing entries are named; the rest is counted. */
const MOST_NAMED = 10;

export interface MergeResult {
  readonly entries: number;
  readonly rows: number;
  readonly errors: number;
  /** The first entries without a row. */
  readonly missing: readonly ListEntry[];
  /** How many entries each shard lacks; only those that lack some. */
  readonly missingOfShard: ReadonlyMap<number, number>;
  /** `name/version` of the models that the runs began with. */
  readonly models: ReadonlySet<string>;
  /** Digests of their contracts. */
  readonly contracts: ReadonlySet<string>;
  /** Lines that were no rows. */
  readonly unreadable: number;
}

/**
 * Reads the list and all files of rows side by side and gives each entry's row to `write`; where runs overlap, a
 * prediction counts before an error. Holds one row of each file in memory.
 *
 * @param damaged see {@link openShardFile}.
 * @throws {CommandFailure} when a file is about another list, or when files disagree about the number of shards.
 */
export async function mergeShards(
  list: string,
  files: readonly string[],
  write: (row: Row) => Promise<void>,
  damaged: (sentence: string) => void,
): Promise<MergeResult> {
  const readers = await openAll(files, damaged);
  try {
    return await merge(list, readers, write);
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
  }
}

async function merge(
  list: string,
  readers: readonly RowReader[],
  write: (row: Row) => Promise<void>,
): Promise<MergeResult> {
  const [first] = readers;
  if (first === undefined) throw new CommandFailure("no file held rows, expected those of each shard");
  const { of } = first.head.shard;
  const readersOf: RowReader[][] = Array.from({ length: of }, () => []);
  for (const reader of readers) {
    const { shard, list: digest } = reader.head;
    if (digest !== first.head.list || shard.of !== of) {
      throw new CommandFailure(
        `${reader.file} holds rows of list ${digest} in ${shard.of} shards, and ${first.file} of ` +
          `${first.head.list} in ${of}, expected the rows of one list`,
      );
    }
    readersOf[shard.index]?.push(reader);
  }

  const facts = createListFacts();
  const missing: ListEntry[] = [];
  const missingOfShard = new Map<number, number>();
  let entries = 0;
  let rows = 0;
  let errors = 0;
  for await (const { source, line } of readList(list)) {
    const entry = entries++;
    facts.add(source);
    const shard = shardOf(entry, of);
    const found = await bestRowOf(entry, source, readersOf[shard] ?? []);
    if (found === undefined) {
      if (missing.length < MOST_NAMED) missing.push({ source, line });
      missingOfShard.set(shard, (missingOfShard.get(shard) ?? 0) + 1);
      continue;
    }
    rows++;
    if ("error" in found) errors++;
    await write(found);
  }
  const { digest } = facts.end();
  if (digest !== first.head.list) {
    throw new CommandFailure(
      `the rows are of list ${first.head.list} (${first.head.entries} entries), expected ${list}: ${digest} (${entries} entries)`,
    );
  }
  return {
    entries,
    rows,
    errors,
    missing,
    missingOfShard,
    models: new Set(readers.map(({ head }) => head.model)),
    contracts: new Set(readers.map(({ head }) => head.contract)),
    unreadable: readers.reduce((sum, reader) => sum + reader.unreadable(), 0),
  };
}

async function openAll(files: readonly string[], damaged: (sentence: string) => void): Promise<RowReader[]> {
  const readers: RowReader[] = [];
  try {
    for (const file of files) {
      const reader = await openShardFile(file, damaged);
      if (reader !== undefined) readers.push(reader);
    }
    return readers;
  } catch (error) {
    await Promise.all(readers.map((reader) => reader.close()));
    throw error;
  }
}
