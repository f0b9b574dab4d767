/**
 * Multiplies a tensor's last axis directly, where TensorFlow flattens it to a matrix, multiplies, and gives it its
 * shape back (tf.tensordot, and with it every Dense layer over pictures or sequences).
 */
import type { Graph, Node } from "./graph.js";
import { type InferredValues, inferShapes } from "./infer-shapes.js";

export function fuseTensordot(graph: Graph): Graph {
  const producers = new Map(graph.nodes.map((node) => [node.outputs[0] ?? "", node]));
  if (!graph.nodes.some(({ op }) => op === "MatMul")) return graph;
  const infos = inferShapes(graph);
  const nodes = graph.nodes.map((node) => {
    if (node.op !== "Reshape") return node;
    const product = producers.get(node.inputs[0] ?? "");
    const flat = producers.get(product?.inputs[0] ?? "");
    if (product?.op !== "MatMul" || flat?.op !== "Reshape") return node;
    return product.inputs.every((input) => input !== "") && fits(flat, product, node, infos)
      ? {
          ...product,
          inputs: [flat.inputs[0] ?? "", product.inputs[1] ?? ""],
          outputs: node.outputs,
          name: node.name,
        }
      : node;
  });
  return { ...graph, nodes };
}

/** Whether only the last axis differs between what goes in and what comes out, and rows stay rows. */
function fits(flat: Node, product: Node, back: Node, infos: InferredValues): boolean {
  const sizesOf = (value: string | undefined) => infos.get(value ?? "")?.sizes;
  const source = sizesOf(flat.inputs[0]);
  const matrix = sizesOf(flat.outputs[0]);
  const weights = sizesOf(product.inputs[1]);
  const result = sizesOf(back.outputs[0]);
  if (source === undefined || source.length < 3 || matrix?.length !== 2 || weights?.length !== 2)
    return false;
  const channels = source.at(-1);
  return (
    typeof channels === "number" &&
    matrix[1] === channels &&
    weights[0] === channels &&
    result?.length === source.length &&
    source.slice(0, -1).every((size, axis) => size === result[axis]) &&
    result.at(-1) === weights[1]
  );
}
