/** Shapes of operators that know where the channels are: convolutions, pools, rearranged pixels. */
import { layoutOf, numberAttribute, numbersAttribute, textAttribute } from "./attributes.js";
import { floatsOf } from "./constant-values.js";
import type { Node } from "./graph.js";
import type { RuleContext, ShapeRule, Size, ValueInfo } from "./value-info.js";

interface Picture {
  readonly batch: Size;
  readonly channels: Size;
  readonly spatial: readonly Size[];
}

function pictureOf(node: Node, sizes: readonly Size[] | undefined): Picture | undefined {
  if (sizes === undefined || sizes.length < 2) return undefined;
  const [batch = 1, ...rest] = sizes;
  const isLast = layoutOf(node) === "NHWC";
  const channels = (isLast ? rest.at(-1) : rest[0]) ?? 1;
  return { batch, channels, spatial: isLast ? rest.slice(0, -1) : rest.slice(1) };
}

function sizesOf(node: Node, { batch, channels, spatial }: Picture): Size[] {
  return layoutOf(node) === "NHWC" ? [batch, ...spatial, channels] : [batch, channels, ...spatial];
}

/** The part of an axis that a window slides over. */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/** Windows of a convolution or pool along each spatial axis. */
export function windowsOf(node: Node, kernel: readonly number[]): Window[] {
  const strides = numbersAttribute(node, "strides");
  const dilations = numbersAttribute(node, "dilations");
  return kernel.map((size, axis) => ({
    kernel: size,
    stride: strides?.[axis] ?? 1,
    dilation: dilations?.[axis] ?? 1,
  }));
}

/** Size after sliding a window over `size`; undefined when it does not fit. Source: ONNX, Conv and AveragePool. */
function slidSize(size: number, { kernel, stride, dilation }: Window, pads: number, ceil: boolean): number {
  const room = size + pads - ((kernel - 1) * dilation + 1);
  return (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
}

function slide(context: RuleContext, kernel: readonly number[] | undefined, picture: Picture): Size[] {
  const { node, unknownSize } = context;
  if (kernel === undefined) return picture.spatial.map(unknownSize);
  const autoPad = textAttribute(node, "auto_pad", "NOTSET");
  const pads = numbersAttribute(node, "pads");
  const ceil = numberAttribute(node, "ceil_mode", 0) !== 0;
  const rank = kernel.length;
  return windowsOf(node, kernel).map((window, axis) => {
    const size = picture.spatial[axis];
    if (size === undefined) return unknownSize();
    if (autoPad.startsWith("SAME")) {
      if (window.stride === 1) return size;
      return typeof size === "number" ? Math.ceil(size / window.stride) : unknownSize();
    }
    const padding = autoPad === "VALID" ? 0 : (pads?.[axis] ?? 0) + (pads?.[axis + rank] ?? 0);
    const keeps = window.stride === 1 && padding === (window.kernel - 1) * window.dilation;
    if (typeof size !== "number") return keeps ? size : unknownSize();
    const slid = slidSize(size, window, padding, ceil);
    // The last window must begin inside the picture or its left padding (ONNX 1.16, as PyTorch has it).
    const begin = autoPad === "VALID" ? 0 : (pads?.[axis] ?? 0);
    return ceil && (slid - 1) * window.stride >= size + begin ? slid - 1 : slid;
  });
}

function numberSizes(sizes: readonly Size[] | undefined): number[] | undefined {
  const numbers = sizes?.filter((size) => typeof size === "number");
  return numbers !== undefined && numbers.length === sizes?.length ? numbers : undefined;
}

const conv: ShapeRule = (context) => {
  const { node, input, unknownSize } = context;
  const { type, sizes } = input(0);
  const picture = pictureOf(node, sizes);
  if (picture === undefined) return [{ type, sizes: undefined }];
  const weights = input(1).sizes;
  const kernel = numbersAttribute(node, "kernel_shape") ?? numberSizes(weights?.slice(2));
  const channels = weights?.[0] ?? unknownSize();
  return [
    {
      type,
      sizes: sizesOf(node, { batch: picture.batch, channels, spatial: slide(context, kernel, picture) }),
    },
  ];
};

const convTranspose: ShapeRule = (context) => {
  const { node, input, unknownSize } = context;
  const { type, sizes } = input(0);
  const picture = pictureOf(node, sizes);
  if (picture === undefined) return [{ type, sizes: undefined }];
  const weights = input(1).sizes;
  const kernel = numbersAttribute(node, "kernel_shape") ?? numberSizes(weights?.slice(2));
  const perGroup = weights?.[1];
  const channels =
    typeof perGroup === "number" ? perGroup * numberAttribute(node, "group", 1) : unknownSize();
  const asked = numbersAttribute(node, "output_shape");
  const rank = picture.spatial.length;
  const pads = numbersAttribute(node, "pads");
  const extra = numbersAttribute(node, "output_padding");
  const isSame = textAttribute(node, "auto_pad", "NOTSET").startsWith("SAME");
  const windows = kernel === undefined ? undefined : windowsOf(node, kernel);
  const spatial = picture.spatial.map((size, axis): Size => {
    const given = asked?.[asked.length - rank + axis];
    if (given !== undefined) return given;
    const window = windows?.[axis];
    if (window === undefined || typeof size !== "number") return unknownSize();
    if (isSame) return size * window.stride;
    const padding = (pads?.[axis] ?? 0) + (pads?.[axis + rank] ?? 0);
    const full = window.stride * (size - 1) + (window.kernel - 1) * window.dilation + 1;
    return full + (extra?.[axis] ?? 0) - padding;
  });
  return [{ type, sizes: sizesOf(node, { batch: picture.batch, channels, spatial }) }];
};

const pool: ShapeRule = (context) => {
  const { node, input } = context;
  const { type, sizes } = input(0);
  const picture = pictureOf(node, sizes);
  if (picture === undefined) return [{ type, sizes: undefined }];
  const spatial = slide(context, numbersAttribute(node, "kernel_shape"), picture);
  const result: ValueInfo = { type, sizes: sizesOf(node, { ...picture, spatial }) };
  return [result, { type: "int64", sizes: result.sizes }];
};

const globalPool: ShapeRule = ({ node, input }) => {
  const { type, sizes } = input(0);
  const picture = pictureOf(node, sizes);
  if (picture === undefined) return [{ type, sizes: undefined }];
  return [{ type, sizes: sizesOf(node, { ...picture, spatial: picture.spatial.map(() => 1) }) }];
};

/** @param direction 1: channels become pixels, -1: the reverse. */
function rearrange(direction: 1 | -1): ShapeRule {
  return ({ node, input, unknownSize }) => {
    const { type, sizes } = input(0);
    const picture = pictureOf(node, sizes);
    if (picture === undefined) return [{ type, sizes: undefined }];
    const block = numberAttribute(node, "blocksize", 1);
    const scale = (size: Size, factor: number): Size =>
      typeof size === "number" ? size * factor : unknownSize();
    const channels = scale(picture.channels, direction === 1 ? 1 / block ** 2 : block ** 2);
    const spatial = picture.spatial.map((size) => scale(size, direction === 1 ? block : 1 / block));
    return [{ type, sizes: sizesOf(node, { ...picture, channels, spatial }) }];
  };
}

/** Sizes, or what scales make of them. */
const resize: ShapeRule = ({ node, input, constant, integers, unknownSize }) => {
  const { type, sizes } = input(0);
  if (sizes === undefined) return [{ type, sizes: undefined }];
  const axes = numbersAttribute(node, "axes") ?? sizes.map((_, axis) => axis);
  const isPlain = textAttribute(node, "keep_aspect_ratio_policy", "stretch") === "stretch";
  const asked = isPlain ? (integers(3) ?? input(3).values) : undefined;
  const scales = floatsOf(constant(2));
  const resized = [...sizes];
  axes.forEach((axis, index) => {
    const at = axis < 0 ? axis + sizes.length : axis;
    const size = sizes[at];
    const scale = scales?.[index];
    const wanted = asked?.[index];
    if (wanted !== undefined) resized[at] = wanted;
    else if (scale === 1 && size !== undefined) resized[at] = size;
    else
      resized[at] =
        typeof size === "number" && scale !== undefined ? Math.floor(size * scale) : unknownSize();
  });
  return [{ type, sizes: resized }];
};

export const SPATIAL_RULES: ReadonlyMap<string, ShapeRule> = new Map<string, ShapeRule>([
  ["Conv", conv],
  ["ConvTranspose", convTranspose],
  ["MaxPool", pool],
  ["AveragePool", pool],
  ["LpPool", pool],
  ["GlobalAveragePool", globalPool],
  ["GlobalMaxPool", globalPool],
  ["DepthToSpace", rearrange(1)],
  ["SpaceToDepth", rearrange(-1)],
  ["Resize", resize],
]);
