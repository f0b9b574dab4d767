/** Reductions over axes, and where extremes lie. */
import { computedDim, type Dim, type Dims } from "../dims.js";
import { isInteger, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

interface Reduction {
  readonly value: Value;
  readonly axes: readonly number[];
  readonly keep: boolean;
  readonly dims: Dims | undefined;
}

function reductionOf(operation: Operation): Reduction {
  const value = operation.input(0);
  const dims = operation.dims(0);
  const axes = [...new Set(operation.numbers(1).map((axis) => operation.axis(axis, dims.length)))].sort(
    (a, b) => a - b,
  );
  const keep = operation.attributes.bool("keep_dims", false);
  const left = dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  return { value, axes, keep, dims: keep ? left : left.filter((_, axis) => !axes.includes(axis)) };
}

function reduce(operation: Operation, op: string, value: Value, { axes, keep, dims }: Reduction): Value {
  // Without axes ONNX reduces all of them; TensorFlow none.
  if (axes.length === 0) return op === "ReduceL2" ? operation.emit("Abs", [value], value) : value;
  const { graph } = operation;
  return graph.emit(op, [value, graph.int64s(axes)], { type: value.type, dims }, { keepdims: keep ? 1 : 0 });
}

const simple =
  (op: string): Convert =>
  (operation) => {
    const reduction = reductionOf(operation);
    return ofSizes(operation, op, reduction) ?? reduce(operation, op, reduction.value, reduction);
  };

/** Products and sums of shapes, known as far as the shape is. */
function ofSizes(operation: Operation, op: string, { value, axes, keep }: Reduction): Value | undefined {
  const combine: Readonly<Record<string, (a: number, b: number) => number>> = {
    ReduceProd: (a, b) => a * b,
    ReduceSum: (a, b) => a + b,
    ReduceMax: Math.max,
    ReduceMin: Math.min,
  };
  const compute = combine[op];
  const { elements } = value;
  if (compute === undefined || elements === undefined || elements.length === 0) return undefined;
  if (!isInteger(value.type) || axes.length !== 1 || value.dims?.length !== 1) return undefined;
  const result = elements.reduce((a: Dim, b) => {
    if (typeof a === "number" && typeof b === "number") return compute(a, b);
    if (op === "ReduceProd" && (a === 1 || b === 1)) return a === 1 ? b : a;
    return computedDim(op, a, b);
  });
  if (typeof result === "number") return operation.graph.numbers(value.type, keep ? [1] : [], [result]);
  const reduced = reduce(operation, op, value, { value, axes, keep, dims: keep ? [1] : [] });
  return operation.graph.with(reduced, { elements: [result] });
}

/** ONNX has no reductions of truth: the smallest, or the largest, of 0 and 1. */
const ofTruth =
  (op: string): Convert =>
  (operation) => {
    const reduction = reductionOf(operation);
    const numbers = operation.graph.cast(reduction.value, "int32");
    return operation.graph.cast(reduce(operation, op, numbers, reduction), "bool");
  };

const extreme =
  (op: "ArgMax" | "ArgMin"): Convert =>
  (operation) => {
    const dims = operation.dims(0);
    const [number = 0] = operation.numbers(1);
    const axis = operation.axis(number, dims.length);
    const result = { type: "int64", dims: dims.filter((_, index) => index !== axis) } as const;
    const value = operation.emit(op, [operation.input(0)], result, { axis, keepdims: 0 });
    return operation.graph.cast(value, operation.attributes.type("output_type", "int64"));
  };

const topK: Convert = (operation) => {
  const { graph, attributes } = operation;
  const x = operation.input(0);
  const dims = operation.dims(0);
  const known = operation.node.op === "TopK" ? [attributes.int("k", 1)] : operation.knownNumbers(1);
  const count =
    known === undefined
      ? graph.reshape(graph.cast(operation.input(1), "int64"), [1], [1])
      : graph.int64s(known.slice(0, 1));
  const shape = dims.map((dim, axis) => (axis === dims.length - 1 ? (known?.[0] ?? "k") : dim));
  const [values = x, indices = x] = graph.emitAll(
    "TopK",
    [x, count],
    [
      { type: x.type, dims: shape },
      { type: "int64", dims: shape },
    ],
    { axis: -1, largest: 1, sorted: 1 },
  );
  return [values, graph.cast(indices, attributes.type("index_type", "int32"))];
};

/** Half the sum of squares. */
const l2Loss: Convert = (operation) => {
  const x = operation.input(0);
  const { graph } = operation;
  const result = { type: x.type, dims: [] };
  const axes = operation.dims(0).map((_, axis) => axis);
  const sum = graph.emit("ReduceSumSquare", [x, graph.int64s(axes)], result, { keepdims: 0 });
  return graph.emit("Mul", [sum, graph.scalar(x.type, 0.5)], result);
};

const cumsum: Convert = (operation) => {
  const { graph, attributes } = operation;
  const x = operation.input(0);
  return graph.emit("CumSum", [x, graph.cast(operation.input(1), "int64")], x, {
    exclusive: attributes.bool("exclusive", false) ? 1 : 0,
    reverse: attributes.bool("reverse", false) ? 1 : 0,
  });
};

export const REDUCTION: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["Mean", simple("ReduceMean")],
  ["Sum", simple("ReduceSum")],
  ["Max", simple("ReduceMax")],
  ["Min", simple("ReduceMin")],
  ["Prod", simple("ReduceProd")],
  ["EuclideanNorm", simple("ReduceL2")],
  ["All", ofTruth("ReduceMin")],
  ["Any", ofTruth("ReduceMax")],
  ["ArgMax", extreme("ArgMax")],
  ["ArgMin", extreme("ArgMin")],
  ["TopK", topK],
  ["TopKV2", topK],
  ["L2Loss", l2Loss],
  ["Cumsum", cumsum],
]);
