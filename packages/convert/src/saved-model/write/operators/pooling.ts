/** Pools, all NHWC here. */
import { numberAttribute, numbersAttribute } from "../../../graph/attributes.js";
import { boolAttr, intsAttr, textAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { ceilPads, nhwc, padRows, type Window, windowOf } from "../window.js";
import { withNumber } from "./elementwise.js";
import { padded, withoutRow, withRow } from "./shapes.js";

interface Pool {
  readonly spatial: number;
  readonly sizes: readonly number[];
  readonly window: Window;
  /** Behind the data, so that rounding down gives as many windows as rounding up. */
  readonly extra: readonly number[];
}

function poolOf(operator: Operator): Pool {
  const kernel = numbersAttribute(operator.node, "kernel_shape") ?? [];
  const spatial = kernel.length;
  if (spatial < 1 || spatial > 3) {
    throw operator.refuse(`pools along ${spatial} axes`, "expected 1, 2 or 3");
  }
  const sizes = operator.shape(0)?.slice(1, -1) ?? kernel.map(() => -1);
  const window = windowOf(operator, kernel, sizes);
  if (window.dilations.some((dilation) => dilation > 1)) {
    throw operator.refuse("is dilated", "expected dilations of 1");
  }
  return { spatial, sizes, window, extra: ceilPads(operator, window, sizes) };
}

function maxPool(operator: Operator): TensorRef {
  if (operator.node.outputs.slice(1).some((output) => output !== "")) {
    throw operator.refuse("also gives the places of its maxima", "expected the maxima alone");
  }
  const pool = poolOf(operator);
  const x = operator.input(0);
  if (pool.window.padding !== "EXPLICIT" && isZero(pool.extra)) {
    return pooled(operator, "MaxPool", x, pool.window, pool.window.padding);
  }
  // Below every number, so that no pad is a maximum.
  const least = operator.scalar(lowest(operator, x), x.type, "least");
  const end = pool.window.end.map((size, axis) => size + (pool.extra[axis] ?? 0));
  const data = padded(operator, x, padRows(pool.window.begin, end), least);
  return pooled(operator, "MaxPool", data, pool.window, "VALID");
}

function lowest(operator: Operator, { type }: TensorRef): number {
  if (type === "float32" || type === "float64" || type === "float16" || type === "bfloat16") {
    return Number.NEGATIVE_INFINITY;
  }
  if (type === "uint8") return 0;
  if (type === "int8") return -128;
  throw operator.refuse(`pads ${type}`, "expected floats or 8-bit numbers");
}

function averagePool(operator: Operator): TensorRef {
  const pool = poolOf(operator);
  const { window } = pool;
  const x = operator.input(0);
  const countsPads = numberAttribute(operator.node, "count_include_pad", 0) === 1;
  if (window.padding === "VALID" && isZero(pool.extra)) {
    return pooled(operator, "AvgPool", x, window, "VALID");
  }
  // TensorFlow's SAME leaves pads out of the mean.
  if (window.padding === "SAME" && !countsPads && isZero(pool.extra)) {
    return pooled(operator, "AvgPool", x, window, "SAME");
  }
  if (countsPads && isZero(pool.extra)) {
    const data = padded(operator, x, padRows(window.begin, window.end));
    return pooled(operator, "AvgPool", data, window, "VALID");
  }
  // The mean over a window with zeros, by the share of it that counts.
  const end = window.end.map((size, axis) => size + (pool.extra[axis] ?? 0));
  const sums = pooled(operator, "AvgPool", padded(operator, x, padRows(window.begin, end)), window, "VALID");
  const ones = operator.helper("OnesLike", [x], typed(x));
  const counted = countsPads
    ? padded(
        operator,
        padded(operator, ones, padRows(window.begin, window.end), operator.scalar(1, x.type, "one")),
        padRows(
          window.begin.map(() => 0),
          pool.extra,
        ),
      )
    : padded(operator, ones, padRows(window.begin, end));
  const share = pooled(operator, "AvgPool", counted, window, "VALID");
  return operator.result("RealDiv", [sums, share], typed(x));
}

function lpPool(operator: Operator): TensorRef {
  const pool = poolOf(operator);
  const x = operator.input(0);
  const p = numberAttribute(operator.node, "p", 2);
  const count = pool.window.kernel.reduce((product, size) => product * size, 1);
  const end = pool.window.end.map((size, axis) => size + (pool.extra[axis] ?? 0));
  const powers = withNumber(operator, "Pow", operator.helper("Abs", [x], typed(x)), p, "p");
  const rows = padRows(pool.window.begin, end);
  const data = rows.flat().every((size) => size === 0) ? powers : padded(operator, powers, rows);
  const means = pooled(operator, "AvgPool", data, pool.window, "VALID");
  const sums = withNumber(operator, "Mul", means, count, "count");
  return operator.result("Pow", [sums, operator.scalar(1 / p, x.type, "root")], typed(x));
}

function isZero(values: readonly number[]): boolean {
  return values.every((value) => value === 0);
}

/** Pools along one, two or three axes without pads of our own. */
function pooled(
  operator: Operator,
  op: "MaxPool" | "AvgPool",
  x: TensorRef,
  window: Window,
  padding: "SAME" | "VALID",
): TensorRef {
  const attributes = (kernel: readonly number[], strides: readonly number[], format: string) =>
    typed(x, {
      ksize: intsAttr(nhwc(kernel, 1)),
      strides: intsAttr(nhwc(strides, 1)),
      padding: textAttr(padding),
      data_format: textAttr(format),
    });
  const { kernel, strides } = window;
  if (kernel.length === 1) {
    const row = attributes([1, ...kernel], [1, ...strides], "NHWC");
    return withoutRow(operator, operator.helper(op, [withRow(operator, x)], row));
  }
  return kernel.length === 2
    ? operator.helper(op, [x], attributes(kernel, strides, "NHWC"))
    : operator.helper(`${op}3D`, [x], attributes(kernel, strides, "NDHWC"));
}

function globalPool(name: "Mean" | "Max"): OperatorWriter {
  return (operator) => {
    const x = operator.input(0);
    const axes = Array.from({ length: operator.rank(0) - 2 }, (_, index) => index + 1);
    return operator.result(
      name,
      [x, operator.int32s(axes, "axes")],
      typed(x, { Tidx: typeAttr("int32"), keep_dims: boolAttr(true) }),
    );
  };
}

export const POOLS: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["MaxPool", maxPool],
  ["AveragePool", averagePool],
  ["LpPool", lpPool],
  ["GlobalAveragePool", globalPool("Mean")],
  ["GlobalMaxPool", globalPool("Max")],
]);
