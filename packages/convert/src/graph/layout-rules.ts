/** How each operator is written when its inputs lie with their axes in another order. */
import { ServeError } from "@vitrine/protocol/status";
import { isSpatial, type Layout, layoutOf, numbersAttribute } from "./attributes.js";
import type { Node } from "./graph.js";
import type { LayoutRule, Rewriting } from "./layout-rule.js";
import { CHANNEL_RULES } from "./layout-rules-channels.js";
import { ELEMENT_RULES } from "./layout-rules-elements.js";
import { MOVING_LAYOUT_RULES } from "./layout-rules-moving.js";
import { permutationInto } from "./permutation.js";
import type { ValueForms } from "./value-forms.js";
import { rankOf } from "./value-info.js";

const RULES: ReadonlyMap<string, LayoutRule> = new Map([
  ...ELEMENT_RULES,
  ...MOVING_LAYOUT_RULES,
  ...CHANNEL_RULES,
]);

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
