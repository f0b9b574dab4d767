/** Convolutions. Keras keeps kernels as [...spatial, inputs / groups, outputs]; the graph, as ONNX does. */
import type { Attribute, Constant, Shape } from "../../graph/graph.js";
import { permuteConstant } from "../../graph/permutation.js";
import { damaged } from "../fault.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { arranged, type Format, formatOf, isKnown, samePads, UNKNOWN, windowedLength } from "../shapes.js";
import { activated } from "./activation.js";

interface Geometry {
  readonly format: Format;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: string;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** [...spatial, inputs, outputs] -> [outputs, inputs, ...spatial] */
function outputsFirst(kernel: Constant): Constant {
  const rank = kernel.shape.length;
  return permuteConstant(kernel, [rank - 1, rank - 2, ...range(rank - 2)]);
}

/** [...spatial, inputs, multiplier] -> [inputs * multiplier, 1, ...spatial] */
function depthwiseKernel(kernel: Constant): Constant {
  const rank = kernel.shape.length;
  const moved = permuteConstant(kernel, [rank - 2, rank - 1, ...range(rank - 2)]);
  const [inputs = 0, multiplier = 0, ...spatial] = moved.shape;
  return { ...moved, shape: [inputs * multiplier, 1, ...spatial] };
}

function geometryOf(call: LayerCall, spatialRank: number): Geometry {
  const { options } = call;
  const paddings = ["valid", "same", "causal"];
  const padding = options.text(["padding", "border_mode"], "valid").toLowerCase();
  if (!paddings.includes(padding)) throw options.wrong("padding", padding, paddings.join(", "));
  return {
    format: formatOf(options.text(["data_format", "dim_ordering"], "channels_last"), spatialRank + 2),
    kernel: kernelSize(call, spatialRank),
    strides: options.sizes(["strides", "subsample", "subsample_length"], spatialRank, 1),
    dilations: options.sizes(["dilation_rate", "atrous_rate"], spatialRank, 1),
    padding,
  };
}

/** Keras 1 has a number for each side: nb_row and nb_col, filter_length, kernel_dim1 ... */
function kernelSize({ options }: LayerCall, rank: number): number[] {
  if (options.has("kernel_size")) return options.sizes("kernel_size", rank);
  if (options.has("filter_length")) return options.sizes("filter_length", rank);
  const sides = rank === 2 ? ["nb_row", "nb_col"] : ["kernel_dim1", "kernel_dim2", "kernel_dim3"];
  return sides.map((side) => options.size(side));
}

/** Attributes and output of a convolution whose input and result keep their layout. */
function convolve(
  call: LayerCall,
  input: KerasTensor,
  geometry: Geometry,
  weights: { kernel: string; bias: string | undefined; filters: number; group: number },
  part: string | undefined,
): KerasTensor {
  const { format, kernel, strides, dilations, padding } = geometry;
  const sizes = format.spatialAxes.map((axis) => input.shape[axis] ?? UNKNOWN);
  const windows = kernel.map((length, index) => ({
    kernel: length,
    stride: strides[index] ?? 1,
    dilation: dilations[index] ?? 1,
    padding,
  }));
  const spatial = windows.map((window, index) => windowedLength(sizes[index] ?? UNKNOWN, window));
  if (spatial.includes(0))
    throw damaged(`${call.site.path}: its input of ${sizes.join(" x ")} was smaller than its kernel`);
  const attributes = {
    layout: format.layout,
    kernel_shape: kernel,
    strides,
    dilations,
    group: weights.group,
    ...padsOf(windows, sizes, padding),
  };
  const inputs = [input.value, weights.kernel, ...(weights.bias === undefined ? [] : [weights.bias])];
  return call.emit(
    "Conv",
    inputs,
    arranged(format, input.shape[0] ?? UNKNOWN, spatial, weights.filters),
    attributes,
    part === undefined ? {} : { part },
  );
}

function padsOf(
  windows: readonly { kernel: number; stride: number; dilation: number }[],
  sizes: Shape,
  padding: string,
): Record<string, Attribute> {
  if (padding === "valid") return { pads: new Array<number>(2 * windows.length).fill(0) };
  if (padding === "causal")
    return {
      pads: [...windows.map((window) => (window.kernel - 1) * window.dilation), ...windows.map(() => 0)],
    };
  const pads = windows.map((window, index) => samePads(sizes[index] ?? UNKNOWN, window));
  const known = pads.flatMap((pair) => (pair === undefined ? [] : [pair]));
  if (known.length < pads.length) return { auto_pad: "SAME_UPPER" };
  return { pads: [...known.map(([before]) => before), ...known.map(([, after]) => after)] };
}

function channelsOf(call: LayerCall, input: KerasTensor, format: Format): number {
  const channels = input.shape[format.channelAxis];
  if (!isKnown(channels)) throw damaged(`${call.site.path}: the number of its input's channels was unknown`);
  return channels;
}

function hasBias({ options }: LayerCall): boolean {
  return options.boolean("use_bias", options.boolean("bias", true));
}

export function convolution(spatialRank: number): LayerRule {
  return (call) => {
    const input = call.floats(spatialRank + 2);
    const geometry = geometryOf(call, spatialRank);
    const channels = channelsOf(call, input, geometry.format);
    const filters = call.options.size(["filters", "nb_filter"]);
    const group = call.options.size("groups", 1);
    if (channels % group !== 0)
      throw call.options.wrong("groups", group, `a divisor of ${channels} channels`);
    const kernelShape = [...geometry.kernel, channels / group, filters];
    const { kernel = "", bias } =
      call.version === 1
        ? keras1Weights(call, geometry, channels, filters)
        : call.weights(
            { kernel: kernelShape, bias: hasBias(call) ? [filters] : undefined },
            { kernel: outputsFirst },
          );
    const result = convolve(call, input, geometry, { kernel, bias, filters, group }, stepName(call, "conv"));
    return activated(call, result);
  };
}

/**
 * Keras 1 keeps kernels as [rows, columns, inputs, outputs] under "tf" ordering and as [outputs, inputs, rows, columns]
 * under "th"; for one axis it keeps a second one of length 1.
 */
function keras1Weights(call: LayerCall, { format, kernel }: Geometry, channels: number, filters: number) {
  const spatial = kernel.length === 1 ? [...kernel, 1] : kernel;
  const ordered = format.layout === "NCHW" && kernel.length > 1;
  const shape = ordered ? [filters, channels, ...spatial] : [...spatial, channels, filters];
  return call.weights(
    { kernel: shape, bias: hasBias(call) ? [filters] : undefined },
    {
      kernel: (weight) => {
        const first = ordered ? weight : outputsFirst(weight);
        return kernel.length === 1 ? { ...first, shape: first.shape.slice(0, 3) } : first;
      },
    },
  );
}

/** The layer's own name goes to its result: the activation's where there is one. */
function stepName(call: LayerCall, part: string): string | undefined {
  const activation = call.options.any("activation");
  return activation === undefined || activation === "linear" ? undefined : part;
}

export function depthwise(spatialRank: number): LayerRule {
  return (call) => {
    const input = call.floats(spatialRank + 2);
    const geometry = geometryOf(call, spatialRank);
    const channels = channelsOf(call, input, geometry.format);
    const multiplier = call.options.size("depth_multiplier", 1);
    const filters = channels * multiplier;
    const shape = [...geometry.kernel, channels, multiplier];
    const changed = { kernel: depthwiseKernel, depthwise_kernel: depthwiseKernel };
    // Keras 3 calls it kernel, Keras 2 depthwise_kernel.
    const name = call.version === 3 ? "kernel" : "depthwise_kernel";
    const weights: Partial<Record<string, string>> = call.weights(
      { [name]: shape, bias: hasBias(call) ? [filters] : undefined },
      changed,
    );
    const { bias } = weights;
    const kernel = weights[name] ?? "";
    const part = stepName(call, "conv");
    return activated(call, convolve(call, input, geometry, { kernel, bias, filters, group: channels }, part));
  };
}

export function separable(spatialRank: number): LayerRule {
  return (call) => {
    const input = call.floats(spatialRank + 2);
    const geometry = geometryOf(call, spatialRank);
    const channels = channelsOf(call, input, geometry.format);
    const multiplier = call.options.size("depth_multiplier", 1);
    const filters = call.options.size(["filters", "nb_filter"]);
    const ones = new Array<number>(spatialRank).fill(1);
    const { depthwise_kernel, pointwise_kernel, bias } = call.weights(
      {
        depthwise_kernel: [...geometry.kernel, channels, multiplier],
        pointwise_kernel: [...ones, channels * multiplier, filters],
        bias: hasBias(call) ? [filters] : undefined,
      },
      { depthwise_kernel: depthwiseKernel, pointwise_kernel: outputsFirst },
    );
    const spread = convolve(
      call,
      input,
      geometry,
      { kernel: depthwise_kernel ?? "", bias: undefined, filters: channels * multiplier, group: channels },
      "depthwise",
    );
    const pointwise = { ...geometry, kernel: ones, strides: ones, dilations: ones, padding: "valid" };
    const mixed = convolve(
      call,
      spread,
      pointwise,
      { kernel: pointwise_kernel ?? "", bias, filters, group: 1 },
      stepName(call, "pointwise"),
    );
    return activated(call, mixed);
  };
}

export function transposedConvolution(spatialRank: number): LayerRule {
  return (call) => {
    const input = call.floats(spatialRank + 2);
    const geometry = geometryOf(call, spatialRank);
    const { format, kernel, strides, dilations, padding } = geometry;
    const channels = channelsOf(call, input, format);
    const filters = call.options.size(["filters", "nb_filter"]);
    const extra = call.options.has("output_padding")
      ? call.options.sizes("output_padding", spatialRank, undefined, 0)
      : undefined;
    const sides = kernel.map((length, index) => {
      const [stride = 1, dilation = 1] = [strides[index], dilations[index]];
      return transposedSide({ length, stride, dilation, padding, extra: extra?.[index] });
    });
    const spatial = format.spatialAxes.map((axis, index) => {
      const [size = UNKNOWN, side] = [input.shape[axis], sides[index]];
      return isKnown(size) && side !== undefined ? (strides[index] ?? 1) * (size - 1) + side.reach : UNKNOWN;
    });
    const { kernel: weight = "", bias } = call.weights(
      { kernel: [...kernel, filters, channels], bias: hasBias(call) ? [filters] : undefined },
      { kernel: outputsFirst },
    );
    const result = call.emit(
      "ConvTranspose",
      [input.value, weight, ...(bias === undefined ? [] : [bias])],
      arranged(format, input.shape[0] ?? UNKNOWN, spatial, filters),
      {
        layout: format.layout,
        kernel_shape: kernel,
        strides,
        dilations,
        pads: [...sides.map(({ before }) => before), ...sides.map(({ after }) => after)],
        output_padding: sides.map(({ added }) => added),
        group: 1,
      },
      named(stepName(call, "conv")),
    );
    return activated(call, result);
  };
}

function named(part: string | undefined): { part?: string } {
  return part === undefined ? {} : { part };
}

/**
 * One axis of a transposed convolution: TensorFlow computes the gradient of the convolution that would have made the input
 * from the stated output, so the pads are that convolution's.
 *
 * @returns `reach`: output length = stride * (input length - 1) + reach.
 */
function transposedSide(side: {
  length: number;
  stride: number;
  dilation: number;
  padding: string;
  extra: number | undefined;
}): { before: number; after: number; added: number; reach: number } {
  const { length, stride, dilation, padding, extra } = side;
  const reachOfKernel = (length - 1) * dilation + 1;
  let reach = reachOfKernel + (extra ?? Math.max(stride - reachOfKernel, 0));
  if (padding === "same")
    reach = extra === undefined ? stride : reachOfKernel - 2 * Math.floor(length / 2) + extra;
  // Beyond the kernel's reach there are only zeros; short of it, pads cut both ends.
  const cut = padding === "same" ? Math.max(reachOfKernel - reach, 0) : 0;
  const before = Math.floor(cut / 2);
  return { before, after: cut - before, added: Math.max(reach - reachOfKernel, 0), reach };
}
