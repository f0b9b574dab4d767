/** The model's tensor as a picture again: what the model really sees. */
import sharp from "sharp";
import { type PictureTensor, tensorOf } from "../pixels/normalize.js";
import type { RgbPicture } from "../pixels/rgb-picture.js";
import type { Size } from "../pixels/target-size.js";
import type { PreprocessPlan } from "../preprocess-plan.js";

type TensorForm = Pick<PreprocessPlan, "arithmetic" | "isBgr" | "layout" | "dtype">;

/** Longer edge, in pixels, above which the picture of an input is made smaller to be shown. */
const MOST_SHOWN_EDGE = 1024;

/** How far from a whole sample a value may lie that came from one: float32's rounding, well below a step. */
const WHOLE_WITHIN = 0.01;

export interface InputPicture {
  readonly picture: RgbPicture;
  /** Every sample of the tensor is one of 8 bits, so that the picture shows all that the model sees. */
  readonly isExact: boolean;
}

/** One channel of the tensor, as the model gets it. */
export interface ChannelRange {
  readonly colour: "red" | "green" | "blue";
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** Width and height of [1, height, width, 3] or [1, 3, height, width]. */
export function sizeOfTensor({ shape }: PictureTensor, layout: PreprocessPlan["layout"]): Size {
  const [, first = 0, second = 0, third = 0] = shape;
  return layout === "NHWC" ? { width: second, height: first } : { width: third, height: second };
}

/**
 * Undoes the arithmetic, which is a line in every contract: what it makes of black and of white says what each value
 * was. Values between two samples of 8 bits, which TensorFlow's resizes make, go to the nearer, and values outside to
 * the nearest.
 */
export function pictureOfTensor(tensor: PictureTensor, form: TensorForm): InputPicture {
  const { width, height } = sizeOfTensor(tensor, form.layout);
  const { step, plane } = strides(form.layout, width * height);
  const pixels = new Uint8Array(3 * width * height);
  let isExact = true;
  for (const [channel, { place, black, white }] of linesOf(form).entries()) {
    for (let at = place * plane, to = channel; to < pixels.length; at += step, to += 3) {
      const sample = (255 * ((tensor.data[at] ?? 0) - black)) / (white - black);
      const whole = Math.min(255, Math.max(0, Math.round(sample)));
      // Not a number where the contract makes black and white the same.
      if (!(Math.abs(sample - whole) <= WHOLE_WITHIN)) isExact = false;
      pixels[to] = whole;
    }
  }
  return { picture: { width, height, pixels }, isExact };
}

/** Range of each channel, in the tensor's order. */
export function rangesOfTensor(tensor: PictureTensor, form: TensorForm): ChannelRange[] {
  const { width, height } = sizeOfTensor(tensor, form.layout);
  const { step, plane } = strides(form.layout, width * height);
  const count = width * height;
  const ranges = linesOf(form).map(({ place }, channel) => {
    let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
    for (let pixel = 0, at = place * plane; pixel < count; pixel += 1, at += step) {
      const value = tensor.data[at] ?? 0;
      if (value < min) min = value;
      if (value > max) max = value;
      sum += value;
    }
    const colour = (["red", "green", "blue"] as const)[channel] ?? "red";
    return { place, range: { colour, min, max, mean: sum / count } };
  });
  return ranges.sort((a, b) => a.place - b.place).map(({ range }) => range);
}

/** A PNG of it as a `data:` URL. Not exact any more when it had to be made smaller. */
export async function dataUrlOf({
  picture,
  isExact,
}: InputPicture): Promise<{ url: string; isExact: boolean }> {
  const { width, height, pixels } = picture;
  const isLarge = Math.max(width, height) > MOST_SHOWN_EDGE;
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  if (isLarge) image.resize({ width: MOST_SHOWN_EDGE, height: MOST_SHOWN_EDGE, fit: "inside" });
  const png = await image.png().toBuffer();
  return { url: `data:image/png;base64,${png.toString("base64")}`, isExact: isExact && !isLarge };
}

/** Where a colour's channel lies in the tensor, and what becomes of its samples 0 and 255. */
interface ChannelLine {
  readonly place: number;
  readonly black: number;
  readonly white: number;
}

/** Of red, green and blue, read off tensors of single pixels: the arithmetic itself stands in one place only. */
function linesOf({ arithmetic, isBgr, dtype }: TensorForm): ChannelLine[] {
  const valuesOf = (pixels: number[]) =>
    tensorOf({ width: 1, height: 1, pixels: Uint8Array.from(pixels) }, arithmetic, isBgr, "NHWC", dtype).data;
  const black = valuesOf([0, 0, 0]);
  const white = valuesOf([255, 255, 255]);
  return [0, 1, 2].map((colour) => {
    const lit = valuesOf([0, 1, 2].map((channel) => (channel === colour ? 255 : 0)));
    const place = Math.max(
      0,
      lit.findIndex((value, index) => value !== black[index]),
    );
    return { place, black: black[place] ?? 0, white: white[place] ?? 0 };
  });
}

function strides(layout: PreprocessPlan["layout"], pixels: number): { step: number; plane: number } {
  return layout === "NHWC" ? { step: 3, plane: 1 } : { step: 1, plane: pixels };
}
