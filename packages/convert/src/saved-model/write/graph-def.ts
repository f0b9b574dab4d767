/** From the graph to TensorFlow's nodes. */
import { ServeError } from "@vitrine/protocol/status";
import { isConstant } from "../../graph/attributes.js";
import type { Constant, Graph, Node } from "../../graph/graph.js";
import { inferShapes } from "../../graph/infer-shapes.js";
import { Operator, typed, type Values } from "./operator.js";
import { OPERATOR_WRITERS } from "./operator-writers.js";
import { TensorFlowGraph, type TensorRef } from "./tensorflow-graph.js";

/** What a message names at most; the rest is counted. */
const MAX_NAMED = 10;

export interface TensorFlowModel {
  readonly graph: TensorFlowGraph;
  /** In the order of the graph's inputs and outputs. */
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

/**
 * Says a graph in TensorFlow's operators.
 *
 * @param source every spatial operator is NHWC; see `toLayout`.
 * @throws {ServeError} MODEL_UNSUPPORTED that names what TensorFlow cannot say: up to ten operators and their types.
 */
export function toTensorFlow(source: Graph): TensorFlowModel {
  const graph = new TensorFlowGraph();
  const infos = inferShapes(source);
  const tensors = new Map<string, TensorRef>();
  const constants = new Map<string, Constant>(source.constants);
  const inputs = source.inputs.map(({ value, alias, type, shape }) => {
    const input = graph.placeholder(`serving_default_${alias}`, type, shape);
    tensors.set(value, input);
    return input;
  });
  const values: Values = {
    graph,
    info: (value) => infos.get(value),
    constant: (value) => constants.get(value),
    tensor: (value) => {
      const known = tensors.get(value);
      if (known !== undefined) return known;
      const constant = constants.get(value);
      if (constant === undefined) throw new ServeError("INTERNAL", `${value} was taken before it was made`);
      return constantTensor(graph, value, constant);
    },
  };

  const refusals: string[] = [];
  const refused = new Set<string>();
  for (const node of source.nodes) {
    const inline = node.op === "Constant" ? constantOfNode(node) : undefined;
    if (inline !== undefined) {
      constants.set(node.outputs[0] ?? "", inline);
      continue;
    }
    // One refusal is enough: what follows from it would only be noise.
    if (node.inputs.some((input) => refused.has(input))) {
      for (const output of node.outputs) refused.add(output);
      continue;
    }
    try {
      const outputs = write(node, values);
      for (const [index, output] of node.outputs.entries()) {
        const tensor = outputs[index];
        if (tensor !== undefined) tensors.set(output, tensor);
      }
    } catch (error) {
      if (!(error instanceof ServeError) || error.reason !== "MODEL_UNSUPPORTED") throw error;
      refusals.push(error.message);
      for (const output of node.outputs) refused.add(output);
    }
  }
  if (refusals.length > 0) throw new ServeError("MODEL_UNSUPPORTED", refusalText(refusals));
  // By a node of their own: TensorFlow joins others with their neighbours, even those that are asked for.
  const outputs = source.outputs.flatMap(({ alias, value }) => {
    const tensor = values.tensor(value);
    return graph.node("Identity", `outputs/${alias}`, [tensor], typed(tensor), [tensor.type]);
  });
  return { graph, inputs, outputs };
}

function write(node: Node, values: Values): readonly TensorRef[] {
  const operator = new Operator(node, values);
  const writer = OPERATOR_WRITERS.get(node.op);
  if (writer === undefined) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${node.name} is a ${node.op}, expected an operator that TensorFlow has; converting to ONNX keeps it`,
    );
  }
  const outputs = writer(operator);
  return "ref" in outputs ? [outputs] : outputs;
}

function refusalText(refusals: readonly string[]): string {
  const named = refusals.slice(0, MAX_NAMED);
  const more = refusals.length - named.length;
  return [...named, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

function constantTensor(graph: TensorFlowGraph, value: string, constant: Constant): TensorRef {
  if (constant.type === "string") return graph.strings(value, value, constant);
  const { type, shape, bytes } = constant;
  return graph.constant(value, value, type, shape, () => bytes, bytes.byteLength);
}

function constantOfNode(node: Node): Constant | undefined {
  const { value } = node.attributes;
  return value !== undefined && isConstant(value) ? value : undefined;
}
