/** Shrinking by whole factors: Pillow's `Image.reduce` and what `Image.resize(reducing_gap=…)` makes of it (13.0.0). */
import type { ResizeBox, ResizeFilter } from "./resize.js";
import type { RgbPicture } from "./rgb-picture.js";

export interface Reduction {
  readonly across: number;
  readonly down: number;
  /** Whole pixels of the source that are reduced. */
  readonly box: ResizeBox;
  /** What of the reduced picture is then resized. */
  readonly boxAfter: ResizeBox;
}

/** Support of each filter; `Image._filters_support`. */
const SUPPORT: Readonly<Record<Exclude<ResizeFilter, "nearest">, number>> = {
  box: 0.5,
  bilinear: 1,
  hamming: 1,
  bicubic: 2,
  lanczos: 3,
};

/**
 * The first step of a resize in two.
 *
 * @param gap how many times the second step shrinks at least; undefined: no first step.
 * @returns undefined when the resize is done in one.
 */
export function reductionOf(
  picture: RgbPicture,
  width: number,
  height: number,
  filter: ResizeFilter,
  box: ResizeBox | undefined,
  gap: number | undefined,
): Reduction | undefined {
  if (gap === undefined || filter === "nearest") return undefined;
  const isWhole = box === undefined;
  const [left, top, right, bottom] = box ?? [0, 0, picture.width, picture.height];
  if (isWhole && picture.width === width && picture.height === height) return undefined;
  const across = Math.trunc((right - left) / width / gap) || 1;
  const down = Math.trunc((bottom - top) / height / gap) || 1;
  if (across <= 1 && down <= 1) return undefined;
  const support = SUPPORT[filter] - 0.5;
  const [beside, above] = [(support * (right - left)) / width, (support * (bottom - top)) / height];
  const first = { x: Math.max(0, Math.trunc(left - beside)), y: Math.max(0, Math.trunc(top - above)) };
  const reduced: ResizeBox = [
    first.x,
    first.y,
    Math.min(picture.width, Math.ceil(right + beside)),
    Math.min(picture.height, Math.ceil(bottom + above)),
  ];
  const boxAfter: ResizeBox = [
    (left - first.x) / across,
    (top - first.y) / down,
    (right - first.x) / across,
    (bottom - first.y) / down,
  ];
  return { across, down, box: reduced, boxAfter };
}

/** Means of `across` x `down` pixels, fewer at the right and the bottom; Reduce.c's rounding. */
export function reduce(picture: RgbPicture, { across, down, box }: Reduction): RgbPicture {
  const [left, top, right, bottom] = box;
  const width = Math.ceil((right - left) / across);
  const height = Math.ceil((bottom - top) / down);
  const pixels = new Uint8Array(3 * width * height);
  const sums = new Uint32Array(3 * width);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    const firstRow = top + y * down;
    const rows = Math.min(down, bottom - firstRow);
    sums.fill(0);
    for (let row = firstRow; row < firstRow + rows; row += 1) addRow(picture, row, left, right, across, sums);
    for (let x = 0; x < width; x += 1) {
      const count = rows * Math.min(across, right - left - x * across);
      // `division_UINT32`, a float32 quotient cut off; sums and products are unsigned 32-bit.
      const multiplier = Math.trunc(Math.fround(2 ** 32 / (256 * count)));
      const half = Math.trunc(count / 2);
      for (let c = 0; c < 3; c += 1, to += 1) {
        pixels[to] = Math.imul((sums[3 * x + c] as number) + half, multiplier) >>> 24;
      }
    }
  }
  return { width, height, pixels };
}

/** Adds the samples of one row to the sums of the blocks that they belong to. */
function addRow(
  { width, pixels }: RgbPicture,
  row: number,
  left: number,
  right: number,
  across: number,
  sums: Uint32Array,
): void {
  let from = 3 * (row * width + left);
  for (let first = left, block = 0; first < right; first += across, block += 3) {
    let [red, green, blue] = [0, 0, 0];
    const end = from + 3 * Math.min(across, right - first);
    for (; from < end; from += 3) {
      red += pixels[from] as number;
      green += pixels[from + 1] as number;
      blue += pixels[from + 2] as number;
    }
    sums[block] = (sums[block] as number) + red;
    sums[block + 1] = (sums[block + 1] as number) + green;
    sums[block + 2] = (sums[block + 2] as number) + blue;
  }
}
