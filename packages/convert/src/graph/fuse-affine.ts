/**
 * Joins `x * scale + shift` per channel (batch normalisation, and the Mul and Add that Keras 3 exports in its place)
 * with the convolution or matrix product that computes `x`.
 */
import { layoutOf, numberAttribute } from "./attributes.js";
import { float32Constant, floatsOf, sizeOf } from "./constant-values.js";
import type { Constant, Graph, Node } from "./graph.js";
import { type InferredValues, inferShapes } from "./infer-shapes.js";

/** One pair per channel, or one for all. */
interface Affine {
  readonly scale: ArrayLike<number>;
  readonly shift: ArrayLike<number>;
}

/** A quantised graph rounds at places that it states: what moves a factor past one of them changes its answers. */
const ROUNDING = new Set(["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"]);

export function fuseAffine(graph: Graph): Graph {
  if (graph.nodes.some(({ op }) => ROUNDING.has(op))) return graph;
  const infos = inferShapes(graph);
  const constants = new Map(graph.constants);
  const takers = countTakers(graph);
  /** Nodes as they are now, by their first output. */
  const producers = new Map<string, number>();
  const nodes: (Node | undefined)[] = [];
  const push = (node: Node) => {
    producers.set(node.outputs[0] ?? "", nodes.length);
    nodes.push(node);
  };
  for (const node of graph.nodes) {
    const data = dataOf(node, constants);
    const at = data === undefined ? undefined : producers.get(data);
    const before = at === undefined ? undefined : nodes[at];
    const isOnlyTaker = data !== undefined && takers.get(data) === 1;
    const fused =
      at === undefined || before === undefined || data === undefined || !isOnlyTaker
        ? undefined
        : fuse(before, node, data, constants, infos);
    if (at === undefined || fused === undefined) push(node);
    else {
      // Where the second node stood: the constants are there anyway, and so is all that the first took.
      nodes[at] = undefined;
      push(fused);
    }
  }
  return { ...graph, nodes: nodes.filter((node) => node !== undefined), constants };
}

function countTakers(graph: Graph): Map<string, number> {
  const takers = new Map<string, number>();
  const values = [...graph.nodes.flatMap((node) => node.inputs), ...graph.outputs.map(({ value }) => value)];
  for (const value of values) takers.set(value, (takers.get(value) ?? 0) + 1);
  return takers;
}

/** The input that is no parameter. */
function dataOf(node: Node, constants: ReadonlyMap<string, Constant>): string | undefined {
  if (node.op === "BatchNormalization") return node.inputs[0];
  if (!["Add", "Sub", "Mul", "Div"].includes(node.op)) return undefined;
  const [left = "", right = ""] = node.inputs;
  if (constants.has(right) && !constants.has(left)) return left;
  // A constant divided by the data is not affine in it.
  return constants.has(left) && !constants.has(right) && node.op !== "Div" ? right : undefined;
}

/** @returns the first node with the second one's work in its weights; undefined: they stay two. */
function fuse(
  first: Node,
  second: Node,
  data: string,
  constants: Map<string, Constant>,
  infos: InferredValues,
): Node | undefined {
  const kernel = kernelOf(first, constants, infos);
  if (kernel === undefined) return undefined;
  const affine = affineOf(second, data, kernel, constants, infos);
  if (affine === undefined) return undefined;
  const weights = floatsOf(constants.get(kernel.weights));
  const bias = kernel.bias === "" ? undefined : floatsOf(constants.get(kernel.bias));
  const shape = constants.get(kernel.weights)?.shape;
  if (weights === undefined || shape === undefined || (kernel.bias !== "" && bias === undefined))
    return undefined;
  if (bias !== undefined && bias.length !== kernel.channels) return undefined;
  const { scale, shift } = perChannel(affine, kernel.channels);
  let scaledName = kernel.weights;
  if (scale.some((factor) => factor !== 1)) {
    const scaled = scaledBlocks(weights, scale, kernel);
    scaledName = unusedName(`${kernel.weights}/fused`, constants, infos);
    constants.set(scaledName, float32Constant(scaled, shape));
  }
  const fusedBias = shift.map((amount, channel) => (bias?.[channel] ?? 0) * (scale[channel] ?? 1) + amount);
  if (!fusedBias.every(Number.isFinite)) return undefined;
  const biasName = unusedName(`${first.name}/bias`, constants, infos);
  constants.set(biasName, float32Constant(fusedBias, [kernel.channels]));
  const attributes = kernel.op === first.op ? first.attributes : {};
  return {
    ...first,
    op: kernel.op,
    inputs: [first.inputs[0] ?? "", scaledName, biasName],
    outputs: second.outputs.slice(0, 1),
    attributes,
  };
}

interface Kernel {
  /** What the joined operator is. */
  readonly op: string;
  readonly weights: string;
  /** "" when there is none. */
  readonly bias: string;
  readonly channels: number;
  /** Of the result. */
  readonly rank: number;
  /** Axis of the channels in the result, counted from the end. */
  readonly axisFromEnd: number;
  /** As many weights after each other belong to one channel. */
  readonly block: number;
  /** Channel of each block. */
  readonly channelOf: (block: number) => number;
}

function scaledBlocks(
  weights: Float32Array,
  scale: readonly number[],
  { block, channelOf }: Kernel,
): Float32Array {
  const scaled = new Float32Array(weights.length);
  for (let start = 0, count = 0; start < scaled.length; start += block, count++) {
    const factor = scale[channelOf(count)] ?? 1;
    for (let index = start; index < start + block; index++) scaled[index] = (weights[index] ?? 0) * factor;
  }
  return scaled;
}

function kernelOf(
  node: Node,
  constants: ReadonlyMap<string, Constant>,
  infos: InferredValues,
): Kernel | undefined {
  const [, weights = "", bias = ""] = node.inputs;
  const shape = constants.get(weights)?.shape;
  if (shape === undefined) return undefined;
  const [rows = 0, columns = 0, ...window] = shape;
  const block = sizeOf(window);
  const axisFromEnd = () => (layoutOf(node) === "NHWC" ? 1 : shape.length - 1);
  switch (node.op) {
    case "Conv":
      return {
        ...{ op: "Conv", weights, bias, channels: rows, rank: shape.length, axisFromEnd: axisFromEnd() },
        ...{ block: columns * block, channelOf: (index) => index },
      };
    case "ConvTranspose": {
      const groups = numberAttribute(node, "group", 1);
      const channels = columns * groups;
      const channelOf = (index: number) =>
        Math.floor(Math.floor(index / columns) / (rows / groups)) * columns + (index % columns);
      return {
        ...{ op: "ConvTranspose", weights, bias, channels, rank: shape.length, axisFromEnd: axisFromEnd() },
        ...{ block, channelOf },
      };
    }
    case "MatMul":
      // Gemm takes two dimensions; a Dense layer over more of them stays a product and a sum.
      if (infos.get(node.inputs[0] ?? "")?.sizes?.length !== 2 || shape.length !== 2) return undefined;
      return {
        ...{ op: "Gemm", weights, bias: "", channels: columns, rank: 2, axisFromEnd: 1 },
        ...{ block: 1, channelOf: (index) => index % columns },
      };
    case "Gemm": {
      if (numberAttribute(node, "alpha", 1) !== 1 || numberAttribute(node, "beta", 1) !== 1) return undefined;
      const isTurned = numberAttribute(node, "transB", 0) !== 0;
      return {
        ...{ op: "Gemm", weights, bias, channels: isTurned ? rows : columns, rank: 2, axisFromEnd: 1 },
        ...{ block: isTurned ? columns : 1, channelOf: (index) => (isTurned ? index : index % columns) },
      };
    }
    default:
      return undefined;
  }
}

function affineOf(
  node: Node,
  data: string,
  kernel: Kernel,
  constants: ReadonlyMap<string, Constant>,
  infos: InferredValues,
): Affine | undefined {
  if (node.op === "BatchNormalization") {
    return kernel.axisFromEnd === channelAxisFromEnd(node, infos)
      ? normalisation(node, constants)
      : undefined;
  }
  const isLeft = node.inputs[0] === data;
  const other = constants.get(node.inputs[isLeft ? 1 : 0] ?? "");
  const values = floatsOf(other);
  if (other === undefined || values === undefined || !isPerChannel(other, kernel)) return undefined;
  switch (node.op) {
    case "Add":
      return { scale: [1], shift: values };
    case "Sub":
      return isLeft ? { scale: [1], shift: values.map((value) => -value) } : { scale: [-1], shift: values };
    case "Mul":
      return { scale: values, shift: [0] };
    default:
      return { scale: Float64Array.from(values, (value) => 1 / value), shift: [0] };
  }
}

function channelAxisFromEnd(node: Node, infos: InferredValues): number | undefined {
  if (layoutOf(node) === "NHWC") return 1;
  const rank = infos.get(node.inputs[0] ?? "")?.sizes?.length;
  return rank === undefined ? undefined : rank - 1;
}

/** Whether a constant is one number, or one per channel, when it broadcasts against the result. */
function isPerChannel({ shape }: Constant, { channels, rank, axisFromEnd }: Kernel): boolean {
  const elements = sizeOf(shape);
  // More axes than the result has would give it more.
  if (shape.length > rank) return false;
  if (elements === 1) return true;
  return elements === channels && shape.at(-axisFromEnd) === channels;
}

function normalisation(node: Node, constants: ReadonlyMap<string, Constant>): Affine | undefined {
  const [gamma, beta, mean, variance] = node.inputs.slice(1).map((input) => floatsOf(constants.get(input)));
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined)
    return undefined;
  const epsilon = Math.fround(numberAttribute(node, "epsilon", 1e-5));
  const scale = Float64Array.from(
    gamma,
    (factor, channel) => factor / Math.sqrt((variance[channel] ?? 0) + epsilon),
  );
  const shift = Float64Array.from(
    beta,
    (amount, channel) => amount - (mean[channel] ?? 0) * (scale[channel] ?? 0),
  );
  return { scale, shift };
}

function perChannel({ scale, shift }: Affine, channels: number): { scale: number[]; shift: number[] } {
  const spread = (values: ArrayLike<number>) =>
    Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel] ?? Number.NaN);
  return { scale: spread(scale), shift: spread(shift) };
}

function unusedName(wish: string, constants: ReadonlyMap<string, Constant>, infos: InferredValues): string {
  let name = wish;
  for (let count = 1; constants.has(name) || infos.has(name); count++) name = `${wish}_${count}`;
  return name;
}
