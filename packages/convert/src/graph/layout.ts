/** Moves a graph's spatial operators to one layout. */
import { isSpatial, type Layout, layoutOf, numbersAttribute } from "./attributes.js";
import type { Graph, Node } from "./graph.js";

export interface ToLayoutOptions {
  /** Inputs of pictures change their layout, too: what callers feed is then in the layout of the operators. */
  readonly changeInputLayout?: boolean;
}

/** Puts every spatial operator into `layout`; graph inputs and outputs keep theirs unless asked. */
export function toLayout(graph: Graph, layout: Layout, _options: ToLayoutOptions = {}): Graph {
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (!isSpatial(node.op) || layoutOf(node) === layout) {
      nodes.push(node);
      continue;
    }
    const rank = rankOf(graph, node);
    const last = rank - 1;
    const spatial = Array.from({ length: rank - 2 }, (_, index) => index);
    const toNchw = [0, last, ...spatial.map((axis) => axis + 1)];
    const toNhwc = [0, ...spatial.map((axis) => axis + 2), 1];
    const [into, back] = layout === "NCHW" ? [toNchw, toNhwc] : [toNhwc, toNchw];
    const [data = "", ...others] = node.inputs;
    const [result = "", ...results] = node.outputs;
    const transposed = `${result}/${layout}`;
    const computed = `${result}/${layout}/out`;
    nodes.push(
      {
        op: "Transpose",
        name: transposed,
        inputs: [data],
        outputs: [transposed],
        attributes: { perm: into },
      },
      {
        ...node,
        inputs: [transposed, ...others],
        outputs: [computed, ...results],
        attributes: { ...node.attributes, layout },
      },
      { op: "Transpose", name: computed, inputs: [computed], outputs: [result], attributes: { perm: back } },
    );
  }
  return { ...graph, nodes };
}

function rankOf(graph: Graph, node: Node): number {
  const kernel = numbersAttribute(node, "kernel_shape");
  if (kernel !== undefined) return kernel.length + 2;
  if (node.op === "Conv" || node.op === "ConvTranspose") {
    const shape = graph.constants.get(node.inputs[1] ?? "")?.shape;
    if (shape !== undefined) return shape.length;
  }
  return 4;
}
