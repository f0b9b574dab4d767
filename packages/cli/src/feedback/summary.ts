/** What the corrections of a folder say, for a person. */
import { type Corrections, type LabelledPicture, splitOf } from "./corrections.js";

/** @returns lines: pictures per label, then what the model had taken for what, most often first. */
export function summaryOf(corrections: Corrections, validationShare: number | undefined): string {
  const { pictures, contradictions, records } = corrections;
  if (records.length === 0) return "no corrections\n";
  const [first, last] = [records[0]?.stored_at ?? "", records.at(-1)?.stored_at ?? ""];
  const bytes = pictures.reduce((sum, picture) => sum + picture.bytes, 0);
  const lines = [
    `${count(records.length, "correction")}, ${count(pictures.length, "picture")}, ${(bytes / 1e6).toFixed(1)} MB, ${first.slice(0, 10)} to ${last.slice(0, 10)}`,
    "",
    ...labelTable(pictures, validationShare),
  ];
  const told = pictures.filter(({ predicted }) => predicted !== null);
  const right = told.filter(({ predicted, label }) => predicted === label).length;
  if (told.length > 0) {
    lines.push("", `the model was right about ${right} of ${told.length} pictures whose answer is known`);
    lines.push(...confusionTable(told));
  }
  if (contradictions.length > 0) {
    lines.push(
      "",
      `left out, because people gave them different labels: ${count(contradictions.length, "picture")}`,
    );
    for (const { sha256, labels } of contradictions)
      lines.push(`  ${sha256.slice(0, 16)}  ${labels.join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}

function labelTable(pictures: readonly LabelledPicture[], validationShare: number | undefined): string[] {
  const header = ["label", "pictures", ...(validationShare === undefined ? [] : ["train", "validation"])];
  const rows = [...grouped(pictures, ({ label }) => label)].map(([label, of]) => {
    const validation =
      validationShare === undefined
        ? 0
        : of.filter((picture) => splitOf(picture, validationShare) === "validation").length;
    const parts = validationShare === undefined ? [] : [of.length - validation, validation];
    return [label, ...[of.length, ...parts].map(String)];
  });
  return aligned([header, ...rows.sort(([a = ""], [b = ""]) => (a < b ? -1 : 1))]);
}

function confusionTable(told: readonly LabelledPicture[]): string[] {
  const wrong = told.filter(({ predicted, label }) => predicted !== label);
  const rows = [...grouped(wrong, ({ predicted, label }) => `${predicted} -> ${label}`)]
    .map(([pair, of]) => [pair, String(of.length)] as const)
    .sort(([a, one], [b, two]) => Number(two) - Number(one) || (a < b ? -1 : 1));
  return rows.length === 0 ? [] : ["", ...aligned([["model -> right", "pictures"], ...rows])];
}

function grouped(
  pictures: readonly LabelledPicture[],
  keyOf: (picture: LabelledPicture) => string,
): Map<string, LabelledPicture[]> {
  const groups = new Map<string, LabelledPicture[]>();
  for (const picture of pictures) {
    const key = keyOf(picture);
    groups.set(key, [...(groups.get(key) ?? []), picture]);
  }
  return groups;
}

/** The first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? "" : "s"}`;
}
