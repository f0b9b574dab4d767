/** What an earlier run has already written. */
import { createReadStream } from "node:fs";
import { truncate } from "node:fs/promises";
import { CommandFailure } from "../command-failure.js";
import { CSV_HEADER, type DoneRow, readDoneRow } from "./row.js";

/** Rows by source. A source that was given twice has two. */
export type DoneRows = Map<string, DoneRow[]>;

/** What a row is written as: a line, or several where a cell of CSV in quotes has line ends. */
interface WrittenRow {
  /** Without its last line end: `\n`, or `\r\n` where an editor has saved the file. */
  readonly text: string;
  /** Of its first line, from 1. */
  readonly line: number;
  /** Of the file, up to and with its line end; undefined for the last one when its writer died within it. */
  readonly endBytes: number | undefined;
}

/** Rows of models with ten thousand labels fit; a longer one is none. */
const MOST_ROW_BYTES = 4_194_304;
const [NEWLINE, RETURN, QUOTE] = [0x0a, 0x0d, 0x22];

/**
 * Reads the rows of an output file, and cuts off a last one that was not written to its end.
 *
 * @returns no rows when there is no such file.
 * @throws {CommandFailure} that names the first line that is no row: the file is not ours to append to.
 */
export async function readDoneRows(file: string, format: "jsonl" | "csv"): Promise<DoneRows> {
  const rows: DoneRows = new Map();
  let completeBytes = 0;
  let isCutOff = false;
  try {
    for await (const { text, line, endBytes } of writtenRows(file, format)) {
      isCutOff = endBytes === undefined;
      if (endBytes === undefined) break;
      completeBytes = endBytes;
      if (text === "" || (format === "csv" && line === 1 && `${text}\n` === CSV_HEADER)) continue;
      const row = readDoneRow(format, text);
      if (row === undefined) throw noRow(file, format, line);
      const others = rows.get(row.source);
      if (others === undefined) rows.set(row.source, [row]);
      else others.push(row);
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return rows;
    throw error;
  }
  if (isCutOff) await truncate(file, completeBytes);
  return rows;
}

function noRow(file: string, format: string, line: number): CommandFailure {
  return new CommandFailure(
    `line ${line} of ${file} is no ${format} row, expected the output of an earlier run`,
  );
}

/** Counts in bytes, as the file system does: what is cut off must not depend on how a line ends. */
async function* writtenRows(file: string, format: "jsonl" | "csv"): AsyncGenerator<WrittenRow> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 1;
  let startBytes = 0;
  for await (const chunk of createReadStream(file)) {
    const bytes: Buffer = Buffer.concat([rest, chunk]);
    let start = 0;
    let lines = 0;
    let isQuoted = false;
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      lines++;
      if (format === "csv" && countQuotes(bytes.subarray(from, end)) % 2 === 1) isQuoted = !isQuoted;
      from = end + 1;
      if (isQuoted) continue;
      yield { text: textOf(bytes, start, end, startBytes === 0), line, endBytes: startBytes + from - start };
      startBytes += from - start;
      line += lines;
      lines = 0;
      start = from;
    }
    rest = bytes.subarray(start);
    if (rest.length > MOST_ROW_BYTES) throw noRow(file, format, line);
  }
  if (rest.length > 0) yield { text: textOf(rest, 0, rest.length, false), line, endBytes: undefined };
}

/** A quote within quotes is written twice, so that an even number of them leaves none open. Source: RFC 4180, section 2. */
function countQuotes(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(QUOTE); at !== -1; at = bytes.indexOf(QUOTE, at + 1)) count++;
  return count;
}

/** An editor that ends lines in its own way may also have put the mark of UTF-8 before the first. */
function textOf(bytes: Buffer, start: number, end: number, isFirst: boolean): string {
  const hasReturn = end > start && bytes[end - 1] === RETURN;
  const text = bytes.toString("utf8", start, hasReturn ? end - 1 : end);
  return isFirst ? text.replace(/^\ufeff/, "") : text;
}
