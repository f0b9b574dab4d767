/** What the evaluators of single operators share. */
import { sizeOf } from "./constant-values.js";
import type { Constant, Node, Shape } from "./graph.js";

/** @returns the outputs, or undefined when these inputs are beyond it. */
export type Evaluator = (node: Node, inputs: readonly (Constant | undefined)[]) => Constant[] | undefined;

/** A result larger than this and than its inputs is left to the run: a graph must not grow by being folded. */
export const MAX_GROWN_ELEMENTS = 2 ** 18;

export function mayGrowTo(shape: Shape, inputs: readonly (Constant | undefined)[]): boolean {
  const given = inputs.reduce((sum, input) => sum + sizeOf(input?.shape ?? [0]), 0);
  return sizeOf(shape) <= Math.max(MAX_GROWN_ELEMENTS, given);
}

export function only(constant: Constant | undefined): Constant[] | undefined {
  return constant === undefined ? undefined : [constant];
}
