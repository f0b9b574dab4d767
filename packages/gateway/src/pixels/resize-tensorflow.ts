/**
 * tf.image.resize to the bit (TensorFlow 2.21, core/kernels/image, x86-64): float32 out, every operation rounded to
 * float32 in TensorFlow's order. Without antialias bilinear, bicubic and area have kernels of their own; all else is
 * ScaleAndTranslate.
 */
import { pickPixels, positions } from "./pick-pixels.js";
import { bicubicWeights, bilinearWeights } from "./resize-tensorflow-weights.js";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import { gatherSpans, type SamplingKernel } from "./scale-and-translate.js";

export const TENSORFLOW_METHODS = [
  "bilinear",
  "nearest",
  "bicubic",
  "area",
  "lanczos3",
  "lanczos5",
  "gaussian",
  "mitchellcubic",
] as const;

export type TensorflowMethod = (typeof TENSORFLOW_METHODS)[number];

const { fround } = Math;

/** ScaleAndTranslate's kernel of each method that has one. */
const KERNELS: Readonly<Partial<Record<TensorflowMethod, SamplingKernel>>> = {
  bilinear: "triangle",
  bicubic: "keyscubic",
  lanczos3: "lanczos3",
  lanczos5: "lanczos5",
  gaussian: "gaussian",
  mitchellcubic: "mitchellcubic",
};

/**
 * Resizes to exactly `width` x `height`. A picture of that size passes through the kernel too, and mitchellcubic and gaussian blur it.
 *
 * @param antialias counts for the methods that TensorFlow lets it count for: not nearest, not area.
 */
export function resizeTensorflow(
  picture: RgbPicture,
  width: number,
  height: number,
  method: TensorflowMethod,
  antialias: boolean,
): FloatPicture {
  if (method === "nearest") {
    const { pixels } = resizeTensorflowNearest(picture, width, height);
    return { width, height, pixels: Float32Array.from(pixels) };
  }
  if (method === "area") return resizeArea(picture, width, height);
  if (method === "bilinear" && !antialias) return resizeBilinear(picture, width, height);
  if (method === "bicubic" && !antialias) return resizeBicubic(picture, width, height);
  return gatherSpans(picture, width, height, KERNELS[method] ?? "triangle", antialias);
}

/** ResizeNearestNeighbor with half-pixel centres; keeps samples of 8 bits. */
export function resizeTensorflowNearest(picture: RgbPicture, width: number, height: number): RgbPicture {
  const at = (from: number, to: number): Int32Array => {
    const scale = fround(from / to);
    return positions(from, to, (index) => fround(fround(index + 0.5) * scale));
  };
  return pickPixels(picture, at(picture.width, width), at(picture.height, height));
}

function resizeBilinear(picture: RgbPicture, width: number, height: number): FloatPicture {
  const columns = bilinearWeights(picture.width, width);
  const rows = bilinearWeights(picture.height, height);
  const { pixels: source } = picture;
  const pixels = new Float32Array(3 * width * height);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    const upper = 3 * picture.width * (rows.lower[y] as number);
    const lower = 3 * picture.width * (rows.upper[y] as number);
    const down = rows.share[y] as number;
    for (let x = 0; x < width; x += 1) {
      const left = 3 * (columns.lower[x] as number);
      const right = 3 * (columns.upper[x] as number);
      const across = columns.share[x] as number;
      for (let c = 0; c < 3; c += 1, to += 1) {
        const topLeft = source[upper + left + c] as number;
        const bottomLeft = source[lower + left + c] as number;
        const top = fround(topLeft + fround(((source[upper + right + c] as number) - topLeft) * across));
        const bottom = fround(
          bottomLeft + fround(((source[lower + right + c] as number) - bottomLeft) * across),
        );
        pixels[to] = top + fround(fround(bottom - top) * down);
      }
    }
  }
  return { width, height, pixels };
}

function resizeBicubic(picture: RgbPicture, width: number, height: number): FloatPicture {
  const columns = bicubicWeights(picture.width, width);
  const rows = bicubicWeights(picture.height, height);
  const { pixels: source } = picture;
  const rowSamples = 3 * picture.width;
  const between = new Float32Array(rowSamples);
  const pixels = new Float32Array(3 * width * height);
  const four = (sample: (tap: number) => number, weights: Float32Array, first: number): number => {
    let sum = fround(sample(0) * (weights[first] as number));
    for (let tap = 1; tap < 4; tap += 1) {
      sum = fround(sum + fround(sample(tap) * (weights[first + tap] as number)));
    }
    return sum;
  };
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    for (let at = 0; at < rowSamples; at += 1) {
      between[at] = four(
        (tap) => source[rowSamples * (rows.positions[4 * y + tap] as number) + at] as number,
        rows.weights,
        4 * y,
      );
    }
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < 3; c += 1, to += 1) {
        pixels[to] = four(
          (tap) => between[3 * (columns.positions[4 * x + tap] as number) + c] as number,
          columns.weights,
          4 * x,
        );
      }
    }
  }
  return { width, height, pixels };
}

/** One target pixel's stretch of the source along one axis, as ResizeArea cuts it. */
interface Cell {
  readonly start: number;
  readonly end: number;
  readonly shares: readonly number[];
}

function cellsOf(from: number, to: number): Cell[] {
  const scale = fround(from / to);
  return Array.from({ length: to }, (_, index) => {
    const first = fround(index * scale);
    const last = fround((index + 1) * scale);
    const [start, end] = [Math.floor(first), Math.ceil(last)];
    const share = (at: number): number => {
      if (at < first) return at + 1 > last ? scale : fround(at + 1 - first);
      return at + 1 > last ? fround(last - at) : 1;
    };
    return { start, end, shares: Array.from({ length: end - start }, (__, tap) => share(start + tap)) };
  });
}

function resizeArea(picture: RgbPicture, width: number, height: number): FloatPicture {
  const columns = cellsOf(picture.width, width);
  const rows = cellsOf(picture.height, height);
  const { pixels: source } = picture;
  const scale = fround(1 / fround(fround(picture.height / height) * fround(picture.width / width)));
  const pixels = new Float32Array(3 * width * height);
  const bound = (at: number, end: number): number => Math.min(at, end - 1);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      for (let c = 0; c < 3; c += 1, to += 1) {
        let sum = 0;
        for (let y = 0; y < row.shares.length; y += 1) {
          const line = bound(row.start + y, picture.height) * picture.width;
          let lineSum = 0;
          for (let x = 0; x < column.shares.length; x += 1) {
            const sample = source[3 * (line + bound(column.start + x, picture.width)) + c] as number;
            lineSum = fround(lineSum + fround(sample * (column.shares[x] as number)));
          }
          sum = fround(sum + fround(lineSum * (row.shares[y] as number)));
        }
        pixels[to] = sum * scale;
      }
    }
  }
  return { width, height, pixels };
}
