/** One worker's share of a long list: asks for what has no row yet, and writes a file of rows of its own. */
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { UsageError } from "@vitrine/runtime/settings";
import type { GatewayClient, GatewayInfo } from "./gateway-client.js";
import { createListFacts, type ListFacts, listFactsOf, readList } from "./list.js";
import { mapInOrder } from "./map-in-order.js";
import { createProgress } from "./progress.js";
import { entriesOfShard, type Shard, shardOf } from "./shard.js";
import {
  bestRowOf,
  createShardFile,
  openShardFile,
  type RowReader,
  type ShardHead,
  type ShardRow,
  type ShardWriter,
  shardFilesIn,
} from "./shard-file.js";
import { sourceNamed } from "./sources.js";

export interface ShardWork {
  /** File of the list. */
  readonly list: string;
  readonly shard: Shard;
  /** Folder of the rows of all shards. */
  readonly folder: string;
  /** Asks again for pictures whose row is an error. */
  readonly retryErrors: boolean;
  readonly concurrency: number;
}

interface Entry {
  readonly entry: number;
  readonly source: string;
}

interface ShardTally {
  done: number;
  /** Of those, rows of earlier runs. */
  earlier: number;
  failed: number;
}

/**
 * Classifies the entries of a shard that no earlier run has a row for. The list and the rows are read side by side,
 * entry by entry, so neither is ever held in memory.
 *
 * @returns exit code: 0 when each entry of the shard has a row, be it an error; 1 when the run was interrupted.
 * @throws {UsageError} when the folder holds rows of another list or of another number of shards.
 */
export async function classifyShard(client: GatewayClient, work: ShardWork, io: Io): Promise<number> {
  const facts = await listFactsOf(work.list);
  const progress = createProgress(io.stderr);
  const earlier = await openRowsOf(work, facts, (sentence) => {
    progress.clear();
    io.stderr.write(`${sentence}\n`);
  });
  let writer: ShardWriter | undefined;
  try {
    const info = await client.info();
    const tally: ShardTally = { done: 0, earlier: 0, failed: 0 };
    const total = entriesOfShard(work.shard, facts.entries);
    const startedMs = performance.now();
    const ask = async ({ entry, source }: Entry): Promise<ShardRow> => {
      const answer = await client.classify(sourceNamed(source), info.limits.max_image_bytes);
      return { entry, source, ...answer };
    };
    try {
      const entries = untilAborted(io.signal, entriesToDo(work, facts, earlier, tally));
      for await (const row of mapInOrder(entries, work.concurrency, ask)) {
        writer ??= await createShardFile(work.folder, headOf(work.shard, facts, info));
        await writer.write(row);
        tally.done++;
        if ("error" in row) tally.failed++;
        progress.show({ ...tally, total });
      }
    } catch (error) {
      // The interruption of a wait between two tries: the rows up to it are written.
      if (!io.signal.aborted) throw error;
    }
    progress.clear();
    const seconds = (performance.now() - startedMs) / 1000;
    io.stderr.write(
      `shard ${work.shard.index} of ${work.shard.of}: ${tally.done} of ${total} entries have rows, ` +
        `${tally.done - tally.earlier} new in ${seconds.toFixed(1)} s, ${tally.failed} errors\n`,
    );
    if (io.signal.aborted) io.stderr.write("interrupted: run it again to go on\n");
    return io.signal.aborted ? EXIT_FAILED : EXIT_DONE;
  } finally {
    await writer?.close();
    await Promise.all(earlier.map((reader) => reader.close()));
  }
}

/** Says what {@link classifyShard} would do, without a gateway. */
export async function describeShard(work: ShardWork, io: Io): Promise<number> {
  const facts = await listFactsOf(work.list);
  const earlier = await openRowsOf(work, facts, (sentence) => io.stderr.write(`${sentence}\n`));
  const tally: ShardTally = { done: 0, earlier: 0, failed: 0 };
  let open = 0;
  try {
    for await (const _ of entriesToDo(work, facts, earlier, tally)) open++;
  } finally {
    await Promise.all(earlier.map((reader) => reader.close()));
  }
  io.stdout.write(
    `list ${facts.digest} of ${facts.entries} entries; shard ${work.shard.index} of ${work.shard.of}: ` +
      `${tally.done} done (${tally.failed} errors), ${open} to do\n`,
  );
  return EXIT_DONE;
}

/** @throws {UsageError} when there are rows of another list or of another number of shards. */
async function openRowsOf(
  { folder, shard, list }: ShardWork,
  facts: ListFacts,
  damaged: (sentence: string) => void,
): Promise<RowReader[]> {
  const readers: RowReader[] = [];
  for (const file of await shardFilesIn(folder)) {
    const reader = await openShardFile(file, damaged);
    if (reader === undefined) continue;
    const { head } = reader;
    const isOurs = head.list === facts.digest && head.shard.of === shard.of;
    if (isOurs && head.shard.index === shard.index) readers.push(reader);
    else await reader.close();
    if (isOurs) continue;
    await Promise.all(readers.map((opened) => opened.close()));
    throw new UsageError([
      `${file} holds rows of list ${head.list} (${head.entries} entries) in ${head.shard.of} shards, expected those of ` +
        `${list}: ${facts.digest} (${facts.entries} entries) in ${shard.of}; take another folder for another list`,
    ]);
  }
  return readers;
}

/** The entries of the shard without a row; the others are counted. */
async function* entriesToDo(
  { list, shard, retryErrors }: ShardWork,
  facts: ListFacts,
  earlier: readonly RowReader[],
  tally: ShardTally,
): AsyncGenerator<Entry> {
  const again = createListFacts();
  let entry = -1;
  for await (const { source } of readList(list)) {
    entry++;
    again.add(source);
    if (shardOf(entry, shard.of) !== shard.index) continue;
    const row = await bestRowOf(entry, source, earlier);
    const isError = row !== undefined && "error" in row;
    if (row === undefined || (isError && retryErrors)) {
      yield { entry, source };
      continue;
    }
    tally.done++;
    tally.earlier++;
    if (isError) tally.failed++;
  }
  if (again.end().digest !== facts.digest) {
    throw new UsageError([`@${list} was changed during the run, expected one list from start to end`]);
  }
}

function headOf(shard: Shard, facts: ListFacts, { model, contract }: GatewayInfo): ShardHead {
  return {
    vitrine_rows: 1,
    list: facts.digest,
    entries: facts.entries,
    shard,
    model: `${model.name}/${model.version}`,
    contract,
  };
}

async function* untilAborted<T>(signal: AbortSignal, items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    if (signal.aborted) return;
    yield item;
  }
}
