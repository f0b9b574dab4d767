/**
 * Names of values in an ONNX model: inputs and outputs are called by their aliases there, and inner values step
 * aside.
 */
import type { Graph, Node } from "../graph/graph.js";

export interface OnnxNames {
  of(value: string): string;
  /** Identity nodes for values that have to be known by a second name. */
  readonly copies: readonly Node[];
}

export function onnxNames(graph: Graph): OnnxNames {
  const names = new Map<string, string>([["", ""]]);
  const taken = new Set<string>();
  const copies: Node[] = [];
  for (const { value, alias } of graph.inputs) {
    names.set(value, alias);
    taken.add(alias);
  }
  const isComputed = new Set(graph.nodes.flatMap((node) => node.outputs));
  const copied: { value: string; alias: string }[] = [];
  for (const { value, alias } of graph.outputs) {
    const known = names.get(value);
    // An output that is an input of the same name is legal in ONNX and says what is meant.
    if (known === alias) continue;
    if (known === undefined && isComputed.has(value) && !taken.has(alias)) names.set(value, alias);
    else copied.push({ value, alias });
    taken.add(alias);
  }
  const of = (value: string): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    let name = value;
    for (let count = 1; taken.has(name); count++) name = `${value}__${count}`;
    names.set(value, name);
    taken.add(name);
    return name;
  };
  // The node whose result it was before results alike were merged may have the alias for a name.
  const nodeNames = new Set(graph.nodes.map((node) => node.name));
  for (const { value, alias } of copied) {
    let name = alias;
    for (let count = 1; nodeNames.has(name); count++) name = `${alias}__${count}`;
    nodeNames.add(name);
    copies.push({ op: "Identity", name, inputs: [of(value)], outputs: [alias], attributes: {} });
  }
  return { of, copies };
}
