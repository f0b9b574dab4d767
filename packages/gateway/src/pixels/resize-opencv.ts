/** cv2.resize of 8-bit pictures. */
import { pickPixels, positions } from "./pick-pixels.js";
import type { RgbPicture } from "./rgb-picture.js";

export const OPENCV_METHODS = ["nearest"] as const;

export type OpencvMethod = (typeof OPENCV_METHODS)[number];

/** `INTER_NEAREST`: the position is cut off, float64 (resize.cpp, `resizeNN`). */
export function resizeOpencv(
  picture: RgbPicture,
  width: number,
  height: number,
  _method: OpencvMethod,
): RgbPicture {
  const at = (from: number, to: number): Int32Array => {
    const scale = 1 / (to / from);
    return positions(from, to, (index) => index * scale);
  };
  return pickPixels(picture, at(picture.width, width), at(picture.height, height));
}
