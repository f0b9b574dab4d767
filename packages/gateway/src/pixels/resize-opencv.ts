/** cv2.resize of 8-bit pictures to the bit (OpenCV 4.14 and 5.0, which agree; modules/imgproc/src/resize.cpp). */
import { pickPixels, positions } from "./pick-pixels.js";
import { isShrinking, resizeOpencvArea, wholeFactors } from "./resize-opencv-area.js";
import type { RgbPicture } from "./rgb-picture.js";

export const OPENCV_METHODS = ["nearest", "linear", "area"] as const;

export type OpencvMethod = (typeof OPENCV_METHODS)[number];

/**
 * `INTER_NEAREST`, `INTER_LINEAR`, `INTER_AREA`. The picture itself when nothing changes.
 *
 * Linear by a half in both directions is area; area that does not shrink both is linear with other weights.
 */
export function resizeOpencv(
  picture: RgbPicture,
  width: number,
  height: number,
  method: OpencvMethod,
): RgbPicture {
  if (picture.width === width && picture.height === height) return picture;
  switch (method) {
    case "nearest":
      return pickPixels(picture, nearest(picture.width, width), nearest(picture.height, height));
    case "linear": {
      const factors = wholeFactors(picture, width, height);
      return factors?.across === 2 && factors.down === 2
        ? resizeOpencvArea(picture, width, height)
        : interpolate(picture, width, height, linearPlace);
    }
    case "area":
      return isShrinking(picture, width, height)
        ? resizeOpencvArea(picture, width, height)
        : interpolate(picture, width, height, areaPlace);
  }
}

/** The position is cut off, float64 (`resizeNN`). */
function nearest(from: number, to: number): Int32Array {
  const scale = 1 / (to / from);
  return positions(from, to, (index) => index * scale);
}

/** Where a target pixel lies between two source pixels: the first one, and the float32 share of the second. */
type Place = (target: number, from: number, to: number) => { readonly start: number; readonly share: number };

const linearPlace: Place = (target, from, to) => {
  const position = Math.fround((target + 0.5) * (1 / (to / from)) - 0.5);
  const start = Math.floor(position);
  return { start, share: Math.fround(position - start) };
};

const areaPlace: Place = (target, from, to) => {
  const perSource = to / from;
  const start = Math.floor(target * (1 / perSource));
  const share = Math.fround(target + 1 - (start + 1) * perSource);
  return { start, share: share <= 0 ? 0 : Math.fround(share - Math.floor(share)) };
};

/** Weights have 11 bits (`INTER_RESIZE_COEF_BITS`). */
const ONE = 1 << 11;

interface Pairs {
  /** The two source pixels of each target pixel, inside the source. */
  readonly firsts: Int32Array;
  readonly seconds: Int32Array;
  readonly firstWeights: Int32Array;
  readonly secondWeights: Int32Array;
}

/**
 * @param isClamped before the first and from the last source pixel on it counts alone, which OpenCV does with columns. Of rows
 *   it takes the outermost for both and leaves the weights, which rounds otherwise.
 */
function pairsOf(from: number, to: number, place: Place, isClamped: boolean): Pairs {
  const [firsts, seconds] = [new Int32Array(to), new Int32Array(to)];
  const [firstWeights, secondWeights] = [new Int32Array(to), new Int32Array(to)];
  for (let target = 0; target < to; target += 1) {
    const { start, share } = place(target, from, to);
    const isOutside = start < 0 || start >= from - 1;
    const second = isClamped && isOutside ? 0 : share;
    firsts[target] = Math.max(0, Math.min(start, from - 1));
    seconds[target] = Math.max(0, Math.min(start + 1, from - 1));
    firstWeights[target] = roundEven(Math.fround(Math.fround(1 - second) * ONE));
    secondWeights[target] = roundEven(Math.fround(second * ONE));
  }
  return { firsts, seconds, firstWeights, secondWeights };
}

/** Of numbers from 0 to {@link ONE}. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  const isUp = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1);
  return isUp ? floor + 1 : floor;
}

/** Rows first, without rounding; then columns, cut off to the 16-bit products of OpenCV's SIMD and rounded (`VResizeLinear`). */
function interpolate(picture: RgbPicture, width: number, height: number, place: Place): RgbPicture {
  const columns = pairsOf(picture.width, width, place, true);
  const rows = pairsOf(picture.height, height, place, false);
  const pixels = new Uint8Array(3 * width * height);
  let [upper, lower] = [new Int32Array(3 * width), new Int32Array(3 * width)];
  let [upperRow, lowerRow] = [-1, -1];
  for (let y = 0; y < height; y += 1) {
    const [first, second] = [rows.firsts[y] as number, rows.seconds[y] as number];
    if (first === lowerRow) {
      [upper, lower] = [lower, upper];
      [upperRow, lowerRow] = [lowerRow, upperRow];
    }
    if (first !== upperRow) interpolateRow(picture, first, columns, upper);
    if (second !== lowerRow) interpolateRow(picture, second, columns, lower);
    [upperRow, lowerRow] = [first, second];
    const [upperWeight, lowerWeight] = [rows.firstWeights[y] as number, rows.secondWeights[y] as number];
    const to = y * 3 * width;
    for (let at = 0; at < 3 * width; at += 1) {
      const above = (upperWeight * ((upper[at] as number) >> 4)) >> 16;
      const below = (lowerWeight * ((lower[at] as number) >> 4)) >> 16;
      pixels[to + at] = (above + below + 2) >> 2;
    }
  }
  return { width, height, pixels };
}

function interpolateRow(
  { width, pixels }: RgbPicture,
  row: number,
  { firsts, seconds, firstWeights, secondWeights }: Pairs,
  sums: Int32Array,
): void {
  const start = 3 * row * width;
  for (let x = 0, to = 0; x < firsts.length; x += 1, to += 3) {
    const [first, second] = [start + 3 * (firsts[x] as number), start + 3 * (seconds[x] as number)];
    const [firstWeight, secondWeight] = [firstWeights[x] as number, secondWeights[x] as number];
    for (let channel = 0; channel < 3; channel += 1) {
      sums[to + channel] =
        (pixels[first + channel] as number) * firstWeight +
        (pixels[second + channel] as number) * secondWeight;
    }
  }
}
