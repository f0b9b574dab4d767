/** Products of matrices. */
import { numberAttribute, textAttribute } from "../../../graph/attributes.js";
import { boolAttr, textAttr, typeAttr } from "../attr-values.js";
import { listed, type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { withNumber } from "./elementwise.js";

function product(operator: Operator): TensorRef {
  const [a, b] = [operator.input(0), operator.input(1)];
  const [rows, columns] = [operator.rank(0), operator.rank(1)];
  if (rows === 2 && columns === 2) return operator.result("MatMul", [a, b], typed(a));
  const attributes = typed(a);
  const expand = (x: TensorRef, axis: number): TensorRef =>
    operator.helper("ExpandDims", [x, operator.int32(axis, "axis")], typed(x, { Tdim: typeAttr("int32") }));
  const left = rows === 1 ? expand(a, 0) : a;
  const right = columns === 1 ? expand(b, 1) : b;
  if (rows > 1 && columns > 1) return operator.result("BatchMatMulV2", [left, right], attributes);
  // A vector is a matrix of one row or column, which goes again.
  const multiplied = operator.helper("BatchMatMulV2", [left, right], attributes);
  const shape = operator.shapeOf(multiplied);
  const kept = Array.from({ length: Math.max(rows, 2, columns) }, (_, axis) => axis).filter(
    (axis, _, all) => !(rows === 1 && axis === all.length - 2) && !(columns === 1 && axis === all.length - 1),
  );
  const sizes = operator.helper(
    "GatherV2",
    [shape, operator.int32s(kept, "kept"), operator.int32(0, "first")],
    {
      Tparams: typeAttr("int32"),
      Tindices: typeAttr("int32"),
      Taxis: typeAttr("int32"),
    },
  );
  return operator.result("Reshape", [multiplied, sizes], typed(a, { Tshape: typeAttr("int32") }));
}

function gemm(operator: Operator): TensorRef {
  const { node } = operator;
  const [a, b] = [operator.input(0), operator.input(1)];
  const alpha = numberAttribute(node, "alpha", 1);
  const beta = numberAttribute(node, "beta", 1);
  const attributes = typed(a, {
    transpose_a: boolAttr(numberAttribute(node, "transA", 0) === 1),
    transpose_b: boolAttr(numberAttribute(node, "transB", 0) === 1),
  });
  const plain = alpha === 1 && !operator.has(2);
  if (plain) return operator.result("MatMul", [a, b], attributes);
  const multiplied = operator.helper("MatMul", [a, b], attributes);
  const scaled = alpha === 1 ? multiplied : withNumber(operator, "Mul", multiplied, alpha, "alpha");
  if (!operator.has(2)) return scaled;
  const c = operator.input(2);
  const bias = beta === 1 ? c : withNumber(operator, "Mul", c, beta, "beta");
  const isRow = operator.shape(2)?.length === 1 && operator.shape(2)?.[0] === operator.outputShape()?.[1];
  return isRow
    ? operator.result("BiasAdd", [scaled, bias], typed(a, { data_format: textAttr("NHWC") }))
    : operator.result("AddV2", [scaled, bias], typed(a));
}

function einsum(operator: Operator): TensorRef {
  const inputs = operator.inputs();
  const equation = textAttribute(operator.node, "equation", "").replaceAll(" ", "");
  if (!equation.includes("->")) {
    throw operator.refuse("leaves its result's axes to be guessed", "expected an equation with ->");
  }
  return operator.result("Einsum", inputs, listed(inputs, { equation: textAttr(equation) }));
}

export const MATRICES: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["MatMul", product],
  ["Gemm", gemm],
  ["Einsum", einsum],
]);
