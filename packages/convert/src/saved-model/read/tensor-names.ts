/** Names of tensors inside graphs and functions. */
import { ServeError } from "@vitrine/protocol/status";

/**
 * Outputs of operators with more than one, in order. Inside a function a tensor is named by its output
 * (`bn:batch_mean:0`), in a graph by its index (`bn:1`). Operators not listed have one output, or one list of outputs.
 */
const OUTPUTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["FusedBatchNorm", ["y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"]],
  ["FusedBatchNormV2", ["y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2"]],
  [
    "FusedBatchNormV3",
    ["y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"],
  ],
  ["TopK", ["values", "indices"]],
  ["TopKV2", ["values", "indices"]],
  ["MaxPoolWithArgmax", ["output", "argmax"]],
  ["SoftmaxCrossEntropyWithLogits", ["loss", "backprop"]],
  ["Unique", ["y", "idx"]],
  ["UniqueV2", ["y", "idx"]],
  ["Switch", ["output_false", "output_true"]],
  ["Merge", ["output", "value_index"]],
]);

/** Operators whose outputs are several lists: which output a name means cannot be told without their sizes. */
const LISTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["ParseExample", ["sparse_indices", "sparse_values", "sparse_shapes", "dense_values"]],
  [
    "ParseExampleV2",
    [
      "sparse_indices",
      "sparse_values",
      "sparse_shapes",
      "dense_values",
      "ragged_values",
      "ragged_row_splits",
    ],
  ],
]);

/** One tensor as an input names it. */
export interface TensorName {
  readonly node: string;
  /** Name of the output, in a function; else undefined. */
  readonly output: string | undefined;
  readonly index: number;
}

export function isControl(input: string): boolean {
  return input.startsWith("^");
}

/**
 * Parses `node`, `node:1` (graph) or `node:output:1` (function).
 *
 * @throws {ServeError} MODEL_INVALID when an index is no number.
 */
export function parseTensorName(name: string): TensorName {
  const [node = "", second, third] = name.split(":");
  if (second === undefined) return { node, output: undefined, index: 0 };
  if (third === undefined && /^\d{1,9}$/.test(second)) {
    return { node, output: undefined, index: Number(second) };
  }
  if (third !== undefined && !/^\d{1,9}$/.test(third)) {
    throw new ServeError("MODEL_INVALID", `a tensor was named ${name}, expected NODE:OUTPUT:INDEX`);
  }
  return { node, output: second, index: Number(third ?? 0) };
}

/**
 * Index of an output among all outputs of an operator.
 *
 * @param sizes number of tensors in each list, for operators with several lists.
 */
export function outputIndex(
  op: string,
  { output, index }: TensorName,
  sizes: () => readonly number[],
): number {
  if (output === undefined) return index;
  const lists = LISTS.get(op);
  if (lists !== undefined) {
    const place = lists.indexOf(output);
    const before = sizes().slice(0, Math.max(place, 0));
    return before.reduce((sum, size) => sum + size, index);
  }
  const place = OUTPUTS.get(op)?.indexOf(output) ?? 0;
  return Math.max(place, 0) + index;
}
