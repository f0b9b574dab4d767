/** `vitrine classify merge`: the rows of all shards of a list as one file. */
import { rename, rm, stat } from "node:fs/promises";
import { EXIT_DONE, EXIT_FAILED, type Io } from "@vitrine/runtime/lifecycle";
import { setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { type MergeResult, mergeShards } from "../classify/merge-shards.js";
import { openOutput } from "../classify/output.js";
import { CSV_HEADER, type Row, rowFormatter } from "../classify/row.js";
import { shardFilesIn } from "../classify/shard-file.js";
import { defineCommand } from "../command.js";

export const classifyMergeSettings = {
  list: setting(z.string().min(1), {
    description: "The list that the shards were made of.",
    placeholder: "file",
  }),
  output: setting(z.string().min(1).optional(), {
    description: "File to write to instead of standard output; it is there only when nothing is missing.",
    placeholder: "file",
  }),
  format: setting(z.enum(["jsonl", "csv"]).default("jsonl"), { description: "Form of the rows." }),
  check: setting(z.boolean().default(false), {
    description: "Writes no rows, only says how far the shards are.",
  }),
};

export const classifyMerge = defineCommand({
  name: "classify merge",
  description: `Joins the rows that vitrine classify --shard has written: in the order of the list, each entry exactly once.
PATH is the folder of the rows, or one of its files. Exits with 1 and says what is missing when entries have no row.`,
  args: [["<paths...>", "folders or files of rows"]],
  examples: [
    ["vitrine classify merge rows/ --list list.txt --output all.jsonl", "when all shards are done"],
    ["vitrine classify merge rows/ --list list.txt --check", "how far they are"],
  ],
  settings: classifyMergeSettings,
  async run({ config, args }, io) {
    const { list, format, output: target, check } = config;
    const files = await rowFilesOf(args);
    const damaged = (sentence: string) => void io.stderr.write(`${sentence}\n`);
    if (check) {
      const result = await mergeShards(list, files, async () => {}, damaged);
      return tell(result, io);
    }
    // Whoever waits for the file must not find half of it.
    const part = target === undefined ? undefined : `${target}.part`;
    const output = await openOutput(part, false, io.stdout);
    const line = rowFormatter(format, 1);
    let result: MergeResult;
    try {
      if (format === "csv") await output.write(CSV_HEADER);
      const write = async (row: Row) => {
        io.signal.throwIfAborted();
        await output.write(line(row));
      };
      result = await mergeShards(list, files, write, damaged);
      await output.close();
    } catch (error) {
      if (part !== undefined) await rm(part, { force: true });
      throw error;
    }
    if (part !== undefined && target !== undefined) {
      if (result.rows === result.entries) await rename(part, target);
      else await rm(part);
    }
    return tell(result, io);
  },
});

/** @throws {UsageError} when there is nothing at a path. */
async function rowFilesOf(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const given of paths) {
    const found = await stat(given).catch(() => undefined);
    if (found === undefined) throw new UsageError([`${given} was not there, expected a folder of rows`]);
    if (found.isDirectory()) files.push(...(await shardFilesIn(given)));
    else files.push(given);
  }
  return files;
}

function tell(result: MergeResult, { stderr }: Io): number {
  const { entries, rows, errors, missing, missingOfShard, models, contracts, unreadable } = result;
  stderr.write(`${rows} of ${entries} entries have rows, ${errors} of them errors\n`);
  if (unreadable > 0) stderr.write(`${unreadable} lines were no rows and do not count\n`);
  if (models.size > 1 || contracts.size > 1) {
    stderr.write(
      `the runs began with several models: ${[...models].join(", ")} (contracts ${contracts.size})\n`,
    );
  }
  if (rows === entries) return EXIT_DONE;
  for (const { line, source } of missing) stderr.write(`missing: line ${line}, ${source}\n`);
  if (entries - rows > missing.length) stderr.write(`missing: ${entries - rows - missing.length} more\n`);
  const shards = [...missingOfShard].sort(([a], [b]) => a - b);
  stderr.write(`by shard: ${shards.map(([shard, count]) => `${shard} lacks ${count}`).join(", ")}\n`);
  return EXIT_FAILED;
}
