/** The way of one picture from a file's bytes to the model's tensor, step by step. */

import { ServeError } from "@vitrine/protocol/status";
import { DataType } from "@vitrine/protocol/tensor";
import type { PreprocessPlan } from "../preprocess-plan.js";
import { centerCrop, keptWindow, placeOn } from "./center-crop.js";
import { type DecodedPicture, decodePicture } from "./decode.js";
import type { DecodeBaseline, DecodeScale } from "./jpeg-baseline.js";
import { type PictureTensor, padTensor, type TensorMemory, tensorOf, tensorOfPicked } from "./normalize.js";
import { type Orientation, turnUpright } from "./orientation.js";
import type { PictureFormat } from "./picture-header.js";
import { nearestOf, type Resize, type ResizeBox } from "./resize.js";
import { isWindowed, resizeBy } from "./resize-kernel.js";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import {
  MAX_TARGET_PIXELS,
  padded,
  pillowCropBox,
  type Size,
  targetSize,
  tensorflowCropBox,
} from "./target-size.js";

export interface Preprocessed {
  /**
   * [1, height, width, 3] or [1, 3, height, width], uint8 or float32, as the plan says. When no step had to copy
   * the pixels, its data lies in the decoder's memory, which the next picture overwrites.
   */
  readonly tensor: PictureTensor;
  /** Size of the picture before resizing, upright when the plan turns it. */
  readonly width: number;
  readonly height: number;
  /** Size of the picture as it is stored. */
  readonly storedSize: Size;
  /** As the file says, whether the plan heeds it or not. */
  readonly orientation: Orientation;
  readonly format: PictureFormat;
  /** Whether the contract's decoder could not be had for it: see {@link DecodedPicture}. */
  readonly isApproximate: boolean;
  /** Bytes to upright RGB. */
  readonly decodeMs: number;
  /** Resize, crop and arithmetic. */
  readonly resizeMs: number;
}

export interface PrepareOptions {
  /** Most pixels, width x height, of the picture. */
  readonly maxPixels: number;
  readonly resize: Resize;
  /** undefined: libvips decodes all. With it one picture at a time may be prepared. */
  readonly decodeBaseline?: DecodeBaseline | undefined;
  /** For a float tensor; by default new memory and plain loops. */
  readonly memory?: TensorMemory;
  /** Called between the steps; throws to end the work. */
  checkpoint(): void;
}

/**
 * Prepares one picture.
 *
 * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED, IMAGE_TOO_MANY_PIXELS, IMAGE_UNDECODABLE; whatever `checkpoint` throws.
 */
export async function preparePicture(
  bytes: Uint8Array,
  plan: PreprocessPlan,
  { maxPixels, resize, decodeBaseline, memory, checkpoint }: PrepareOptions,
): Promise<Preprocessed> {
  const start = performance.now();
  const decoded = await decodePicture(bytes, maxPixels, {
    decodeBaseline,
    decoder: plan.decoder,
    icc: plan.icc,
    scaleOf: plan.reducedDecode ? (size, orientation) => reducedScale(plan, size, orientation) : undefined,
    rowsOf: (size, orientation) => rowsTaken(plan, size, orientation),
  });
  checkpoint();
  const { format, orientation, scale, hasSomeRows, isApproximate } = decoded;
  const isTurned = plan.orientation === "exif";
  const upright = isTurned ? turnUpright(decoded.picture, orientation) : decoded.picture;
  const { storedSize } = decoded;
  const size = isTurned ? uprightSize(storedSize, orientation) : storedSize;
  const decodedAt = performance.now();
  checkpoint();
  const tensor = prepareRgb(upright, plan, resize, {
    ...(hasSomeRows ? {} : { whole: { ...size, scale } }),
    memory,
  });
  const decodeMs = decodedAt - start;
  const resizeMs = performance.now() - decodedAt;
  return { tensor, ...size, storedSize, orientation, format, isApproximate, decodeMs, resizeMs };
}

/** Of a picture that was turned. */
export function uprightSize({ width, height }: Size, orientation: Orientation): Size {
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

/** The size that NEAREST makes, where it makes the whole of a fixed one and nothing comes before or behind it. */
function nearestTarget({ resize: rule, kernel, aspect, crop, cropBefore }: PreprocessPlan): Size | undefined {
  const isNearest =
    kernel.library === "pillow" &&
    kernel.filter === "nearest" &&
    kernel.box === undefined &&
    kernel.reducingGap === undefined;
  if (!isNearest || aspect !== "stretch" || crop !== undefined || cropBefore !== undefined) return undefined;
  return rule !== undefined && "width" in rule ? rule : undefined;
}

/** The rows that the resize looks at; it has nothing left to do in that direction then. */
function rowsTaken(plan: PreprocessPlan, stored: Size, orientation: Orientation): Int32Array | undefined {
  const target = nearestTarget(plan);
  const isTurned = plan.orientation === "exif" && orientation !== 1;
  return target === undefined || isTurned ? undefined : nearestOf(stored.height, target.height);
}

/** The tensor of single pixels, without a picture of them in between; undefined where the plan asks for more. */
function pickedTensor(
  { width: stride, height, pixels }: RgbPicture,
  plan: PreprocessPlan,
  memory: TensorMemory | undefined,
): PictureTensor | undefined {
  const { arithmetic, isBgr, layout, dtype, pad } = plan;
  const target = nearestTarget(plan);
  if (target === undefined || dtype !== DataType.DT_FLOAT || pad !== undefined) return undefined;
  const [columns, rows] = [nearestOf(stride, target.width), nearestOf(height, target.height)];
  if (columns === undefined || rows === undefined) return undefined;
  return tensorOfPicked({ pixels, stride, columns, rows }, arithmetic, isBgr, layout, memory);
}

/** As large a factor as leaves the picture no smaller than the resize makes it: Pillow's `Image.draft`. */
function reducedScale(plan: PreprocessPlan, stored: Size, orientation: Orientation): DecodeScale {
  if (plan.resize === undefined) return 1;
  const size = plan.orientation === "exif" ? uprightSize(stored, orientation) : stored;
  const target = targetSize(plan.resize, size);
  const most = Math.min(Math.floor(size.width / target.width), Math.floor(size.height / target.height));
  return ([8, 4, 2] as const).find((scale) => most >= scale) ?? 1;
}

/** Size of the picture when it is whole, and how many times smaller it was decoded. */
interface WholeSize extends Size {
  readonly scale: DecodeScale;
}

interface RgbOptions {
  readonly whole?: WholeSize;
  readonly memory?: TensorMemory | undefined;
}

/**
 * From RGB, the right way up, to the tensor: resize, crop, arithmetic, layout.
 *
 * @param whole the picture before it was decoded at a reduced scale; by default it was not.
 * @throws {ServeError} IMAGE_TOO_MANY_PIXELS when the resize would make it too large; MODEL_CONTRACT_MISMATCH when the
 *   picture does not fit what the contract pads to or cuts out.
 */
export function prepareRgb(
  upright: RgbPicture,
  plan: PreprocessPlan,
  resize: Resize,
  { whole, memory }: RgbOptions = {},
): PictureTensor {
  const isWhole = whole === undefined || whole.scale === 1;
  const picked = isWhole ? pickedTensor(upright, plan, memory) : undefined;
  if (picked !== undefined) return picked;
  const resized =
    plan.cropBefore === undefined
      ? resizeAsPlanned(upright, plan, resize, whole)
      : resizeAsPlanned(croppedBefore(upright, plan), plan, resize);
  const { crop, cropRule, arithmetic, isBgr, layout, dtype, pad } = plan;
  const cropped = crop === undefined ? resized : centerCrop(resized, crop.width, crop.height, cropRule);
  const tensor = tensorOf(cropped, arithmetic, isBgr, layout, dtype, memory);
  return pad === undefined ? tensor : padTensor(tensor, layout, pad);
}

/** Perceiver's crop: shares of the shorter edge, cut off. */
function croppedBefore(picture: RgbPicture, { cropBefore, cropRule }: PreprocessPlan): RgbPicture {
  if (cropBefore === undefined) return picture;
  const edge = Math.min(picture.width, picture.height);
  const [width, height] = [Math.trunc(cropBefore.width * edge), Math.trunc(cropBefore.height * edge)];
  return centerCrop(picture, Math.max(1, width), Math.max(1, height), cropRule);
}

function resizeAsPlanned(
  picture: RgbPicture,
  plan: PreprocessPlan,
  resize: Resize,
  whole: WholeSize = { width: picture.width, height: picture.height, scale: 1 },
): RgbPicture | FloatPicture {
  const { resize: rule, kernel, aspect, crop, cropRule } = plan;
  if (rule === undefined) return picture;
  const target = targetSize(rule, whole);
  const window = crop === undefined ? undefined : keptWindow(target, crop, cropRule);
  const made = window === undefined || !isWindowed(kernel) ? target : window;
  const pixels = made.width * made.height;
  // A line of 1x8000 pixels whose shorter edge becomes 224 would take 1.2 GB.
  if (pixels > MAX_TARGET_PIXELS) {
    throw new ServeError(
      "IMAGE_TOO_MANY_PIXELS",
      `picture was ${picture.width}x${picture.height}, which the model's resize makes ${target.width}x${target.height}, ` +
        `expected at most ${MAX_TARGET_PIXELS} pixels`,
    );
  }
  if (aspect === "pad") {
    const inner = padded(picture, target);
    return placeOn(resizeBy(kernel, picture, inner, resize), { ...inner, ...target });
  }
  if (kernel.library === "pillow") {
    const box = pillowBox(plan, whole, target);
    if (box !== undefined && (box[2] > whole.width || box[3] > whole.height)) {
      throw new ServeError(
        "MODEL_CONTRACT_MISMATCH",
        `vitrine.resize.box was [${box.join(", ")}], expected a part of the picture, which was ${whole.width}x${whole.height}`,
      );
    }
    const [left, top, right, bottom] = (box ?? [0, 0, whole.width, whole.height]).map(
      (edge) => edge / whole.scale,
    );
    const scaled = whole.scale === 1 ? box : ([left ?? 0, top ?? 0, right ?? 0, bottom ?? 0] as const);
    return resizeBy(kernel, picture, target, resize, scaled, window);
  }
  if (aspect === "stretch") return resizeBy(kernel, picture, target, resize, undefined, window);
  const [left, top, right, bottom] = tensorflowCropBox(picture, target);
  const part = placeOn(picture, { width: right - left, height: bottom - top, x: -left, y: -top });
  return resizeBy(kernel, part, target, resize, undefined, window);
}

/** What of the whole picture is resized; undefined: all of it. */
function pillowBox({ aspect, kernel }: PreprocessPlan, whole: Size, target: Size): ResizeBox | undefined {
  if (aspect === "crop") return pillowCropBox(whole, target);
  return kernel.library === "pillow" ? kernel.box : undefined;
}
