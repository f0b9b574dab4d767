/** Where on the upright picture a heat map lies, for the eye and in words. */
import type { PredictResponse } from "@vitrine/gateway/api";

export type Heatmap = NonNullable<PredictResponse["heatmap"]>;

/** The first two columns and the offset of a matrix, as a canvas takes it: x' = a x + c y + e, y' = b x + d y + f. */
export type Turn = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * What brings a point of the stored picture, in shares of its edges, to its place on the upright one. Source: the EXIF
 * standard's tag 274.
 */
const TURNS: readonly Turn[] = [
  [1, 0, 0, 1, 0, 0],
  [-1, 0, 0, 1, 1, 0],
  [-1, 0, 0, -1, 1, 1],
  [1, 0, 0, -1, 0, 1],
  [0, 1, 1, 0, 0, 0],
  [0, 1, -1, 0, 1, 0],
  [0, -1, -1, 0, 1, 1],
  [0, -1, 1, 0, 0, 1],
];

const AS_STORED: Turn = [1, 0, 0, 1, 0, 0];

/** @param orientation as EXIF counts, 1 to 8. */
export function turnOf(orientation: number): Turn {
  return TURNS[orientation - 1] ?? AS_STORED;
}

const THIRDS = ["start", "middle", "end"] as const;

export type Third = (typeof THIRDS)[number];

/** In words: of a picture cut into thirds both ways. `start` is the left and the top, in every language. */
export type Place =
  | { readonly name: "nowhere" }
  /** No third holds much more than another; the strongest field is there. */
  | { readonly name: "everywhere"; readonly strongest: Field }
  | { readonly name: "row"; readonly row: Third }
  | { readonly name: "column"; readonly column: Third }
  | ({ readonly name: "field" } & Field);

export interface Field {
  readonly column: Third;
  readonly row: Third;
}

/** Of the evidence, for a place to be said to hold most of it. */
const MOST_IN_FIELD = 0.45;
const MOST_IN_LINE = 0.55;

/** Where most of the evidence lies. Evidence counts by its square: what is faint everywhere is no place. */
export function placeOf(heatmap: Heatmap): Place {
  const fields = fieldsOf(heatmap);
  const total = fields.reduce((sum, weight) => sum + weight, 0);
  if (heatmap.flat || total === 0) return { name: "nowhere" };
  const share = (indices: readonly number[]) =>
    indices.reduce((sum, index) => sum + (fields[index] ?? 0), 0) / total;
  const best = fields.indexOf(Math.max(...fields));
  const strongest = { column: thirdOf(best % 3), row: thirdOf(Math.floor(best / 3)) };
  if (share([best]) >= MOST_IN_FIELD) return { name: "field", ...strongest };
  const row = greatest([0, 1, 2].map((line) => share([3 * line, 3 * line + 1, 3 * line + 2])));
  const column = greatest([0, 1, 2].map((line) => share([line, line + 3, line + 6])));
  const [inRow, inColumn] = [row.value >= MOST_IN_LINE, column.value >= MOST_IN_LINE];
  if (inRow && inColumn) return { name: "field", row: thirdOf(row.index), column: thirdOf(column.index) };
  if (inRow) return { name: "row", row: thirdOf(row.index) };
  if (inColumn) return { name: "column", column: thirdOf(column.index) };
  return { name: "everywhere", strongest };
}

/** The evidence of each of nine fields of the upright picture, row by row. What the padding holds is left out. */
function fieldsOf({ width, height, values, area, orientation }: Heatmap): number[] {
  const [a, b, c, d, e, f] = turnOf(orientation);
  const fields = new Array<number>(9).fill(0);
  for (const [index, value] of values.entries()) {
    const x = area.x + (((index % width) + 0.5) / width) * area.width;
    const y = area.y + ((Math.floor(index / width) + 0.5) / height) * area.height;
    if (x < 0 || x >= 1 || y < 0 || y >= 1) continue;
    const column = third(a * x + c * y + e);
    const field = 3 * third(b * x + d * y + f) + column;
    fields[field] = (fields[field] ?? 0) + value * value;
  }
  return fields;
}

const third = (share: number) => Math.min(2, Math.max(0, Math.floor(3 * share)));

const thirdOf = (index: number): Third => THIRDS[index] ?? "middle";

function greatest(values: readonly number[]): { readonly index: number; readonly value: number } {
  const value = Math.max(...values);
  return { index: values.indexOf(value), value };
}
