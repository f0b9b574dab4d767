/** The model's tensor as a picture again: what the model really sees. */
import sharp from "sharp";
import { type PictureTensor, tensorOf } from "../pixels/normalize.js";
import type { RgbPicture } from "../pixels/rgb-picture.js";
import type { Size } from "../pixels/target-size.js";
import type { PreprocessPlan } from "../preprocess-plan.js";

type TensorForm = Pick<PreprocessPlan, "arithmetic" | "isBgr" | "layout" | "dtype">;

/** Longer edge, in pixels, above which only some pixels of an input are looked at: this runs beside all other requests. */
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
 * the nearest. Of a large input every second pixel is taken, or every third, …
 */
export function pictureOfTensor(tensor: PictureTensor, form: TensorForm): InputPicture {
  const seen = seenPixels(tensor, form.layout);
  const { width, height, every } = seen;
  const pixels = new Uint8Array(3 * width * height);
  let isExact = every === 1;
  for (const [channel, { place, black, white }] of linesOf(form).entries()) {
    let to = channel;
    forEachValue(tensor, seen, place, (value) => {
      const sample = (255 * (value - black)) / (white - black);
      const whole = Math.min(255, Math.max(0, Math.round(sample)));
      // Not a number where the contract makes black and white the same.
      if (!(Math.abs(sample - whole) <= WHOLE_WITHIN)) isExact = false;
      pixels[to] = whole;
      to += 3;
    });
  }
  return { picture: { width, height, pixels }, isExact };
}

/** Range of each channel, in the tensor's order; of the pixels that {@link pictureOfTensor} shows. */
export function rangesOfTensor(tensor: PictureTensor, form: TensorForm): ChannelRange[] {
  const seen = seenPixels(tensor, form.layout);
  const ranges = linesOf(form).map(({ place }, channel) => {
    let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
    forEachValue(tensor, seen, place, (value) => {
      if (value < min) min = value;
      if (value > max) max = value;
      sum += value;
    });
    const colour = (["red", "green", "blue"] as const)[channel] ?? "red";
    return { place, range: { colour, min, max, mean: sum / (seen.width * seen.height) } };
  });
  return ranges.sort((a, b) => a.place - b.place).map(({ range }) => range);
}

/** A PNG of it as a `data:` URL. */
export async function pngUrlOf({ width, height, pixels }: RgbPicture): Promise<string> {
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}

interface SeenPixels extends Size {
  /** Each so-many-th pixel of each so-many-th line. */
  readonly every: number;
  /** In the tensor: between two seen pixels, two seen lines and two channels. */
  readonly step: number;
  readonly line: number;
  readonly plane: number;
}

function seenPixels(tensor: PictureTensor, layout: PreprocessPlan["layout"]): SeenPixels {
  const { width, height } = sizeOfTensor(tensor, layout);
  const every = Math.max(1, Math.ceil(Math.max(width, height) / MOST_SHOWN_EDGE));
  const [step, plane] = layout === "NHWC" ? [3, 1] : [1, width * height];
  return {
    width: Math.ceil(width / every),
    height: Math.ceil(height / every),
    every,
    step: every * step,
    line: every * step * width,
    plane,
  };
}

/** Row by row. */
function forEachValue(
  { data }: PictureTensor,
  { width, height, step, line, plane }: SeenPixels,
  channel: number,
  visit: (value: number) => void,
): void {
  for (let y = 0; y < height; y += 1) {
    let at = channel * plane + y * line;
    for (let x = 0; x < width; x += 1, at += step) visit(data[at] ?? 0);
  }
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
