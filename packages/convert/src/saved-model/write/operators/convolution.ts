/** Convolutions, all NHWC here. */
import { numberAttribute, numbersAttribute } from "../../../graph/attributes.js";
import { intAttr, intsAttr, textAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { extentOf, nhwc, paddingAttributes, padRows, type Window, windowOf } from "../window.js";
import { joinChannels, padded, splitChannels, withoutRow, withRow } from "./shapes.js";

/** Spatial axes of the data and of the kernel, both with an axis of one row added when there is only one. */
interface Sizes {
  readonly spatial: number;
  readonly data: readonly number[];
  readonly kernel: readonly number[];
}

function sizesOf(operator: Operator): Sizes {
  const weights = operator.shape(1);
  const rank = weights?.length ?? operator.rank(0);
  const spatial = rank - 2;
  const data = operator.shape(0)?.slice(1, -1) ?? Array.from({ length: spatial }, () => -1);
  const kernel = weights?.slice(2) ?? numbersAttribute(operator.node, "kernel_shape") ?? [];
  if (kernel.length !== spatial || kernel.some((size) => size < 1)) {
    throw operator.refuse("has a kernel of unknown size", "expected a known one");
  }
  if (spatial < 1 || spatial > 3) {
    throw operator.refuse(`works along ${spatial} axes`, "expected 1, 2 or 3");
  }
  return { spatial, data, kernel };
}

function convolution(operator: Operator): TensorRef {
  const { spatial, data, kernel } = sizesOf(operator);
  const window = windowOf(operator, kernel, data);
  const outputs = operator.shape(1)?.[0] ?? -1;
  const inputsPerGroup = operator.shape(1)?.[1] ?? -1;
  const group = numberAttribute(operator.node, "group", 1);
  const x = operator.input(0);
  const convolved =
    spatial === 1
      ? withoutRow(
          operator,
          planar(operator, withRow(operator, x), flat(window), outputs, inputsPerGroup, group),
        )
      : spatial === 2
        ? planar(operator, x, window, outputs, inputsPerGroup, group)
        : volumes(operator, x, window, group);
  return biased(operator, convolved);
}

/** A window along one axis as one along two, the first of one row. */
function flat(window: Window): Window {
  const lead = (values: readonly number[], first: number): number[] => [first, ...values];
  return {
    kernel: lead(window.kernel, 1),
    strides: lead(window.strides, 1),
    dilations: lead(window.dilations, 1),
    padding: window.padding,
    begin: lead(window.begin, 0),
    end: lead(window.end, 0),
  };
}

function planar(
  operator: Operator,
  x: TensorRef,
  window: Window,
  outputs: number,
  inputsPerGroup: number,
  group: number,
): TensorRef {
  if (group > 1 && inputsPerGroup === 1) return depthwise(operator, x, window, outputs, group);
  const reshape = [outputs, inputsPerGroup, ...window.kernel];
  const { tensor: kernel } = operator.kernel(1, { reshape, perm: [2, 3, 1, 0] });
  // Conv2D knows groups, but not in every build: those without oneDNN refuse them once a bias is fused in.
  return grouped(operator, x, kernel, group, 3, (part, weights) =>
    operator.helper("Conv2D", [part, weights], {
      ...typed(x),
      ...paddingAttributes(window),
      strides: intsAttr(nhwc(window.strides, 1)),
      dilations: intsAttr(nhwc(window.dilations, 1)),
      data_format: textAttr("NHWC"),
    }),
  );
}

/** TensorFlow's depthwise kernels know one stride for both axes, and only some builds of it know dilations. */
function depthwise(
  operator: Operator,
  x: TensorRef,
  window: Window,
  outputs: number,
  channels: number,
): TensorRef {
  const reshape = [channels, outputs / channels, ...window.kernel];
  const dilated = window.dilations.some((dilation) => dilation > 1);
  const { tensor: kernel } = operator.kernel(1, {
    reshape,
    perm: [2, 3, 0, 1],
    ...(dilated ? { spread: window.dilations } : {}),
  });
  const [rows = 1, columns = 1] = window.strides;
  const uneven = rows !== columns;
  if (
    uneven &&
    window.padding === "SAME" &&
    operator
      .shape(0)
      ?.slice(1, -1)
      .some((size) => size < 0)
  ) {
    throw operator.refuse(
      "pads SAME under two different strides at a size that is not known",
      "expected a fixed size",
    );
  }
  const explicit = window.padding === "EXPLICIT" || (uneven && window.padding === "SAME");
  const data = explicit ? padded(operator, x, padRows(window.begin, window.end)) : x;
  const convolved = operator.helper("DepthwiseConv2dNative", [data, kernel], {
    ...typed(x),
    padding: textAttr(explicit ? "VALID" : window.padding),
    strides: intsAttr(nhwc(uneven ? [1, 1] : window.strides, 1)),
    data_format: textAttr("NHWC"),
  });
  if (!uneven) return convolved;
  const zeros = operator.int32s([0, 0, 0, 0], "begin");
  return operator.helper(
    "StridedSlice",
    [convolved, zeros, zeros, operator.int32s(nhwc(window.strides, 1), "every")],
    { ...typed(convolved), Index: typeAttr("int32"), begin_mask: intAttr(15), end_mask: intAttr(15) },
  );
}

function volumes(operator: Operator, x: TensorRef, window: Window, group: number): TensorRef {
  const dilated = window.dilations.some((dilation) => dilation > 1);
  const { tensor: kernel } = operator.kernel(1, {
    perm: [2, 3, 4, 1, 0],
    ...(dilated ? { spread: window.dilations } : {}),
  });
  const explicit = window.padding === "EXPLICIT";
  const data = explicit ? padded(operator, x, padRows(window.begin, window.end)) : x;
  return grouped(operator, data, kernel, group, 4, (part, weights) =>
    operator.helper("Conv3D", [part, weights], {
      ...typed(x),
      padding: textAttr(explicit ? "VALID" : window.padding),
      strides: intsAttr(nhwc(window.strides, 1)),
      data_format: textAttr("NDHWC"),
    }),
  );
}

/** Runs each group of channels by itself. @param kernelAxis along which the kernel holds the groups. */
function grouped(
  operator: Operator,
  x: TensorRef,
  kernel: TensorRef,
  group: number,
  kernelAxis: number,
  run: (x: TensorRef, kernel: TensorRef, index: number) => TensorRef,
): TensorRef {
  if (group === 1) return run(x, kernel, 0);
  const parts = splitChannels(operator, x, group, -1);
  const kernels = splitChannels(operator, kernel, group, kernelAxis);
  const results = parts.map((part, index) => run(part, kernels[index] ?? kernel, index));
  return joinChannels(operator, results, -1);
}

function biased(operator: Operator, x: TensorRef): TensorRef {
  if (!operator.has(2)) return x;
  return operator.result("BiasAdd", [x, operator.input(2)], typed(x, { data_format: textAttr("NHWC") }));
}

function transposedConvolution(operator: Operator): TensorRef {
  const { spatial, data, kernel } = sizesOf(operator);
  const { node } = operator;
  const ones = kernel.map(() => 1);
  const strides = numbersAttribute(node, "strides") ?? ones;
  const dilations = numbersAttribute(node, "dilations") ?? ones;
  const pads = transposedPads(operator, kernel, strides, dilations, data);
  const group = numberAttribute(node, "group", 1);
  const window: Window = { kernel, strides, dilations, padding: "VALID", begin: pads.begin, end: pads.end };
  // What a kernel without pads would give; the pads are cut off it, or what is missing is put behind it.
  const grown = kernel.map((_, axis) => extentOf(window, axis) - (strides[axis] ?? 1));
  const x = operator.input(0);
  const full =
    spatial === 3
      ? transposedVolumes(operator, x, window, grown, group)
      : spatial === 2
        ? transposedPlanar(operator, x, window, grown, group)
        : withoutRow(
            operator,
            transposedPlanar(operator, withRow(operator, x), flat(window), [0, ...grown], group),
          );
  const more = pads.end.map((size) => Math.max(0, -size));
  const longer = more.some((size) => size > 0)
    ? padded(
        operator,
        full,
        padRows(
          kernel.map(() => 0),
          more,
        ),
      )
    : full;
  const cut = pads.end.map((size) => Math.max(0, size));
  return biased(operator, cropped(operator, longer, pads.begin, cut));
}

/**
 * What is cut off the full result at each end; negative at the end: what is put behind it.
 *
 * Source: ONNX's ConvTranspose: output = stride x (input - 1) + output_padding + extent - begin - end.
 */
function transposedPads(
  operator: Operator,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  sizes: readonly number[],
): { begin: number[]; end: number[] } {
  const { node } = operator;
  const outputPadding = numbersAttribute(node, "output_padding") ?? kernel.map(() => 0);
  const mode = node.attributes.auto_pad;
  const outputShape = numbersAttribute(node, "output_shape");
  if (outputShape === undefined && mode !== "SAME_UPPER" && mode !== "SAME_LOWER") {
    const pads = numbersAttribute(node, "pads") ?? [...kernel, ...kernel].map(() => 0);
    return {
      begin: pads.slice(0, kernel.length),
      end: pads.slice(kernel.length).map((end, axis) => end - (outputPadding[axis] ?? 0)),
    };
  }
  const totals = kernel.map((_, axis) => {
    const stride = strides[axis] ?? 1;
    const grown = extentOf({ kernel, dilations }, axis) - stride + (outputPadding[axis] ?? 0);
    if (outputShape === undefined) return grown;
    const size = sizes[axis] ?? -1;
    if (size < 0) throw operator.refuse("has an output_shape but no input size", "expected a fixed size");
    return stride * size + grown - (outputShape.slice(-kernel.length)[axis] ?? 0);
  });
  const lower = mode !== "SAME_UPPER";
  const small = totals.map((total) => (total < 0 ? (lower ? total : 0) : Math.floor(total / 2)));
  const large = totals.map((total, axis) => total - (small[axis] ?? 0));
  const [begin, end] = lower ? [large, small] : [small, large];
  return { begin, end: end.map((size, axis) => size - (outputPadding[axis] ?? 0)) };
}

function transposedPlanar(
  operator: Operator,
  x: TensorRef,
  window: Window,
  grown: readonly number[],
  group: number,
): TensorRef {
  const [inputs = -1, outputsPerGroup = -1] = operator.shape(1) ?? [];
  const dilated = window.dilations.some((dilation) => dilation > 1);
  const { tensor: kernel } = operator.kernel(1, {
    reshape: [inputs, outputsPerGroup, ...window.kernel],
    perm: [2, 3, 1, 0],
    ...(dilated ? { spread: window.dilations } : {}),
  });
  const sizes = fullSizes(operator, x, window.strides, grown, outputsPerGroup);
  return grouped(operator, x, kernel, group, 3, (part, weights) =>
    operator.helper(
      "Conv2DBackpropInput",
      [sizes, weights, part],
      {
        ...typed(x),
        padding: textAttr("VALID"),
        strides: intsAttr(nhwc(window.strides, 1)),
        data_format: textAttr("NHWC"),
      },
      x.type,
    ),
  );
}

function transposedVolumes(
  operator: Operator,
  x: TensorRef,
  window: Window,
  grown: readonly number[],
  group: number,
): TensorRef {
  const dilated = window.dilations.some((dilation) => dilation > 1);
  const { tensor: kernel } = operator.kernel(1, {
    perm: [2, 3, 4, 1, 0],
    ...(dilated ? { spread: window.dilations } : {}),
  });
  const sizes = fullSizes(operator, x, window.strides, grown, operator.shape(1)?.[1] ?? -1);
  return grouped(operator, x, kernel, group, 4, (part, weights) =>
    operator.helper(
      "Conv3DBackpropInputV2",
      [sizes, weights, part],
      {
        ...typed(x),
        Tshape: typeAttr("int32"),
        padding: textAttr("VALID"),
        strides: intsAttr(nhwc(window.strides, 1)),
        data_format: textAttr("NDHWC"),
      },
      x.type,
    ),
  );
}

/** The runtime shape of the full result: [batch, ...(sizes x strides + grown), channels]. */
function fullSizes(
  operator: Operator,
  x: TensorRef,
  strides: readonly number[],
  grown: readonly number[],
  channels: number,
): TensorRef {
  const int32 = { T: typeAttr("int32") };
  const spread = operator.helper(
    "Mul",
    [operator.shapeOf(x), operator.int32s([1, ...strides, 0], "strides")],
    int32,
  );
  return operator.helper("AddV2", [spread, operator.int32s([0, ...grown, channels], "grown")], int32);
}

/** Cuts off both ends of the spatial axes. */
function cropped(
  operator: Operator,
  x: TensorRef,
  begin: readonly number[],
  end: readonly number[],
): TensorRef {
  if ([...begin, ...end].every((size) => size === 0)) return x;
  const int32 = { T: typeAttr("int32") };
  const start = nhwc(begin, 0);
  const cut = start.map((size, axis) => size + (nhwc(end, 0)[axis] ?? 0));
  const size = operator.helper("Sub", [operator.shapeOf(x), operator.int32s(cut, "cut")], int32);
  return operator.helper("Slice", [x, operator.int32s(start, "crop"), size], {
    ...typed(x),
    Index: typeAttr("int32"),
  });
}

export const CONVOLUTIONS: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["Conv", convolution],
  ["ConvTranspose", transposedConvolution],
]);
