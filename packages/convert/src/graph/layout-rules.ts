/** How each operator is written when its inputs lie with their axes in another order. */
import { ServeError } from "@vitrine/protocol/status";
import {
  attributesWithout,
  isSpatial,
  type Layout,
  layoutOf,
  numberAttribute,
  numbersAttribute,
} from "./attributes.js";
import { sizeOf } from "./constant-values.js";
import type { Attribute, Constant, Node } from "./graph.js";
import type { Consumers } from "./layout.js";
import { planFlatten } from "./layout-flatten.js";
import {
  inverseOf,
  isIdentity,
  movesOnlyUnits,
  type Permutation,
  permutationBetween,
  permutationInto,
  permuteConstant,
  permuted,
  withoutAxes,
} from "./permutation.js";
import type { ValueForms } from "./value-forms.js";
import { positiveAxis, rankOf } from "./value-info.js";

export interface Rewriting {
  readonly forms: ValueForms;
  readonly layout: Layout;
  readonly consumers: Consumers;
}

/** Writes a node for inputs in the given order. @returns false when it needs its inputs as they are. */
type Rule = (node: Node, perm: Permutation, rewriting: Rewriting) => boolean;

/** Writes one node of the source into the new graph. */
export function rewriteNode(node: Node, rewriting: Rewriting): void {
  const { forms } = rewriting;
  if (isSpatial(node.op)) {
    rewriteSpatial(node, rewriting);
    return;
  }
  if (node.op === "Transpose") {
    rewriteTranspose(node, forms);
    return;
  }
  const rule = RULES.get(node.op);
  const perm = forms.permOfAny(node.inputs);
  if (rule !== undefined && perm !== undefined && rule(node, perm, rewriting)) return;
  forms.emit({ ...node, inputs: node.inputs.map((input) => forms.plain(input)) });
}

function rewriteSpatial(node: Node, { forms, layout }: Rewriting): void {
  const [data = "", ...others] = node.inputs;
  const [result = "", ...results] = node.outputs;
  const plainOthers = others.map((other) => forms.plain(other));
  if (layoutOf(node) === layout) {
    forms.emit({ ...node, inputs: [forms.plain(data), ...plainOthers] });
    return;
  }
  const rank = rankOf(forms.info(data)) ?? rankOfWindow(node, forms);
  if (rank === undefined || rank < 2) {
    throw cannotMove(node, layout, "takes a tensor of unknown rank", "a known rank");
  }
  if (results.some((output) => output !== "")) {
    throw cannotMove(node, layout, `has ${node.outputs.length} outputs`, "one");
  }
  const perm = permutationInto(layout, rank);
  forms.emit({
    ...node,
    inputs: [forms.in(data, perm), ...plainOthers],
    outputs: [forms.define(result, perm)],
    attributes: { ...node.attributes, layout },
  });
}

function rankOfWindow(node: Node, forms: ValueForms): number | undefined {
  const kernel = numbersAttribute(node, "kernel_shape");
  if (kernel !== undefined) return kernel.length + 2;
  return node.op.startsWith("Conv") ? rankOf(forms.info(node.inputs[1] ?? "")) : undefined;
}

function cannotMove(node: Node, layout: Layout, what: string, expected: string): ServeError {
  return new ServeError(
    "MODEL_UNSUPPORTED",
    `${node.name} (${node.op}) ${what}, expected ${expected} to make it ${layout}`,
  );
}

function rewriteTranspose(node: Node, forms: ValueForms): void {
  const [data = ""] = node.inputs;
  const [result = ""] = node.outputs;
  const rank = rankOf(forms.info(data));
  const perm =
    numbersAttribute(node, "perm") ??
    (rank === undefined ? undefined : Array.from({ length: rank }, (_, axis) => rank - 1 - axis));
  if (perm === undefined) forms.emit({ ...node, inputs: [forms.plain(data)] });
  else forms.alias(result, data, perm);
}

/** All inputs broadcast against each other. */
const elementwise: Rule = (node, perm, { forms }) => {
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
const dataOnly: Rule = (node, perm, { forms }) => {
  const [data = "", ...others] = node.inputs;
  if (rankOf(forms.info(data)) !== perm.length || forms.permOf(data) === undefined) return false;
  emitPermuted(node, [forms.in(data, perm), ...others.map((other) => forms.plain(other))], perm, forms);
  return true;
};

/** As {@link dataOnly}, with an `axis` that ONNX counts in the data. */
function withAxis(defaultAxis: number): Rule {
  return (node, perm, { forms }) => {
    const [data = "", ...others] = node.inputs;
    if (rankOf(forms.info(data)) !== perm.length || forms.permOf(data) === undefined) return false;
    const inputs = [forms.in(data, perm), ...others.map((other) => forms.plain(other))];
    emitPermuted(node, inputs, perm, forms, movedAxis(node, defaultAxis, perm));
    return true;
  };
}

const concat: Rule = (node, perm, { forms }) => {
  if (node.inputs.some((input) => rankOf(forms.info(input)) !== perm.length)) return false;
  const inputs = node.inputs.map((input) => forms.in(input, perm));
  emitPermuted(node, inputs, perm, forms, movedAxis(node, 0, perm));
  return true;
};

function movedAxis(node: Node, defaultAxis: number, perm: Permutation): Record<string, Attribute> {
  const axis = positiveAxis(numberAttribute(node, "axis", defaultAxis), perm.length);
  return { axis: perm.indexOf(axis) };
}

/** Axes given by a constant input; undefined when they are not constant. */
function axesInput(node: Node, index: number, perm: Permutation, forms: ValueForms): number[] | undefined {
  const { values } = forms.info(node.inputs[index] ?? "");
  const axes = values?.filter((value) => typeof value === "number");
  if (axes === undefined || axes.length !== values?.length) return undefined;
  return axes.map((axis) => positiveAxis(axis, perm.length));
}

const reduce: Rule = (node, perm, { forms }) => {
  const [data = ""] = node.inputs;
  const isArg = node.op.startsWith("Arg");
  const isGiven = (node.inputs[1] ?? "") !== "";
  const all = perm.map((_, axis) => axis);
  const axes = isArg
    ? [positiveAxis(numberAttribute(node, "axis", 0), perm.length)]
    : isGiven
      ? axesInput(node, 1, perm, forms)
      : all;
  if (axes === undefined) return false;
  const keeps = numberAttribute(node, "keepdims", 1) !== 0;
  const moved = axes.map((axis) => perm.indexOf(axis)).sort((a, b) => a - b);
  const source = forms.in(data, perm);
  const inputs = isArg || !isGiven ? [source] : [source, forms.integers(`${node.name}/axes`, moved)];
  const result = keeps ? perm : withoutAxes(perm, new Set(axes));
  emitPermuted(node, inputs, result, forms, isArg ? { axis: moved[0] ?? 0 } : {});
  return true;
};

const squeeze: Rule = (node, perm, { forms }) => {
  const [data = ""] = node.inputs;
  const { sizes } = forms.info(data);
  const isGiven = (node.inputs[1] ?? "") !== "";
  const units = sizes?.flatMap((size, axis) => (size === 1 ? [axis] : []));
  const axes = isGiven ? axesInput(node, 1, perm, forms) : units;
  if (axes === undefined) return false;
  const moved = axes.map((axis) => perm.indexOf(axis)).sort((a, b) => a - b);
  const inputs = [forms.in(data, perm), forms.integers(`${node.name}/axes`, moved)];
  emitPermuted(node, inputs, withoutAxes(perm, new Set(axes)), forms);
  return true;
};

/** New axes stay where they are asked for; the others keep their order among themselves. */
const unsqueeze: Rule = (node, perm, { forms }) => {
  const [data = ""] = node.inputs;
  const rank = rankOf(forms.info(node.outputs[0] ?? ""));
  const { values } = forms.info(node.inputs[1] ?? "");
  if (rank === undefined || values === undefined) return false;
  const axes = new Set(values.map((axis) => positiveAxis(Number(axis), rank)));
  const old = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !axes.has(axis));
  const rest = perm.map((axis) => old[axis] ?? 0);
  const result = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? axis : (rest.shift() ?? 0)));
  const inputs = [forms.in(data, perm), forms.plain(node.inputs[1] ?? "")];
  emitPermuted(node, inputs, result, forms);
  return true;
};

const slice: Rule = (node, perm, { forms }) => {
  const [data = "", starts = "", ends = "", axes = "", steps = ""] = node.inputs;
  const count = rankOf(forms.info(starts)) === 1 ? forms.info(starts).sizes?.[0] : undefined;
  if (typeof count !== "number") return false;
  const given =
    axes === "" ? Array.from({ length: count }, (_, axis) => axis) : axesInput(node, 3, perm, forms);
  if (given === undefined) return false;
  const moved = forms.integers(
    `${node.name}/axes`,
    given.map((axis) => perm.indexOf(axis)),
  );
  const inputs = [forms.in(data, perm), forms.plain(starts), forms.plain(ends), moved];
  emitPermuted(node, steps === "" ? inputs : [...inputs, forms.plain(steps)], perm, forms);
  return true;
};

const gather: Rule = (node, perm, { forms }) => {
  const [data = "", indices = ""] = node.inputs;
  const rank = rankOf(forms.info(indices));
  if (forms.permOf(data) === undefined || rank === undefined || rank > 1) return false;
  const axis = positiveAxis(numberAttribute(node, "axis", 0), perm.length);
  const result = rank === 1 ? perm : withoutAxes(perm, new Set([axis]));
  const inputs = [forms.in(data, perm), forms.plain(indices)];
  emitPermuted(node, inputs, result, forms, { axis: perm.indexOf(axis) });
  return true;
};

const pad: Rule = (node, perm, { forms }) => {
  const [data = "", pads = "", value = "", axes = ""] = node.inputs;
  const { values } = forms.info(pads);
  const amounts = values?.filter((amount) => typeof amount === "number");
  if (amounts === undefined || amounts.length !== values?.length) return false;
  const given = axes === "" ? perm.map((_, axis) => axis) : axesInput(node, 3, perm, forms);
  if (given === undefined || amounts.length !== 2 * given.length) return false;
  const half = given.length;
  const moved = perm.flatMap((axis) => (given.includes(axis) ? [given.indexOf(axis)] : []));
  const all = [...moved, ...moved.map((index) => index + half)].map((index) => amounts[index] ?? 0);
  const inputs = [forms.in(data, perm), forms.integers(`${node.name}/pads`, all), forms.plain(value)];
  if (axes !== "") {
    const at = moved.map((index) => perm.indexOf(given[index] ?? 0));
    inputs.push(forms.integers(`${node.name}/axes`, at));
  }
  emitPermuted(node, inputs[2] === "" && inputs.length === 3 ? inputs.slice(0, 2) : inputs, perm, forms);
  return true;
};

/** Scales or sizes are constants, one per axis, or come with the axes they belong to. */
const resize: Rule = (node, perm, { forms }) => {
  const [data = "", roi = "", scales = "", sizes = ""] = node.inputs;
  if (roi !== "" && sizeOf(forms.constants.get(roi)?.shape ?? [1]) > 0) return false;
  const axes = numbersAttribute(node, "axes") ?? perm.map((_, axis) => axis);
  const moved = axes.map((axis) => perm.indexOf(positiveAxis(axis, perm.length)));
  const order = inverseOf(moved.map((axis) => moved.toSorted((a, b) => a - b).indexOf(axis)));
  const inOrder = (name: string): string | undefined => {
    const constant = forms.constants.get(name);
    if (name === "" || isIdentity(order)) return forms.plain(name);
    if (constant === undefined) return undefined;
    const column = { ...constant, shape: [axes.length] };
    return forms.addConstant(`${name}/${perm.join("")}`, takeRows(column, order));
  };
  const [movedScales, movedSizes] = [inOrder(scales), inOrder(sizes)];
  if (movedScales === undefined || movedSizes === undefined) return false;
  const inputs = [forms.in(data, perm), forms.plain(roi), movedScales, movedSizes];
  const isAll = axes.length === perm.length;
  emitPermuted(
    { ...node, attributes: attributesWithout(node, "axes") },
    movedSizes === "" ? inputs.slice(0, 3) : inputs,
    perm,
    forms,
    isAll ? {} : { axes: moved.toSorted((a, b) => a - b) },
  );
  return true;
};

/** Repeats or sizes, one constant number per axis. */
const perAxis: Rule = (node, perm, { forms }) => {
  const [data = "", amounts = ""] = node.inputs;
  const constant = forms.constants.get(amounts);
  if (constant?.shape[0] !== perm.length || rankOf(forms.info(data)) !== perm.length) return false;
  const moved = forms.addConstant(`${amounts}/${perm.join("")}`, takeRows(constant, perm));
  emitPermuted(node, [forms.in(data, perm), moved], perm, forms);
  return true;
};

function takeRows(constant: Constant, order: readonly number[]): Constant {
  const bytes = constant.bytes.byteLength / order.length;
  const taken = new Uint8Array(constant.bytes.byteLength);
  order.forEach((from, to) => {
    taken.set(constant.bytes.subarray(from * bytes, (from + 1) * bytes), to * bytes);
  });
  return { ...constant, bytes: taken };
}

/** A Dense layer over the channels of pictures is a convolution of one pixel. */
const matMul: Rule = (node, perm, { forms, layout }) => {
  const [data = "", weights = ""] = node.inputs;
  const constant = forms.constants.get(weights);
  const rank = perm.length;
  if (layout !== "NCHW" || constant?.shape.length !== 2 || rank < 3) return false;
  if (!isIdentity(permutationBetween(perm, permutationInto("NCHW", rank)))) return false;
  const [channels = 0, filters = 0] = constant.shape;
  const kernel = new Array<number>(rank - 2).fill(1);
  const turned = permuteConstant(constant, [1, 0]);
  const filter = forms.addConstant(`${weights}/conv`, { ...turned, shape: [filters, channels, ...kernel] });
  const [result = ""] = node.outputs;
  forms.emit({
    ...node,
    op: "Conv",
    inputs: [forms.in(data, perm), filter],
    outputs: [forms.define(result, perm)],
    attributes: { layout, kernel_shape: kernel },
  });
  return true;
};

const reshape: Rule = (node, perm, rewriting) => {
  const { forms } = rewriting;
  const [data = ""] = node.inputs;
  const { sizes } = forms.info(data);
  if (sizes === undefined || forms.permOf(data) === undefined) return false;
  if (movesOnlyUnits(perm, sizes)) return reshapeInPlace(node, perm, forms);
  return planFlatten(node, perm, rewriting);
};

/** The elements lie in the same order, so that only the sizes copied from the input have to be the same. */
function reshapeInPlace(node: Node, perm: Permutation, forms: ValueForms): boolean {
  const [data = "", shape = ""] = node.inputs;
  const source = forms.in(data, perm);
  if (node.op === "Flatten") {
    const axis = positiveAxis(numberAttribute(node, "axis", 1), perm.length);
    // The same elements lie before the axis in either order.
    const isSame = perm.slice(0, axis).every((from) => from < axis);
    if (isSame) forms.emit({ ...node, inputs: [source] });
    return isSame;
  }
  const { values } = forms.info(shape);
  const { sizes } = forms.info(data);
  const moved = sizes && permuted(sizes, perm);
  const copies = numberAttribute(node, "allowzero", 0) === 0;
  const isSame = values?.every((size, axis) => size !== 0 || !copies || moved?.[axis] === sizes?.[axis]);
  if (isSame !== true) return false;
  forms.emit({ ...node, inputs: [source, forms.plain(shape)] });
  return true;
}

function emitPermuted(
  node: Node,
  inputs: readonly string[],
  perm: Permutation,
  forms: ValueForms,
  attributes: Readonly<Record<string, Attribute>> = {},
): void {
  const outputs = node.outputs.map((output) => forms.define(output, perm));
  forms.emit({ ...node, inputs, outputs, attributes: { ...node.attributes, ...attributes } });
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

const REDUCTIONS =
  "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin";

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...ELEMENTWISE.map((op) => [op, elementwise] as const),
  ...DATA_ONLY.map((op) => [op, dataOnly] as const),
  ...["Softmax", "LogSoftmax", "Hardmax", "TopK"].map((op) => [op, withAxis(-1)] as const),
  ...["QuantizeLinear", "DequantizeLinear"].map((op) => [op, withAxis(1)] as const),
  ...REDUCTIONS.split(" ").map((op) => [op, reduce] as const),
  ["Concat", concat],
  ["Split", withAxis(0)],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Slice", slice],
  ["Gather", gather],
  ["Pad", pad],
  ["Resize", resize],
  ["Tile", perAxis],
  ["Expand", perAxis],
  ["MatMul", matMul],
  ["Reshape", reshape],
  ["Flatten", reshape],
]);
