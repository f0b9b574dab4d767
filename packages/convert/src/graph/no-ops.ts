/** Removes operators that give what they take. */
import { numberAttribute, numbersAttribute, textAttribute } from "./attributes.js";
import { floatsOf } from "./constant-values.js";
import type { Graph, Node } from "./graph.js";
import { type InferredValues, inferShapes } from "./infer-shapes.js";
import { isIdentity, permuted } from "./permutation.js";

export function removeNoOps(graph: Graph): Graph {
  const infos = inferShapes(graph);
  /** What stands for a value now. */
  const same = new Map<string, string>();
  const resolve = (value: string) => same.get(value) ?? value;
  const producers = new Map<string, Node>();
  const taken = new Set([
    ...graph.nodes.flatMap((node) => node.inputs.filter((input) => input !== "")),
    ...graph.outputs.map(({ value }) => value),
  ]);
  const nodes: Node[] = [];
  for (const source of graph.nodes) {
    const node = joinMoves({ ...source, inputs: source.inputs.map(resolve) }, producers, infos);
    const [data = ""] = node.inputs;
    const [result = "", ...more] = node.outputs;
    const undone = undoneShape(node, producers, infos);
    if (undone !== undefined) same.set(result, undone);
    else if (isNoOp(node, graph, infos) && !more.some((output) => taken.has(output))) {
      same.set(result, data);
    } else {
      nodes.push(node);
      for (const output of node.outputs) producers.set(output, node);
    }
  }
  const outputs = graph.outputs.map((output) => ({ ...output, value: resolve(output.value) }));
  return { ...graph, nodes, outputs };
}

const KEEP_ELEMENTS_IN_ORDER: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

/** The value before a chain of reshapes that ends with the sizes it had. */
function undoneShape(
  node: Node,
  producers: ReadonlyMap<string, Node>,
  infos: InferredValues,
): string | undefined {
  const [result = ""] = node.outputs;
  let current: Node | undefined = node;
  while (current !== undefined && KEEP_ELEMENTS_IN_ORDER.has(current.op)) {
    const [source = ""]: readonly string[] = current.inputs;
    if (haveSameSizes(source, result, infos)) return source;
    current = producers.get(source);
  }
  return undefined;
}

function isNoOp(node: Node, graph: Graph, infos: InferredValues): boolean {
  const [data = "", second = ""] = node.inputs;
  switch (node.op) {
    case "Identity":
      return true;
    case "Dropout":
      return isFalse(node.inputs[2] ?? "", graph);
    case "Cast":
      return infos.get(data)?.type === textAttribute(node, "to", "");
    case "Transpose":
      return isIdentity(numbersAttribute(node, "perm") ?? [1]);
    case "Reshape":
    case "Flatten":
    case "Expand":
    case "Squeeze":
    case "Unsqueeze":
      return haveSameSizes(data, node.outputs[0] ?? "", infos);
    case "Slice":
      return haveSameSizes(data, node.outputs[0] ?? "", infos) && isForward(node.inputs[4] ?? "", infos);
    case "Pad":
      return infos.get(second)?.values?.every((amount) => amount === 0) === true;
    case "Tile":
      return infos.get(second)?.values?.every((times) => times === 1) === true;
    case "Concat":
    case "Sum":
    case "Max":
    case "Min":
    case "Mean":
      return node.inputs.length === 1;
    case "Clip":
      return node.inputs.slice(1).every((bound) => bound === "");
    case "Resize":
      return floatsOf(graph.constants.get(node.inputs[2] ?? ""))?.every((scale) => scale === 1) === true;
    case "AveragePool":
    case "MaxPool":
      return isWindowOfOne(node);
    default:
      return false;
  }
}

/** Whether a flag is not given or constant and false. */
function isFalse(value: string, graph: Graph): boolean {
  return value === "" || graph.constants.get(value)?.bytes[0] === 0;
}

function isForward(steps: string, infos: InferredValues): boolean {
  return steps === "" || infos.get(steps)?.values?.every((step) => step === 1) === true;
}

function haveSameSizes(a: string, b: string, infos: InferredValues): boolean {
  const [left, right] = [infos.get(a)?.sizes, infos.get(b)?.sizes];
  return (
    left !== undefined && left.length === right?.length && left.every((size, axis) => size === right[axis])
  );
}

function isWindowOfOne(node: Node): boolean {
  const kernel = numbersAttribute(node, "kernel_shape");
  const strides = numbersAttribute(node, "strides") ?? [];
  const pads = numbersAttribute(node, "pads") ?? [];
  return (
    kernel?.every((size) => size === 1) === true &&
    strides.every((stride) => stride === 1) &&
    pads.every((amount) => amount === 0)
  );
}

/** Two moves of elements, one after the other, as one. */
function joinMoves(node: Node, producers: ReadonlyMap<string, Node>, infos: InferredValues): Node {
  const before = producers.get(node.inputs[0] ?? "");
  const [source = ""] = before?.inputs ?? [];
  if (before === undefined) return node;
  if (node.op === "Transpose" && before.op === "Transpose") {
    const [first, second] = [numbersAttribute(before, "perm"), numbersAttribute(node, "perm")];
    if (first === undefined || second === undefined) return node;
    return { ...node, inputs: [source], attributes: { perm: permuted(first, second) } };
  }
  // A Reshape needs to know nothing of the shape before, unless it copies sizes from it.
  const target = infos.get(node.inputs[1] ?? "")?.values;
  if (node.op !== "Reshape" || !KEEP_ELEMENTS_IN_ORDER.has(before.op) || target === undefined) return node;
  if (numberAttribute(node, "allowzero", 0) !== 0) return node;
  const [own, other] = [infos.get(node.inputs[0] ?? "")?.sizes, infos.get(source)?.sizes];
  const copiesSame = target.every(
    (size, axis) => size !== 0 || (own?.[axis] !== undefined && own[axis] === other?.[axis]),
  );
  return copiesSame ? { ...node, inputs: node.inputs.with(0, source) } : node;
}
