/** `INTER_AREA` of OpenCV where no axis grows: each target pixel is the mean of the source that it covers. */
import type { RgbPicture } from "./rgb-picture.js";

/** Whether `INTER_AREA` averages: no axis grows. */
export function isShrinking(picture: RgbPicture, width: number, height: number): boolean {
  return scaleOf(picture.width, width) >= 1 && scaleOf(picture.height, height) >= 1;
}

/** How many source pixels make one target pixel; undefined where that is no whole number. */
export function wholeFactors(
  picture: RgbPicture,
  width: number,
  height: number,
): { readonly across: number; readonly down: number } | undefined {
  const [across, down] = [scaleOf(picture.width, width), scaleOf(picture.height, height)];
  const isWhole = (scale: number): boolean => Math.abs(scale - Math.round(scale)) < Number.EPSILON;
  return isWhole(across) && isWhole(down)
    ? { across: Math.round(across), down: Math.round(down) }
    : undefined;
}

/** Source pixels per target pixel, divided twice as OpenCV does it. */
function scaleOf(from: number, to: number): number {
  return 1 / (to / from);
}

/** @param picture is no smaller than the target in either direction. */
export function resizeOpencvArea(picture: RgbPicture, width: number, height: number): RgbPicture {
  const factors = wholeFactors(picture, width, height);
  return factors === undefined
    ? averageParts(picture, width, height)
    : averageBlocks(picture, width, height, factors);
}

/** Whole sums times a float32 share, half to even; of 2x2 pixels by integers, half up (`ResizeAreaFast`). */
function averageBlocks(
  { width: from, pixels: source }: RgbPicture,
  width: number,
  height: number,
  { across, down }: { readonly across: number; readonly down: number },
): RgbPicture {
  // Stores round half to even.
  const pixels = new Uint8ClampedArray(3 * width * height);
  const share = Math.fround(1 / (across * down));
  const isFour = across === 2 && down === 2;
  const sums = new Int32Array(3 * width);
  for (let y = 0, to = 0; y < height; y += 1) {
    sums.fill(0);
    for (let row = y * down; row < (y + 1) * down; row += 1) addBlocks(sums, source, 3 * row * from, across);
    for (const sum of sums) {
      pixels[to] = isFour ? (sum + 2) >> 2 : Math.fround(sum * share);
      to += 1;
    }
  }
  return { width, height, pixels: new Uint8Array(pixels.buffer) };
}

function addBlocks(sums: Int32Array, source: Uint8Array, start: number, across: number): void {
  let at = start;
  for (let to = 0; to < sums.length; to += 3) {
    for (let step = 0; step < across; step += 1, at += 3) {
      sums[to] = (sums[to] as number) + (source[at] as number);
      sums[to + 1] = (sums[to + 1] as number) + (source[at + 1] as number);
      sums[to + 2] = (sums[to + 2] as number) + (source[at + 2] as number);
    }
  }
}

/** Which source pixels each target pixel covers, and how much of them (`computeResizeAreaTab`). */
interface Parts {
  /** The parts of target pixel i are those from `starts[i]` to before `starts[i + 1]`. */
  readonly starts: Int32Array;
  readonly sources: Int32Array;
  readonly shares: Float32Array;
}

/** Parts of a pixel that are no larger count for nothing. */
const NEGLIGIBLE = 1e-3;

function partsOf(from: number, to: number): Parts {
  const scale = scaleOf(from, to);
  const starts = new Int32Array(to + 1);
  const sources: number[] = [];
  const shares: number[] = [];
  const add = (source: number, share: number): void => {
    sources.push(source);
    shares.push(share);
  };
  for (let target = 0; target < to; target += 1) {
    const begin = target * scale;
    const end = begin + scale;
    const covered = Math.min(scale, from - begin);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(begin), last);
    starts[target] = sources.length;
    if (first - begin > NEGLIGIBLE) add(first - 1, (first - begin) / covered);
    for (let source = first; source < last; source += 1) add(source, 1 / covered);
    if (end - last > NEGLIGIBLE) add(last, Math.min(Math.min(end - last, 1), covered) / covered);
  }
  starts[to] = sources.length;
  return { starts, sources: Int32Array.from(sources), shares: Float32Array.from(shares) };
}

/** In float32 and OpenCV's order: rows, then columns, rounded once, half to even (`ResizeArea_Invoker`). */
function averageParts(picture: RgbPicture, width: number, height: number): RgbPicture {
  const columns = partsOf(picture.width, width);
  const rows = partsOf(picture.height, height);
  // Stores round half to even.
  const pixels = new Uint8ClampedArray(3 * width * height);
  const line = new Float32Array(3 * width);
  const sums = new Float32Array(3 * width);
  let lineRow = -1;
  for (let y = 0; y < height; y += 1) {
    sums.fill(0);
    for (let part = rows.starts[y] as number; part < (rows.starts[y + 1] as number); part += 1) {
      const row = rows.sources[part] as number;
      if (row !== lineRow) averageRow(picture, row, columns, line);
      lineRow = row;
      const share = rows.shares[part] as number;
      for (let at = 0; at < sums.length; at += 1) {
        sums[at] = (sums[at] as number) + Math.fround(share * (line[at] as number));
      }
    }
    pixels.set(sums, y * 3 * width);
  }
  return { width, height, pixels: new Uint8Array(pixels.buffer) };
}

function averageRow(
  { width, pixels }: RgbPicture,
  row: number,
  { starts, sources, shares }: Parts,
  line: Float32Array,
): void {
  const { fround } = Math;
  const start = row * width;
  for (let x = 0, to = 0; to < line.length; x += 1, to += 3) {
    let [red, green, blue] = [0, 0, 0];
    for (let part = starts[x] as number; part < (starts[x + 1] as number); part += 1) {
      const at = 3 * (start + (sources[part] as number));
      const share = shares[part] as number;
      red = fround(red + fround((pixels[at] as number) * share));
      green = fround(green + fround((pixels[at + 1] as number) * share));
      blue = fround(blue + fround((pixels[at + 2] as number) * share));
    }
    line[to] = red;
    line[to + 1] = green;
    line[to + 2] = blue;
  }
}
