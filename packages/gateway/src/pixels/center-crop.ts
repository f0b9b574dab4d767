import type { ResizeWindow } from "./resize.js";
import type { FloatPicture, RgbPicture } from "./rgb-picture.js";
import type { Size } from "./target-size.js";

/**
 * Where an odd pixel goes.
 *
 * - `hugging-face` (transformers 5.23.0, image_transforms.py): to the right and the bottom when cropping, to the left and
 *   the top when padding.
 * - `hugging-face-tensor` (its image_processing_backends.py): to the right and the bottom in both.
 * - `torchvision` (0.24, CenterCrop): to the right and the bottom when padding; when cropping the offset is rounded, a half to the even.
 */
export type CropRule = "hugging-face" | "hugging-face-tensor" | "torchvision";

/** The middle of a picture, black around it where the picture is smaller. The picture itself when it is of that size. */
export function centerCrop(picture: RgbPicture, width: number, height: number, rule: CropRule): RgbPicture;
export function centerCrop(
  picture: RgbPicture | FloatPicture,
  width: number,
  height: number,
  rule: CropRule,
): RgbPicture | FloatPicture;
export function centerCrop(
  picture: RgbPicture | FloatPicture,
  width: number,
  height: number,
  rule: CropRule,
): RgbPicture | FloatPicture {
  if (picture.width === width && picture.height === height) return picture;
  const [left, top] = [cropOffset(picture.width, width, rule), cropOffset(picture.height, height, rule)];
  return placeOn(picture, { width, height, x: -left, y: -top });
}

/** What of a picture of one size the crop to another keeps; less than that in what is to be padded. */
export function keptWindow(from: Size, to: Size, rule: CropRule): ResizeWindow {
  return {
    x: Math.max(0, cropOffset(from.width, to.width, rule)),
    y: Math.max(0, cropOffset(from.height, to.height, rule)),
    width: Math.min(from.width, to.width),
    height: Math.min(from.height, to.height),
  };
}

/** Where the crop begins in the source; below 0: so much is padded before it. */
export function cropOffset(from: number, to: number, rule: CropRule): number {
  const rest = (from - to) / 2;
  if (rest < 0) return rule === "hugging-face" ? Math.floor(rest) : Math.ceil(rest);
  return rule === "torchvision" && rest % 2 === 1.5 ? Math.ceil(rest) : Math.floor(rest);
}

/** A size, and where a picture's upper left corner comes to lie in it. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
}

/** The picture at a place of a black canvas; what lies outside is cut off. A copy. */
export function placeOn(picture: RgbPicture, canvas: Canvas): RgbPicture;
export function placeOn(picture: RgbPicture | FloatPicture, canvas: Canvas): RgbPicture | FloatPicture;
export function placeOn(picture: RgbPicture | FloatPicture, canvas: Canvas): RgbPicture | FloatPicture {
  const { width, height, x, y } = canvas;
  const from = { x: Math.max(-x, 0), y: Math.max(-y, 0) };
  const to = { x: Math.max(x, 0), y: Math.max(y, 0) };
  const columns = Math.min(width - to.x, picture.width - from.x);
  const rows = Math.min(height - to.y, picture.height - from.y);
  const copyRows = (source: Uint8Array | Float32Array, target: Uint8Array | Float32Array): void => {
    for (let row = 0; row < rows; row += 1) {
      const start = 3 * ((from.y + row) * picture.width + from.x);
      target.set(source.subarray(start, start + 3 * columns), 3 * ((to.y + row) * width + to.x));
    }
  };
  if (picture.pixels instanceof Uint8Array) {
    const pixels = new Uint8Array(3 * width * height);
    copyRows(picture.pixels, pixels);
    return { width, height, pixels };
  }
  const pixels = new Float32Array(3 * width * height);
  copyRows(picture.pixels, pixels);
  return { width, height, pixels };
}
