import type { Graph } from "./graph.js";

/** Removes nodes and constants that no output needs. */
export function removeUnused(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map(({ value }) => value));
  const nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    })
    .toReversed();
  const constants = new Map([...graph.constants].filter(([value]) => needed.has(value)));
  return { ...graph, nodes, constants };
}
