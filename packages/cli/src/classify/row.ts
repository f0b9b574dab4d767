/** One picture's row, and how it is written in each format. */
import { z } from "zod";

const errorSchema = z.object({ code: z.string(), reason: z.string(), message: z.string() });

export const predictionSchema = z.object({
  top_class: z.string(),
  top_probability: z.number(),
  /** Probability of every label. */
  predictions: z.record(z.string(), z.number()),
});

const failureSchema = z.object({ error: errorSchema });

export const answerSchema = z.union([predictionSchema, failureSchema]);

export type Prediction = Readonly<z.output<typeof predictionSchema>>;

export type Failure = Readonly<z.output<typeof failureSchema>>;

export type Answer = Prediction | Failure;

export type Row = { readonly source: string } & Answer;

export const ROW_FORMATS = ["table", "jsonl", "csv"] as const;

export type RowFormat = (typeof ROW_FORMATS)[number];

/** A row of an earlier run: enough to skip its picture. */
export interface DoneRow {
  readonly source: string;
  /** undefined for a picture that failed. */
  readonly topClass: string | undefined;
}

export const CSV_HEADER = "source,top_class,top_probability,error\n";

/** Writes rows as lines, each with its line end. The table pads to the widest source so far. */
export function rowFormatter(format: RowFormat, top: number): (row: Row) => string {
  if (format === "jsonl") return jsonLine;
  if (format === "csv") return csvLine;
  let width = 0;
  return (row) => {
    width = Math.max(width, row.source.length);
    return `${row.source.padEnd(width)}  ${"error" in row ? failureCell(row) : topCells(row, top)}\n`;
  };
}

function jsonLine(row: Row): string {
  const { source } = row;
  if ("error" in row) return `${JSON.stringify({ source, error: row.error })}\n`;
  const { top_class, top_probability, predictions } = row;
  return `${JSON.stringify({ source, top_class, top_probability, predictions })}\n`;
}

function csvLine(row: Row): string {
  const cells =
    "error" in row
      ? [row.source, "", "", `${row.error.code} ${row.error.reason}: ${row.error.message}`]
      : [row.source, row.top_class, String(row.top_probability), ""];
  return `${cells.map(csvCell).join(",")}\n`;
}

/** Source: RFC 4180, section 2. */
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function topCells({ predictions }: Prediction, top: number): string {
  return Object.entries(predictions)
    .sort(([, a], [, b]) => b - a)
    .slice(0, top)
    .map(([label, probability]) => `${label} ${(probability * 100).toFixed(1)}%`)
    .join("  ");
}

function failureCell({ error }: Failure): string {
  return `error ${error.reason}: ${error.message}`;
}

const jsonRowSchema = z.object({ source: z.string(), top_class: z.string().optional() });

/** Reads a line of jsonl or csv as {@link rowFormatter} wrote it; undefined when it is none. */
export function readDoneRow(format: "jsonl" | "csv", line: string): DoneRow | undefined {
  if (format === "csv") {
    const cells = csvCells(line);
    const [source, topClass] = cells;
    if (cells.length !== 4 || source === undefined) return undefined;
    return { source, topClass: topClass === "" ? undefined : topClass };
  }
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined; // The caller names the line.
  }
  const row = jsonRowSchema.safeParse(json);
  return row.success ? { source: row.data.source, topClass: row.data.top_class } : undefined;
}

function csvCells(line: string): string[] {
  const cells = line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g);
  return Array.from(cells, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "");
}
