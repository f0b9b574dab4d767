/**
 * Pixels to the numbers that a model was trained on, to the bit.
 *
 * A sample has 256 values, so each arithmetic is a table of 256 float32 per channel. A table is worked out as NumPy
 * does it: one operation after the other, each rounded to float32 (`Math.fround`), or in float64 where NumPy does so.
 */
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import type { RgbPicture } from "./rgb-picture.js";

export type Layout = "NHWC" | "NCHW";

export type Arithmetic =
  /** Samples as they are. */
  | { readonly kind: "pixels" }
  /** `keras.applications.imagenet_utils.preprocess_input` on a float32 array (Keras 3.15.1, NumPy 2.4.6). */
  | { readonly kind: "keras"; readonly preset: "tf" | "torch" | "caffe" }
  /**
   * Hugging Face's `rescale` and `normalize` (transformers 5.23.0, image_transforms.py, NumPy). Not equal to the
   * bit to torchvision's ToTensor and Normalize, which divide by 255 in float32.
   */
  | {
      readonly kind: "hugging-face";
      /** undefined: no rescaling. */
      readonly factor: number | undefined;
      /** undefined: no normalisation. Three values each. */
      readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
    };

/** A tensor of one picture. */
export interface PictureTensor extends Tensor {
  readonly data: Uint8Array | Float32Array;
}

const TORCH_MEAN = [0.485, 0.456, 0.406];
const TORCH_STD = [0.229, 0.224, 0.225];
/** Of blue, green, red. */
const CAFFE_MEAN = [103.939, 116.779, 123.68];

/**
 * Makes the tensor of one picture.
 *
 * @returns shape [1, height, width, 3] or [1, 3, height, width]; its data is the picture's own pixels when nothing
 *   has to change, else a copy.
 */
export function tensorOf(
  picture: RgbPicture,
  arithmetic: Arithmetic,
  layout: Layout,
  dtype: typeof DataType.DT_UINT8 | typeof DataType.DT_FLOAT,
): PictureTensor {
  const { width, height, pixels } = picture;
  const shape = layout === "NHWC" ? [1, height, width, 3] : [1, 3, height, width];
  if (dtype === DataType.DT_UINT8) {
    return { dtype, shape, data: layout === "NHWC" ? pixels : planesOf(pixels) };
  }
  const data = new Float32Array(pixels.length);
  const tables = tablesOf(arithmetic);
  const isBgr = arithmetic.kind === "keras" && arithmetic.preset === "caffe";
  const [step, channelStep] = layout === "NHWC" ? [3, 1] : [1, width * height];
  for (let channel = 0; channel < 3; channel += 1) {
    const table = tables[channel] as Float32Array;
    let to = channel * channelStep;
    for (let from = isBgr ? 2 - channel : channel; from < pixels.length; from += 3, to += step) {
      data[to] = table[pixels[from] as number] as number;
    }
  }
  return { dtype, shape, data };
}

function planesOf(pixels: Uint8Array): Uint8Array {
  const planes = new Uint8Array(pixels.length);
  const plane = pixels.length / 3;
  for (let at = 0; at < plane; at += 1) {
    planes[at] = pixels[3 * at] as number;
    planes[at + plane] = pixels[3 * at + 1] as number;
    planes[at + 2 * plane] = pixels[3 * at + 2] as number;
  }
  return planes;
}

/** Value of each sample in each channel of the tensor, in the tensor's channel order. */
function tablesOf(arithmetic: Arithmetic): Float32Array[] {
  return [0, 1, 2].map((channel) =>
    Float32Array.from({ length: 256 }, (_, sample) => modelValue(arithmetic, sample, channel)),
  );
}

function modelValue(arithmetic: Arithmetic, sample: number, channel: number): number {
  if (arithmetic.kind === "pixels") return sample;
  if (arithmetic.kind === "keras") return kerasValue(arithmetic.preset, sample, channel);
  const { factor, normalize } = arithmetic;
  // One product in float64, then rounded.
  const rescaled = Math.fround(factor === undefined ? sample : sample * factor);
  return normalize === undefined ? rescaled : standardized(rescaled, normalize.mean, normalize.std, channel);
}

function kerasValue(preset: "tf" | "torch" | "caffe", sample: number, channel: number): number {
  if (preset === "tf") return Math.fround(sample / 127.5) - 1;
  if (preset === "torch") return standardized(Math.fround(sample / 255), TORCH_MEAN, TORCH_STD, channel);
  return sample - Math.fround(CAFFE_MEAN[channel] as number);
}

/** (value - mean) / std with all four numbers, and the difference, in float32. */
function standardized(
  value: number,
  mean: readonly number[],
  std: readonly number[],
  channel: number,
): number {
  return Math.fround(value - Math.fround(mean[channel] as number)) / Math.fround(std[channel] as number);
}
