/** Where the model's input lies on the picture: the way back through resize, crop and padding. */
import { cropOffset } from "../pixels/center-crop.js";
import { padded, pillowCropBox, type Size, targetSize, tensorflowCropBox } from "../pixels/target-size.js";
import type { PreprocessPlan } from "../preprocess-plan.js";

/**
 * What of the picture the model's input shows, in shares of the picture's width and height. Below 0 or beyond 1 where the
 * input was padded.
 */
export interface InputArea {
  /** Of the left edge. */
  readonly x: number;
  /** Of the upper edge. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** One direction: `pixels` of the input begin at `start` of the picture, each `step` of its pixels wide. */
interface Span {
  readonly start: number;
  readonly step: number;
  readonly pixels: number;
}

/** @param picture the size that the resize meets: upright where the plan turns pictures. */
export function inputArea(plan: PreprocessPlan, picture: Size): InputArea {
  const { width: x, height: y } = {
    width: spanOf(plan, picture, "width"),
    height: spanOf(plan, picture, "height"),
  };
  return {
    x: x.start / picture.width,
    y: y.start / picture.height,
    width: (x.step * x.pixels) / picture.width,
    height: (y.step * y.pixels) / picture.height,
  };
}

/** True when every picture is taken whole, whatever its size. */
export function takesAll({ aspect, crop, cropBefore, kernel, pad }: PreprocessPlan): boolean {
  const isBoxed = kernel.library === "pillow" && kernel.box !== undefined;
  return (
    aspect === "stretch" && crop === undefined && cropBefore === undefined && pad === undefined && !isBoxed
  );
}

function spanOf(plan: PreprocessPlan, picture: Size, side: "width" | "height"): Span {
  const { cropBefore, crop, cropRule, pad } = plan;
  let span: Span = { start: 0, step: 1, pixels: picture[side] };
  let size = picture;
  if (cropBefore !== undefined) {
    const edge = Math.min(picture.width, picture.height);
    size = {
      width: Math.max(1, Math.trunc(cropBefore.width * edge)),
      height: Math.max(1, Math.trunc(cropBefore.height * edge)),
    };
    span = cut(span, cropOffset(picture[side], size[side], cropRule), size[side]);
  }
  span = resized(span, plan, size, side);
  if (crop !== undefined) span = cut(span, cropOffset(span.pixels, crop[side], cropRule), crop[side]);
  return pad === undefined ? span : cut(span, 0, pad[side]);
}

function resized(
  span: Span,
  { resize, aspect, kernel }: PreprocessPlan,
  from: Size,
  side: "width" | "height",
): Span {
  if (resize === undefined) return span;
  const target = targetSize(resize, from);
  if (aspect === "pad") {
    const inner = padded(from, target);
    const offset = side === "width" ? inner.x : inner.y;
    return cut(scaled(span, inner[side]), -offset, target[side]);
  }
  const box =
    aspect === "crop"
      ? (kernel.library === "pillow" ? pillowCropBox : tensorflowCropBox)(from, target)
      : kernel.library === "pillow"
        ? kernel.box
        : undefined;
  if (box === undefined) return scaled(span, target[side]);
  const [left, top, right, bottom] = box;
  const [begin, end] = side === "width" ? [left, right] : [top, bottom];
  return scaled(cut(span, begin, end - begin), target[side]);
}

/** `pixels` from the one at `offset` on; below 0: so many are padded before the first. */
function cut({ start, step }: Span, offset: number, pixels: number): Span {
  return { start: start + step * offset, step, pixels };
}

function scaled({ start, step, pixels: before }: Span, pixels: number): Span {
  return { start, step: (step * before) / pixels, pixels };
}
