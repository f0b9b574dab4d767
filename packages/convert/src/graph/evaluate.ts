/**
 * Computes single operators on constants: the arithmetic of shapes, and what stands between stored weights and the
 * operator that takes them. Each result is rounded to its type, as a run would round it.
 */
import { isConstant, numberAttribute, textAttribute } from "./attributes.js";
import { broadcastIndices } from "./broadcast.js";
import {
  constantOf,
  type ElementArray,
  elementsOf,
  int64Constant,
  newElements,
  numbersOf,
  sizeOf,
  toInt64,
} from "./constant-values.js";
import { isElementType } from "./element-type.js";
import { MOVING_EVALUATORS } from "./evaluate-moving.js";
import { type Evaluator, MAX_GROWN_ELEMENTS, mayGrowTo, only } from "./evaluator.js";
import type { Constant, ElementType, Node, Shape } from "./graph.js";
import { positiveAxis } from "./value-info.js";

const MAX_EMPTY_SIZE = 2 ** 16;

const COMPUTED_TYPES: ReadonlySet<ElementType> = new Set<ElementType>([
  "float32",
  "float64",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "bool",
]);

/** Computes a node whose inputs are all constant. @returns undefined when it is left to the run. */
export function evaluate(node: Node, inputs: readonly (Constant | undefined)[]): Constant[] | undefined {
  const evaluator = EVALUATORS.get(node.op);
  if (evaluator === undefined) return undefined;
  if (inputs.some((input) => input?.type === "string")) return undefined;
  // A size of 0 lets the others be anything at no cost of bytes.
  if (
    inputs.some((input) => input?.shape.some((size) => size > MAX_EMPTY_SIZE) && sizeOf(input.shape) === 0)
  ) {
    return undefined;
  }
  return evaluator(node, inputs);
}

/** Numbers to index; int64 is copied into float64, exact up to 2^53. */
function readable(constant: Constant): Exclude<ElementArray, BigInt64Array | BigUint64Array> | undefined {
  if (!COMPUTED_TYPES.has(constant.type)) return undefined;
  const elements = elementsOf(constant);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    return Float64Array.from(elements, Number);
  }
  return elements;
}

function computed(type: ElementType, shape: Shape, at: (index: number) => number): Constant | undefined {
  if (!COMPUTED_TYPES.has(type)) return undefined;
  const elements = newElements(type, sizeOf(shape));
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    for (let index = 0; index < elements.length; index++) {
      const value = at(index);
      if (Number.isNaN(value)) return undefined;
      elements[index] = toInt64(value);
    }
  } else {
    for (let index = 0; index < elements.length; index++) elements[index] = at(index);
  }
  return constantOf(type, shape, elements);
}

function isInteger(type: ElementType): boolean {
  return type.startsWith("int") || type.startsWith("uint");
}

function unary(compute: (value: number) => number, type?: ElementType): Evaluator {
  return (_, [x]) => {
    const values = x && readable(x);
    if (x === undefined || values === undefined) return undefined;
    return only(computed(type ?? x.type, x.shape, (index) => compute(values[index] ?? 0)));
  };
}

type Binary = (a: number, b: number) => number;

/** @param ofIntegers when it differs, as division does. */
function binary(ofNumbers: Binary, options: { type?: ElementType; ofIntegers?: Binary } = {}): Evaluator {
  return (_, inputs) => {
    const [first, ...others] = inputs;
    let result = first;
    for (const other of others) {
      if (result === undefined || other === undefined) return undefined;
      result = binaryOf(result, other, ofNumbers, options);
    }
    return only(result);
  };
}

function binaryOf(
  a: Constant,
  b: Constant,
  ofNumbers: Binary,
  { type, ofIntegers }: { type?: ElementType; ofIntegers?: Binary },
): Constant | undefined {
  const [left, right] = [readable(a), readable(b)];
  const indices = broadcastIndices([a.shape, b.shape]);
  if (left === undefined || right === undefined || indices === undefined) return undefined;
  if (!mayGrowTo(indices.shape, [a, b])) return undefined;
  const [leftAt, rightAt] = indices.at;
  if (leftAt === undefined || rightAt === undefined) return undefined;
  const compute = isInteger(a.type) ? (ofIntegers ?? ofNumbers) : ofNumbers;
  return computed(type ?? a.type, indices.shape, (index) =>
    compute(left[leftAt(index)] ?? 0, right[rightAt(index)] ?? 0),
  );
}

const where: Evaluator = (_, [condition, x, y]) => {
  if (condition === undefined || x === undefined || y === undefined) return undefined;
  const [choice, left, right] = [readable(condition), readable(x), readable(y)];
  const indices = broadcastIndices([condition.shape, x.shape, y.shape]);
  if (choice === undefined || left === undefined || right === undefined || indices === undefined)
    return undefined;
  const [choiceAt, leftAt, rightAt] = indices.at;
  if (choiceAt === undefined || leftAt === undefined || rightAt === undefined) return undefined;
  if (!mayGrowTo(indices.shape, [condition, x, y])) return undefined;
  return only(
    computed(x.type, indices.shape, (index) =>
      choice[choiceAt(index)] === 0 ? (right[rightAt(index)] ?? 0) : (left[leftAt(index)] ?? 0),
    ),
  );
};

const cast: Evaluator = (node, [x]) => {
  const to = textAttribute(node, "to", "");
  const values = x && readable(x);
  if (x === undefined || values === undefined || !isElementType(to)) return undefined;
  if (to === "bool") return only(computed(to, x.shape, (index) => (values[index] === 0 ? 0 : 1)));
  return only(
    computed(to, x.shape, (index) => (isInteger(to) ? Math.trunc(values[index] ?? 0) : (values[index] ?? 0))),
  );
};

function spread(x: Constant, shape: Shape): Constant | undefined {
  const values = readable(x);
  const indices = broadcastIndices([x.shape, shape]);
  const at = indices?.at[0];
  if (values === undefined || indices === undefined || at === undefined) return undefined;
  return mayGrowTo(indices.shape, [x])
    ? computed(x.type, indices.shape, (index) => values[at(index)] ?? 0)
    : undefined;
}

const expand: Evaluator = (_, [x, shape]) =>
  x === undefined || shape === undefined ? undefined : only(spread(x, numbersOf(shape)));

const constantOfShape: Evaluator = (node, [shape]) => {
  const { value } = node.attributes;
  const filling: Constant =
    value !== undefined && isConstant(value)
      ? { ...value, shape: [] }
      : { type: "float32", shape: [], bytes: new Uint8Array(4) };
  return shape === undefined ? undefined : only(spread(filling, numbersOf(shape)));
};

const range: Evaluator = (_, [start, limit, delta]) => {
  if (start === undefined || limit === undefined || delta === undefined) return undefined;
  const [[from = 0], [to = 0], [step = 0]] = [numbersOf(start), numbersOf(limit), numbersOf(delta)];
  const count = step === 0 ? Number.NaN : Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MAX_GROWN_ELEMENTS)) return undefined;
  return only(computed(start.type, [count], (index) => from + index * step));
};

function reduce(combine: (sum: number, value: number) => number, initial: number, isMean = false): Evaluator {
  return (node, [x, axes]) => {
    const values = x && readable(x);
    if (x === undefined || values === undefined) return undefined;
    const rank = x.shape.length;
    const given = axes === undefined ? [] : numbersOf(axes).map((axis) => positiveAxis(axis, rank));
    if (given.length === 0 && numberAttribute(node, "noop_with_empty_axes", 0) !== 0) return [x];
    const reduced = new Set(given.length === 0 ? x.shape.keys() : given);
    const kept = x.shape.map((size, axis) => (reduced.has(axis) ? 1 : size));
    const at = broadcastIndices([kept, x.shape])?.at[0];
    if (at === undefined) return undefined;
    const sums = new Float64Array(sizeOf(kept)).fill(initial);
    for (let index = 0; index < values.length; index++) {
      const to = at(index);
      sums[to] = combine(sums[to] ?? initial, values[index] ?? 0);
    }
    const count = isMean ? values.length / sums.length : 1;
    const keeps = numberAttribute(node, "keepdims", 1) !== 0;
    const shape = keeps ? kept : x.shape.filter((_, axis) => !reduced.has(axis));
    return only(computed(x.type, shape, (index) => (sums[index] ?? 0) / count));
  };
}

const EVALUATORS: ReadonlyMap<string, Evaluator> = new Map<string, Evaluator>([
  ...MOVING_EVALUATORS,
  ["Add", binary((a, b) => a + b)],
  ["Sub", binary((a, b) => a - b)],
  ["Mul", binary((a, b) => a * b)],
  ["Div", binary((a, b) => a / b, { ofIntegers: (a, b) => Math.trunc(a / b) })],
  ["Pow", binary((a, b) => a ** b)],
  ["Max", binary(Math.max)],
  ["Min", binary(Math.min)],
  ["Equal", binary((a, b) => (a === b ? 1 : 0), { type: "bool" })],
  ["Greater", binary((a, b) => (a > b ? 1 : 0), { type: "bool" })],
  ["Less", binary((a, b) => (a < b ? 1 : 0), { type: "bool" })],
  ["GreaterOrEqual", binary((a, b) => (a >= b ? 1 : 0), { type: "bool" })],
  ["LessOrEqual", binary((a, b) => (a <= b ? 1 : 0), { type: "bool" })],
  ["And", binary((a, b) => a * b)],
  ["Or", binary((a, b) => (a + b > 0 ? 1 : 0))],
  ["Not", unary((a) => (a === 0 ? 1 : 0))],
  ["Neg", unary((a) => -a)],
  ["Abs", unary(Math.abs)],
  ["Sqrt", unary(Math.sqrt)],
  ["Exp", unary(Math.exp)],
  ["Log", unary(Math.log)],
  ["Reciprocal", unary((a) => 1 / a)],
  ["Floor", unary(Math.floor)],
  ["Ceil", unary(Math.ceil)],
  ["Identity", (_, [x]) => only(x)],
  ["Cast", cast],
  ["Where", where],
  ["Expand", expand],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  [
    "Shape",
    (node, [x]) => {
      if (x === undefined) return undefined;
      const end = numberAttribute(node, "end", x.shape.length);
      return [int64Constant(x.shape.slice(numberAttribute(node, "start", 0), end))];
    },
  ],
  ["ReduceSum", reduce((sum, value) => sum + value, 0)],
  ["ReduceMean", reduce((sum, value) => sum + value, 0, true)],
  ["ReduceProd", reduce((product, value) => product * value, 1)],
  ["ReduceMax", reduce(Math.max, Number.NEGATIVE_INFINITY)],
  ["ReduceMin", reduce(Math.min, Number.POSITIVE_INFINITY)],
]);
