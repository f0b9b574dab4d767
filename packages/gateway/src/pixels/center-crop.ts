import type { RgbPicture } from "./rgb-picture.js";

/**
 * The middle of a picture, black around it where the picture is smaller: Hugging Face's `center_crop`
 * (transformers 5.23.0, image_transforms.py). An odd rest goes to the right and the bottom when cropping, to the
 * left and the top when padding.
 */
export function centerCrop(picture: RgbPicture, width: number, height: number): RgbPicture {
  if (picture.width === width && picture.height === height) return picture;
  const left = Math.floor((picture.width - width) / 2);
  const top = Math.floor((picture.height - height) / 2);
  const from = { x: Math.max(left, 0), y: Math.max(top, 0) };
  const to = { x: Math.max(-left, 0), y: Math.max(-top, 0) };
  const columns = Math.min(width, picture.width);
  const rows = Math.min(height, picture.height);
  const pixels = new Uint8Array(3 * width * height);
  for (let row = 0; row < rows; row += 1) {
    const start = 3 * ((from.y + row) * picture.width + from.x);
    pixels.set(picture.pixels.subarray(start, start + 3 * columns), 3 * ((to.y + row) * width + to.x));
  }
  return { width, height, pixels };
}
