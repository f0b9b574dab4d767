/** The way of one picture from a file's bytes to the model's tensor, step by step. */

import type { PreprocessPlan } from "../preprocess-plan.js";
import { centerCrop } from "./center-crop.js";
import { decodePicture } from "./decode.js";
import type { DecodeBaseline } from "./jpeg-baseline.js";
import { type PictureTensor, tensorOf } from "./normalize.js";
import { turnUpright } from "./orientation.js";
import type { PictureFormat } from "./picture-header.js";
import type { Resize } from "./resize.js";
import type { RgbPicture } from "./rgb-picture.js";

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
  { maxPixels, resize, decodeBaseline, checkpoint }: PrepareOptions,
): Promise<Preprocessed> {
  const start = performance.now();
  const { picture, orientation, format } = await decodePicture(bytes, maxPixels, decodeBaseline);
  checkpoint();
  const upright = plan.orientation === "exif" ? turnUpright(picture, orientation) : picture;
  const decoded = performance.now();
  checkpoint();
  const resized = resizeAsPlanned(upright, plan, resize);
  const cropped = plan.crop === undefined ? resized : centerCrop(resized, plan.crop.width, plan.crop.height);
  const tensor = tensorOf(cropped, plan.arithmetic, plan.layout, plan.dtype);
  const { width, height } = upright;
  return { tensor, width, height, format, decodeMs: decoded - start, resizeMs: performance.now() - decoded };
}

function resizeAsPlanned(picture: RgbPicture, plan: PreprocessPlan, resize: Resize): RgbPicture {
  if (plan.resize === undefined) return picture;
  const size = "width" in plan.resize ? plan.resize : sizeOfShortestEdge(picture, plan.resize.shortestEdge);
  return resize(picture, { ...size, filter: plan.filter });
}

/** Hugging Face's `get_resize_output_image_size`: the longer edge is cut off, not rounded. */
function sizeOfShortestEdge({ width, height }: RgbPicture, edge: number): { width: number; height: number } {
  const longer = Math.trunc((edge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: edge, height: longer } : { width: longer, height: edge };
}
