/** Moves a graph's spatial operators to one layout, with as few Transposes as its other operators allow. */
import { isSpatial, type Layout, layoutOf } from "./attributes.js";
import type { Graph, GraphInput, Node } from "./graph.js";
import { inferShapes } from "./infer-shapes.js";
import type { Consumers } from "./layout-rule.js";
import { rewriteNode } from "./layout-rules.js";
import { permutationInto, permuted } from "./permutation.js";
import { removeUnused } from "./remove-unused.js";
import { ValueForms } from "./value-forms.js";

export interface ToLayoutOptions {
  /** Inputs of pictures change their layout, too: what callers feed is then in the layout of the operators. */
  readonly changeInputLayout?: boolean;
}

/**
 * Puts every spatial operator into `layout`; graph inputs and outputs keep theirs unless asked.
 *
 * Operators that do not mind the order of axes take their inputs in the order in which they are at hand, so that
 * Transposes are left only where an order is really asked for: at the graph's ends, and before operators such as
 * LayerNormalization.
 *
 * @throws {ServeError} MODEL_UNSUPPORTED when an operator cannot be moved, naming it.
 */
export function toLayout(graph: Graph, layout: Layout, options: ToLayoutOptions = {}): Graph {
  const source = options.changeInputLayout === true ? changeInputLayout(graph, layout) : graph;
  const forms = new ValueForms(source, inferShapes(source));
  const consumers = consumersOf(source);
  for (const { value, shape } of source.inputs) {
    // Before what comes first (a rescaling, channels put in order), not after: there it is cheapest.
    const isOther = shape?.length === 4 && pictureLayout(source, shape) === otherThan(layout);
    if (isOther) forms.prefer(value, permutationInto(layout, 4));
  }
  for (const node of source.nodes) rewriteNode(node, { forms, layout, consumers });
  const moved = removeUnused(forms.build());
  // A model that is in this layout as it is may have put its Transposes better.
  const isThere = source.nodes.every((node) => !isSpatial(node.op) || layoutOf(node) === layout);
  return isThere && countTransposes(source) <= countTransposes(moved) ? source : moved;
}

export function countTransposes(graph: Graph): number {
  return graph.nodes.filter(({ op }) => op === "Transpose").length;
}

/**
 * Lets callers feed pictures in another layout: inputs of rank 4 that hold pictures in the other one get their axes
 * in the new order, and a Transpose behind them that `toLayout` cancels where it can.
 */
export function changeInputLayout(graph: Graph, layout: Layout): Graph {
  const nodes: Node[] = [];
  const taken = new Set(graph.nodes.flatMap((node) => [node.name, ...node.outputs]));
  const inputs = graph.inputs.map((input): GraphInput => {
    const { shape, value } = input;
    if (shape?.length !== 4 || pictureLayout(graph, shape) === layout) return input;
    let fed = `${value}/${layout}`;
    while (taken.has(fed)) fed = `${fed}_`;
    nodes.push({
      op: "Transpose",
      name: fed,
      inputs: [fed],
      outputs: [value],
      attributes: { perm: permutationInto(otherThan(layout), 4) },
    });
    return { ...input, value: fed, shape: permuted(shape, permutationInto(layout, 4)) };
  });
  return nodes.length === 0 ? graph : { ...graph, inputs, nodes: [...nodes, ...graph.nodes] };
}

function otherThan(layout: Layout): Layout {
  return layout === "NCHW" ? "NHWC" : "NCHW";
}

/** Where the channels of a picture are: the axis of 1, 3 or 4, else as the graph's first spatial operator has it. */
export function pictureLayout(graph: Graph, shape: readonly number[]): Layout | undefined {
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const [first, last] = [isChannels(shape[1]), isChannels(shape[3])];
  if (first !== last) return first ? "NCHW" : "NHWC";
  const spatial = graph.nodes.find((node) => isSpatial(node.op));
  return spatial && layoutOf(spatial);
}

function consumersOf(graph: Graph): Consumers {
  const consumers = new Map<string, (Node | undefined)[]>();
  const add = (value: string, node: Node | undefined) => {
    const takers = consumers.get(value);
    if (takers === undefined) consumers.set(value, [node]);
    else takers.push(node);
  };
  for (const node of graph.nodes) for (const input of new Set(node.inputs)) add(input, node);
  for (const { value } of graph.outputs) add(value, undefined);
  return consumers;
}
