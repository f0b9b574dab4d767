/**
 * Pillow's resize to the bit (Pillow 13.0.0, libImaging Resample.c and Geometry.c), written to be read: the one
 * definition. What runs on hosts with WebAssembly SIMD is resize-simd.ts, which the tests hold against this.
 */
import type { RgbPicture } from "./rgb-picture.js";

export type ResizeFilter = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** A part of the source in its pixels, fractions allowed: left, top, right, bottom. */
export type ResizeBox = readonly [left: number, top: number, right: number, bottom: number];

export interface ResizeTarget {
  readonly width: number;
  readonly height: number;
  readonly filter: ResizeFilter;
  /** What of the source is resized; undefined: all of it. Pixels beside it still count where the filter reaches them. */
  readonly box?: ResizeBox | undefined;
  /**
   * `int16`: PyTorch's rule for uint8 tensors (ATen, UpSampleKernel.cpp): weights of 16 bits, rows always first.
   * Pillow's weights have 22 bits.
   */
  readonly weights?: "int16" | undefined;
  /** Rows before columns whatever the shape: Pillow before version 13. */
  readonly isRowsFirst?: boolean | undefined;
  /** What of the target is worked out: a crop that follows needs no more. undefined: all of it. */
  readonly window?: ResizeWindow | undefined;
}

/** Whole pixels of a target. */
export interface ResizeWindow {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** All of a target, unless it says what of it. */
export function windowOf({ width, height, window }: ResizeTarget): ResizeWindow {
  return window ?? { x: 0, y: 0, width, height };
}

/**
 * Resizes to exactly `width` x `height`, whatever that does to the proportions, and gives the window of it. The picture
 * itself when nothing changes.
 */
export type Resize = (picture: RgbPicture, target: ResizeTarget) => RgbPicture;

interface Kernel {
  /** Weight at a distance from the centre, in source pixels at scale 1. */
  weight(distance: number): number;
  /** The weight is 0 beyond this distance. */
  readonly support: number;
}

/** Weights in Pillow's own order of operations. */
const KERNELS: Readonly<Record<Exclude<ResizeFilter, "nearest">, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => (Math.abs(x) < 1 ? 1 - Math.abs(x) : 0) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: bicubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function hamming(distance: number): number {
  const x = Math.abs(distance) * Math.PI;
  if (distance === 0) return 1;
  // Pillow writes both numbers as floats.
  return Math.abs(distance) >= 1
    ? 0
    : (Math.sin(x) / x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(x));
}

function bicubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(distance: number): number {
  if (distance === 0) return 1;
  const x = distance * Math.PI;
  return Math.sin(x) / x;
}

/** Weights are integers: 1.0 is 2 to the power of this, which leaves room for 8-bit samples and an overshoot in 32 bits. */
export const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** For each target pixel along one axis: which source pixels it is made of, and their weights. */
export interface Coefficients {
  /** First source pixel of each target pixel. */
  readonly starts: Int32Array;
  /** How many. */
  readonly counts: Int32Array;
  /** `stride` weights per target pixel; those beyond its count are 0. They always count in units of 2^-{@link PRECISION_BITS}. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/**
 * `precompute_coeffs`: the kernel is stretched when shrinking, which is the antialiasing.
 *
 * @param span  of the source that becomes the target; float32, as in Pillow.
 * @param range of the target that is wanted.
 */
function sharesOf(
  filter: Exclude<ResizeFilter, "nearest">,
  from: number,
  to: number,
  span: readonly [first: number, end: number],
  range: readonly [first: number, count: number],
): { starts: Int32Array; counts: Int32Array; shares: Float64Array; stride: number } {
  const { support: reach, weight } = KERNELS[filter];
  const [first, last] = [Math.fround(span[0]), Math.fround(span[1])];
  const scale = Math.fround(last - first) / to;
  const stretch = Math.max(scale, 1);
  const support = reach * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const [rangeStart, rangeCount] = range;
  const starts = new Int32Array(rangeCount);
  const counts = new Int32Array(rangeCount);
  const shares = new Float64Array(rangeCount * stride);
  const perStretch = 1 / stretch;
  for (let target = 0; target < rangeCount; target += 1) {
    const centre = first + (rangeStart + target + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - support + 0.5), 0);
    const count = Math.min(Math.trunc(centre + support + 0.5), from) - start;
    const row = shares.subarray(target * stride, target * stride + count);
    let sum = 0;
    for (let tap = 0; tap < count; tap += 1) {
      const share = weight((tap + start - centre + 0.5) * perStretch);
      row[tap] = share;
      sum += share;
    }
    if (sum !== 0) for (let tap = 0; tap < count; tap += 1) row[tap] = (row[tap] as number) / sum;
    starts[target] = start;
    counts[target] = count;
  }
  return { starts, counts, shares, stride };
}

/** `normalize_coeffs_8bpc`: {@link sharesOf} as integers. */
export function coefficientsOf(
  filter: Exclude<ResizeFilter, "nearest">,
  from: number,
  to: number,
  span: readonly [first: number, end: number] = [0, from],
  precision?: ResizeTarget["weights"],
  range: readonly [first: number, count: number] = [0, to],
): Coefficients {
  const { starts, counts, shares, stride } = sharesOf(filter, from, to, span, range);
  const isWhole = range[1] === to;
  const greatest =
    precision === undefined || isWhole ? shares : sharesOf(filter, from, to, span, [0, to]).shares;
  const bits = precision === undefined ? PRECISION_BITS : int16Bits(greatest);
  const one = 1 << bits;
  const unit = 1 << (PRECISION_BITS - bits);
  const weights = new Int32Array(shares.length);
  for (let at = 0; at < shares.length; at += 1) {
    const share = shares[at] as number;
    weights[at] = Math.trunc((share < 0 ? -0.5 : 0.5) + share * one) * unit;
  }
  return { starts, counts, weights, stride };
}

/** As many bits as leave the greatest weight an int16. */
function int16Bits(shares: Float64Array): number {
  const greatest = shares.reduce((most, share) => Math.max(most, share), 0);
  let bits = 0;
  while (bits < PRECISION_BITS && Math.trunc(0.5 + greatest * (1 << (bits + 1))) < 1 << 15) bits += 1;
  return bits;
}

/**
 * Whether columns are resized before rows, which rounds differently: since Pillow 13 (pull request 9549), when the
 * height shrinks by more than twice as many pixels as the width. Older versions always begin with the rows.
 */
export function isColumnsFirst(picture: RgbPicture, target: ResizeTarget): boolean {
  const shrinkage = picture.height - target.height;
  if (target.weights === "int16" || target.isRowsFirst === true) return false;
  return shrinkage > 0 && shrinkage > 2 * (picture.width - target.width);
}

/** The weights of both axes; undefined when the axis stays as it is. */
export function axesOf(
  picture: RgbPicture,
  target: ResizeTarget,
): { readonly columns: Coefficients | undefined; readonly rows: Coefficients | undefined } {
  const { width, height, filter, box, weights } = target;
  if (filter === "nearest") return { columns: undefined, rows: undefined };
  const window = windowOf(target);
  const axis = (
    from: number,
    to: number,
    range: readonly [number, number],
    start = 0,
    end = from,
  ): Coefficients | undefined =>
    from === to && start === 0 && end === to && range[1] === to
      ? undefined
      : coefficientsOf(filter, from, to, [start, end], weights, range);
  return {
    rows: axis(picture.width, width, [window.x, window.width], box?.[0], box?.[2]),
    columns: axis(picture.height, height, [window.y, window.height], box?.[1], box?.[3]),
  };
}

/** {@link Resize} in plain loops: two passes, each rounded to 8 bits. An axis that keeps its size has no pass. */
export const resize: Resize = (picture, target) => {
  const { width, height } = windowOf(target);
  if (target.filter === "nearest") return resizeNearest(picture, target);
  const { rows, columns } = axesOf(picture, target);
  return isColumnsFirst(picture, target)
    ? resizeRows(resizeColumns(picture, height, columns), width, rows)
    : resizeColumns(resizeRows(picture, width, rows), height, columns);
};

function resizeRows(picture: RgbPicture, width: number, coefficients: Coefficients | undefined): RgbPicture {
  if (coefficients === undefined) return picture;
  const { width: from, height, pixels } = picture;
  const { starts, counts, weights, stride } = coefficients;
  const resized = new Uint8Array(3 * width * height);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, to += 3) {
      let [red, green, blue] = [HALF, HALF, HALF];
      let at = 3 * (y * from + (starts[x] as number));
      const first = x * stride;
      const end = first + (counts[x] as number);
      for (let tap = first; tap < end; tap += 1, at += 3) {
        const weight = weights[tap] as number;
        red += (pixels[at] as number) * weight;
        green += (pixels[at + 1] as number) * weight;
        blue += (pixels[at + 2] as number) * weight;
      }
      resized[to] = toByte(red);
      resized[to + 1] = toByte(green);
      resized[to + 2] = toByte(blue);
    }
  }
  return { width, height, pixels: resized };
}

function resizeColumns(
  picture: RgbPicture,
  height: number,
  coefficients: Coefficients | undefined,
): RgbPicture {
  if (coefficients === undefined) return picture;
  const { width, pixels } = picture;
  const { starts, counts, weights, stride } = coefficients;
  const rowBytes = 3 * width;
  const resized = new Uint8Array(rowBytes * height);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < height; y += 1) {
    sums.fill(HALF);
    let at = (starts[y] as number) * rowBytes;
    for (let tap = 0; tap < (counts[y] as number); tap += 1) {
      const weight = weights[y * stride + tap] as number;
      for (let column = 0; column < rowBytes; column += 1, at += 1) {
        sums[column] = (sums[column] as number) + (pixels[at] as number) * weight;
      }
    }
    const to = y * rowBytes;
    for (let column = 0; column < rowBytes; column += 1)
      resized[to + column] = toByte(sums[column] as number);
  }
  return { width, height, pixels: resized };
}

/** The fixed-point sum, half a unit included, as a sample: cut off, then clipped. */
function toByte(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return Math.max(0, Math.min(value, 255));
}

/** One source pixel per target pixel; a position that rounding pushed outside stays black, as in Pillow. */
function resizeNearest(picture: RgbPicture, target: ResizeTarget): RgbPicture {
  const { width: fromWidth, height: fromHeight, pixels } = picture;
  const { x: firstColumn, y: firstRow, width, height } = windowOf(target);
  const [left, top, right, bottom] = target.box ?? [0, 0, fromWidth, fromHeight];
  const isWholeBox = left === 0 && top === 0 && right === fromWidth && bottom === fromHeight;
  const isWholeTarget = width === target.width && height === target.height;
  if (isWholeBox && isWholeTarget && fromWidth === width && fromHeight === height) return picture;
  const columns = nearestPositions(left, right, target.width).subarray(firstColumn, firstColumn + width);
  const rows = nearestPositions(top, bottom, target.height).subarray(firstRow, firstRow + height);
  const resized = new Uint8Array(3 * width * height);
  // Positions grow, so what lies outside lies at the end.
  const widthInside = countBelow(columns, fromWidth);
  const heightInside = countBelow(rows, fromHeight);
  for (let y = 0; y < heightInside; y += 1) {
    const row = (rows[y] as number) * fromWidth;
    let to = 3 * y * width;
    for (let x = 0; x < widthInside; x += 1, to += 3) {
      const at = 3 * (row + (columns[x] as number));
      resized[to] = pixels[at] as number;
      resized[to + 1] = pixels[at + 1] as number;
      resized[to + 2] = pixels[at + 2] as number;
    }
  }
  return { width, height, pixels: resized };
}

/**
 * The rows, or columns, of a picture that NEAREST takes for a target of `to` of them; all others may stay unknown.
 *
 * @returns undefined when it would take one beyond the last.
 */
export function nearestOf(from: number, to: number): Int32Array | undefined {
  const taken = nearestPositions(0, from, to);
  return countBelow(taken, from) === to ? taken : undefined;
}

function countBelow(positions: Int32Array, end: number): number {
  const outside = positions.findIndex((position) => position >= end);
  return outside < 0 ? positions.length : outside;
}

/**
 * Source position of each target position: a walk by repeated addition in float64 (`ImagingScaleAffine`), which is
 * not `(i + 0.5) * scale`.
 */
function nearestPositions(start: number, end: number, to: number): Int32Array {
  const first = Math.fround(start);
  const scale = Math.fround(Math.fround(end) - first) / to;
  const positions = new Int32Array(to);
  let position = first + scale * 0.5;
  for (let index = 0; index < to; index += 1) {
    positions[index] = position;
    position += scale;
  }
  return positions;
}
