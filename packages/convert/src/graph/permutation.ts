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

/** An axis of the result: how many there are, and how far apart in the source and in the result. */
interface MovedAxis {
  size: number;
  readonly from: number;
  to: number;
}

/** The axes of the result, without those of size 1; neighbours that move together are one. */
function movedAxes(shape: Shape, perm: Permutation): MovedAxis[] {
  const axes: MovedAxis[] = [];
  let to = 1;
  for (const axis of perm.toReversed()) {
    const size = shape[axis] ?? 1;
    if (size === 1) continue;
    const from = sizeOf(shape.slice(axis + 1));
    const inner = axes[0];
    if (inner !== undefined && from === inner.from * inner.size) inner.size *= size;
    else axes.unshift({ size, from, to });
    to *= size;
  }
  return axes;
}

/** Side of the squares in which axes change places: what is read and what is written stays in the cache. */
const TILE = 32;

function copyPermuted(from: ElementArray, to: ElementArray, shape: Shape, perm: Permutation): void {
  const axes = movedAxes(shape, perm);
  const last = axes.at(-1);
  // The axis along which the source lies together; when it is the last one of the result, too, rows are copied whole.
  const source = axes.find((axis) => axis.from === 1);
  if (last === undefined || source === undefined) return;
  const outer = axes.filter((axis) => axis !== last && axis !== source);
  const copy = last === source ? rowCopier(from, to, last) : tileCopier(from, to, source, last);
  walk(outer, 0, 0, 0, copy);
}

/** Calls `copy` for each place of the outer axes. */
function walk(
  axes: readonly MovedAxis[],
  depth: number,
  from: number,
  to: number,
  copy: (from: number, to: number) => void,
): void {
  const axis = axes[depth];
  if (axis === undefined) {
    copy(from, to);
    return;
  }
  for (let index = 0; index < axis.size; index++) {
    walk(axes, depth + 1, from + index * axis.from, to + index * axis.to, copy);
  }
}

function rowCopier(from: ElementArray, to: ElementArray, row: MovedAxis): (at: number, into: number) => void {
  const bytes = to.BYTES_PER_ELEMENT;
  const source = new Uint8Array(from.buffer, from.byteOffset, from.byteLength);
  const target = new Uint8Array(to.buffer, to.byteOffset, to.byteLength);
  return (at, into) => target.set(source.subarray(at * bytes, (at + row.size) * bytes), into * bytes);
}

/** @param along the axis that lies together in the source. @param last the one that lies together in the result. */
function tileCopier(
  from: ElementArray,
  to: ElementArray,
  along: MovedAxis,
  last: MovedAxis,
): (at: number, into: number) => void {
  if (isBigInts(from) && isBigInts(to)) return (at, into) => copyTiles(from, to, along, last, at, into);
  if (isBigInts(from) || isBigInts(to)) return () => undefined;
  return (at, into) => copyTiles(from, to, along, last, at, into);
}

function copyTiles<T>(
  from: { readonly [index: number]: T },
  to: { [index: number]: T },
  along: MovedAxis,
  last: MovedAxis,
  at: number,
  into: number,
): void {
  for (let row = 0; row < along.size; row += TILE) {
    const rowEnd = Math.min(row + TILE, along.size);
    for (let column = 0; column < last.size; column += TILE) {
      const columnEnd = Math.min(column + TILE, last.size);
      for (let i = row; i < rowEnd; i++) {
        for (let j = column; j < columnEnd; j++) {
          const element = from[at + i + j * last.from];
          if (element !== undefined) to[into + i * along.to + j] = element;
        }
      }
    }
  }
}

function isBigInts(array: ElementArray): array is BigInt64Array | BigUint64Array {
  return array instanceof BigInt64Array || array instanceof BigUint64Array;
}
