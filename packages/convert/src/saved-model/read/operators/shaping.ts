/** Shapes: asked for, computed with, and changed. */
import { concatConstants } from "../constants.js";
import { computedDim, type Dim, type Dims, isKnown, productOf, unknownDim } from "../dims.js";
import { isInteger, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

const shape: Convert = (operation) =>
  operation.graph.cast(
    operation.graph.shapeOf(operation.input(0)),
    operation.attributes.type("out_type", "int32"),
  );

const shapeN: Convert = (operation) =>
  operation.inputs.map((input) =>
    operation.graph.cast(operation.graph.shapeOf(input), operation.attributes.type("out_type", "int32")),
  );

const size: Convert = (operation) => {
  const type = operation.attributes.type("out_type", "int32");
  const { dims } = operation.input(0);
  if (dims !== undefined && isKnown(dims)) {
    return operation.graph.numbers(type, [], [dims.reduce((product, dim) => product * dim, 1)]);
  }
  return operation.graph.cast(
    operation.emit("Size", [operation.input(0)], { type: "int64", dims: [] }),
    type,
  );
};

const rank: Convert = (operation) => operation.graph.numbers("int32", [], [operation.dims(0).length]);

const reshape: Convert = (operation) => {
  const [x, target] = [operation.input(0), operation.input(1)];
  const wanted = target.elements;
  if (wanted === undefined) {
    const known = target.dims?.[0];
    const dims = typeof known === "number" ? Array.from({ length: known }, unknownDim) : undefined;
    return reshapeAtRunTime(operation, x, target, dims);
  }
  const dims = inferred(x.dims, wanted);
  const sizes = dims.map((dim, axis) => {
    if (typeof dim === "number") return dim;
    // 0 is "as in the input" as long as no size is 0 itself.
    return dim === x.dims?.[axis] && !dims.includes(0) ? 0 : -1;
  });
  const only = sizes.filter((one) => one <= 0).length === 1;
  const told = only ? sizes.map((one) => (one === 0 && !dims.includes(0) ? -1 : one)) : sizes;
  if (told.filter((one) => one === -1).length > 1) return reshapeAtRunTime(operation, x, target, dims);
  return withElements(operation, x, operation.graph.reshape(x, told, dims));
};

function reshapeAtRunTime(operation: Operation, x: Value, target: Value, dims: Dims | undefined): Value {
  const sizes = operation.graph.sizes(target, true);
  return operation.emit("Reshape", [x, sizes], { type: x.type, dims });
}

/** The sizes of a result: -1 is what the others leave of the input's elements. */
function inferred(from: Dims | undefined, wanted: Dims): Dims {
  const place = wanted.indexOf(-1);
  if (place === -1) return wanted;
  if (from === undefined) return wanted.map((dim) => (dim === -1 ? unknownDim() : dim));
  const all = productOf(from);
  const others = productOf(wanted.filter((_, axis) => axis !== place));
  const left = [...all.unknown];
  const missing = others.unknown.filter((word) => {
    const at = left.indexOf(word);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
  const quotient = all.known / others.known;
  const [word] = left;
  let rest: Dim = computedDim("rest", ...from, "/", ...wanted);
  if (missing.length === 0 && Number.isInteger(quotient)) {
    if (word === undefined) rest = quotient;
    else if (left.length === 1) rest = quotient === 1 ? word : computedDim(`${quotient}*`, word);
  }
  return wanted.map((dim) => (dim === -1 ? rest : dim));
}

/** Sizes stay known when they only change their rank. */
function withElements(operation: Operation, from: Value, to: Value): Value {
  if (from.elements === undefined || to.constant !== undefined || (to.dims?.length ?? 2) > 1) return to;
  return operation.graph.with(to, { elements: from.elements });
}

const expandDims: Convert = (operation) => {
  const [number = 0] = operation.numbers(1);
  const dims = operation.dims(0);
  return unsqueeze(operation, operation.input(0), [operation.axis(number, dims.length + 1)]);
};

/** @param axes of the result, in order. */
export function unsqueeze(operation: Operation, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return x;
  const { graph } = operation;
  const result: Dim[] = [...(x.dims ?? operation.dims(0))];
  for (const axis of axes) result.splice(axis, 0, 1);
  if (x.constant !== undefined && isKnown(result)) {
    return graph.constant({ ...x.constant, shape: result });
  }
  return withElements(
    operation,
    x,
    graph.emit("Unsqueeze", [x, graph.int64s(axes)], { type: x.type, dims: result }),
  );
}

/** @param axes of the tensor, in order, each of size 1. */
export function squeeze(operation: Operation, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return x;
  const { graph } = operation;
  const result = x.dims?.filter((_, axis) => !axes.includes(axis));
  if (x.constant !== undefined && result !== undefined && isKnown(result)) {
    return graph.constant({ ...x.constant, shape: result });
  }
  return withElements(
    operation,
    x,
    graph.emit("Squeeze", [x, graph.int64s(axes)], { type: x.type, dims: result }),
  );
}

const squeezeAxes: Convert = (operation) => {
  const dims = operation.dims(0);
  const named = operation.attributes.ints("squeeze_dims", operation.attributes.ints("axis", []));
  if (named.length === 0 && !isKnown(dims)) throw operation.refuse("axes of unknown size", "named axes");
  const axes =
    named.length === 0
      ? dims.flatMap((dim, axis) => (dim === 1 ? [axis] : []))
      : named.map((axis) => operation.axis(axis, dims.length)).sort((a, b) => a - b);
  return squeeze(operation, operation.input(0), axes);
};

const transpose: Convert = (operation) => {
  const perm = operation.numbers(1);
  const known = operation.input(0).dims;
  if (known !== undefined && known.length !== perm.length)
    throw operation.refuse("another rank", `${perm.length} axes`);
  return operation.graph.transpose(
    operation.input(0),
    perm.map((axis) => operation.axis(axis, perm.length)),
  );
};

/** Joins tensors along an axis. @param parts at least one. */
export function concat(operation: Operation, parts: readonly Value[], number: number): Value {
  const [first] = parts;
  if (first === undefined) throw operation.refuse("no inputs", "some");
  if (parts.length === 1) return first;
  const dims = parts.find((part) => part.dims !== undefined)?.dims;
  if (dims === undefined) throw operation.refuse("a tensor of unknown rank", "a known rank");
  const axis = operation.axis(number, dims.length);
  const folded = concatConstants(
    parts.map((part) => part.constant),
    axis,
  );
  if (folded !== undefined) return operation.graph.derived(folded);
  const along = parts.map((part) => part.dims?.[axis] ?? unknownDim());
  const total = along.reduce((sum, dim) =>
    typeof sum === "number" && typeof dim === "number" ? sum + dim : computedDim("+", sum, dim),
  );
  const result = {
    type: first.type,
    dims: dims.map((dim, index) => (index === axis ? total : known(parts, index, dim))),
  };
  const lists = parts.map((part) => part.elements);
  const value = operation.emit("Concat", parts, result, { axis });
  if (dims.length !== 1 || !isInteger(first.type) || lists.includes(undefined)) return value;
  return operation.graph.with(value, { elements: lists.flatMap((list) => list ?? []) });
}

/** A size that any of the parts knows: they agree on all axes but one. */
function known(parts: readonly Value[], axis: number, otherwise: Dim): Dim {
  return parts.map((part) => part.dims?.[axis]).find((dim) => typeof dim === "number") ?? otherwise;
}

const concatV2: Convert = (operation) =>
  concat(operation, operation.inputs.slice(0, -1), operation.numbers(operation.inputs.length - 1)[0] ?? 0);

const concatV1: Convert = (operation) =>
  concat(operation, operation.inputs.slice(1), operation.numbers(0)[0] ?? 0);

const pack: Convert = (operation) => {
  const rankOfResult = operation.dims(0).length + 1;
  const axis = operation.axis(operation.attributes.int("axis", 0), rankOfResult);
  const parts = operation.inputs.map((input) => unsqueeze(operation, input, [axis]));
  return concat(operation, parts, axis);
};

const tile: Convert = (operation) => {
  const x = operation.input(0);
  const times = operation.input(1);
  const dims = x.dims?.map((dim, axis) => {
    const repeat = times.elements?.[axis];
    if (repeat === 1) return dim;
    return typeof dim === "number" && typeof repeat === "number"
      ? dim * repeat
      : computedDim("tile", dim, repeat ?? unknownDim());
  });
  return operation.emit("Tile", [x, operation.graph.sizes(times, false)], { type: x.type, dims });
};

const fill: Convert = (operation) => {
  const [sizes, value] = [operation.input(0), operation.input(1)];
  const { elements } = sizes;
  const [number] = value.constant === undefined ? [] : (operation.knownNumbers(1) ?? []);
  const total = elements !== undefined && isKnown(elements) ? elements.reduce((a, b) => a * b, 1) : Infinity;
  if (number !== undefined && total <= MAX_FILLED && elements !== undefined && isKnown(elements)) {
    return operation.graph.numbers(value.type, elements, new Array<number>(total).fill(number));
  }
  return operation.graph.fill(value.type, sizes, value);
};

/** Larger constants are made at run time. */
const MAX_FILLED = 4096;

const broadcastTo: Convert = (operation) =>
  operation.graph.fill(operation.input(0).type, operation.input(1), operation.input(0));

const range: Convert = (operation) => {
  const { type } = operation.input(0);
  const [start, limit, delta] = [0, 1, 2].map((index) => operation.knownNumbers(index)?.[0]);
  if (start !== undefined && limit !== undefined && delta !== undefined) {
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    if (!(count <= MAX_FILLED * 16)) throw operation.refuse(`${count} elements`, "fewer");
    return operation.graph.numbers(
      type,
      [count],
      Array.from({ length: count }, (_, index) => start + index * delta),
    );
  }
  return operation.emit("Range", operation.inputs.slice(0, 3), { type, dims: [unknownDim()] });
};

const invertPermutation: Convert = (operation) => {
  const perm = operation.numbers(0);
  return operation.graph.numbers(
    operation.input(0).type,
    [perm.length],
    perm.map((_, axis) => perm.indexOf(axis)),
  );
};

export const SHAPING: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["Shape", shape],
  ["ShapeN", shapeN],
  ["Size", size],
  ["Rank", rank],
  ["Reshape", reshape],
  ["ExpandDims", expandDims],
  ["Squeeze", squeezeAxes],
  ["Transpose", transpose],
  ["ConcatV2", concatV2],
  ["Concat", concatV1],
  ["Pack", pack],
  ["Tile", tile],
  ["Fill", fill],
  ["BroadcastTo", broadcastTo],
  ["Range", range],
  ["InvertPermutation", invertPermutation],
]);
