/** Products of matrices. */
import { broadcastDims, type Dim, type Dims, unknownDim } from "../dims.js";
import type { Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

/** Swaps the last two axes. */
function turned(operation: Operation, index: number, turn: boolean): Value {
  const value = operation.input(index);
  if (!turn) return value;
  const rank = operation.dims(index).length;
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  perm.splice(rank - 2, 2, rank - 1, rank - 2);
  return operation.graph.transpose(value, perm);
}

function product(operation: Operation, left: string, right: string): Value {
  const { attributes } = operation;
  const a = turned(operation, 0, attributes.bool(left, false));
  const b = turned(operation, 1, attributes.bool(right, false));
  return operation.emit("MatMul", [a, b], { type: a.type, dims: productDims(a.dims, b.dims) });
}

function productDims(a: Dims | undefined, b: Dims | undefined): Dims | undefined {
  const batch = broadcastDims(a?.slice(0, -2), b?.slice(0, -2));
  return batch === undefined ? undefined : [...batch, a?.at(-2) ?? unknownDim(), b?.at(-1) ?? unknownDim()];
}

const matMul: Convert = (operation) => product(operation, "transpose_a", "transpose_b");
const batchMatMul: Convert = (operation) => product(operation, "adj_x", "adj_y");

const einsum: Convert = (operation) => {
  const equation = operation.attributes.text("equation", "").replaceAll(" ", "");
  const [terms = "", result = ""] = equation.split("->");
  const letters = new Map<string, Dim>();
  const known = !equation.includes(".") && equation.includes("->");
  for (const [index, term] of terms.split(",").entries()) {
    const { dims } = operation.input(index);
    for (const [axis, letter] of [...term].entries()) {
      const dim = dims?.[axis] ?? unknownDim();
      if (typeof letters.get(letter) !== "number") letters.set(letter, dim);
    }
  }
  const dims = known ? [...result].map((letter) => letters.get(letter) ?? unknownDim()) : undefined;
  return operation.emit("Einsum", operation.inputs, { type: operation.input(0).type, dims }, { equation });
};

export const MATRIX: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["MatMul", matMul],
  ["BatchMatMul", batchMatMul],
  ["BatchMatMulV2", batchMatMul],
  ["BatchMatMulV3", batchMatMul],
  ["Einsum", einsum],
]);
