/** Corrections as rows: one picture a row, for tools that read lists. */
import { type LabelledPicture, splitOf } from "./corrections.js";

/** Names of the columns, and members of a line of JSON. */
const COLUMNS = ["file", "label", "predicted", "agrees", "model_version", "stored_at", "sha256"] as const;

type Row = Readonly<Record<string, string | boolean | null>>;

function rowOf(picture: LabelledPicture, validationShare: number | undefined): Row {
  const { file, label, predicted, modelVersion, storedAt, sha256 } = picture;
  return {
    file,
    label,
    predicted,
    agrees: predicted === null ? null : predicted === label,
    model_version: modelVersion,
    stored_at: storedAt,
    sha256,
    ...(validationShare === undefined ? {} : { split: splitOf(picture, validationShare) }),
  };
}

/** @returns lines with a header line for CSV (RFC 4180), and an empty cell for what is not known. */
export function tableOf(
  pictures: readonly LabelledPicture[],
  format: "csv" | "jsonl",
  validationShare: number | undefined,
): string {
  const rows = pictures.map((picture) => rowOf(picture, validationShare));
  if (format === "jsonl") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const columns = [...COLUMNS, ...(validationShare === undefined ? [] : ["split"])];
  const lines = rows.map((row) => columns.map((column) => cellOf(row[column] ?? null)).join(","));
  return [columns.join(","), ...lines].map((line) => `${line}\r\n`).join("");
}

function cellOf(value: string | boolean | null): string {
  const text = value === null ? "" : String(value);
  // A cell that a spreadsheet would take for a formula is text.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
