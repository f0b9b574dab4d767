/**
 * Pixels to the numbers that a model was trained on, to the bit.
 *
 * A sample of 8 bits has 256 values, so its arithmetic is a table of 256 float32 per channel; samples that are float
 * already are worked out one by one. Each operation is rounded to float32 (`Math.fround`) where NumPy or PyTorch does so.
 */
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import { type FillRows, fillRowsPlainly, type TableRows } from "./table-kernel.js";

export type Layout = "NHWC" | "NCHW";

export type Arithmetic =
  /** Samples as they are. */
  | { readonly kind: "pixels" }
  /** `keras.applications.imagenet_utils.preprocess_input` on a float32 array (Keras 3.15.1, NumPy 2.4.6). */
  | { readonly kind: "keras"; readonly preset: "tf" | "torch" | "caffe" }
  /** Rescale and normalize. */
  | {
      readonly kind: "hugging-face";
      /**
       * - `numpy`: transformers 5.23.0, image_transforms.py: one product in float64, rounded; the rest in float32.
       * - `torch`: its image_processing_backends.py: mean and deviation are divided by the factor instead of the samples.
       * - `to-tensor`: torchvision's ToTensor and Normalize: samples are divided by 255 in float32, whatever the factor.
       */
      readonly rounding: "numpy" | "torch" | "to-tensor";
      /** undefined: no rescaling. */
      readonly factor: number | undefined;
      /** EfficientNet: 1 is subtracted after rescaling. */
      readonly isOffset: boolean;
      /** undefined: no normalisation. Three values each. */
      readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
      /** EfficientNet: what the result is divided by once more. */
      readonly divideAgain: readonly number[] | undefined;
    };

/** A tensor of one picture. */
export interface PictureTensor extends Tensor {
  readonly data: Uint8Array | Float32Array;
}

const { fround } = Math;

const TORCH_MEAN = [0.485, 0.456, 0.406];
const TORCH_STD = [0.229, 0.224, 0.225];
/** Of blue, green, red. */
const CAFFE_MEAN = [103.939, 116.779, 123.68];

/**
 * Makes the tensor of one picture.
 *
 * @param isBgr blue first; a Keras preset that has blue first by itself has it in any case.
 * @returns shape [1, height, width, 3] or [1, 3, height, width]; its data is the picture's own pixels when nothing
 *   has to change, else a copy.
 */
export function tensorOf(
  picture: RgbPicture | FloatPicture,
  arithmetic: Arithmetic,
  isBgr: boolean,
  layout: Layout,
  dtype: typeof DataType.DT_UINT8 | typeof DataType.DT_FLOAT,
  memory: TensorMemory = {},
): PictureTensor {
  const { width, height, pixels } = picture;
  const shape = layout === "NHWC" ? [1, height, width, 3] : [1, 3, height, width];
  if (dtype === DataType.DT_UINT8 && pixels instanceof Uint8Array) {
    return { dtype, shape, data: layout === "NHWC" && !isBgr ? pixels : arranged(pixels, isBgr, layout) };
  }
  if (pixels instanceof Uint8Array) {
    const picked = { pixels, stride: width, columns: upTo(width), rows: upTo(height) };
    return tensorOfPicked(picked, arithmetic, isBgr, layout, memory);
  }
  const data = (memory.allocateFloats ?? newFloats)(pixels.length);
  fillOneByOne(data, pixels, channelsOf(arithmetic, isBgr, layout, width * height));
  return { dtype: DataType.DT_FLOAT, shape, data };
}

/** Where the three channels of a pixel come from and go to, and what becomes of their samples. */
interface Channels {
  readonly values: readonly [Value, Value, Value];
  /** Of the first channel that goes out: 0, or 2 when blue is first; the third is at the other end. */
  readonly from: 0 | 2;
  /** Between two pixels, and between two channels of one, in the tensor. */
  readonly step: number;
  readonly plane: number;
}

type Value = (sample: number) => number;

function channelsOf(arithmetic: Arithmetic, isBgr: boolean, layout: Layout, pixels: number): Channels {
  const isCaffe = arithmetic.kind === "keras" && arithmetic.preset === "caffe";
  const value = (channel: number) => channelValue(arithmetic, isBgr && !isCaffe ? 2 - channel : channel);
  return {
    values: [value(0), value(1), value(2)],
    from: isBgr || isCaffe ? 2 : 0,
    step: layout === "NHWC" ? 3 : 1,
    plane: layout === "NHWC" ? 1 : pixels,
  };
}

const tableOf = (value: Value): Float32Array =>
  Float32Array.from({ length: 256 }, (_, sample) => value(sample));

/** Single pixels of a picture, as NEAREST takes them: those in the given columns of the given rows, in their order. */
export type PickedPixels = Pick<TableRows, "pixels" | "stride" | "columns" | "rows">;

/** {@link tensorOf} of picked pixels, without the picture that they would make. */
export function tensorOfPicked(
  picked: PickedPixels,
  arithmetic: Arithmetic,
  isBgr: boolean,
  layout: Layout,
  { allocateFloats, fillRows }: TensorMemory = {},
): PictureTensor {
  const [width, height] = [picked.columns.length, picked.rows.length];
  const data = (allocateFloats ?? newFloats)(3 * width * height);
  const { values, from } = channelsOf(arithmetic, isBgr, layout, width * height);
  const tables = [tableOf(values[0]), tableOf(values[1]), tableOf(values[2])] as const;
  (fillRows ?? fillRowsPlainly)(data, { ...picked, tables, from, layout });
  const shape = layout === "NHWC" ? [1, height, width, 3] : [1, 3, height, width];
  return { dtype: DataType.DT_FLOAT, shape, data };
}

/** Where a float tensor is written, and by what. */
export interface TensorMemory {
  /** Gives memory, whatever is in it: all of it is written. */
  readonly allocateFloats?: ((length: number) => Float32Array) | undefined;
  readonly fillRows?: FillRows | undefined;
}

const newFloats = (length: number) => new Float32Array(length);

const upTo = (end: number) => Int32Array.from({ length: end }, (_, index) => index);

/** Samples that are float already have no tables. */
function fillOneByOne(
  data: Float32Array,
  pixels: Float32Array,
  { values, from, step, plane }: Channels,
): void {
  const [first, second, third] = values;
  const last = 2 - from;
  for (let at = 0, to = 0; at < pixels.length; at += 3, to += step) {
    data[to] = first(pixels[at + from] as number);
    data[to + plane] = second(pixels[at + 1] as number);
    data[to + 2 * plane] = third(pixels[at + last] as number);
  }
}

/** Samples in another order. A copy. */
function arranged(pixels: Uint8Array, isBgr: boolean, layout: Layout): Uint8Array {
  const ordered = new Uint8Array(pixels.length);
  const [step, channelStep] = layout === "NHWC" ? [3, 1] : [1, pixels.length / 3];
  for (let channel = 0; channel < 3; channel += 1) {
    let to = channel * channelStep;
    for (let from = isBgr ? 2 - channel : channel; from < pixels.length; from += 3, to += step) {
      ordered[to] = pixels[from] as number;
    }
  }
  return ordered;
}

/** What becomes of a sample of one channel; the caller rounds to float32. */
function channelValue(arithmetic: Arithmetic, channel: number): (sample: number) => number {
  if (arithmetic.kind === "pixels") return (sample) => sample;
  if (arithmetic.kind === "keras") return kerasValue(arithmetic.preset, channel);
  const { rounding, normalize, factor, isOffset, divideAgain } = arithmetic;
  const mean = fround(normalize?.mean[channel] ?? 0);
  const std = fround(normalize?.std[channel] ?? 1);
  const again = fround(divideAgain?.[channel] ?? 1);
  const isFused = rounding === "torch" && factor !== undefined && normalize !== undefined && !isOffset;
  if (isFused) {
    const whole = fround(1 / factor);
    const [largeMean, largeStd] = [fround(mean * whole), fround(std * whole)];
    return (sample) => fround(fround(sample - largeMean) / largeStd) / again;
  }
  const rescaled = rescale(rounding, factor);
  return (sample) => {
    const shifted = fround(rescaled(sample) - (isOffset ? 1 : 0));
    return fround(fround(shifted - mean) / std) / again;
  };
}

function rescale(
  rounding: "numpy" | "torch" | "to-tensor",
  factor: number | undefined,
): (sample: number) => number {
  if (factor === undefined) return fround;
  if (rounding === "to-tensor") return (sample) => fround(sample / 255);
  const multiplier = rounding === "torch" ? fround(factor) : factor;
  return (sample) => fround(sample * multiplier);
}

function kerasValue(preset: "tf" | "torch" | "caffe", channel: number): (sample: number) => number {
  if (preset === "tf") return (sample) => fround(sample / 127.5) - 1;
  if (preset === "torch") {
    const [mean, std] = [fround(TORCH_MEAN[channel] as number), fround(TORCH_STD[channel] as number)];
    return (sample) => fround(fround(sample / 255) - mean) / std;
  }
  const mean = fround(CAFFE_MEAN[channel] as number);
  return (sample) => sample - mean;
}

/**
 * Zeros to the right and below, as Hugging Face's `pad` after its arithmetic.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when the tensor is larger than that.
 */
export function padTensor(
  tensor: PictureTensor,
  layout: Layout,
  { width, height }: { readonly width: number; readonly height: number },
): PictureTensor {
  const [, first = 0, second = 0, third = 0] = tensor.shape;
  const [rows, columns] = layout === "NHWC" ? [first, second] : [second, third];
  if (rows > height || columns > width) {
    throw new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      `pad_size was ${height}x${width} (height x width), expected at least the picture's ${rows}x${columns}`,
    );
  }
  const length = 3 * width * height;
  const data = tensor.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  const [planes, line, targetLine] = layout === "NHWC" ? [1, 3 * columns, 3 * width] : [3, columns, width];
  for (let plane = 0; plane < planes; plane += 1) {
    for (let row = 0; row < rows; row += 1) {
      const from = (plane * rows + row) * line;
      data.set(tensor.data.subarray(from, from + line), (plane * height + row) * targetLine);
    }
  }
  const shape = layout === "NHWC" ? [1, height, width, 3] : [1, 3, height, width];
  return { dtype: tensor.dtype, shape, data };
}
