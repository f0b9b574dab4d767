/** Pads before pools, written so that ONNX Runtime leaves them alone. */
import { int64Constant } from "../graph/constant-values.js";
import type { Constant, Graph, Node } from "../graph/graph.js";

const POOLS: ReadonlySet<string> = new Set(["AveragePool", "MaxPool", "LpPool"]);

/**
 * ONNX Runtime (1.30, pad_fusion.cc) gives the amounts of a Pad to the pool behind it, and then refuses the model when
 * they are not smaller than the window. A Pad that names its axes it does not touch.
 */
export function guardPads(graph: Graph): Graph {
  const pooled = new Set(graph.nodes.filter(({ op }) => POOLS.has(op)).map(({ inputs }) => inputs[0]));
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node): Node => {
    const [data = "", amounts = "", value = "", axes = ""] = node.inputs;
    const count = constants.get(amounts)?.shape[0];
    const isPooled = node.op === "Pad" && node.outputs.some((output) => pooled.has(output));
    if (!isPooled || axes !== "" || count === undefined) return node;
    const name = unused(`${node.name}/axes`, constants);
    const all = Array.from({ length: count / 2 }, (_, axis) => axis);
    constants.set(name, int64Constant(all));
    return { ...node, inputs: [data, amounts, value, name] };
  });
  return { ...graph, nodes, constants };
}

function unused(wish: string, constants: ReadonlyMap<string, Constant>): string {
  let name = wish;
  while (constants.has(name)) name = `${name}_`;
  return name;
}
