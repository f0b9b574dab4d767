/** What is known about a value before the graph runs. */
import type { Constant, ElementType, Node, Shape } from "./graph.js";

/** A number, or the name of a size known only at run time; equal names are equal sizes. */
export type Size = number | string;

export interface ValueInfo {
  readonly type: ElementType | undefined;
  /** Undefined: of any rank. */
  readonly sizes: readonly Size[] | undefined;
  /** Elements of a small integer tensor of rank 0 or 1, as far as they are known: sizes on their way to a Reshape. */
  readonly values?: readonly (Size | undefined)[] | undefined;
}

export const UNKNOWN: ValueInfo = { type: undefined, sizes: undefined };

/** What a rule of shapes may ask. */
export interface RuleContext {
  readonly node: Node;
  /** Of the given input; {@link UNKNOWN} when it is not given. */
  input(index: number): ValueInfo;
  /** Undefined when the input is not given or not constant. */
  constant(index: number): Constant | undefined;
  /** Elements of a constant integer input. */
  integers(index: number): readonly number[] | undefined;
  isGiven(index: number): boolean;
  /** A size that nothing is known about. */
  unknownSize(): Size;
}

/** Works out the outputs of an operator, in order. */
export type ShapeRule = (context: RuleContext) => readonly ValueInfo[];

/** -1 for what is known only at run time. */
export function shapeOf(info: ValueInfo | undefined): Shape | undefined {
  return info?.sizes?.map((size) => (typeof size === "number" ? size : -1));
}

export function rankOf(info: ValueInfo | undefined): number | undefined {
  return info?.sizes?.length;
}

/**
 * Counts an axis from the front; Flatten's may be the rank itself.
 *
 * @throws {RangeError} when there is no such axis.
 */
export function positiveAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive >= 0 && positive <= rank) return positive;
  throw new RangeError(`axis ${axis} of a tensor of rank ${rank}`);
}
