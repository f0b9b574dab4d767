/** Gives the zeros of a Pad to the convolution that takes them (ZeroPadding2D before a "valid" convolution). */
import { isSpatial, layoutOf, numbersAttribute, textAttribute } from "./attributes.js";
import { numbersOf } from "./constant-values.js";
import type { Constant, Graph, Node } from "./graph.js";

export function fusePads(graph: Graph): Graph {
  const pads = new Map(
    graph.nodes.filter((node) => node.op === "Pad").map((node) => [node.outputs[0] ?? "", node]),
  );
  if (pads.size === 0) return graph;
  const nodes = graph.nodes.map((node) => {
    const pad = node.op === "Conv" ? pads.get(node.inputs[0] ?? "") : undefined;
    return pad === undefined ? node : (joined(pad, node, graph.constants) ?? node);
  });
  return { ...graph, nodes };
}

function joined(pad: Node, conv: Node, constants: ReadonlyMap<string, Constant>): Node | undefined {
  const [data = "", amounts = "", filling = "", axesInput = ""] = pad.inputs;
  const constant = constants.get(amounts);
  if (constant === undefined || textAttribute(pad, "mode", "constant") !== "constant") return undefined;
  const value = constants.get(filling);
  if (filling !== "" && (value === undefined || numbersOf(value).some((number) => number !== 0)))
    return undefined;
  const autoPad = textAttribute(conv, "auto_pad", "NOTSET");
  if (autoPad.startsWith("SAME")) return undefined;
  const perAxis = padsPerAxis(numbersOf(constant), constants.get(axesInput), axesInput !== "");
  const rank =
    numbersAttribute(conv, "kernel_shape")?.length ??
    (constants.get(conv.inputs[1] ?? "")?.shape.length ?? 2) - 2;
  if (perAxis === undefined || rank < 1) return undefined;
  const first = isSpatial(conv.op) && layoutOf(conv) === "NHWC" ? 1 : 2;
  const own = autoPad === "VALID" ? undefined : numbersAttribute(conv, "pads");
  const [begin, end]: [number[], number[]] = [[], []];
  for (const [axis, [before, after]] of perAxis) {
    const spatial = (axis < 0 ? axis + rank + 2 : axis) - first;
    if (before < 0 || after < 0) return undefined;
    if (spatial < 0 || spatial >= rank) {
      if (before !== 0 || after !== 0) return undefined;
    } else {
      begin[spatial] = before;
      end[spatial] = after;
    }
  }
  const all = [begin, end].flatMap((side, which) =>
    Array.from({ length: rank }, (_, axis) => (side[axis] ?? 0) + (own?.[axis + which * rank] ?? 0)),
  );
  const attributes = { ...conv.attributes, auto_pad: "NOTSET", pads: all };
  return { ...conv, inputs: conv.inputs.with(0, data), attributes };
}

/** Amounts before and after, by axis; undefined when they do not fit the axes. */
function padsPerAxis(
  amounts: readonly number[],
  axes: Constant | undefined,
  hasAxes: boolean,
): Map<number, readonly [number, number]> | undefined {
  if (hasAxes && axes === undefined) return undefined;
  const half = amounts.length / 2;
  const along = axes === undefined ? Array.from({ length: half }, (_, axis) => axis) : numbersOf(axes);
  if (along.length !== half) return undefined;
  return new Map(along.map((axis, index) => [axis, [amounts[index] ?? 0, amounts[index + half] ?? 0]]));
}
