/** Elementwise arithmetic on constants and on sizes, done while converting. */
import { sizeOf } from "../../../graph/constant-values.js";
import type { Constant, ElementType, Shape } from "../../../graph/graph.js";
import { MAX_READ_ELEMENTS, numbersConstant, readNumbers } from "../constants.js";
import { broadcastDims, computedDim, type Dim, type Dims, isKnown } from "../dims.js";
import { isInteger, type Value } from "../emitter.js";

type Unary = (x: number) => number;
type Binary = (a: number, b: number) => number;

/** By TensorFlow's name. Only what shapes and folded batch normalisation are computed with. */
const UNARY: ReadonlyMap<string, Unary> = new Map<string, Unary>([
  ["Neg", (x) => -x],
  ["Abs", Math.abs],
  ["Sqrt", Math.sqrt],
  ["Rsqrt", (x) => 1 / Math.sqrt(x)],
  ["Square", (x) => x * x],
  ["Reciprocal", (x) => 1 / x],
  ["Inv", (x) => 1 / x],
  ["Exp", Math.exp],
  ["Log", Math.log],
  ["Floor", Math.floor],
  ["Ceil", Math.ceil],
]);

const BINARY: ReadonlyMap<string, Binary> = new Map<string, Binary>([
  ["Add", (a, b) => a + b],
  ["AddV2", (a, b) => a + b],
  ["BiasAdd", (a, b) => a + b],
  ["Sub", (a, b) => a - b],
  ["Mul", (a, b) => a * b],
  ["RealDiv", (a, b) => a / b],
  ["Maximum", Math.max],
  ["Minimum", Math.min],
  ["FloorDiv", (a, b) => Math.floor(a / b)],
  ["FloorMod", (a, b) => a - Math.floor(a / b) * b],
  ["Pow", (a, b) => a ** b],
  ["SquaredDifference", (a, b) => (a - b) ** 2],
]);

const COMPARISONS: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map<
  string,
  (a: number, b: number) => boolean
>([
  ["Equal", (a, b) => a === b],
  ["NotEqual", (a, b) => a !== b],
  ["Less", (a, b) => a < b],
  ["LessEqual", (a, b) => a <= b],
  ["Greater", (a, b) => a > b],
  ["GreaterEqual", (a, b) => a >= b],
]);

/** The result of an operator of one constant; undefined when it is left to run time. */
export function foldUnary(op: string, { type, constant }: Value): Constant | undefined {
  const compute = UNARY.get(op);
  const numbers = readNumbers(constant);
  if (compute === undefined || numbers === undefined || constant === undefined) return undefined;
  return numbersConstant(type, constant.shape, numbers.map(compute));
}

/** The result of an operator of two constants; undefined when it is left to run time. */
export function foldBinary(op: string, left: Value, right: Value): Constant | undefined {
  const comparison = COMPARISONS.get(op);
  const compute =
    comparison === undefined ? BINARY.get(op) : (a: number, b: number) => Number(comparison(a, b));
  const [a, b] = [readNumbers(left.constant), readNumbers(right.constant)];
  const [from, to] = [left.constant?.shape, right.constant?.shape];
  if (!(compute && a && b && from && to)) return undefined;
  if (isInteger(left.type) && op.includes("Div") && b.includes(0)) return undefined;
  const dims = broadcastDims(from, to);
  if (dims === undefined || !isKnown(dims) || sizeOf(dims) > MAX_READ_ELEMENTS) return undefined;
  const [atLeft, atRight] = [offsets(from, dims), offsets(to, dims)];
  const results = atLeft.map((offset, index) => compute(a[offset] ?? 0, b[atRight[index] ?? 0] ?? 0));
  const type: ElementType = comparison === undefined ? left.type : "bool";
  return numbersConstant(type, dims, results);
}

/** Elements of the result when both are sizes, some of them unknown. */
export function elementsOfBinary(op: string, left: Value, right: Value): Dims | undefined {
  const compute = BINARY.get(op);
  const [a, b] = [left.elements, right.elements];
  if (compute === undefined || a === undefined || b === undefined || !isInteger(left.type)) return undefined;
  if (a.length !== b.length && a.length !== 1 && b.length !== 1) return undefined;
  return Array.from({ length: a.length === 1 ? b.length : a.length }, (_, index) =>
    sizeOfBinary(op, compute, a[a.length === 1 ? 0 : index] ?? 0, b[b.length === 1 ? 0 : index] ?? 0),
  );
}

function sizeOfBinary(op: string, compute: Binary, a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return compute(a, b);
  if (op === "Mul" && (a === 1 || b === 1)) return a === 1 ? b : a;
  if ((op === "Add" || op === "AddV2") && (a === 0 || b === 0)) return a === 0 ? b : a;
  if ((op === "Sub" && b === 0) || (op === "FloorDiv" && b === 1)) return a;
  return computedDim(op, a, b);
}

/** For each element of the result, its place in a tensor that is broadcast. */
function offsets(from: Shape, to: Shape): readonly number[] {
  let places = [0];
  let stride = 1;
  const skip = to.length - from.length;
  // From the last axis to the first: each repeats what is there, a stride further on.
  for (let axis = to.length - 1; axis >= 0; axis--) {
    const own = axis < skip ? 1 : (from[axis - skip] ?? 1);
    const step = own === 1 ? 0 : stride;
    const size = to[axis] ?? 1;
    const inner = places;
    places = Array.from({ length: size }, (_, index) => inner.map((place) => place + index * step)).flat();
    stride *= own;
  }
  return places;
}
