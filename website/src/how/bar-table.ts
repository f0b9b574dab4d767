/** Numbers with a name each, and a bar that shows them. */
import { make } from "../render/find.js";

/** `share` is the length of the bar, 0 to 1. */
export type BarRow = readonly [name: string, value: string, share: number];

export function barTable(
  [first, second]: readonly [string, string],
  rows: readonly BarRow[],
): HTMLTableElement {
  const table = make("table", "how-table");
  const head = table.createTHead().insertRow();
  for (const text of [first, second]) {
    const cell = make("th", "", text);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [name, value, share] of rows) {
    const row = body.insertRow();
    const label = make("th", "", name);
    label.scope = "row";
    const cell = make("td", "how-value", value);
    cell.style.setProperty("--share", String(Math.min(1, Math.max(0, share))));
    row.append(label, cell);
  }
  return table;
}
