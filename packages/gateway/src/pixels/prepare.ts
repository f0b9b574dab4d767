/** The way of one picture from a file's bytes to the model's tensor, step by step. */

import { ServeError } from "@vitrine/protocol/status";
import type { PreprocessPlan } from "../preprocess-plan.js";
import { centerCrop, keptWindow, placeOn } from "./center-crop.js";
import { decodePicture } from "./decode.js";
import type { DecodeBaseline } from "./jpeg-baseline.js";
import { type PictureTensor, padTensor, tensorOf } from "./normalize.js";
import { turnUpright } from "./orientation.js";
import type { PictureFormat } from "./picture-header.js";
import type { Resize } from "./resize.js";
import { isWindowed, resizeBy } from "./resize-kernel.js";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import { padded, pillowCropBox, targetSize, tensorflowCropBox } from "./target-size.js";

export interface Preprocessed {
  /**
   * [1, height, width, 3] or [1, 3, height, width], uint8 or float32, as the plan says. When no step had to copy
   * the pixels, its data lies in the decoder's memory, which the next picture overwrites.
   */
  readonly tensor: PictureTensor;
  /** Size of the picture before resizing, upright when the plan turns it. */
  readonly width: number;
  readonly height: number;
  readonly format: PictureFormat;
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
  /** Memory for a float tensor; by default new memory. */
  readonly allocateFloats?: (length: number) => Float32Array;
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
  { maxPixels, resize, decodeBaseline, allocateFloats, checkpoint }: PrepareOptions,
): Promise<Preprocessed> {
  const start = performance.now();
  const { picture, orientation, format } = await decodePicture(bytes, maxPixels, decodeBaseline, plan.icc);
  checkpoint();
  const upright = plan.orientation === "exif" ? turnUpright(picture, orientation) : picture;
  const decoded = performance.now();
  checkpoint();
  const tensor = prepareRgb(upright, plan, resize, allocateFloats);
  const { width, height } = upright;
  return { tensor, width, height, format, decodeMs: decoded - start, resizeMs: performance.now() - decoded };
}

/**
 * From RGB, the right way up, to the tensor: resize, crop, arithmetic, layout.
 *
 * @throws {ServeError} IMAGE_TOO_MANY_PIXELS when the resize would make it too large; MODEL_CONTRACT_MISMATCH when the
 *   picture does not fit what the contract pads to or cuts out.
 */
export function prepareRgb(
  upright: RgbPicture,
  plan: PreprocessPlan,
  resize: Resize,
  allocateFloats?: (length: number) => Float32Array,
): PictureTensor {
  const resized = resizeAsPlanned(croppedBefore(upright, plan), plan, resize);
  const { crop, cropRule, arithmetic, isBgr, layout, dtype, pad } = plan;
  const cropped = crop === undefined ? resized : centerCrop(resized, crop.width, crop.height, cropRule);
  const tensor = tensorOf(cropped, arithmetic, isBgr, layout, dtype, allocateFloats);
  return pad === undefined ? tensor : padTensor(tensor, layout, pad);
}

/** A line of 1x8000 pixels whose shorter edge becomes 224 would take 1.2 GB. */
const MAX_PROPORTIONAL_PIXELS = 16_000_000;

/** Perceiver's crop: shares of the shorter edge, cut off. */
function croppedBefore(picture: RgbPicture, { cropBefore, cropRule }: PreprocessPlan): RgbPicture {
  if (cropBefore === undefined) return picture;
  const edge = Math.min(picture.width, picture.height);
  const [width, height] = [Math.trunc(cropBefore.width * edge), Math.trunc(cropBefore.height * edge)];
  return centerCrop(picture, Math.max(1, width), Math.max(1, height), cropRule);
}

function resizeAsPlanned(
  picture: RgbPicture,
  { resize: rule, kernel, aspect, crop, cropRule }: PreprocessPlan,
  resize: Resize,
): RgbPicture | FloatPicture {
  if (rule === undefined) return picture;
  const target = targetSize(rule, picture);
  const window = crop === undefined ? undefined : keptWindow(target, crop, cropRule);
  const made = window === undefined || !isWindowed(kernel) ? target : window;
  const pixels = made.width * made.height;
  if (!("width" in rule) && pixels > MAX_PROPORTIONAL_PIXELS) {
    throw new ServeError(
      "IMAGE_TOO_MANY_PIXELS",
      `picture was ${picture.width}x${picture.height}, which the model's resize makes ${target.width}x${target.height}, ` +
        `expected at most ${MAX_PROPORTIONAL_PIXELS} pixels`,
    );
  }
  if (aspect === "pad") {
    const inner = padded(picture, target);
    return placeOn(resizeBy(kernel, picture, inner, resize), { ...inner, ...target });
  }
  if (kernel.library === "pillow") {
    const box = aspect === "crop" ? pillowCropBox(picture, target) : kernel.box;
    if (box !== undefined && (box[2] > picture.width || box[3] > picture.height)) {
      throw new ServeError(
        "MODEL_CONTRACT_MISMATCH",
        `vitrine.resize.box was [${box.join(", ")}], expected a part of the picture, which was ${picture.width}x${picture.height}`,
      );
    }
    return resizeBy(kernel, picture, target, resize, box, window);
  }
  if (aspect === "stretch") return resizeBy(kernel, picture, target, resize, undefined, window);
  const [left, top, right, bottom] = tensorflowCropBox(picture, target);
  const part = placeOn(picture, { width: right - left, height: bottom - top, x: -left, y: -top });
  return resizeBy(kernel, part, target, resize, undefined, window);
}
