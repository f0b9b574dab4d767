/** Operators that make many elements one. */
import { numberAttribute, numbersAttribute } from "../../../graph/attributes.js";
import { boolAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { cast } from "./elementwise.js";
import { transposed } from "./shapes.js";

/** @param name of TensorFlow's reduction. */
function reduced(
  operator: Operator,
  name: string,
  x: TensorRef,
  before?: (x: TensorRef) => TensorRef,
  after?: (x: TensorRef) => TensorRef,
): TensorRef {
  const axes = axesOf(operator);
  const source = before?.(x) ?? x;
  if (axes === "none") return after?.(source) ?? source;
  const attributes = typed(source, {
    Tidx: typeAttr("int32"),
    keep_dims: boolAttr(numberAttribute(operator.node, "keepdims", 1) === 1),
  });
  const inputs = [source, operator.int32s(axes, "axes")];
  if (after === undefined) return operator.result(name, inputs, attributes);
  return after(operator.helper(name, inputs, attributes));
}

/** Axes come as an input, before opset 18 as an attribute; none are all, unless the operator says otherwise. */
function axesOf(operator: Operator): number[] | "none" {
  const given = operator.has(1) ? operator.knownNumbers(1, "axes") : numbersAttribute(operator.node, "axes");
  if (given !== undefined && given.length > 0) return [...given];
  if (numberAttribute(operator.node, "noop_with_empty_axes", 0) === 1) return "none";
  return Array.from({ length: operator.rank(0) }, (_, axis) => axis);
}

function plain(name: string): OperatorWriter {
  return (operator) => reduced(operator, name, operator.input(0));
}

function around(name: string, before: string | undefined, after: string | undefined): OperatorWriter {
  return (operator) =>
    reduced(
      operator,
      name,
      operator.input(0),
      before === undefined ? undefined : (x) => operator.helper(before, [x], typed(x)),
      after === undefined ? undefined : (x) => operator.result(after, [x], typed(x)),
    );
}

/** The greatest is taken out first, or the sum would overflow. */
function logSumExp(operator: Operator): TensorRef {
  const axes = axesOf(operator);
  const x = operator.input(0);
  if (axes === "none") return x;
  const list = operator.int32s(axes, "axes");
  const kept = typed(x, { Tidx: typeAttr("int32"), keep_dims: boolAttr(true) });
  const greatest = operator.helper("Max", [x, list], kept);
  const powers = operator.helper("Exp", [operator.helper("Sub", [x, greatest], typed(x))], typed(x));
  const keeps = boolAttr(numberAttribute(operator.node, "keepdims", 1) === 1);
  const sum = operator.helper("Sum", [powers, list], { ...kept, keep_dims: keeps });
  const back = operator.helper("Max", [greatest, list], { ...kept, keep_dims: keeps });
  return operator.result("AddV2", [operator.helper("Log", [sum], typed(x)), back], typed(x));
}

function argument(name: string): OperatorWriter {
  return (operator) => {
    const x = operator.input(0);
    if (numberAttribute(operator.node, "select_last_index", 0) === 1) {
      throw operator.refuse("takes the last of equal elements", "expected the first");
    }
    const axis = numberAttribute(operator.node, "axis", 0);
    const attributes = typed(x, { Tidx: typeAttr("int32"), output_type: typeAttr("int64") });
    const inputs = [x, operator.int32(axis, "axis")];
    if (numberAttribute(operator.node, "keepdims", 1) === 0) {
      return operator.result(name, inputs, attributes, "int64");
    }
    const index = operator.helper(name, inputs, attributes, "int64");
    const at = operator.int32(operator.axis(axis), "kept_axis");
    return operator.result("ExpandDims", [index, at], typed(index, { Tdim: typeAttr("int32") }));
  };
}

/** TensorFlow looks along the last axis, for the greatest. */
function topK(operator: Operator): TensorRef[] {
  const x = operator.input(0);
  const rank = operator.rank(0);
  const axis = operator.axis(numberAttribute(operator.node, "axis", -1));
  const perm = Array.from({ length: rank }, (_, index) => index);
  [perm[axis], perm[rank - 1]] = [rank - 1, axis];
  const moved = axis === rank - 1 ? x : transposed(operator, x, perm);
  const smallest = numberAttribute(operator.node, "largest", 1) === 0;
  const signed = smallest ? operator.helper("Neg", [moved], typed(moved)) : moved;
  const found = operator.helpers("TopKV2", [signed, count(operator)], typed(x, { sorted: boolAttr(true) }), [
    x.type,
    "int32",
  ]);
  const [values = signed, indices = signed] = found;
  const unsigned = smallest ? operator.helper("Neg", [values], typed(values)) : values;
  const numbers = cast(operator, indices, "int64");
  if (axis === rank - 1) return [unsigned, numbers];
  return [transposed(operator, unsigned, perm), transposed(operator, numbers, perm)];
}

function count(operator: Operator): TensorRef {
  const known = operator.numbers(1)?.[0];
  if (known !== undefined) return operator.int32(known, "k");
  const k = cast(operator, operator.input(1), "int32");
  return operator.helper("Squeeze", [k], typed(k));
}

export const REDUCTIONS: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["ReduceMean", plain("Mean")],
  ["ReduceSum", plain("Sum")],
  ["ReduceMax", plain("Max")],
  ["ReduceMin", plain("Min")],
  ["ReduceProd", plain("Prod")],
  ["ReduceL1", around("Sum", "Abs", undefined)],
  ["ReduceL2", around("Sum", "Square", "Sqrt")],
  ["ReduceSumSquare", around("Sum", "Square", undefined)],
  ["ReduceLogSum", around("Sum", undefined, "Log")],
  ["ReduceLogSumExp", logSumExp],
  ["ArgMax", argument("ArgMax")],
  ["ArgMin", argument("ArgMin")],
  ["TopK", topK],
]);
