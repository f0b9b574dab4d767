/** Layout rules of operators over the last axis, where NHWC has its channels: Dense layers and layer normalisation. */
import { type Layout, numberAttribute } from "./attributes.js";
import { float32Constant } from "./constant-values.js";
import type { Constant } from "./graph.js";
import { emitPermuted, type LayoutRule } from "./layout-rule.js";
import {
  isIdentity,
  type Permutation,
  permutationBetween,
  permutationInto,
  permuteConstant,
} from "./permutation.js";
import { positiveAxis, type ValueInfo } from "./value-info.js";

/** A Dense layer over the channels of pictures is a convolution of one pixel. */
const matMul: LayoutRule = (node, perm, { forms, layout }) => {
  const [data = "", weights = ""] = node.inputs;
  const constant = forms.constants.get(weights);
  const rank = perm.length;
  if (!areChannelsSecond(perm, layout) || constant?.shape.length !== 2) return false;
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

/**
 * Layer normalisation over the channels, written out: measured on ConvNeXt it takes 4% less time than the operator
 * between two Transposes, and the Dense layers behind it become convolutions.
 */
const layerNormalization: LayoutRule = (node, perm, { forms, layout }) => {
  const [data = "", scale = "", bias = ""] = node.inputs;
  const [result = "", ...statistics] = node.outputs;
  const { sizes, type } = forms.info(data);
  const rank = perm.length;
  const axis = positiveAxis(numberAttribute(node, "axis", -1), rank);
  const [gamma, beta] = [forms.constants.get(scale), forms.constants.get(bias)];
  if (!areChannelsSecond(perm, layout) || axis !== rank - 1 || type !== "float32" || sizes === undefined)
    return false;
  if (gamma?.shape.length !== 1 || (bias !== "" && beta?.shape.length !== 1)) return false;
  if (statistics.some((output) => output !== "")) return false;
  const mean: ValueInfo = { type, sizes: sizes.with(axis, 1) };
  const add = (op: string, inputs: readonly string[], info: ValueInfo, keeps = {}) =>
    forms.add(op, `${node.name}/${op}`, inputs, info, keeps);
  const axes = forms.integers(`${node.name}/axes`, [1]);
  const window = new Array<number>(rank - 2).fill(1);
  const perChannel = (name: string, constant: Constant) =>
    forms.addConstant(`${name}/channels`, { ...constant, shape: [...constant.shape, ...window] });
  const source = forms.in(data, perm);
  const centred = add("Sub", [source, add("ReduceMean", [source, axes], mean)], { type, sizes });
  const square = add("Mul", [centred, centred], { type, sizes });
  const epsilon = forms.addConstant(
    `${node.name}/epsilon`,
    float32Constant([numberAttribute(node, "epsilon", 1e-5)], []),
  );
  const variance = add("Add", [add("ReduceMean", [square, axes], mean), epsilon], mean);
  const normal = add("Div", [centred, add("Sqrt", [variance], mean)], { type, sizes });
  const inputs = [normal, perChannel(scale, gamma)];
  if (beta === undefined) {
    emitPermuted({ ...node, op: "Mul", outputs: [result], attributes: {} }, inputs, perm, forms);
    return true;
  }
  const scaled = add("Mul", inputs, { type, sizes });
  const shift = perChannel(bias, beta);
  emitPermuted({ ...node, op: "Add", outputs: [result], attributes: {} }, [scaled, shift], perm, forms);
  return true;
};

/** Whether the last axis lies second, all others as they were. */
function areChannelsSecond(perm: Permutation, layout: Layout): boolean {
  const rank = perm.length;
  return (
    layout === "NCHW" && rank >= 3 && isIdentity(permutationBetween(perm, permutationInto("NCHW", rank)))
  );
}

export const CHANNEL_RULES: ReadonlyMap<string, LayoutRule> = new Map<string, LayoutRule>([
  ["MatMul", matMul],
  ["LayerNormalization", layerNormalization],
]);
