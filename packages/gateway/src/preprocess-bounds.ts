/** How large a contract may make pictures, and what room one takes while it is in the works. */
import { MAX_TARGET_PIXELS, type Size, targetSize } from "./pixels/target-size.js";
import { mismatch } from "./preprocess-kernel.js";
import type { PreprocessPlan } from "./preprocess-plan.js";

type Sizes = Pick<PreprocessPlan, "resize" | "crop" | "cropBefore" | "pad">;

/**
 * What keeps to the picture's proportions is held against the same bound picture by picture.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when every picture would be made too large.
 */
export function checkBounds({ resize, crop, cropBefore, pad }: Sizes): void {
  const square = resize !== undefined && "shortestEdge" in resize && resize.longestEdge === undefined;
  const least = square ? { width: resize.shortestEdge, height: resize.shortestEdge } : undefined;
  const fixed = resize !== undefined && "width" in resize ? resize : least;
  for (const [key, size] of [
    ["size", fixed],
    ["crop_size", crop],
    ["pad_size", pad],
  ] as const) {
    if (size !== undefined && pixelsOf(size) > MAX_TARGET_PIXELS) {
      throw mismatch(
        `${key} made pictures of ${size.height}x${size.width} (height x width), ${pixelsOf(size)} pixels`,
        `at most ${MAX_TARGET_PIXELS}`,
      );
    }
  }
  if (cropBefore !== undefined && (cropBefore.width > 1 || cropBefore.height > 1)) {
    throw mismatch(
      "crop_size was smaller than size",
      "a crop_size of which size is a part, as Perceiver has it",
    );
  }
}

/** The larger of a picture and of what the plan makes of it, in pixels. */
export function pixelsInWorks({ resize, crop, pad }: Sizes, { width, height }: Size): number {
  // Upright or as stored: which of them is not known before the file is read.
  const resized =
    resize === undefined
      ? []
      : [targetSize(resize, { width, height }), targetSize(resize, { width: height, height: width })];
  const targets = [...resized, crop, pad].filter((size) => size !== undefined).map(pixelsOf);
  // What is larger is refused, or only a window of it is worked out.
  return Math.max(width * height, Math.min(MAX_TARGET_PIXELS, Math.max(0, ...targets)));
}

function pixelsOf({ width, height }: Size): number {
  return width * height;
}
