/** Operators that compute each element by itself. */
import { broadcastDims, type Dims } from "../dims.js";
import { isInteger, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";
import { elementsOfBinary, foldBinary, foldUnary } from "./arithmetic.js";
import { scaledBatchNorm, scaleOf } from "./batch-norm.js";

/** Same meaning, another name. */
const SAME: Readonly<Record<string, string>> = {
  Relu: "Relu",
  Elu: "Elu",
  Selu: "Selu",
  Sigmoid: "Sigmoid",
  Tanh: "Tanh",
  Softplus: "Softplus",
  Softsign: "Softsign",
  Exp: "Exp",
  Log: "Log",
  Sqrt: "Sqrt",
  Neg: "Neg",
  Abs: "Abs",
  Sign: "Sign",
  Reciprocal: "Reciprocal",
  Inv: "Reciprocal",
  Erf: "Erf",
  Sin: "Sin",
  Cos: "Cos",
  Tan: "Tan",
  Asin: "Asin",
  Acos: "Acos",
  Atan: "Atan",
  Sinh: "Sinh",
  Cosh: "Cosh",
  Asinh: "Asinh",
  Acosh: "Acosh",
  Atanh: "Atanh",
  LogicalNot: "Not",
};

const BINARY: Readonly<Record<string, string>> = {
  Sub: "Sub",
  RealDiv: "Div",
  Div: "Div",
  Pow: "Pow",
  Maximum: "Max",
  Minimum: "Min",
  LogicalAnd: "And",
  LogicalOr: "Or",
};

const COMPARISONS: Readonly<Record<string, string>> = {
  Equal: "Equal",
  Less: "Less",
  LessEqual: "LessOrEqual",
  Greater: "Greater",
  GreaterEqual: "GreaterOrEqual",
};

/** Of one tensor, with the shape and type of its input. */
function unary(convert: (operation: Operation, x: Value) => Value): Convert {
  return (operation) => {
    const x = operation.input(0);
    const folded = foldUnary(operation.node.op, x);
    return folded === undefined ? convert(operation, x) : operation.graph.derived(folded);
  };
}

/** Of two tensors that are broadcast to one shape. */
function binary(
  convert: (operation: Operation, a: Value, b: Value, dims: Dims | undefined) => Value,
): Convert {
  return (operation) => {
    const [a, b] = [operation.input(0), operation.input(1)];
    const folded = foldBinary(operation.node.op, a, b);
    if (folded !== undefined) return operation.graph.derived(folded);
    const value = convert(operation, a, b, broadcastDims(a.dims, b.dims));
    const elements = elementsOfBinary(operation.node.op, a, b);
    return elements === undefined ? value : operation.graph.with(value, { elements });
  };
}

const same = (op: string) => unary((operation, x) => operation.emit(op, [x], x));

/** Rounding leaves integers as they are, and ONNX's operators do not take them. */
const rounding = (op: string) =>
  unary((operation, x) => (isInteger(x.type) ? x : operation.emit(op, [x], x)));

const nonFinite = (op: string) =>
  unary((operation, x) => operation.emit(op, [x], { type: "bool", dims: x.dims }));

/** `result` where the divisor (or factor) is not 0, else 0. */
function zeroWhereZero(operation: Operation, tested: Value, result: Value): Value {
  const zero = operation.graph.scalar(tested.type, 0);
  const isZero = operation.emit("Equal", [tested, zero], { type: "bool", dims: tested.dims });
  return operation.emit("Where", [isZero, operation.graph.scalar(result.type, 0), result], result);
}

const add = binary((operation, a, b, dims) => {
  const [value, other] = b.constant === undefined ? [b, a] : [a, b];
  const biased = joinBias(operation, value, other, (value.dims?.length ?? 0) - 1);
  if (biased !== undefined) return biased;
  return (
    scaledBatchNorm(operation, value, other) ??
    scaledBatchNorm(operation, other, value) ??
    operation.emit("Add", [a, b], { type: a.type, dims })
  );
});

const multiply = binary((operation, a, b, dims) => {
  const product = operation.emit("Mul", [a, b], { type: a.type, dims });
  const scaled = scaleOf(a, b) ?? scaleOf(b, a);
  return scaled === undefined ? product : operation.graph.with(product, { scaled });
});

const subtract = binary((operation, a, b, dims) => {
  const negated = b.constant === undefined ? undefined : foldUnary("Neg", b);
  const joined =
    negated === undefined ? undefined : scaledBatchNorm(operation, a, operation.graph.constant(negated));
  return joined ?? operation.emit("Sub", [a, b], { type: a.type, dims });
});

/**
 * A convolution takes the constant that is added to its channels, when nothing else takes what it computes.
 *
 * @param axis of the channels, which the constant is added along.
 */
function joinBias(operation: Operation, value: Value, bias: Value, axis: number): Value | undefined {
  const { biasable, dims } = value;
  const index = operation.inputs.indexOf(value);
  if (biasable === undefined || bias.constant === undefined || !operation.isOnlyUse(index)) return undefined;
  const fits = bias.dims?.length === 1 && bias.dims[0] === dims?.[axis] && biasable.channelAxis === axis;
  return fits ? biasable.with(bias) : undefined;
}

const biasAdd: Convert = (operation) => {
  const [x, bias] = [operation.input(0), operation.input(1)];
  const dims = operation.dims(0);
  if (operation.attributes.text("data_format", "NHWC").startsWith("NC") && dims.length > 2) {
    const channels = bias.dims?.[0] ?? dims[1] ?? 1;
    const biased = joinBias(operation, x, bias, 1);
    if (biased !== undefined) return biased;
    const ones = dims.slice(2).map(() => 1);
    const target = [typeof channels === "number" ? channels : -1, ...ones];
    const column = operation.graph.reshape(bias, target, [channels, ...ones]);
    return operation.emit("Add", [x, column], { type: x.type, dims });
  }
  return add(operation);
};

/** Rounds towards minus infinity, as Python does; ONNX's Div of integers rounds towards zero. */
const floorDiv = binary((operation, a, b, dims) => {
  const result = { type: a.type, dims };
  if (!isInteger(a.type)) return operation.emit("Floor", [operation.emit("Div", [a, b], result)], result);
  const rest = operation.emit("Mod", [a, b], result);
  return operation.emit("Div", [operation.emit("Sub", [a, rest], result), b], result);
});

const floorMod = binary((operation, a, b, dims) => {
  const result = { type: a.type, dims };
  if (isInteger(a.type)) return operation.emit("Mod", [a, b], result);
  const quotient = operation.emit("Floor", [operation.emit("Div", [a, b], result)], result);
  return operation.emit("Sub", [a, operation.emit("Mul", [quotient, b], result)], result);
});

const addN: Convert = (operation) => {
  const [first, ...others] = operation.inputs;
  if (first === undefined || others.length === 0) return operation.input(0);
  return others.reduce(
    (sum, term) =>
      operation.emit("Add", [sum, term], { type: sum.type, dims: broadcastDims(sum.dims, term.dims) }),
    first,
  );
};

const like =
  (number: number): Convert =>
  (operation) => {
    const x = operation.input(0);
    return operation.graph.fill(x.type, operation.graph.shapeOf(x), operation.graph.scalar(x.type, number));
  };

const cast: Convert = (operation) => {
  const x = operation.input(0);
  const to = operation.attributes.type("DstT");
  if ((x.type === "string") !== (to === "string")) throw operation.refuse("strings", "numbers");
  return operation.graph.cast(x, to);
};

export const ELEMENTWISE: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ...Object.entries(SAME).map(([from, to]): [string, Convert] => [from, same(to)]),
  ...Object.entries(BINARY).map(([from, to]): [string, Convert] => [
    from,
    binary((operation, a, b, dims) => operation.emit(to, [a, b], { type: a.type, dims })),
  ]),
  ...Object.entries(COMPARISONS).map(([from, to]): [string, Convert] => [
    from,
    binary((operation, a, b, dims) => operation.emit(to, [a, b], { type: "bool", dims })),
  ]),
  ["Add", add],
  ["AddV2", add],
  ["BiasAdd", biasAdd],
  ["BiasAddV1", add],
  ["AddN", addN],
  ["Mul", multiply],
  ["Sub", subtract],
  ["FloorDiv", floorDiv],
  ["FloorMod", floorMod],
  ["TruncateDiv", binary((operation, a, b, dims) => operation.emit("Div", [a, b], { type: a.type, dims }))],
  [
    "TruncateMod",
    binary((operation, a, b, dims) => operation.emit("Mod", [a, b], { type: a.type, dims }, { fmod: 1 })),
  ],
  [
    "NotEqual",
    binary((operation, a, b, dims) => {
      const result = { type: "bool", dims } as const;
      return operation.emit("Not", [operation.emit("Equal", [a, b], result)], result);
    }),
  ],
  [
    "SquaredDifference",
    binary((operation, a, b, dims) => {
      const difference = operation.emit("Sub", [a, b], { type: a.type, dims });
      return operation.emit("Mul", [difference, difference], difference);
    }),
  ],
  [
    "DivNoNan",
    binary((operation, a, b, dims) =>
      zeroWhereZero(operation, b, operation.emit("Div", [a, b], { type: a.type, dims })),
    ),
  ],
  [
    "MulNoNan",
    binary((operation, a, b, dims) =>
      zeroWhereZero(operation, b, operation.emit("Mul", [a, b], { type: a.type, dims })),
    ),
  ],
  [
    "Xdivy",
    binary((operation, a, b, dims) =>
      zeroWhereZero(operation, a, operation.emit("Div", [a, b], { type: a.type, dims })),
    ),
  ],
  [
    "Xlogy",
    binary((operation, a, b, dims) => {
      const log = operation.emit("Log", [b], b);
      return zeroWhereZero(operation, a, operation.emit("Mul", [a, log], { type: a.type, dims }));
    }),
  ],
  ["LogicalXor", binary((operation, a, b, dims) => operation.emit("Xor", [a, b], { type: "bool", dims }))],
  ["Floor", rounding("Floor")],
  ["Ceil", rounding("Ceil")],
  ["Round", rounding("Round")],
  ["Rint", rounding("Round")],
  ["IsNan", nonFinite("IsNaN")],
  ["IsInf", nonFinite("IsInf")],
  [
    "IsFinite",
    unary((operation, x) => {
      const result = { type: "bool", dims: x.dims } as const;
      const [nan, infinite] = [operation.emit("IsNaN", [x], result), operation.emit("IsInf", [x], result)];
      return operation.emit("Not", [operation.emit("Or", [nan, infinite], result)], result);
    }),
  ],
  ["Rsqrt", unary((operation, x) => operation.emit("Reciprocal", [operation.emit("Sqrt", [x], x)], x))],
  ["Square", unary((operation, x) => operation.emit("Mul", [x, x], x))],
  ["Log1p", unary((operation, x) => logOf1And(operation, x))],
  [
    "Expm1",
    unary((operation, x) =>
      operation.emit("Sub", [operation.emit("Exp", [x], x), operation.graph.scalar(x.type, 1)], x),
    ),
  ],
  [
    "Erfc",
    unary((operation, x) =>
      operation.emit("Sub", [operation.graph.scalar(x.type, 1), operation.emit("Erf", [x], x)], x),
    ),
  ],
  [
    "Relu6",
    unary((operation, x) =>
      operation.emit("Clip", [x, operation.graph.scalar(x.type, 0), operation.graph.scalar(x.type, 6)], x),
    ),
  ],
  [
    "LeakyRelu",
    unary((operation, x) =>
      operation.emit("LeakyRelu", [x], x, { alpha: operation.attributes.float("alpha", 0.2) }),
    ),
  ],
  ["Softmax", unary((operation, x) => operation.emit("Softmax", [x], x, { axis: -1 }))],
  ["LogSoftmax", unary((operation, x) => operation.emit("LogSoftmax", [x], x, { axis: -1 }))],
  [
    "ClipByValue",
    (operation) => {
      const x = operation.input(0);
      const low = operation.emit("Max", [x, operation.input(1)], x);
      return operation.emit("Min", [low, operation.input(2)], x);
    },
  ],
  ["OnesLike", like(1)],
  ["ZerosLike", like(0)],
  ["Cast", cast],
]);

function logOf1And(operation: Operation, x: Value): Value {
  return operation.emit("Log", [operation.emit("Add", [x, operation.graph.scalar(x.type, 1)], x)], x);
}
