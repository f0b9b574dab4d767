/** Keeps one of several equal constants and of several operators that compute the same. */
import { isConstant } from "./attributes.js";
import type { Attribute, Constant, Graph, Node } from "./graph.js";

/** Operators that give another result each time. */
const NOT_REPEATABLE = /^(Random|Multinomial|Bernoulli)/;

export function mergeDuplicates(graph: Graph): Graph {
  const same = new Map<string, string>();
  const resolve = (value: string) => same.get(value) ?? value;
  mergeConstants(graph.constants, same);
  const nodes: Node[] = [];
  const known = new Map<string, Node>();
  for (const source of graph.nodes) {
    const node = { ...source, inputs: source.inputs.map(resolve) };
    const key = NOT_REPEATABLE.test(node.op) ? undefined : keyOf(node);
    const first = key === undefined ? undefined : known.get(key);
    if (first === undefined) {
      nodes.push(node);
      if (key !== undefined) known.set(key, node);
    } else {
      node.outputs.forEach((output, index) => {
        same.set(output, first.outputs[index] ?? output);
      });
    }
  }
  const outputs = graph.outputs.map((output) => ({ ...output, value: resolve(output.value) }));
  return { ...graph, nodes, outputs };
}

function mergeConstants(constants: ReadonlyMap<string, Constant>, same: Map<string, string>): void {
  const byLook = new Map<string, [string, Constant][]>();
  for (const entry of constants) {
    const [, { type, shape }] = entry;
    const look = `${type} ${shape.join()}`;
    const alike = byLook.get(look);
    if (alike === undefined) byLook.set(look, [entry]);
    else alike.push(entry);
  }
  for (const alike of byLook.values()) {
    const kept: [string, Constant][] = [];
    for (const entry of alike) {
      const equal = kept.find(([, constant]) => areEqual(constant, entry[1]));
      if (equal === undefined) kept.push(entry);
      else same.set(entry[0], equal[0]);
    }
  }
}

/** Different weights differ in their first bytes: comparing is as good as free. */
function areEqual(a: Constant, b: Constant): boolean {
  const [left, right] = [a.strings ?? [a.bytes], b.strings ?? [b.bytes]];
  return (
    left.length === right.length &&
    left.every((bytes, index) => Buffer.compare(bytes, right[index] ?? new Uint8Array(0)) === 0)
  );
}

function keyOf(node: Node): string | undefined {
  const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (attributes.some(([, value]: [string, Attribute]) => isConstant(value))) return undefined;
  // Optional outputs are given or not: an operator with more of them is another one.
  const outputs = node.outputs.map((output) => output !== "");
  return JSON.stringify([node.op, node.inputs, attributes, outputs]);
}
