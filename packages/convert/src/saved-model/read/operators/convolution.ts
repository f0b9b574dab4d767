/** Convolutions, their transposes, and the dilated ones that older TensorFlow wrote as three operators. */
import type { Attribute } from "../../../graph/graph.js";
import type { Dims } from "../dims.js";
import { sizeAt, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";
import { padAttributes, placeWindow, resized, type Window, windowOf } from "./window.js";

/** Emits a convolution to which a bias can be joined later. */
function conv(
  operation: Operation,
  op: "Conv" | "ConvTranspose",
  x: Value,
  kernel: Value,
  dims: Dims,
  attributes: Readonly<Record<string, Attribute>>,
): Value {
  const { graph } = operation;
  const result = { type: x.type, dims };
  const plain = graph.emit(op, [x, kernel], result, attributes);
  const biasable = {
    channelAxis: attributes.layout === "NCHW" ? 1 : dims.length - 1,
    with: (bias: Value) => graph.emit(op, [x, kernel, bias], result, attributes),
  };
  return graph.with(plain, { biasable });
}

/** Known spatial sizes of a kernel whose last two axes are channels. */
function kernelSizes(operation: Operation, kernel: Value): readonly number[] {
  const spatial = kernel.dims?.slice(0, -2) ?? [];
  const known = spatial.filter((size) => typeof size === "number");
  if (spatial.length === 0 || known.length !== spatial.length) {
    throw operation.refuse("a kernel of unknown shape", "a constant");
  }
  return known;
}

function shared(window: Window): Readonly<Record<string, Attribute>> {
  const { layout, strides, dilations } = window;
  return {
    layout,
    ...(strides.some((stride) => stride !== 1) ? { strides } : {}),
    ...(dilations.some((dilation) => dilation !== 1) ? { dilations } : {}),
  };
}

function convolve(operation: Operation, x: Value, window: Window): Value {
  const filter = operation.input(1);
  const dims = x.dims ?? operation.dims(0);
  const depthwise = operation.node.op === "DepthwiseConv2dNative";
  const sizes = kernelSizes(operation, filter);
  const rank = sizes.length;
  const spatialAxes = sizes.map((_, axis) => axis);
  const { graph } = operation;
  const { attributes, spatial } = placeWindow(window, sizes, dims);
  const [inputs = 1, outputs = 1] = filter.dims?.slice(-2) ?? [];
  const kernelShape = { kernel_shape: sizes };
  if (depthwise) {
    if (typeof inputs !== "number" || typeof outputs !== "number") {
      throw operation.refuse("a kernel of unknown shape", "a constant");
    }
    // [h, w, inputs, multiplier] to [inputs * multiplier, 1, h, w]: the results of one input stay together.
    const moved = graph.transpose(filter, [rank, rank + 1, ...spatialAxes]);
    const shape = [inputs * outputs, 1, ...sizes];
    const kernel = graph.reshape(moved, shape, shape);
    return conv(operation, "Conv", x, kernel, resized(window, dims, spatial, inputs * outputs), {
      ...shared(window),
      ...attributes,
      ...kernelShape,
      group: inputs,
    });
  }
  const channels = dims[window.channelAxis];
  const group = typeof channels === "number" && typeof inputs === "number" ? channels / inputs : 1;
  if (!Number.isInteger(group) || group < 1) {
    throw operation.refuse(`${channels} channels and a kernel of ${inputs}`, "channels that fit the kernel");
  }
  const kernel = graph.transpose(filter, [rank + 1, rank, ...spatialAxes]);
  return conv(operation, "Conv", x, kernel, resized(window, dims, spatial, outputs), {
    ...shared(window),
    ...attributes,
    ...kernelShape,
    ...(group === 1 ? {} : { group }),
  });
}

const forward: Convert = (operation) =>
  convolve(operation, operation.input(0), windowOf(operation, operation.dims(0).length));

/**
 * The gradient of a convolution with respect to its input, which is what a transposed convolution computes.
 *
 * ONNX derives the size of the result from pads and `output_padding`; TensorFlow states it. Where it is not known
 * while converting, the result is taken to be `stride` times the data, as Keras computes it.
 */
const backward: Convert = (operation) => {
  const [filter, x] = [operation.input(1), operation.input(2)];
  const { graph } = operation;
  const dims = operation.dims(2);
  const window = windowOf(operation, dims.length);
  const sizes = kernelSizes(operation, filter);
  const rank = sizes.length;
  const wanted = operation.input(0).elements;
  const output = window.spatialAxes.map((axis) => {
    // Either all sizes, or the spatial ones only.
    const size = wanted?.length === rank ? wanted[window.spatialAxes.indexOf(axis)] : wanted?.[axis];
    return typeof size === "number" ? size : undefined;
  });
  const extents = sizes.map((size, axis) => {
    const [stride, dilation] = [window.strides[axis] ?? 1, window.dilations[axis] ?? 1];
    const span = (size - 1) * dilation + 1;
    const data = dims[window.spatialAxes[axis] ?? 0];
    const target = output[axis];
    // What lies beyond the windows that fit (negative: what is cut off).
    const surplus =
      typeof data === "number" && target !== undefined
        ? target - ((data - 1) * stride + span)
        : window.padding === "SAME"
          ? stride - span
          : Math.max(0, stride - span);
    const explicit = window.explicitPads;
    const [begin = 0, end = 0] =
      window.padding === "EXPLICIT"
        ? [explicit[axis], explicit[axis + rank]]
        : [Math.floor(Math.max(0, -surplus) / 2), Math.ceil(Math.max(0, -surplus) / 2)];
    return { begin, end, extra: Math.max(0, surplus + begin + end), size: target };
  });
  const spatial = extents.map(({ size }, axis) => size ?? `${String(dims[window.spatialAxes[axis] ?? 0])}*`);
  const pads = [...extents.map(({ begin }) => begin), ...extents.map(({ end }) => end)];
  const extra = extents.map((extent) => extent.extra);
  const kernel = graph.transpose(filter, [rank + 1, rank, ...sizes.map((_, axis) => axis)]);
  const channels = filter.dims?.at(-2) ?? 1;
  return conv(operation, "ConvTranspose", x, kernel, resized(window, dims, spatial, channels), {
    ...shared(window),
    ...padAttributes(pads),
    kernel_shape: sizes,
    ...(extra.some((size) => size !== 0) ? { output_padding: extra } : {}),
  });
};

/**
 * BatchToSpaceND over a convolution over SpaceToBatchND: a dilated convolution.
 *
 * @returns undefined when the three do not fit together so.
 */
export function dilatedConvolution(
  operation: Operation,
  middle: Operation,
  first: Operation,
): Value | undefined {
  const block = operation.knownNumbers(1);
  const crops = operation.knownNumbers(2);
  const pads = first.knownNumbers(2);
  const x = first.input(0);
  const rank = x.dims?.length;
  if (!block || !crops || !pads || rank === undefined || first.knownNumbers(1)?.join() !== block.join())
    return undefined;
  const window = windowOf(middle, rank);
  if (window.padding !== "VALID" || window.layout !== "NHWC") return undefined;
  if (window.strides.some((stride) => stride !== 1) || block.length > window.spatialAxes.length)
    return undefined;
  // Pads are [begin, end] pairs of the axes in the block; what is cropped was padded only to fill the last block.
  const side = (offset: number) =>
    window.spatialAxes.map((_, axis) => (pads[2 * axis + offset] ?? 0) - (crops[2 * axis + offset] ?? 0));
  const explicitPads = [...side(0), ...side(1)];
  if (explicitPads.some((pad) => pad < 0)) return undefined;
  const dilations = window.spatialAxes.map((_, axis) => block[axis] ?? 1);
  return convolve(middle, x, { ...window, padding: "EXPLICIT", explicitPads, dilations });
}

/** Moves blocks of space to the batch, for the rare graph in which that is no dilated convolution. */
const spaceToBatch: Convert = (operation) => {
  const [block, pads] = [operation.numbers(1), operation.numbers(2)];
  const { graph } = operation;
  const dims = operation.dims(0);
  const before = block.map((_, axis) => pads[2 * axis] ?? 0);
  const after = block.map((_, axis) => pads[2 * axis + 1] ?? 0);
  const none = dims.slice(block.length + 1).map(() => 0);
  const sizes = block.map((size, axis) => {
    const own = sizeAt(operation.input(0), axis + 1);
    if (own === undefined) throw operation.refuse("sizes known only at run time", "known sizes");
    return (own + (before[axis] ?? 0) + (after[axis] ?? 0)) / size;
  });
  const rest = dims
    .slice(block.length + 1)
    .map((_, axis) => sizeAt(operation.input(0), axis + block.length + 1) ?? -1);
  if (rest.includes(-1)) throw operation.refuse("sizes known only at run time", "known sizes");
  const padded = graph.emit(
    "Pad",
    [operation.input(0), graph.int64s([0, ...before, ...none, 0, ...after, ...none])],
    {
      type: operation.input(0).type,
      dims: [dims[0] ?? 1, ...sizes.map((size, axis) => size * (block[axis] ?? 1)), ...rest],
    },
  );
  const split = sizes.flatMap((size, axis) => [size, block[axis] ?? 1]);
  const cut = graph.reshape(padded, [-1, ...split, ...rest], [dims[0] ?? 1, ...split, ...rest]);
  const count = block.length;
  const moved = graph.transpose(cut, [
    ...block.map((_, axis) => 2 * axis + 2),
    0,
    ...block.map((_, axis) => 2 * axis + 1),
    ...rest.map((_, axis) => 2 * count + 1 + axis),
  ]);
  const batch = `${String(dims[0])}*${block.join("*")}`;
  return graph.reshape(moved, [-1, ...sizes, ...rest], [batch, ...sizes, ...rest]);
};

const batchToSpace: Convert = (operation) => {
  const [block, crops] = [operation.numbers(1), operation.numbers(2)];
  const { graph } = operation;
  const x = operation.input(0);
  const dims = operation.dims(0);
  const known = dims.slice(1).map((_, axis) => sizeAt(x, axis + 1) ?? -1);
  if (known.includes(-1)) throw operation.refuse("sizes known only at run time", "known sizes");
  const count = block.length;
  const [sizes, rest] = [known.slice(0, count), known.slice(count)];
  const batch = `${String(dims[0])}/${block.join("/")}`;
  const cut = graph.reshape(x, [...block, -1, ...known], [...block, batch, ...known]);
  const moved = graph.transpose(cut, [
    count,
    ...block.flatMap((_, axis) => [count + 1 + axis, axis]),
    ...rest.map((_, axis) => 2 * count + 1 + axis),
  ]);
  const whole = sizes.map((size, axis) => size * (block[axis] ?? 1));
  const joined = graph.reshape(moved, [-1, ...whole, ...rest], [batch, ...whole, ...rest]);
  const starts = block.map((_, axis) => crops[2 * axis] ?? 0);
  const ends = whole.map((size, axis) => size - (crops[2 * axis + 1] ?? 0));
  const spatial = ends.map((end, axis) => end - (starts[axis] ?? 0));
  return graph.emit(
    "Slice",
    [joined, graph.int64s(starts), graph.int64s(ends), graph.int64s(block.map((_, axis) => axis + 1))],
    { type: x.type, dims: [batch, ...spatial, ...rest] },
  );
};

export const CONVOLUTION: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["Conv2D", forward],
  ["Conv3D", forward],
  ["DepthwiseConv2dNative", forward],
  ["Conv2DBackpropInput", backward],
  ["Conv3DBackpropInputV2", backward],
  ["SpaceToBatchND", spaceToBatch],
  ["BatchToSpaceND", batchToSpace],
]);
