/** What an earlier run has already written. */
import { createReadStream } from "node:fs";
import { stat, truncate } from "node:fs/promises";
import { createInterface } from "node:readline";
import { CommandFailure } from "../command-failure.js";
import { CSV_HEADER, type DoneRow, readDoneRow } from "./row.js";

/** Rows by source. A source that was given twice has two. */
export type DoneRows = Map<string, DoneRow[]>;

/**
 * Reads the rows of an output file, and cuts off a last line that was not written to its end.
 *
 * @returns no rows when there is no such file.
 * @throws {CommandFailure} that names the first line that is no row: the file is not ours to append to.
 */
export async function readDoneRows(file: string, format: "jsonl" | "csv"): Promise<DoneRows> {
  const rows: DoneRows = new Map();
  const size = (await stat(file).catch(() => undefined))?.size;
  if (size === undefined) return rows;
  let number = 0;
  let completeBytes = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    number++;
    const endBytes = completeBytes + Buffer.byteLength(line) + 1;
    if (endBytes > size) break;
    completeBytes = endBytes;
    if (format === "csv" && number === 1 && `${line}\n` === CSV_HEADER) continue;
    const row = readDoneRow(format, line);
    if (row === undefined) {
      throw new CommandFailure(
        `line ${number} of ${file} is no ${format} row, expected the output of an earlier run`,
      );
    }
    const others = rows.get(row.source);
    if (others === undefined) rows.set(row.source, [row]);
    else others.push(row);
  }
  if (completeBytes < size) await truncate(file, completeBytes);
  return rows;
}
