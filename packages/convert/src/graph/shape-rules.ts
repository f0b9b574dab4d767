/** Shapes of operators that work element by element, reduce, or multiply matrices. */
import { numberAttribute, textAttribute } from "./attributes.js";
import { isElementType } from "./element-type.js";
import type { ElementType } from "./graph.js";
import { positiveAxis, type RuleContext, type ShapeRule, type Size, type ValueInfo } from "./value-info.js";

const sameAsFirst: ShapeRule = ({ input }) => {
  const { type, sizes } = input(0);
  return [{ type, sizes }];
};

const cast: ShapeRule = ({ node, input }) => {
  const to = textAttribute(node, "to", "");
  const { sizes, values } = input(0);
  const type = isElementType(to) ? to : undefined;
  return [{ type, sizes, values: type === "int64" || type === "int32" ? values : undefined }];
};

const quantize: ShapeRule = ({ node, input, isGiven }) => {
  const asked = textAttribute(node, "output_dtype", "");
  const type = isGiven(2) ? input(2).type : isElementType(asked) ? asked : "uint8";
  return [{ type, sizes: input(0).sizes }];
};

const dequantize: ShapeRule = ({ input }) => [{ type: input(1).type, sizes: input(0).sizes }];

/** NumPy's rules over all inputs. @param type of the result; not given: that of the first input. */
function broadcast(type?: ElementType, first = 0): ShapeRule {
  return (context) => {
    const { node, input } = context;
    const infos = node.inputs.slice(first).map((_, index) => input(first + index));
    return [
      {
        type: type ?? infos[0]?.type,
        sizes: broadcastSizes(infos, context),
        values: type === undefined ? arithmeticValues(node.op, infos) : undefined,
      },
    ];
  };
}

function broadcastSizes(infos: readonly ValueInfo[], { unknownSize }: RuleContext): Size[] | undefined {
  const all: (readonly Size[])[] = [];
  for (const { sizes } of infos) {
    if (sizes === undefined) return undefined;
    all.push(sizes);
  }
  const rank = Math.max(0, ...all.map((sizes) => sizes.length));
  return Array.from({ length: rank }, (_, axis) => {
    const candidates = new Set(all.map((sizes) => sizes[axis - rank + sizes.length] ?? 1));
    candidates.delete(1);
    const known = [...candidates].find((size) => typeof size === "number");
    // A known size above 1 wins: what is not known must equal it or be 1.
    if (known !== undefined) return known;
    const [only = 1, ...more] = candidates;
    return more.length === 0 ? only : unknownSize();
  });
}

function arithmeticValues(op: string, [left, right]: readonly ValueInfo[]): ValueInfo["values"] {
  if (left?.values === undefined || right?.values === undefined) return undefined;
  const [a, b] = [left.values, right.values];
  const length = Math.max(a.length, b.length);
  if ((a.length !== 1 && a.length !== length) || (b.length !== 1 && b.length !== length)) return undefined;
  return Array.from({ length }, (_, index) =>
    arithmetic(op, a[a.length === 1 ? 0 : index], b[b.length === 1 ? 0 : index]),
  );
}

function arithmetic(op: string, a: Size | undefined, b: Size | undefined): Size | undefined {
  if (typeof a === "number" && typeof b === "number") {
    if (op === "Add") return a + b;
    if (op === "Sub") return a - b;
    if (op === "Mul") return a * b;
    if (op === "Div") return b === 0 ? undefined : Math.trunc(a / b);
    if (op === "Max") return Math.max(a, b);
    if (op === "Min") return Math.min(a, b);
    return undefined;
  }
  if ((op === "Mul" || op === "Div") && b === 1) return a;
  if (op === "Mul" && a === 1) return b;
  if ((op === "Add" || op === "Sub") && b === 0) return a;
  if (op === "Add" && a === 0) return b;
  return undefined;
}

const where: ShapeRule = (context) => [
  {
    type: context.input(1).type,
    sizes: broadcastSizes([context.input(0), context.input(1), context.input(2)], context),
  },
];

/** @param type of the result; not given: that of the input. */
function reduce(type?: ElementType): ShapeRule {
  return ({ node, input, integers, isGiven, unknownSize }) => {
    const { type: inputType, sizes } = input(0);
    const result = type ?? inputType;
    if (sizes === undefined) return [{ type: result, sizes: undefined }];
    const keeps = numberAttribute(node, "keepdims", 1) !== 0;
    const isArg = node.op.startsWith("Arg");
    const given = isArg ? [numberAttribute(node, "axis", 0)] : integers(1);
    if (given === undefined && isGiven(1) && !isArg) {
      return [{ type: result, sizes: keeps ? sizes.map(unknownSize) : undefined }];
    }
    const none = numberAttribute(node, "noop_with_empty_axes", 0) !== 0;
    const all = none ? [] : sizes.map((_, axis) => axis);
    const axes = given === undefined || given.length === 0 ? all : given;
    const reduced = new Set(axes.map((axis) => positiveAxis(axis, sizes.length)));
    return [
      {
        type: result,
        sizes: sizes.flatMap((size, axis) => (!reduced.has(axis) ? [size] : keeps ? [1] : [])),
      },
    ];
  };
}

const matMul: ShapeRule = (context) => {
  const { type, sizes: left } = context.input(0);
  const right = context.input(1).sizes;
  if (left === undefined || right === undefined) return [{ type, sizes: undefined }];
  if (left.length === 0 || right.length === 0) return [{ type, sizes: undefined }];
  const rows = left.length === 1 ? [] : [left.at(-2) ?? 1];
  const columns = right.length === 1 ? [] : [right.at(-1) ?? 1];
  const batches = broadcastSizes(
    [
      { type, sizes: left.slice(0, -2) },
      { type, sizes: right.slice(0, -2) },
    ],
    context,
  );
  return [{ type, sizes: batches === undefined ? undefined : [...batches, ...rows, ...columns] }];
};

const gemm: ShapeRule = ({ node, input }) => {
  const { type, sizes: a } = input(0);
  const b = input(1).sizes;
  const rows = a?.[numberAttribute(node, "transA", 0) === 0 ? 0 : 1];
  const columns = b?.[numberAttribute(node, "transB", 0) === 0 ? 1 : 0];
  return [{ type, sizes: rows === undefined || columns === undefined ? undefined : [rows, columns] }];
};

const topK: ShapeRule = ({ node, input, integers, unknownSize }) => {
  const { type, sizes } = input(0);
  const axis = positiveAxis(numberAttribute(node, "axis", -1), sizes?.length ?? 0);
  const chosen = sizes?.map((size, index) => (index === axis ? (integers(1)?.[0] ?? unknownSize()) : size));
  return [
    { type, sizes: chosen },
    { type: "int64", sizes: chosen },
  ];
};

/** Sizes of the operands by letter, then those of the result. */
const einsum: ShapeRule = ({ node, input }) => {
  const equation = textAttribute(node, "equation", "").replaceAll(" ", "");
  const [operands = "", result] = equation.split("->");
  const letters = new Map<string, Size>();
  operands.split(",").forEach((operand, index) => {
    [...operand].forEach((letter, axis) => {
      const size = input(index).sizes?.[axis];
      if (size !== undefined && letters.get(letter) !== size && typeof letters.get(letter) !== "number") {
        letters.set(letter, size);
      }
    });
  });
  const sizes = result === undefined || equation.includes(".") ? undefined : [...result];
  const known = sizes?.flatMap((letter) => letters.get(letter) ?? []);
  return [{ type: input(0).type, sizes: known?.length === sizes?.length ? known : undefined }];
};

const oneHot: ShapeRule = ({ node, input, integers, unknownSize }) => {
  const { sizes } = input(0);
  if (sizes === undefined) return [{ type: input(2).type, sizes: undefined }];
  const axis = positiveAxis(numberAttribute(node, "axis", -1), sizes.length + 1);
  return [
    {
      type: input(2).type,
      sizes: [...sizes.slice(0, axis), integers(1)?.[0] ?? unknownSize(), ...sizes.slice(axis)],
    },
  ];
};

/** The mask or statistics that follow the result are never used at inference. */
const SAME_AS_FIRST = [
  ..."Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Tanh Softplus Softsign Gelu Mish Erf Exp".split(
    " ",
  ),
  ..."Log Sqrt Abs Neg Floor Ceil Round Reciprocal Clip Softmax LogSoftmax Hardmax Dropout Sign Not".split(
    " ",
  ),
  ..."Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ThresholdedRelu Shrink PRelu CumSum".split(" "),
  ..."BatchNormalization InstanceNormalization GroupNormalization LayerNormalization RMSNormalization LRN".split(
    " ",
  ),
  ..."LpNormalization MeanVarianceNormalization ScatterElements ScatterND Trilu BitwiseNot".split(" "),
];

const REDUCTIONS =
  "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare";

export const ELEMENTWISE_RULES: ReadonlyMap<string, ShapeRule> = new Map<string, ShapeRule>([
  ...SAME_AS_FIRST.map((op) => [op, sameAsFirst] as const),
  ...REDUCTIONS.split(" ").map((op) => [op, reduce()] as const),
  ...["ArgMax", "ArgMin"].map((op) => [op, reduce("int64")] as const),
  ..."Add Sub Mul Div Pow Mod Max Min Sum Mean BitShift BitwiseAnd BitwiseOr BitwiseXor"
    .split(" ")
    .map((op) => [op, broadcast()] as const),
  ..."And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual"
    .split(" ")
    .map((op) => [op, broadcast("bool")] as const),
  ...["IsNaN", "IsInf"].map((op) => [op, broadcast("bool")] as const),
  ["Where", where],
  ["Cast", cast],
  ["CastLike", ({ input }) => [{ type: input(1).type, sizes: input(0).sizes }]],
  ["QuantizeLinear", quantize],
  ["DequantizeLinear", dequantize],
  ["MatMul", matMul],
  ["Gemm", gemm],
  ["Einsum", einsum],
  ["TopK", topK],
  ["OneHot", oneHot],
]);
