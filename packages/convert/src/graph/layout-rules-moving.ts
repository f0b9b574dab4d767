/** Layout rules of operators that reduce axes, or move elements along them. */
import { attributesWithout, numberAttribute, numbersAttribute } from "./attributes.js";
import { sizeOf } from "./constant-values.js";
import type { Constant, Node } from "./graph.js";
import { planFlatten } from "./layout-flatten.js";
import { emitPermuted, type LayoutRule } from "./layout-rule.js";
import {
  inverseOf,
  isIdentity,
  movesOnlyUnits,
  type Permutation,
  permuted,
  withoutAxes,
} from "./permutation.js";
import type { ValueForms } from "./value-forms.js";
import { positiveAxis, rankOf } from "./value-info.js";

/** Axes given by a constant input; undefined when they are not constant. */
function axesInput(node: Node, index: number, perm: Permutation, forms: ValueForms): number[] | undefined {
  const { values } = forms.info(node.inputs[index] ?? "");
  const axes = values?.filter((value) => typeof value === "number");
  if (axes === undefined || axes.length !== values?.length) return undefined;
  return axes.map((axis) => positiveAxis(axis, perm.length));
}

const reduce: LayoutRule = (node, perm, { forms }) => {
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

const squeeze: LayoutRule = (node, perm, { forms }) => {
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
const unsqueeze: LayoutRule = (node, perm, { forms }) => {
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

const slice: LayoutRule = (node, perm, { forms }) => {
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

const gather: LayoutRule = (node, perm, { forms }) => {
  const [data = "", indices = ""] = node.inputs;
  const rank = rankOf(forms.info(indices));
  if (forms.permOf(data) === undefined || rank === undefined || rank > 1) return false;
  const axis = positiveAxis(numberAttribute(node, "axis", 0), perm.length);
  const result = rank === 1 ? perm : withoutAxes(perm, new Set([axis]));
  const inputs = [forms.in(data, perm), forms.plain(indices)];
  emitPermuted(node, inputs, result, forms, { axis: perm.indexOf(axis) });
  return true;
};

const pad: LayoutRule = (node, perm, { forms }) => {
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
const resize: LayoutRule = (node, perm, { forms }) => {
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
const perAxis: LayoutRule = (node, perm, { forms }) => {
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

const reshape: LayoutRule = (node, perm, rewriting) => {
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

const REDUCTIONS =
  "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin";

export const MOVING_LAYOUT_RULES: ReadonlyMap<string, LayoutRule> = new Map<string, LayoutRule>([
  ...REDUCTIONS.split(" ").map((op) => [op, reduce] as const),
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Slice", slice],
  ["Gather", gather],
  ["Pad", pad],
  ["Resize", resize],
  ["Tile", perAxis],
  ["Expand", perAxis],
  ["Reshape", reshape],
  ["Flatten", reshape],
]);
