/** The last passes before a graph is written as ONNX. */
import type { Graph } from "./graph/graph.js";
import { toLayout } from "./graph/layout.js";
import { optimise } from "./graph/optimise.js";

/**
 * The graph as it goes into an ONNX model.
 *
 * @param how `optimised` as it would be written; `plain` with every operator as it was read, so that passes can be
 *   checked against it.
 */
export function preparedGraph(graph: Graph, how: "optimised" | "plain"): Graph {
  return how === "plain" ? toLayout(graph, "NCHW") : optimise(toLayout(optimise(graph), "NCHW"));
}
