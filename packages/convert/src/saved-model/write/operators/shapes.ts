/** Operators that move elements without computing: reshape, slice, join, pad. */
import { numberAttribute, numbersAttribute, textAttribute } from "../../../graph/attributes.js";
import type { ElementType } from "../../../graph/graph.js";
import { boolAttr, intAttr, intsAttr, textAttr, typeAttr } from "../attr-values.js";
import { listed, type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { cast } from "./elementwise.js";

const INT32_MAX = 2 ** 31 - 1;

/** [N, W, C] with an axis of one row: [N, 1, W, C]. */
export function withRow(operator: Operator, x: TensorRef): TensorRef {
  const axis = operator.int32(1, "row");
  return operator.helper("ExpandDims", [x, axis], typed(x, { Tdim: typeAttr("int32") }));
}

export function withoutRow(operator: Operator, x: TensorRef): TensorRef {
  return operator.helper("Squeeze", [x], typed(x, { squeeze_dims: intsAttr([1]) }));
}

/** @param rows [before, after] of every axis; zeros are put there. */
export function padded(
  operator: Operator,
  x: TensorRef,
  rows: readonly (readonly [number, number])[],
  value?: TensorRef,
): TensorRef {
  const attributes = typed(x, { Tpaddings: typeAttr("int32") });
  const pads = operator.int32Pairs(rows, "paddings");
  return value === undefined
    ? operator.helper("Pad", [x, pads], attributes)
    : operator.helper("PadV2", [x, pads, value], attributes);
}

export function splitChannels(operator: Operator, x: TensorRef, count: number, axis: number): TensorRef[] {
  return operator.helpers(
    "Split",
    [operator.int32(axis, "split_axis"), x],
    typed(x, { num_split: intAttr(count) }),
    Array.from({ length: count }, () => x.type),
  );
}

export function joinChannels(operator: Operator, parts: readonly TensorRef[], axis: number): TensorRef {
  const attributes = listed(parts, { Tidx: typeAttr("int32") });
  return operator.helper("ConcatV2", [...parts, operator.int32(axis, "concat_axis")], attributes);
}

export function transposed(operator: Operator, x: TensorRef, perm: readonly number[]): TensorRef {
  const attributes = typed(x, { Tperm: typeAttr("int32") });
  return operator.helper("Transpose", [x, operator.int32s(perm, "perm")], attributes);
}

/** A reshape to sizes of which one may be -1. */
export function reshaped(operator: Operator, x: TensorRef, shape: readonly number[]): TensorRef {
  const attributes = typed(x, { Tshape: typeAttr("int32") });
  return operator.helper("Reshape", [x, operator.int32s(shape, "shape")], attributes);
}

function reshape(operator: Operator): TensorRef {
  const x = operator.input(0);
  const shape = reshapeTarget(operator, x);
  return operator.result("Reshape", [x, shape], typed(x, { Tshape: typeAttr(shape.type) }));
}

function reshapeTarget(operator: Operator, x: TensorRef): TensorRef {
  const wanted = operator.numbers(1);
  if (wanted === undefined) return operator.input(1);
  const copiesZero = numberAttribute(operator.node, "allowzero", 0) === 0;
  const known = operator.outputShape();
  // One size that is not known is what -1 says; zeros that copy a size become that size.
  const sizes = wanted.map((size, axis) => (size === 0 && copiesZero ? (known?.[axis] ?? -1) : size));
  if (sizes.filter((size) => size < 0).length <= 1) return operator.int32s(sizes, "shape");
  if (known !== undefined && known.filter((size) => size < 0).length <= 1) {
    return operator.int32s(known, "shape");
  }
  // Several sizes are only known at run time: they are taken from there.
  const source = operator.shapeOf(x);
  const parts = wanted.map((size, axis) =>
    size === 0 && copiesZero ? sizeAt(operator, source, axis) : operator.int32(size, `size_${axis}`),
  );
  return packed(operator, parts);
}

/** Sizes as a tensor; those of -1 are the source's own along the same axis. */
export function packSizes(operator: Operator, source: TensorRef, sizes: readonly number[]): TensorRef {
  if (sizes.filter((size) => size < 0).length <= 1) return operator.int32s(sizes, "shape");
  const own = operator.shapeOf(source);
  const parts = sizes.map((size, axis) =>
    size < 0 ? sizeAt(operator, own, axis) : operator.int32(size, `size_${axis}`),
  );
  return packed(operator, parts);
}

/** One entry of a shape, a scalar. */
export function sizeAt(operator: Operator, shape: TensorRef, axis: number): TensorRef {
  return operator.helper(
    "StridedSlice",
    [shape, operator.int32s([axis], "from"), operator.int32s([axis + 1], "to"), operator.int32s([1], "step")],
    typed(shape, { Index: typeAttr("int32"), shrink_axis_mask: intAttr(1) }),
  );
}

function packed(operator: Operator, parts: readonly TensorRef[]): TensorRef {
  return operator.helper("Pack", parts, listed(parts, { axis: intAttr(0) }));
}

function flatten(operator: Operator): TensorRef {
  const x = operator.input(0);
  const shape = operator.shape(0);
  const axis = operator.axis(numberAttribute(operator.node, "axis", 1));
  const after = shape?.slice(axis);
  const attributes = typed(x, { Tshape: typeAttr("int32") });
  if (after?.every((size) => size >= 0)) {
    const row = after.reduce((product, size) => product * size, 1);
    const first = axis === 0 ? 1 : -1;
    return operator.result("Reshape", [x, operator.int32s([first, row], "shape")], attributes);
  }
  const before = shape?.slice(0, axis);
  if (before?.every((size) => size >= 0)) {
    const rows = before.reduce((product, size) => product * size, 1);
    return operator.result("Reshape", [x, operator.int32s([rows, -1], "shape")], attributes);
  }
  const source = operator.shapeOf(x);
  const leading = operator.helper(
    "Slice",
    [source, operator.int32s([0], "from"), operator.int32s([axis], "count")],
    typed(source, { Index: typeAttr("int32") }),
  );
  const rows = operator.helper(
    "Prod",
    [leading, operator.int32(0, "axis")],
    typed(source, { Tidx: typeAttr("int32") }),
  );
  const target = packed(operator, [rows, operator.int32(-1, "rest")]);
  return operator.result("Reshape", [x, target], attributes);
}

function transpose(operator: Operator): TensorRef {
  const x = operator.input(0);
  const perm =
    numbersAttribute(operator.node, "perm") ??
    Array.from({ length: operator.rank(0) }, (_, axis) => operator.rank(0) - 1 - axis);
  const attributes = typed(x, { Tperm: typeAttr("int32") });
  return operator.result("Transpose", [x, operator.int32s(perm, "perm")], attributes);
}

function squeeze(operator: Operator): TensorRef {
  const x = operator.input(0);
  const axes = operator.has(1) ? operator.knownNumbers(1, "axes") : [];
  return operator.result("Squeeze", [x], typed(x, { squeeze_dims: intsAttr(axes) }));
}

function unsqueeze(operator: Operator): TensorRef {
  const x = operator.input(0);
  const wanted = operator.knownNumbers(1, "axes");
  const negative = wanted.some((axis) => axis < 0);
  const rank = negative ? operator.rank(0) + wanted.length : 0;
  const axes = wanted.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
  const attributes = typed(x, { Tdim: typeAttr("int32") });
  const last = axes.pop();
  if (last === undefined) return x;
  const inner = axes.reduce(
    (value, axis) => operator.helper("ExpandDims", [value, operator.int32(axis, "axis")], attributes),
    x,
  );
  return operator.result("ExpandDims", [inner, operator.int32(last, "axis")], attributes);
}

function concat(operator: Operator): TensorRef {
  const parts = operator.inputs();
  const [first] = parts;
  if (first === undefined) throw operator.refuse("joins nothing", "expected at least one tensor");
  if (parts.length === 1) return first;
  const axis = operator.int32(numberAttribute(operator.node, "axis", 0), "axis");
  return operator.result("ConcatV2", [...parts, axis], listed(parts, { Tidx: typeAttr("int32") }));
}

function split(operator: Operator): TensorRef[] {
  const x = operator.input(0);
  const axis = numberAttribute(operator.node, "axis", 0);
  const count = operator.node.outputs.length;
  const sizes = operator.has(1) ? operator.knownNumbers(1, "sizes") : equalParts(operator, axis, count);
  return operator.results(
    "SplitV",
    [x, operator.int32s(sizes, "sizes"), operator.int32(axis, "axis")],
    typed(x, { Tlen: typeAttr("int32"), num_split: intAttr(count) }),
    sizes.map(() => x.type),
  );
}

/** Equal parts, the last of which may be smaller. */
function equalParts(operator: Operator, axis: number, count: number): number[] {
  const size = operator.shape(0)?.[operator.axis(axis)] ?? -1;
  if (size < 0) throw operator.refuse("splits a size that is not known", "expected a fixed size");
  const each = Math.ceil(size / count);
  return Array.from({ length: count }, (_, index) => Math.min(each, size - index * each));
}

function slice(operator: Operator): TensorRef {
  const x = operator.input(0);
  const rank = operator.rank(0);
  const starts = operator.numbers(1);
  const ends = operator.numbers(2);
  const count = starts?.length ?? operator.shape(1)?.[0] ?? -1;
  if (starts === undefined || ends === undefined) return computedSlice(operator, x, rank, count);
  const axes = operator.has(3) ? operator.knownNumbers(3, "axes") : starts.map((_, index) => index);
  const steps = operator.has(4) ? operator.knownNumbers(4, "steps") : starts.map(() => 1);
  const begin = Array.from({ length: rank }, () => 0);
  const end = Array.from({ length: rank }, () => 0);
  const stride = Array.from({ length: rank }, () => 1);
  let beginMask = 2 ** rank - 1;
  let endMask = 2 ** rank - 1;
  for (const [index, wanted] of axes.entries()) {
    const axis = operator.axis(wanted);
    const bit = 2 ** axis;
    const [from = 0, to = 0, step = 1] = [starts[index], ends[index], steps[index]];
    begin[axis] = clamped(from);
    end[axis] = clamped(to);
    stride[axis] = step;
    if (from !== 0 || step < 0) beginMask -= bit;
    // "To the end" comes as the largest number of its type, backwards as the smallest.
    if (step > 0 ? to < INT32_MAX : to > -INT32_MAX) endMask -= bit;
  }
  return operator.result(
    "StridedSlice",
    [x, operator.int32s(begin, "begin"), operator.int32s(end, "end"), operator.int32s(stride, "strides")],
    typed(x, { Index: typeAttr("int32"), begin_mask: intAttr(beginMask), end_mask: intAttr(endMask) }),
  );
}

function clamped(value: number): number {
  return Math.max(-INT32_MAX, Math.min(INT32_MAX, value));
}

/** A slice of the leading axes, whose bounds are computed. */
function computedSlice(operator: Operator, x: TensorRef, rank: number, count: number): TensorRef {
  const axes = operator.has(3) ? operator.knownNumbers(3, "axes") : undefined;
  const leading = (axes ?? []).every((axis, index) => operator.axis(axis) === index);
  if (count < 0 || count > rank || !leading || operator.has(4)) {
    throw operator.refuse("computes its bounds", "expected constants");
  }
  const bound = (index: number): TensorRef => {
    const values = operator.input(index);
    // Bounds far outside must stay there in the smaller type.
    const limits = [
      operator.scalar(-INT32_MAX, values.type, "low"),
      operator.scalar(INT32_MAX, values.type, "high"),
    ];
    const [low = values, high = values] = limits;
    const above = operator.helper("Maximum", [values, low], typed(values));
    return cast(operator, operator.helper("Minimum", [above, high], typed(values)), "int32");
  };
  const ones = operator.int32s(
    Array.from({ length: count }, () => 1),
    "strides",
  );
  return operator.result(
    "StridedSlice",
    [x, bound(1), bound(2), ones],
    typed(x, { Index: typeAttr("int32") }),
  );
}

function pad(operator: Operator): TensorRef {
  const x = operator.input(0);
  const rank = operator.rank(0);
  const pads = operator.knownNumbers(1, "pads");
  const axes = operator.has(3)
    ? operator.knownNumbers(3, "axes").map((axis) => operator.axis(axis))
    : Array.from({ length: rank }, (_, axis) => axis);
  const rows = Array.from({ length: rank }, (): [number, number] => [0, 0]);
  for (const [index, axis] of axes.entries()) {
    rows[axis] = [pads[index] ?? 0, pads[axes.length + index] ?? 0];
  }
  const cut = trimmed(operator, x, rows);
  const grown = rows.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
  if (grown.every(([before, after]) => before === 0 && after === 0)) return cut;
  const paddings = operator.int32Pairs(grown, "paddings");
  const attributes = typed(x, { Tpaddings: typeAttr("int32") });
  const mode = textAttribute(operator.node, "mode", "constant");
  if (mode === "constant") {
    const zero = !operator.has(2) || operator.numbers(2)?.[0] === 0;
    return zero
      ? operator.result("Pad", [cut, paddings], attributes)
      : operator.result("PadV2", [cut, paddings, operator.input(2)], attributes);
  }
  if (mode === "reflect") {
    return operator.result("MirrorPad", [cut, paddings], { ...attributes, mode: textAttr("REFLECT") });
  }
  // A mirrored edge one element wide is the edge itself.
  if (mode === "edge" && grown.every(([before, after]) => before <= 1 && after <= 1)) {
    return operator.result("MirrorPad", [cut, paddings], { ...attributes, mode: textAttr("SYMMETRIC") });
  }
  throw operator.refuse(`pads by mode ${mode}`, "expected constant, reflect, or edge of one element");
}

/** Negative pads cut off. */
function trimmed(operator: Operator, x: TensorRef, rows: readonly (readonly [number, number])[]): TensorRef {
  if (rows.every(([before, after]) => before >= 0 && after >= 0)) return x;
  const begin = rows.map(([before]) => Math.max(0, -before));
  const end = rows.map(([, after]) => Math.min(0, after));
  const open = end.reduce((mask, size, axis) => (size === 0 ? mask + 2 ** axis : mask), 0);
  return operator.helper(
    "StridedSlice",
    [
      x,
      operator.int32s(begin, "trim_begin"),
      operator.int32s(end, "trim_end"),
      operator.int32s(
        rows.map(() => 1),
        "trim_strides",
      ),
    ],
    typed(x, { Index: typeAttr("int32"), end_mask: intAttr(open) }),
  );
}

function gather(operator: Operator): TensorRef {
  const x = operator.input(0);
  const axis = numberAttribute(operator.node, "axis", 0);
  const indices = operator.input(1);
  return operator.result(
    "GatherV2",
    [x, nonNegative(operator, x, indices, axis), operator.int32(axis, "axis")],
    { Tparams: typeAttr(x.type), Tindices: typeAttr(indices.type), Taxis: typeAttr("int32") },
  );
}

/** TensorFlow counts from the front only. */
function nonNegative(operator: Operator, x: TensorRef, indices: TensorRef, axis: number): TensorRef {
  const known = operator.numbers(1);
  if (known?.every((index) => index >= 0)) return indices;
  const size = cast(operator, sizeAt(operator, operator.shapeOf(x), operator.axis(axis)), indices.type);
  return operator.helper("FloorMod", [indices, size], typed(indices));
}

function gatherNd(operator: Operator): TensorRef {
  const [x, indices] = [operator.input(0), operator.input(1)];
  if (numberAttribute(operator.node, "batch_dims", 0) !== 0) {
    throw operator.refuse("gathers within batches", "expected batch_dims 0");
  }
  const attributes = { Tparams: typeAttr(x.type), Tindices: typeAttr(indices.type) };
  return operator.result("GatherNd", [x, indices], attributes);
}

function expand(operator: Operator): TensorRef {
  const x = operator.input(0);
  const wanted = operator.input(1);
  const own = operator.helper("Shape", [x], typed(x, { out_type: typeAttr(wanted.type) }), wanted.type);
  // ONNX broadcasts both ways: sizes of one in the wanted shape take the tensor's.
  const shape = operator.helper("BroadcastArgs", [own, wanted], typed(wanted));
  return operator.result("BroadcastTo", [x, shape], typed(x, { Tidx: typeAttr(wanted.type) }));
}

function tile(operator: Operator): TensorRef {
  const [x, times] = [operator.input(0), operator.input(1)];
  return operator.result("Tile", [x, times], typed(x, { Tmultiples: typeAttr(times.type) }));
}

function shape(operator: Operator): TensorRef {
  const x = operator.input(0);
  const attributes = typed(x, { out_type: typeAttr("int64") });
  const { start, end } = operator.node.attributes;
  if (start === undefined && end === undefined) {
    return operator.result("Shape", [x], attributes, "int64");
  }
  const sizes = operator.helper("Shape", [x], attributes, "int64");
  const from = numberAttribute(operator.node, "start", 0);
  const to = numberAttribute(operator.node, "end", 0);
  return operator.result(
    "StridedSlice",
    [sizes, operator.int32s([from], "begin"), operator.int32s([to], "end"), operator.int32s([1], "strides")],
    typed(sizes, { Index: typeAttr("int32"), end_mask: intAttr(end === undefined ? 1 : 0) }),
  );
}

function size(operator: Operator): TensorRef {
  const x = operator.input(0);
  return operator.result("Size", [x], typed(x, { out_type: typeAttr("int64") }), "int64");
}

function constantOfShape(operator: Operator): TensorRef {
  const { value } = operator.node.attributes;
  const type: ElementType = typeof value === "object" && "type" in value ? value.type : "float32";
  const filling = operator.scalar(operator.attributeNumber("value") ?? 0, type, "value");
  const sizes = operator.input(0);
  return operator.result(
    "Fill",
    [sizes, filling],
    typed(filling, { index_type: typeAttr(sizes.type) }),
    type,
  );
}

function range(operator: Operator): TensorRef {
  const x = operator.input(0);
  return operator.result("Range", operator.inputs(), { Tidx: typeAttr(x.type) });
}

function oneHot(operator: Operator): TensorRef {
  const [indices, depth, values] = [operator.input(0), operator.input(1), operator.input(2)];
  const at = (index: number): TensorRef => sizeAt(operator, values, index);
  return operator.result(
    "OneHot",
    [cast(operator, indices, "int64"), cast(operator, depth, "int32"), at(1), at(0)],
    {
      T: typeAttr(values.type),
      TI: typeAttr("int64"),
      axis: intAttr(numberAttribute(operator.node, "axis", -1)),
    },
    values.type,
  );
}

function cumulativeSum(operator: Operator): TensorRef {
  const [x, axis] = [operator.input(0), operator.input(1)];
  return operator.result(
    "Cumsum",
    [x, axis],
    typed(x, {
      Tidx: typeAttr(axis.type),
      exclusive: boolAttr(numberAttribute(operator.node, "exclusive", 0) === 1),
      reverse: boolAttr(numberAttribute(operator.node, "reverse", 0) === 1),
    }),
  );
}

function depthToSpace(operator: Operator): TensorRef {
  const x = operator.input(0);
  const blockSize = numberAttribute(operator.node, "blocksize", 1);
  const attributes = typed(x, { block_size: intAttr(blockSize), data_format: textAttr("NHWC") });
  if (textAttribute(operator.node, "mode", "DCR") === "DCR") {
    return operator.result("DepthToSpace", [x], attributes);
  }
  // Column-row-depth keeps a channel's blocks together; TensorFlow wants the blocks first.
  const channels = operator.shape(0)?.[3] ?? -1;
  if (channels < 0) throw operator.refuse("has channels that are not known", "expected a fixed number");
  const blocks = blockSize * blockSize;
  const order = Array.from(
    { length: channels },
    (_, index) => (index % (channels / blocks)) * blocks + Math.floor(index / (channels / blocks)),
  );
  const moved = operator.helper("GatherV2", [x, operator.int32s(order, "order"), operator.int32(3, "axis")], {
    Tparams: typeAttr(x.type),
    Tindices: typeAttr("int32"),
    Taxis: typeAttr("int32"),
  });
  return operator.result("DepthToSpace", [moved], attributes);
}

function spaceToDepth(operator: Operator): TensorRef {
  const x = operator.input(0);
  const blockSize = numberAttribute(operator.node, "blocksize", 1);
  return operator.result(
    "SpaceToDepth",
    [x],
    typed(x, { block_size: intAttr(blockSize), data_format: textAttr("NHWC") }),
  );
}

export const SHAPES: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["Reshape", reshape],
  ["Flatten", flatten],
  ["Transpose", transpose],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Pad", pad],
  ["Gather", gather],
  ["GatherND", gatherNd],
  ["Expand", expand],
  ["Tile", tile],
  ["Shape", shape],
  ["Size", size],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  ["OneHot", oneHot],
  ["CumSum", cumulativeSum],
  ["DepthToSpace", depthToSpace],
  ["SpaceToDepth", spaceToDepth],
]);
