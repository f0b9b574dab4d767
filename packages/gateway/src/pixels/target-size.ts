/** How large a picture becomes, as the rules of Hugging Face, torchvision and Keras have it. */
import type { ResizeBox } from "./resize.js";
import { roundHalfEven } from "./resize-tensorflow-weights.js";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Most pixels that a resize, crop or padding may make of a picture: 200 MB of float32 samples. */
export const MAX_TARGET_PIXELS = 4096 * 4096;

export type SizeRule =
  | Size
  /** Proportions kept. With `longestEdge` the picture stays within it; both edges are rounded up to a multiple of `divisor`. */
  | {
      readonly shortestEdge: number;
      readonly longestEdge?: number | undefined;
      readonly divisor?: number | undefined;
    }
  | { readonly longestEdge: number }
  /** Proportions kept, as large as fits. */
  | { readonly maxHeight: number; readonly maxWidth: number };

/** Edges are cut off, not rounded (`get_resize_output_image_size`, `_compute_resized_output_size`). */
export function targetSize(rule: SizeRule, { width, height }: Size): Size {
  if ("width" in rule) return rule;
  if ("maxHeight" in rule) {
    const scale = Math.min(rule.maxHeight / height, rule.maxWidth / width);
    return atLeastOne(Math.trunc(width * scale), Math.trunc(height * scale));
  }
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const oriented = (shorter: number, longer: number): Size =>
    width <= height ? atLeastOne(shorter, longer) : atLeastOne(longer, shorter);
  if (!("shortestEdge" in rule)) {
    return oriented(Math.trunc((rule.longestEdge * short) / long), rule.longestEdge);
  }
  const { shortestEdge: edge, longestEdge, divisor = 1 } = rule;
  if (longestEdge !== undefined) return withinLongest(edge, longestEdge, { width, height });
  const { width: w, height: h } = oriented(edge, Math.trunc((edge * long) / short));
  return { width: divisor * Math.ceil(w / divisor), height: divisor * Math.ceil(h / divisor) };
}

/** `get_size_with_aspect_ratio`. */
function withinLongest(edge: number, longest: number, { width, height }: Size): Size {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const raw = (long / short) * edge > longest ? (longest * short) / long : undefined;
  const shorter = raw === undefined ? edge : roundHalfEven(raw);
  if (short === shorter) return { width, height };
  return width < height
    ? atLeastOne(shorter, Math.trunc(((raw ?? shorter) * height) / width))
    : atLeastOne(Math.trunc(((raw ?? shorter) * width) / height), shorter);
}

/** Where the rule gives an edge of no pixels the libraries raise an error; one pixel is kept here. */
function atLeastOne(width: number, height: number): Size {
  return { width: Math.max(1, width), height: Math.max(1, height) };
}

/** What becomes of the proportions: see `vitrine.resize.aspect` in protocol/src/contract.ts. */
export type Aspect = "stretch" | "crop" | "pad";

/** The middle with the target's proportions, of `keras.utils.load_img(keep_aspect_ratio=True)`. */
export function pillowCropBox({ width, height }: Size, target: Size): ResizeBox {
  const cropHeight = Math.min(height, Math.floor((width * target.height) / target.width));
  const cropWidth = Math.min(width, Math.floor((height * target.width) / target.height));
  const [left, top] = [Math.floor((width - cropWidth) / 2), Math.floor((height - cropHeight) / 2)];
  return [left, top, left + cropWidth, top + cropHeight];
}

/** The same of `keras.utils.image_dataset_from_directory(crop_to_aspect_ratio=True)`, float32 in between. */
export function tensorflowCropBox({ width, height }: Size, target: Size): ResizeBox {
  const { fround } = Math;
  const kept = (whole: number, product: number, by: number): number =>
    Math.max(1, Math.min(whole, Math.trunc(fround(fround(product) / by))));
  const cropHeight = kept(height, width * target.height, target.width);
  const cropWidth = kept(width, height * target.width, target.height);
  const [left, top] = [Math.trunc((width - cropWidth) / 2), Math.trunc((height - cropHeight) / 2)];
  return [left, top, left + cropWidth, top + cropHeight];
}

/** Size of the picture and where it lies in the target: `tf.image.resize_with_pad`. */
export function padded(
  { width, height }: Size,
  target: Size,
): Size & { readonly x: number; readonly y: number } {
  const ratio = Math.max(width / target.width, height / target.height);
  const [exactWidth, exactHeight] = [width / ratio, height / ratio];
  return {
    width: Math.floor(exactWidth),
    height: Math.floor(exactHeight),
    x: Math.max(0, Math.floor((target.width - exactWidth) / 2)),
    y: Math.max(0, Math.floor((target.height - exactHeight) / 2)),
  };
}
