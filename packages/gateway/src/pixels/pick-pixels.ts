import type { RgbPicture } from "./rgb-picture.js";

/** The picture made of single pixels of another: those in the given columns of the given rows, in their order. */
export function pickPixels(picture: RgbPicture, columns: Int32Array, rows: Int32Array): RgbPicture {
  const { pixels: source } = picture;
  const pixels = new Uint8Array(3 * columns.length * rows.length);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = 3 * (row * picture.width + column);
      pixels[to] = source[from] as number;
      pixels[to + 1] = source[from + 1] as number;
      pixels[to + 2] = source[from + 2] as number;
      to += 3;
    }
  }
  return { width: columns.length, height: rows.length, pixels };
}

/** The pixel that each of `to` target pixels takes, by a library's rule; never beyond the last. */
export function positions(from: number, to: number, rule: (index: number) => number): Int32Array {
  return Int32Array.from({ length: to }, (_, index) => Math.min(Math.floor(rule(index)), from - 1));
}
