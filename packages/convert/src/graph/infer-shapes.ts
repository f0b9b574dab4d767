/** Types and shapes of all values of a graph, as far as they follow from its inputs. */
import { ServeError } from "@vitrine/protocol/status";
import { numbersOf, sizeOf } from "./constant-values.js";
import type { Constant, Graph, Node, Shape } from "./graph.js";
import { ELEMENTWISE_RULES } from "./shape-rules.js";
import { MOVING_RULES } from "./shape-rules-moving.js";
import { SPATIAL_RULES } from "./shape-rules-spatial.js";
import { type RuleContext, type Size, shapeOf, UNKNOWN, type ValueInfo } from "./value-info.js";

export type InferredValues = ReadonlyMap<string, ValueInfo>;

/** Sizes are few; longer integer tensors are weights. */
const MAX_VALUES = 64;
const MAX_RANK = 64;

/**
 * Works out types and shapes.
 *
 * @returns an entry for every graph input, constant and output of a node. Operators that no rule knows have unknown outputs.
 * @throws {ServeError} MODEL_INVALID when a size is negative or absurd, naming the node.
 */
export function inferShapes(graph: Graph): InferredValues {
  const infos = new Map<string, ValueInfo>();
  let names = 0;
  const unknownSize = (): Size => `size${names++}`;
  for (const { value, type, shape } of graph.inputs) {
    infos.set(value, { type, sizes: shape?.map((size) => (size < 0 ? unknownSize() : size)) });
  }
  for (const [value, constant] of graph.constants) infos.set(value, constantInfo(constant));
  for (const node of graph.nodes) {
    const outputs = inferNode(node, graph, infos, unknownSize);
    node.outputs.forEach((output, index) => {
      if (output !== "") infos.set(output, checked(outputs[index] ?? UNKNOWN, node));
    });
  }
  return infos;
}

/** The graph with types and shapes of its outputs filled in where the source did not state them. */
export function withOutputShapes(graph: Graph, infos: InferredValues = inferShapes(graph)): Graph {
  const outputs = graph.outputs.map((output) => {
    const info = infos.get(output.value);
    return { ...output, shape: moreExact(output.shape, shapeOf(info)) };
  });
  return { ...graph, outputs };
}

function moreExact(stated: Shape | undefined, inferred: Shape | undefined): Shape | undefined {
  if (stated === undefined || inferred === undefined || stated.length !== inferred.length) {
    return stated ?? inferred;
  }
  return stated.map((size, axis) => (size < 0 ? (inferred[axis] ?? -1) : size));
}

function inferNode(
  node: Node,
  graph: Graph,
  infos: InferredValues,
  unknownSize: () => Size,
): readonly ValueInfo[] {
  const rule = ELEMENTWISE_RULES.get(node.op) ?? MOVING_RULES.get(node.op) ?? SPATIAL_RULES.get(node.op);
  if (rule === undefined) return [];
  const nameOf = (index: number) => node.inputs[index] ?? "";
  const context: RuleContext = {
    node,
    unknownSize,
    input: (index) => infos.get(nameOf(index)) ?? UNKNOWN,
    constant: (index) => graph.constants.get(nameOf(index)),
    isGiven: (index) => nameOf(index) !== "",
    integers: (index) => {
      const { values } = infos.get(nameOf(index)) ?? UNKNOWN;
      const numbers = values?.filter((value) => typeof value === "number");
      return numbers !== undefined && numbers.length === values?.length ? numbers : undefined;
    },
  };
  return refusingRanges(node, () => rule(context));
}

/** An axis or a size beyond what there is shows as a RangeError: the model's fault, not ours. */
export function refusingRanges<T>(node: Node, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ServeError(
      "MODEL_INVALID",
      `${node.name} (${node.op}) had an axis or a size out of range: ${cause.message}`,
      { cause },
    );
  }
}

function constantInfo(constant: Constant): ValueInfo {
  const { type, shape } = constant;
  const isSizes = (type === "int64" || type === "int32") && shape.length <= 1 && sizeOf(shape) <= MAX_VALUES;
  return { type, sizes: shape, values: isSizes ? numbersOf(constant) : undefined };
}

function checked(inferred: ValueInfo, node: Node): ValueInfo {
  // Lists joined with themselves would double with every node.
  const isLong = (inferred.values?.length ?? 0) > MAX_VALUES;
  const info: ValueInfo = isLong ? { type: inferred.type, sizes: inferred.sizes } : inferred;
  if ((info.sizes?.length ?? 0) > MAX_RANK) {
    throw new ServeError(
      "MODEL_INVALID",
      `${node.name} (${node.op}) gave ${info.sizes?.length} dimensions, expected at most ${MAX_RANK}`,
    );
  }
  const wrong = info.sizes?.find(
    (size) => typeof size === "number" && !(Number.isSafeInteger(size) && size >= 0),
  );
  if (wrong === undefined) return info;
  throw new ServeError(
    "MODEL_INVALID",
    `${node.name} (${node.op}) gave shape [${info.sizes?.join(", ")}], expected whole sizes of at least 0`,
  );
}
