/**
 * Orders of axes. A permutation `p` of a tensor `x` is the tensor whose axis `i` is axis `p[i]` of `x`, as ONNX's
 * Transpose has it.
 */
import type { Layout } from "./attributes.js";
import { constantOf, type ElementArray, elementsOf, newElements, sizeOf } from "./constant-values.js";
import type { Constant, Shape } from "./graph.js";
import type { Size } from "./value-info.js";

export type Permutation = readonly number[];

/** From the other layout into `layout`, for tensors with batch and channels. */
export function permutationInto(layout: Layout, rank: number): Permutation {
  const spatial = Array.from({ length: rank - 2 }, (_, axis) => axis);
  return layout === "NCHW"
    ? [0, rank - 1, ...spatial.map((axis) => axis + 1)]
    : [0, ...spatial.map((axis) => axis + 2), 1];
}

export function isIdentity(perm: Permutation): boolean {
  return perm.every((axis, index) => axis === index);
}

export function inverseOf(perm: Permutation): number[] {
  const inverse = new Array<number>(perm.length).fill(0);
  perm.forEach((axis, index) => {
    inverse[axis] = index;
  });
  return inverse;
}

/** What turns the tensor permuted by `from` into the tensor permuted by `to`. */
export function permutationBetween(from: Permutation, to: Permutation): number[] {
  const inverse = inverseOf(from);
  return to.map((axis) => inverse[axis] ?? axis);
}

export function permuted<T>(items: readonly T[], perm: Permutation): T[] {
  return perm.flatMap((axis) => {
    const item = items[axis];
    return item === undefined ? [] : [item];
  });
}

/** Whether permuting leaves the elements where they are, because only axes of size 1 move. */
export function movesOnlyUnits(perm: Permutation, sizes: readonly Size[]): boolean {
  const others = perm.filter((axis) => sizes[axis] !== 1);
  return others.every((axis, index) => index === 0 || axis > (others[index - 1] ?? -1));
}

/** What is left of a permutation when axes are removed from the tensor. */
export function withoutAxes(perm: Permutation, axes: ReadonlySet<number>): number[] {
  const kept = perm.filter((axis) => !axes.has(axis));
  const inOrder = kept.toSorted((a, b) => a - b);
  return kept.map((axis) => inOrder.indexOf(axis));
}

/** The constant with its axes in another order; its bytes are shared where the elements stay where they are. */
export function permuteConstant(constant: Constant, perm: Permutation): Constant {
  const shape = permuted(constant.shape, perm);
  if (movesOnlyUnits(perm, constant.shape) || constant.type === "string") return { ...constant, shape };
  const from = elementsOf(constant);
  const to = newElements(constant.type, from.length);
  copyPermuted(from, to, constant.shape, perm);
  return constantOf(constant.type, shape, to);
}

function copyPermuted(from: ElementArray, to: ElementArray, shape: Shape, perm: Permutation): void {
  // Axes that stay at the end move as one block.
  let fixed = perm.length;
  while (fixed > 0 && perm[fixed - 1] === fixed - 1) fixed--;
  const block = sizeOf(shape.slice(fixed));
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const sizes = permuted(shape, perm).slice(0, fixed);
  const steps = permuted(strides, perm).slice(0, fixed);
  const inner = sizes.at(-1) ?? 1;
  const innerStep = steps.at(-1) ?? 0;
  const outer = sizes.slice(0, -1);
  const counters = new Array<number>(outer.length).fill(0);
  let start = 0;
  for (let at = 0; at < to.length; ) {
    at = copyRow(from, to, at, start, inner, innerStep, block);
    // The next row, like an odometer.
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const step = steps[axis] ?? 0;
      const size = outer[axis] ?? 1;
      const count = (counters[axis] ?? 0) + 1;
      start += step;
      counters[axis] = count;
      if (count < size) break;
      counters[axis] = 0;
      start -= step * size;
    }
  }
}

function copyRow(
  from: ElementArray,
  to: ElementArray,
  at: number,
  start: number,
  count: number,
  step: number,
  block: number,
): number {
  if (block === 1) return copyElements(from, to, at, start, count, step);
  for (let index = 0; index < count; index++) {
    setBlock(to, from, start + index * step, block, at + index * block);
  }
  return at + count * block;
}

function copyElements(
  from: ElementArray,
  to: ElementArray,
  at: number,
  start: number,
  count: number,
  step: number,
): number {
  if (isBigInts(from) && isBigInts(to)) {
    for (let index = 0; index < count; index++) to[at + index] = from[start + index * step] ?? 0n;
  } else if (!(isBigInts(from) || isBigInts(to))) {
    for (let index = 0; index < count; index++) to[at + index] = from[start + index * step] ?? 0;
  }
  return at + count;
}

function setBlock(to: ElementArray, from: ElementArray, start: number, length: number, at: number): void {
  const bytes = to.BYTES_PER_ELEMENT;
  const source = new Uint8Array(from.buffer, from.byteOffset + start * bytes, length * bytes);
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(source, at * bytes);
}

function isBigInts(array: ElementArray): array is BigInt64Array | BigUint64Array {
  return array instanceof BigInt64Array || array instanceof BigUint64Array;
}
