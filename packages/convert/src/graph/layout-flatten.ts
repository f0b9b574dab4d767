/**
 * Flattened pictures before Dense layers (VGG): the rows of the layer's weights are put into the order of the axes,
 * once, instead of the pictures, at every run.
 */
import { numberAttribute } from "./attributes.js";
import type { Node } from "./graph.js";
import type { Rewriting } from "./layout-rule.js";
import { type Permutation, permuteConstant } from "./permutation.js";
import { rankOf } from "./value-info.js";

/** Operators on each element alone, with one input. */
const EACH_ELEMENT: ReadonlySet<string> = new Set(
  "Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Gelu Identity Dropout".split(
    " ",
  ),
);

/**
 * Flattens a picture as it lies, when all that follows are Dense layers with constant weights.
 *
 * @param node a Reshape or Flatten to [batch, features].
 * @returns false when something else takes the features.
 */
export function planFlatten(node: Node, perm: Permutation, rewriting: Rewriting): boolean {
  const { forms } = rewriting;
  const [data = ""] = node.inputs;
  const [result = ""] = node.outputs;
  const sizes = forms.info(data).sizes?.slice(1);
  const features = sizes?.filter((size) => typeof size === "number");
  const flat = forms.info(result).sizes;
  if (features === undefined || features.length !== sizes?.length || perm[0] !== 0) return false;
  const count = features.reduce((product, size) => product * size, 1);
  if (flat?.length !== 2 || flat[1] !== count || flat[0] !== forms.info(data).sizes?.[0]) return false;
  const layers = denseLayers(result, count, rewriting);
  if (layers === undefined) return false;
  const order = perm.slice(1).map((axis) => axis - 1);
  for (const layer of layers) reorderWeights(layer, features, order, rewriting);
  const target = forms.integers(`${node.name}/shape`, [0, count]);
  forms.emit({ ...node, op: "Reshape", inputs: [forms.in(data, perm), target], attributes: {} });
  return true;
}

/** The Dense layers that take the features; undefined when anything else does. */
function denseLayers(value: string, count: number, rewriting: Rewriting): Node[] | undefined {
  const { forms, consumers } = rewriting;
  const found: Node[] = [];
  for (const taker of consumers.get(value) ?? []) {
    if (taker === undefined || taker.inputs[0] !== value || taker.inputs.lastIndexOf(value) !== 0)
      return undefined;
    if (EACH_ELEMENT.has(taker.op)) {
      const behind = denseLayers(taker.outputs[0] ?? "", count, rewriting);
      if (behind === undefined) return undefined;
      found.push(...behind);
      continue;
    }
    const weights = taker.inputs[1] ?? "";
    const isDense =
      taker.op === "MatMul" || (taker.op === "Gemm" && numberAttribute(taker, "transA", 0) === 0);
    if (!isDense || rankOf(forms.info(weights)) !== 2 || !forms.isConstant(weights)) return undefined;
    found.push(taker);
  }
  return found;
}

function reorderWeights(
  layer: Node,
  features: readonly number[],
  order: Permutation,
  { forms }: Rewriting,
): void {
  const weights = layer.inputs[1] ?? "";
  const constant = forms.constants.get(weights);
  if (constant === undefined) return;
  const isTurned = layer.op === "Gemm" && numberAttribute(layer, "transB", 0) !== 0;
  const [rows = 0, columns = 0] = constant.shape;
  const shape = isTurned ? [rows, ...features] : [...features, columns];
  const perm = isTurned ? [0, ...order.map((axis) => axis + 1)] : [...order, order.length];
  const moved = permuteConstant({ ...constant, shape }, perm);
  forms.replaceInput(layer, 1, forms.addConstant(`${weights}/moved`, { ...moved, shape: constant.shape }));
}
