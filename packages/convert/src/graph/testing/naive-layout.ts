/** The layout change that cannot be wrong: every spatial operator between two Transposes of its own. */
import { isSpatial, layoutOf } from "../attributes.js";
import type { Graph, Node } from "../graph.js";
import { inferShapes } from "../infer-shapes.js";
import { permutationInto } from "../permutation.js";

export function naiveNchw(graph: Graph): Graph {
  const infos = inferShapes(graph);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (!isSpatial(node.op) || layoutOf(node) === "NCHW") return [node];
    const [data = "", ...others] = node.inputs;
    const [result = ""] = node.outputs;
    const rank = infos.get(data)?.sizes?.length ?? 4;
    const [into, out] = [`${result}/into`, `${result}/out`];
    const transpose = (input: string, output: string, perm: number[]): Node => ({
      op: "Transpose",
      name: `${output}/Transpose`,
      inputs: [input],
      outputs: [output],
      attributes: { perm },
    });
    return [
      transpose(data, into, permutationInto("NCHW", rank) as number[]),
      {
        ...node,
        inputs: [into, ...others],
        outputs: [out],
        attributes: { ...node.attributes, layout: "NCHW" },
      },
      transpose(out, result, permutationInto("NHWC", rank) as number[]),
    ];
  });
  return { ...graph, nodes };
}
