/** What the rules of the layout change share. */
import type { Layout } from "./attributes.js";
import type { Attribute, Node } from "./graph.js";
import type { Permutation } from "./permutation.js";
import type { ValueForms } from "./value-forms.js";

/** The nodes that take each value; a graph output counts as a taker that is no node. */
export type Consumers = ReadonlyMap<string, readonly (Node | undefined)[]>;

export interface Rewriting {
  readonly forms: ValueForms;
  readonly layout: Layout;
  readonly consumers: Consumers;
}

/** Writes a node for inputs in the given order. @returns false when it needs its inputs as they are. */
export type LayoutRule = (node: Node, perm: Permutation, rewriting: Rewriting) => boolean;

/** Writes a node whose results lie in the given order. */
export function emitPermuted(
  node: Node,
  inputs: readonly string[],
  perm: Permutation,
  forms: ValueForms,
  attributes: Readonly<Record<string, Attribute>> = {},
): void {
  const outputs = node.outputs.map((output) => forms.define(output, perm));
  forms.emit({ ...node, inputs, outputs, attributes: { ...node.attributes, ...attributes } });
}
