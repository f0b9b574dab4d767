/** A recorded array as the tensor of one picture. */
import { CommandFailure } from "../command-failure.js";
import type { NpyArray } from "./npy.js";

export interface RecordedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly layout: "NHWC" | "NCHW";
  readonly width: number;
  readonly height: number;
  /** Rows of pixels of three samples, whatever the layout was. */
  readonly samples: Float64Array;
  /** Difference of the greatest and the least value. */
  readonly range: number;
}

/**
 * @param preferred layout where the shape fits both.
 * @throws {CommandFailure} when it is not one picture of three channels, or holds what is no number.
 */
export function recordedTensor(array: NpyArray, preferred: "NHWC" | "NCHW", name: string): RecordedTensor {
  const { shape, values, dtype } = array;
  const sizes = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape;
  const [first = 0, second = 0, third = 0] = sizes;
  const fits = { NHWC: sizes.length === 3 && third === 3, NCHW: sizes.length === 3 && first === 3 };
  if (!fits.NHWC && !fits.NCHW) {
    throw new CommandFailure(
      `${name} had shape [${shape.join(", ")}], expected one picture of three channels, such as [1, 224, 224, 3]`,
    );
  }
  const layout = fits[preferred] ? preferred : fits.NHWC ? "NHWC" : "NCHW";
  const [height, width] = layout === "NHWC" ? [first, second] : [second, third];
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!Number.isFinite(value)) throw new CommandFailure(`${name} held ${value}, expected finite numbers`);
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const samples = layout === "NHWC" ? values : interleaved(values, width * height);
  return { dtype, shape, layout, width, height, samples, range: most - least };
}

/** Three planes to pixels. A copy. */
export function interleaved(planes: ArrayLike<number>, pixels: number): Float64Array {
  const samples = new Float64Array(3 * pixels);
  for (let at = 0; at < pixels; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      samples[3 * at + channel] = planes[channel * pixels + at] as number;
    }
  }
  return samples;
}
