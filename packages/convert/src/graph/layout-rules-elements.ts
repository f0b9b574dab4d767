/** Layout rules of operators that work on each element, or along one axis. */
import { numberAttribute } from "./attributes.js";
import type { Attribute, Node } from "./graph.js";
import { emitPermuted, type LayoutRule } from "./layout-rule.js";
import { type Permutation, permuteConstant } from "./permutation.js";
import type { ValueForms } from "./value-forms.js";
import { positiveAxis, rankOf } from "./value-info.js";

/** All inputs broadcast against each other. */
const elementwise: LayoutRule = (node, perm, { forms }) => {
  const rank = rankOf(forms.info(node.outputs[0] ?? ""));
  if (rank !== perm.length) return false;
  const inputs: string[] = [];
  for (const input of node.inputs) {
    const moved = broadcastInput(input, perm, forms);
    if (moved === undefined) return false;
    inputs.push(moved);
  }
  emitPermuted(node, inputs, perm, forms);
  return true;
};

/** An input of the same or a lower rank, as a tensor that broadcasts in the new order; undefined: it cannot. */
function broadcastInput(input: string, perm: Permutation, forms: ValueForms): string | undefined {
  if (input === "") return input;
  const { sizes, type } = forms.info(input);
  if (sizes === undefined) return undefined;
  // A scalar broadcasts the same way wherever the axes are.
  if (sizes.every((size) => size === 1)) return forms.plain(input);
  if (sizes.length === perm.length) return forms.in(input, perm);
  const missing = perm.length - sizes.length;
  const ones = new Array<number>(missing).fill(1);
  const constant = forms.constants.get(input);
  if (constant !== undefined) {
    const whole = { ...constant, shape: [...ones, ...constant.shape] };
    return forms.addConstant(`${input}/${perm.join("")}`, permuteConstant(whole, perm));
  }
  const axes = forms.integers(
    `${input}/axes`,
    ones.map((_, axis) => axis),
  );
  const info = { type, sizes: [...ones, ...sizes] };
  return forms.in(
    forms.add("Unsqueeze", `${input}/rank${perm.length}`, [forms.plain(input), axes], info, {}),
    perm,
  );
}

/** The first input is the data; the others are scalars or parameters that stay as they are. */
const dataOnly: LayoutRule = (node, perm, { forms }) => {
  const [data = "", ...others] = node.inputs;
  if (rankOf(forms.info(data)) !== perm.length || forms.permOf(data) === undefined) return false;
  emitPermuted(node, [forms.in(data, perm), ...others.map((other) => forms.plain(other))], perm, forms);
  return true;
};

/** As {@link dataOnly}, with an `axis` that ONNX counts in the data. */
function withAxis(defaultAxis: number): LayoutRule {
  return (node, perm, { forms }) => {
    const [data = "", ...others] = node.inputs;
    if (rankOf(forms.info(data)) !== perm.length || forms.permOf(data) === undefined) return false;
    const inputs = [forms.in(data, perm), ...others.map((other) => forms.plain(other))];
    emitPermuted(node, inputs, perm, forms, movedAxis(node, defaultAxis, perm));
    return true;
  };
}

const concat: LayoutRule = (node, perm, { forms }) => {
  if (node.inputs.some((input) => rankOf(forms.info(input)) !== perm.length)) return false;
  const inputs = node.inputs.map((input) => forms.in(input, perm));
  emitPermuted(node, inputs, perm, forms, movedAxis(node, 0, perm));
  return true;
};

function movedAxis(node: Node, defaultAxis: number, perm: Permutation): Record<string, Attribute> {
  const axis = positiveAxis(numberAttribute(node, "axis", defaultAxis), perm.length);
  return { axis: perm.indexOf(axis) };
}

const ELEMENTWISE = [
  ..."Add Sub Mul Div Pow Mod Max Min Sum Mean And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where".split(
    " ",
  ),
  ..."PRelu BitShift BitwiseAnd BitwiseOr BitwiseXor".split(" "),
];

const DATA_ONLY = [
  ..."Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Swish Tanh Softplus Softsign Gelu Mish Erf Exp".split(
    " ",
  ),
  ..."Log Sqrt Abs Neg Floor Ceil Round Reciprocal Clip Dropout Sign Not Identity Cast IsNaN IsInf".split(
    " ",
  ),
  ..."Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ThresholdedRelu Shrink BitwiseNot".split(" "),
];

export const ELEMENT_RULES: ReadonlyMap<string, LayoutRule> = new Map<string, LayoutRule>([
  ...ELEMENTWISE.map((op) => [op, elementwise] as const),
  ...DATA_ONLY.map((op) => [op, dataOnly] as const),
  ...["Softmax", "LogSoftmax", "Hardmax", "TopK"].map((op) => [op, withAxis(-1)] as const),
  ...["QuantizeLinear", "DequantizeLinear"].map((op) => [op, withAxis(1)] as const),
  ["Concat", concat],
  ["Split", withAxis(0)],
]);
