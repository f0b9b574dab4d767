/**
 * Sizes of tensors while a graph is converted. One that is known only at run time is a word: the same word is the same
 * size wherever it occurs, so that `[batch, 7 * 7 * 64]` is recognised although the batch is not known.
 */
import type { Shape } from "../../graph/graph.js";

export type Dim = number | string;
export type Dims = readonly Dim[];

let fresh = 0;

/** A size of which nothing is known. */
export function unknownDim(): string {
  fresh += 1;
  return `?${fresh}`;
}

/** A size computed from others; words that would grow long are replaced by fresh ones. */
export function computedDim(operation: string, ...operands: readonly Dim[]): string {
  const word = `${operation}(${operands.join(",")})`;
  return word.length > 160 ? unknownDim() : word;
}

export function isKnown(dims: Dims): dims is Shape {
  return dims.every((dim) => typeof dim === "number");
}

/** For the graph, where -1 is a size known only at run time. */
export function shapeOfDims(dims: Dims | undefined): Shape | undefined {
  return dims?.map((dim) => (typeof dim === "number" ? dim : -1));
}

/** @param words name the unknown sizes. */
export function dimsOfShape(shape: Shape | undefined, word: string): Dims | undefined {
  return shape?.map((size, axis) => (size === -1 ? `${word}:${axis}` : size));
}

/** Shape of an elementwise result. Undefined when either's rank is. */
export function broadcastDims(left: Dims | undefined, right: Dims | undefined): Dims | undefined {
  if (left === undefined || right === undefined) return undefined;
  const rank = Math.max(left.length, right.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = left[axis - rank + left.length] ?? 1;
    const b = right[axis - rank + right.length] ?? 1;
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    // Of a known size above 1 and an unknown one, the known one is the result's.
    if (typeof a === "number" && typeof b === "number") return unknownDim();
    return typeof a === "number" ? a : typeof b === "number" ? b : computedDim("max", a, b);
  });
}

/** The product, as a number times words that stand for unknown sizes. */
export function productOf(dims: Dims): { known: number; unknown: readonly string[] } {
  let known = 1;
  const unknown: string[] = [];
  for (const dim of dims) {
    if (typeof dim === "number") known *= dim;
    else unknown.push(dim);
  }
  return { known, unknown: unknown.sort() };
}
