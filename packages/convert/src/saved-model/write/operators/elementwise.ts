/** Operators that work element by element. */
import { numberAttribute, textAttribute } from "../../../graph/attributes.js";
import { isElementType } from "../../../graph/element-type.js";
import type { ElementType } from "../../../graph/graph.js";
import { floatAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";

const FLOATS: ReadonlySet<ElementType> = new Set(["float32", "float64", "float16", "bfloat16"]);

/** One input, the same type out: the name in TensorFlow. */
const UNARY: Readonly<Record<string, string>> = {
  Abs: "Abs",
  Acos: "Acos",
  Acosh: "Acosh",
  Asin: "Asin",
  Asinh: "Asinh",
  Atan: "Atan",
  Atanh: "Atanh",
  Ceil: "Ceil",
  Cos: "Cos",
  Cosh: "Cosh",
  Erf: "Erf",
  Exp: "Exp",
  Floor: "Floor",
  Identity: "Identity",
  Log: "Log",
  Neg: "Neg",
  Reciprocal: "Reciprocal",
  Relu: "Relu",
  // Both round halves to the even neighbour.
  Round: "Round",
  Sigmoid: "Sigmoid",
  Sign: "Sign",
  Sin: "Sin",
  Sinh: "Sinh",
  Softplus: "Softplus",
  Softsign: "Softsign",
  Sqrt: "Sqrt",
  Tan: "Tan",
  Tanh: "Tanh",
};

/** Two inputs that broadcast, of one type, which the result has, too. */
const BINARY: Readonly<Record<string, string>> = { Add: "AddV2", Sub: "Sub", Mul: "Mul" };

const COMPARISONS: Readonly<Record<string, string>> = {
  Equal: "Equal",
  Greater: "Greater",
  GreaterOrEqual: "GreaterEqual",
  Less: "Less",
  LessOrEqual: "LessEqual",
};

/** Any number of inputs, two by two. */
const VARIADIC: Readonly<Record<string, string>> = { Max: "Maximum", Min: "Minimum", Sum: "AddV2" };

function unary(name: string): OperatorWriter {
  return (operator) => operator.result(name, [operator.input(0)], typed(operator.input(0)));
}

function binary(name: string): OperatorWriter {
  return (operator) =>
    operator.result(name, [operator.input(0), operator.input(1)], typed(operator.input(0)));
}

function compared(name: string): OperatorWriter {
  return (operator) =>
    operator.result(name, [operator.input(0), operator.input(1)], typed(operator.input(0)), "bool");
}

function variadic(name: string): OperatorWriter {
  return (operator) => folded(operator, name, operator.inputs());
}

function folded(operator: Operator, name: string, tensors: readonly TensorRef[]): TensorRef {
  const [first, ...others] = tensors;
  if (first === undefined) throw operator.refuse("takes nothing", "expected at least one tensor");
  const last = others.pop();
  if (last === undefined) return operator.result("Identity", [first], typed(first));
  const sum = others.reduce((left, right) => operator.helper(name, [left, right], typed(left)), first);
  return operator.result(name, [sum, last], typed(first));
}

/** `x` with a number: ["Mul", x, 2]. */
export function withNumber(
  operator: Operator,
  op: string,
  x: TensorRef,
  value: number,
  what: string,
): TensorRef {
  return operator.helper(op, [x, operator.scalar(value, x.type, what)], typed(x));
}

export function cast(operator: Operator, x: TensorRef, type: ElementType): TensorRef {
  if (x.type === type) return x;
  return operator.helper("Cast", [x], { SrcT: typeAttr(x.type), DstT: typeAttr(type) }, type);
}

function clip(operator: Operator): TensorRef {
  const x = operator.input(0);
  const low = operator.has(1) ? operator.numbers(1)?.[0] : Number.NEGATIVE_INFINITY;
  const high = operator.has(2) ? operator.numbers(2)?.[0] : Number.POSITIVE_INFINITY;
  if (FLOATS.has(x.type) && low === 0) {
    if (high === 6) return operator.result("Relu6", [x], typed(x));
    if (high === Number.POSITIVE_INFINITY) return operator.result("Relu", [x], typed(x));
  }
  const bounds = [
    ...(operator.has(1) ? [["Maximum", operator.input(1)] as const] : []),
    ...(operator.has(2) ? [["Minimum", operator.input(2)] as const] : []),
  ];
  const last = bounds.pop();
  if (last === undefined) return operator.result("Identity", [x], typed(x));
  const bounded = bounds.reduce((value, [op, bound]) => operator.helper(op, [value, bound], typed(x)), x);
  return operator.result(last[0], [bounded, last[1]], typed(x));
}

function divide(operator: Operator): TensorRef {
  const x = operator.input(0);
  // ONNX divides whole numbers towards zero.
  return operator.result(FLOATS.has(x.type) ? "RealDiv" : "TruncateDiv", [x, operator.input(1)], typed(x));
}

function power(operator: Operator): TensorRef {
  const x = operator.input(0);
  return operator.result("Pow", [x, cast(operator, operator.input(1), x.type)], typed(x));
}

function remainder(operator: Operator): TensorRef {
  const x = operator.input(0);
  const towardsZero = numberAttribute(operator.node, "fmod", 0) === 1;
  return operator.result(towardsZero ? "TruncateMod" : "FloorMod", [x, operator.input(1)], typed(x));
}

function mean(operator: Operator): TensorRef {
  const tensors = operator.inputs();
  const [first, ...others] = tensors;
  if (first === undefined) throw operator.refuse("takes nothing", "expected at least one tensor");
  const sum = others.reduce((left, right) => operator.helper("AddV2", [left, right], typed(left)), first);
  const count = operator.scalar(tensors.length, first.type, "count");
  return operator.result("RealDiv", [sum, count], typed(first));
}

function leakyRelu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const alpha = numberAttribute(operator.node, "alpha", 0.01);
  return operator.result("LeakyRelu", [x], typed(x, { alpha: floatAttr(alpha) }));
}

function prelu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const positive = operator.helper("Relu", [x], typed(x));
  const negative = operator.helper("Minimum", [x, operator.scalar(0, x.type, "zero")], typed(x));
  const sloped = operator.helper("Mul", [negative, operator.input(1)], typed(x));
  return operator.result("AddV2", [positive, sloped], typed(x));
}

function elu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const alpha = numberAttribute(operator.node, "alpha", 1);
  if (alpha === 1) return operator.result("Elu", [x], typed(x));
  return scaledElu(operator, x, 1, alpha);
}

function selu(operator: Operator): TensorRef {
  const gamma = numberAttribute(operator.node, "gamma", 1.0507010221481323);
  const alpha = numberAttribute(operator.node, "alpha", 1.6732631921768188);
  const x = operator.input(0);
  if (Math.abs(gamma - 1.0507010221481323) < 1e-6 && Math.abs(alpha - 1.6732631921768188) < 1e-6) {
    return operator.result("Selu", [x], typed(x));
  }
  return scaledElu(operator, x, gamma, alpha);
}

/** gamma x (max(x, 0) + alpha x (exp(min(x, 0)) - 1)). */
function scaledElu(operator: Operator, x: TensorRef, gamma: number, alpha: number): TensorRef {
  const positive = operator.helper("Relu", [x], typed(x));
  const negative = operator.helper("Minimum", [x, operator.scalar(0, x.type, "zero")], typed(x));
  const curve = operator.helper("Expm1", [negative], typed(x));
  const sum = operator.helper(
    "AddV2",
    [positive, withNumber(operator, "Mul", curve, alpha, "alpha")],
    typed(x),
  );
  return operator.result("Mul", [sum, operator.scalar(gamma, x.type, "gamma")], typed(x));
}

/** max(x, 0) + min(0, alpha x (exp(x / alpha) - 1)). */
function celu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const alpha = numberAttribute(operator.node, "alpha", 1);
  const positive = operator.helper("Relu", [x], typed(x));
  const negative = operator.helper("Minimum", [x, operator.scalar(0, x.type, "zero")], typed(x));
  const curve = operator.helper(
    "Expm1",
    [withNumber(operator, "RealDiv", negative, alpha, "alpha")],
    typed(x),
  );
  return operator.result("AddV2", [positive, withNumber(operator, "Mul", curve, alpha, "alpha")], typed(x));
}

function thresholdedRelu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const alpha = operator.scalar(numberAttribute(operator.node, "alpha", 1), x.type, "alpha");
  const above = operator.helper("Greater", [x, alpha], typed(x), "bool");
  return operator.result("Mul", [x, cast(operator, above, x.type)], typed(x));
}

/** Towards zero by `bias`, and zero where |x| is at most `lambd`. */
function shrink(operator: Operator): TensorRef {
  const x = operator.input(0);
  const limit = operator.scalar(numberAttribute(operator.node, "lambd", 0.5), x.type, "lambd");
  const bias = operator.scalar(numberAttribute(operator.node, "bias", 0), x.type, "bias");
  const far = operator.helper("Greater", [operator.helper("Abs", [x], typed(x)), limit], typed(x), "bool");
  const step = operator.helper("Mul", [operator.helper("Sign", [x], typed(x)), bias], typed(x));
  const moved = operator.helper("Sub", [x, step], typed(x));
  const zeros = operator.helper("ZerosLike", [x], typed(x));
  return operator.result("SelectV2", [far, moved, zeros], typed(x), x.type);
}

/** max(0, min(1, alpha x + beta)). */
function hardSigmoidOf(operator: Operator, x: TensorRef, alpha: number, beta: number): TensorRef {
  const line = withNumber(operator, "AddV2", withNumber(operator, "Mul", x, alpha, "alpha"), beta, "beta");
  return operator.helper(
    "Maximum",
    [withNumber(operator, "Minimum", line, 1, "one"), operator.scalar(0, x.type, "zero")],
    typed(x),
  );
}

function hardSigmoid(operator: Operator): TensorRef {
  const alpha = numberAttribute(operator.node, "alpha", 0.2);
  const beta = numberAttribute(operator.node, "beta", 0.5);
  return hardSigmoidOf(operator, operator.input(0), alpha, beta);
}

function hardSwish(operator: Operator): TensorRef {
  const x = operator.input(0);
  return operator.result("Mul", [x, hardSigmoidOf(operator, x, 1 / 6, 0.5)], typed(x));
}

function swish(operator: Operator): TensorRef {
  const x = operator.input(0);
  const alpha = numberAttribute(operator.node, "alpha", 1);
  const inner = alpha === 1 ? x : withNumber(operator, "Mul", x, alpha, "alpha");
  return operator.result("Mul", [x, operator.helper("Sigmoid", [inner], typed(x))], typed(x));
}

function mish(operator: Operator): TensorRef {
  const x = operator.input(0);
  const softplus = operator.helper("Softplus", [x], typed(x));
  return operator.result("Mul", [x, operator.helper("Tanh", [softplus], typed(x))], typed(x));
}

function gelu(operator: Operator): TensorRef {
  const x = operator.input(0);
  const half = withNumber(operator, "Mul", x, 0.5, "half");
  const curve =
    textAttribute(operator.node, "approximate", "none") === "tanh"
      ? operator.helper("Tanh", [tanhArgument(operator, x)], typed(x))
      : operator.helper("Erf", [withNumber(operator, "Mul", x, Math.SQRT1_2, "sqrt_half")], typed(x));
  return operator.result("Mul", [half, withNumber(operator, "AddV2", curve, 1, "one")], typed(x));
}

/** sqrt(2 / pi) (x + 0.044715 x^3). */
function tanhArgument(operator: Operator, x: TensorRef): TensorRef {
  const cube = operator.helper("Mul", [operator.helper("Square", [x], typed(x)), x], typed(x));
  const sum = operator.helper("AddV2", [x, withNumber(operator, "Mul", cube, 0.044715, "cubic")], typed(x));
  return withNumber(operator, "Mul", sum, Math.sqrt(2 / Math.PI), "sqrt_2_pi");
}

function castTo(operator: Operator): TensorRef {
  const type = textAttribute(operator.node, "to", "");
  if (!isElementType(type) || type === "string" || operator.input(0).type === "string") {
    throw operator.refuse("turns text to numbers or back", "expected numbers");
  }
  const x = operator.input(0);
  return operator.result("Cast", [x], { SrcT: typeAttr(x.type), DstT: typeAttr(type) }, type);
}

function where(operator: Operator): TensorRef {
  const [then, otherwise] = [operator.input(1), operator.input(2)];
  return operator.result("SelectV2", [operator.input(0), then, otherwise], typed(then), then.type);
}

function logical(name: string): OperatorWriter {
  return (operator) => operator.result(name, operator.inputs(), {}, "bool");
}

function isInfinite(operator: Operator): TensorRef {
  const x = operator.input(0);
  const signs = ["detect_negative", "detect_positive"].map((name) => numberAttribute(operator.node, name, 1));
  if (signs.includes(0)) throw operator.refuse("looks for one sign", "expected both");
  return operator.result("IsInf", [x], typed(x), "bool");
}

function all(
  names: Readonly<Record<string, string>>,
  writer: (name: string) => OperatorWriter,
): [string, OperatorWriter][] {
  return Object.entries(names).map(([op, name]) => [op, writer(name)]);
}

export const ELEMENTWISE: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ...all(UNARY, unary),
  ...all(BINARY, binary),
  ...all(COMPARISONS, compared),
  ...all(VARIADIC, variadic),
  ["And", logical("LogicalAnd")],
  ["Or", logical("LogicalOr")],
  ["Not", logical("LogicalNot")],
  ["Xor", compared("NotEqual")],
  ["IsNaN", (operator) => operator.result("IsNan", [operator.input(0)], typed(operator.input(0)), "bool")],
  ["IsInf", isInfinite],
  ["Cast", castTo],
  ["Celu", celu],
  ["Clip", clip],
  ["Div", divide],
  ["Dropout", unary("Identity")],
  ["Elu", elu],
  ["Gelu", gelu],
  ["HardSigmoid", hardSigmoid],
  ["HardSwish", hardSwish],
  ["LeakyRelu", leakyRelu],
  ["Mean", mean],
  ["Mish", mish],
  ["Mod", remainder],
  ["Pow", power],
  ["PRelu", prelu],
  ["Selu", selu],
  ["Shrink", shrink],
  ["Swish", swish],
  ["ThresholdedRelu", thresholdedRelu],
  ["Where", where],
]);
