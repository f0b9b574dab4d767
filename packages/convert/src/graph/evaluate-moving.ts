/** Evaluators of operators that move elements of constants, or only change their shape. */
import { numberAttribute, numbersAttribute } from "./attributes.js";
import { numbersOf, sizeOf } from "./constant-values.js";
import { ELEMENT_BYTES } from "./element-type.js";
import { type Evaluator, mayGrowTo, only } from "./evaluator.js";
import type { Constant, Shape } from "./graph.js";
import { permuteConstant } from "./permutation.js";
import { sliceRange } from "./shape-rules-moving.js";
import { positiveAxis } from "./value-info.js";

const reshape: Evaluator = (node, [x, target]) => {
  if (x === undefined || target === undefined) return undefined;
  const copies = numberAttribute(node, "allowzero", 0) === 0;
  const wanted = numbersOf(target).map((size, axis) => (size === 0 && copies ? (x.shape[axis] ?? 0) : size));
  return only(reshaped(x, wanted));
};

function reshaped(x: Constant, wanted: readonly number[]): Constant | undefined {
  const rest = sizeOf(wanted.filter((size) => size !== -1));
  const shape = wanted.map((size) => (size === -1 ? sizeOf(x.shape) / rest : size));
  return sizeOf(shape) === sizeOf(x.shape) ? { ...x, shape } : undefined;
}

const flatten: Evaluator = (node, [x]) => {
  if (x === undefined) return undefined;
  const axis = positiveAxis(numberAttribute(node, "axis", 1), x.shape.length);
  return only(reshaped(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]));
};

const squeeze: Evaluator = (_, [x, axes]) => {
  if (x === undefined) return undefined;
  const gone = axes && new Set(numbersOf(axes).map((axis) => positiveAxis(axis, x.shape.length)));
  return only(
    reshaped(
      x,
      x.shape.filter((size, axis) => (gone === undefined ? size !== 1 : !gone.has(axis))),
    ),
  );
};

const unsqueeze: Evaluator = (_, [x, axes]) => {
  if (x === undefined || axes === undefined) return undefined;
  const rank = x.shape.length + sizeOf(axes.shape);
  const fresh = new Set(numbersOf(axes).map((axis) => positiveAxis(axis, rank)));
  const rest = [...x.shape];
  return only(
    reshaped(
      x,
      Array.from({ length: rank }, (_, axis) => (fresh.has(axis) ? 1 : (rest.shift() ?? 1))),
    ),
  );
};

const transpose: Evaluator = (node, [x]) => {
  if (x === undefined) return undefined;
  const perm = numbersAttribute(node, "perm") ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
  return perm.length === x.shape.length ? [permuteConstant(x, perm)] : undefined;
};

/** Takes rows along an axis, by number. */
function taken(x: Constant, axis: number, rows: readonly number[], shape: Shape): Constant | undefined {
  const size = x.shape[axis] ?? 1;
  if (rows.some((row) => row < 0 || row >= size)) return undefined;
  const block = sizeOf(x.shape.slice(axis + 1)) * ELEMENT_BYTES[x.type];
  const outer = sizeOf(x.shape.slice(0, axis));
  const bytes = new Uint8Array(outer * rows.length * block);
  let at = 0;
  for (let index = 0; index < outer; index++) {
    for (const row of rows) {
      const start = (index * size + row) * block;
      bytes.set(x.bytes.subarray(start, start + block), at);
      at += block;
    }
  }
  return { type: x.type, shape, bytes };
}

const gather: Evaluator = (node, [x, indices]) => {
  if (x === undefined || indices === undefined) return undefined;
  const axis = positiveAxis(numberAttribute(node, "axis", 0), x.shape.length);
  const size = x.shape[axis] ?? 1;
  const rows = numbersOf(indices).map((row) => (row < 0 ? row + size : row));
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return mayGrowTo(shape, [x]) ? only(taken(x, axis, rows, shape)) : undefined;
};

const slice: Evaluator = (_, [x, starts, ends, axes, steps]) => {
  if (x === undefined || starts === undefined || ends === undefined) return undefined;
  const [from, to] = [numbersOf(starts), numbersOf(ends)];
  const along = axes === undefined ? from.map((_, axis) => axis) : numbersOf(axes);
  const stride = steps === undefined ? along.map(() => 1) : numbersOf(steps);
  let result: Constant | undefined = x;
  along.forEach((given, index) => {
    if (result === undefined) return;
    const axis = positiveAxis(given, x.shape.length);
    const step = stride[index] ?? 1;
    const range = sliceRange(result.shape[axis] ?? 1, from[index] ?? 0, to[index] ?? 0, step);
    const rows = Array.from({ length: range.count }, (_, at) => range.start + at * step);
    result = step === 0 ? undefined : taken(result, axis, rows, result.shape.with(axis, rows.length));
  });
  return only(result);
};

const split: Evaluator = (node, [x, sizes]) => {
  if (x === undefined) return undefined;
  const axis = positiveAxis(numberAttribute(node, "axis", 0), x.shape.length);
  const whole = x.shape[axis] ?? 1;
  const each = Math.ceil(whole / node.outputs.length);
  const parts =
    sizes === undefined
      ? node.outputs.map((_, index) => Math.min(each, whole - each * index))
      : numbersOf(sizes);
  if (parts.some((part) => part < 0 || part > whole)) return undefined;
  let start = 0;
  const results = parts.flatMap((part) => {
    const rows = Array.from({ length: part }, (_, at) => start + at);
    start += part;
    return taken(x, axis, rows, x.shape.with(axis, part)) ?? [];
  });
  return results.length === node.outputs.length ? results : undefined;
};

const concat: Evaluator = (node, inputs) => {
  const all = inputs.filter((input) => input !== undefined);
  const [first] = all;
  if (first === undefined || all.length !== inputs.length) return undefined;
  const axis = positiveAxis(numberAttribute(node, "axis", 0), first.shape.length);
  const shape = first.shape.with(
    axis,
    all.reduce((sum, { shape }) => sum + (shape[axis] ?? 0), 0),
  );
  const outer = sizeOf(first.shape.slice(0, axis));
  const bytes = new Uint8Array(sizeOf(shape) * ELEMENT_BYTES[first.type]);
  let at = 0;
  for (let index = 0; index < outer; index++) {
    for (const { bytes: part } of all) {
      const block = part.byteLength / outer;
      bytes.set(part.subarray(index * block, (index + 1) * block), at);
      at += block;
    }
  }
  return [{ type: first.type, shape, bytes }];
};

export const MOVING_EVALUATORS: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ["Reshape", reshape],
  ["Flatten", flatten],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Transpose", transpose],
  ["Gather", gather],
  ["Slice", slice],
  ["Split", split],
  ["Concat", concat],
]);
