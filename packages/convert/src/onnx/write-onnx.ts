/** Writes a graph as an ONNX model. */
import { open } from "node:fs/promises";
import path from "node:path";
import { MessageWriter } from "@vitrine/protocol/message-writer";
import { ServeError } from "@vitrine/protocol/status";
import {
  AttributeProto,
  AttributeType,
  ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from "../gen/onnx/onnx.js";
import { isConstant, isNumbers, isSpatial, layoutOf } from "../graph/attributes.js";
import { isElementType, ONNX_TYPES } from "../graph/element-type.js";
import type { Attribute, Graph, GraphInput, Node } from "../graph/graph.js";
import { guardPads } from "./guard-pads.js";
import { FLOAT_ATTRIBUTES, TYPE_ATTRIBUTES } from "./onnx-attributes.js";
import { onnxNames } from "./onnx-names.js";
import { ExternalWeights, inlineTensor, type TensorEncoder } from "./write-tensor.js";

/**
 * What is written unless another is asked for. The graph's operators mean what they mean there, ONNX Runtime has read it since
 * 1.18, and 22 to 26, the newest that ONNX Runtime 1.30 reads, bring a classifier nothing but other element types.
 */
export const DEFAULT_OPSET = 21;

/** A protobuf message is at most 2 GiB - 1. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** IR version that came with each opset. Source: onnx/docs/Versioning.md. */
const IR_VERSIONS: ReadonlyMap<number, number> = new Map([
  [18, 8],
  [19, 9],
  [20, 9],
  [21, 10],
  [22, 10],
  [23, 11],
  [24, 12],
  [25, 13],
  [26, 13],
]);

/** Operators that are younger than the oldest opset written. */
const FIRST_OPSETS: ReadonlyMap<string, number> = new Map([
  ["Gelu", 20],
  ["AffineGrid", 20],
  ["GroupNormalization", 21],
  ["Attention", 23],
  ["RMSNormalization", 23],
  ["RotaryEmbedding", 23],
  ["Swish", 24],
  ["TensorScatter", 24],
]);

const NO_BYTES = new Uint8Array(0);

export interface EncodeOnnxOptions {
  readonly opset?: number | undefined;
  /** Becomes the model's `metadata_props`. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Encodes a graph.
 *
 * @param graph every spatial operator is NCHW; see `toLayout`.
 * @returns the file as consecutive parts; weights are views of the graph's constants, not copies.
 * @throws {ServeError} MODEL_UNSUPPORTED above 2 GiB: `writeOnnx` puts such weights beside the model.
 */
export function encodeOnnx(graph: Graph, options: EncodeOnnxOptions = {}): Uint8Array[] {
  const parts = encodeModel(graph, options, inlineTensor);
  const bytes = totalBytes(parts);
  if (bytes > MAX_MODEL_BYTES) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `the ONNX model had ${bytes} bytes, expected at most ${MAX_MODEL_BYTES} in one message`,
    );
  }
  return parts;
}

/** The model as one buffer, for who has no file: a copy of the weights. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(totalBytes(parts));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

export interface WriteOnnxOptions extends EncodeOnnxOptions {
  /** Above it the weights go to a file of their own; default: what a protobuf message can hold. */
  readonly maxModelBytes?: number | undefined;
  /** Default true: the files are on the disk before the promise resolves. A trial's need not be. */
  readonly isLasting?: boolean | undefined;
}

/**
 * Writes a graph to a file; above 2 GiB the weights go to `FILE.data` beside it, as ONNX's external data.
 *
 * @returns the files written, the model first.
 */
export async function writeOnnx(
  graph: Graph,
  file: string,
  options: WriteOnnxOptions = {},
): Promise<string[]> {
  const isLasting = options.isLasting ?? true;
  const inline = encodeModel(graph, options, inlineTensor);
  if (totalBytes(inline) <= (options.maxModelBytes ?? MAX_MODEL_BYTES)) {
    await writeParts(file, inline, isLasting);
    return [file];
  }
  const weightsFile = `${file}.data`;
  const weights = new ExternalWeights(path.basename(weightsFile));
  const model = encodeModel(graph, options, (name, constant) => weights.tensor(name, constant));
  await writeParts(weightsFile, weights.parts, isLasting);
  await writeParts(file, model, isLasting);
  return [file, weightsFile];
}

async function writeParts(file: string, parts: readonly Uint8Array[], isLasting: boolean): Promise<void> {
  const handle = await open(file, "w");
  try {
    // writeFile takes each part to its end, however many writes that needs.
    for (const part of parts) await handle.writeFile(part);
    if (isLasting) await handle.sync();
  } finally {
    await handle.close();
  }
}

function totalBytes(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, part) => total + part.byteLength, 0);
}

function encodeModel(source: Graph, options: EncodeOnnxOptions, tensor: TensorEncoder): Uint8Array[] {
  const graph = guardPads(source);
  const opset = opsetFor(graph, options.opset);
  const irVersion = IR_VERSIONS.get(opset) ?? 0;
  const names = onnxNames(graph);
  const node = [
    ...graph.nodes.map((one) => nodeProto(one, names.of, tensor)),
    // Their names are ONNX's already.
    ...names.copies.map((one) => nodeProto(one, (name) => name, tensor)),
  ];
  const initializer = [...graph.constants].map(([value, constant]) => tensor(names.of(value), constant));
  const writer = new MessageWriter();
  ModelProto.encode(
    {
      irVersion: BigInt(irVersion),
      producerName: "vitrine",
      producerVersion: "",
      domain: "",
      opsetImport: [{ domain: "", version: BigInt(opset) }],
      metadataProps: Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value })),
      functions: [],
      graph: {
        name: graph.name,
        node,
        initializer,
        input: graph.inputs.map(valueInfo),
        output: graph.outputs.map(valueInfo),
        sparseInitializer: [],
      },
    },
    writer,
  );
  return writer.finishParts();
}

/** @throws {ServeError} MODEL_UNSUPPORTED when the opset asked for is none that is written, or too old for an operator. */
function opsetFor(graph: Graph, asked: number | undefined): number {
  const youngest = graph.nodes.reduce((opset, { op }) => Math.max(opset, FIRST_OPSETS.get(op) ?? 0), 0);
  if (asked === undefined) return Math.max(DEFAULT_OPSET, youngest);
  if (!IR_VERSIONS.has(asked)) {
    const known = [...IR_VERSIONS.keys()];
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `the opset was ${asked}, expected ${known[0]} to ${known.at(-1)}`,
    );
  }
  if (asked >= youngest) return asked;
  const node = graph.nodes.find(({ op }) => FIRST_OPSETS.get(op) === youngest);
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${node?.name} is a ${node?.op}, expected an opset of at least ${youngest}, not ${asked}`,
  );
}

function nodeProto(node: Node, nameOf: (value: string) => string, tensor: TensorEncoder): NodeProto {
  if (isSpatial(node.op) && layoutOf(node) !== "NCHW") {
    throw new ServeError("INTERNAL", `${node.name} (${node.op}) was NHWC, expected NCHW in an ONNX model`);
  }
  return {
    name: node.name,
    opType: node.op,
    domain: "",
    input: node.inputs.map(nameOf),
    output: node.outputs.map(nameOf),
    attribute: Object.entries(node.attributes)
      .filter(([name]) => name !== "layout" || !isSpatial(node.op))
      .map(([name, value]) => attributeProto(name, value, tensor)),
  };
}

function attributeProto(name: string, value: Attribute, tensor: TensorEncoder): AttributeProto {
  const empty = AttributeProto.decode(NO_BYTES);
  if (typeof value === "boolean") return { ...empty, name, type: AttributeType.INT, i: value ? 1n : 0n };
  if (typeof value === "number") {
    return FLOAT_ATTRIBUTES.has(name)
      ? { ...empty, name, type: AttributeType.FLOAT, f: value }
      : { ...empty, name, type: AttributeType.INT, i: BigInt(value) };
  }
  if (typeof value === "string") {
    return TYPE_ATTRIBUTES.has(name) && isElementType(value)
      ? { ...empty, name, type: AttributeType.INT, i: BigInt(ONNX_TYPES[value]) }
      : { ...empty, name, type: AttributeType.STRING, s: Buffer.from(value) };
  }
  if (isConstant(value)) return { ...empty, name, type: AttributeType.TENSOR, t: tensor("", value) };
  if (!isNumbers(value)) {
    const strings = value.map((entry) => Buffer.from(String(entry)));
    return { ...empty, name, type: AttributeType.STRINGS, strings };
  }
  return FLOAT_ATTRIBUTES.has(name)
    ? { ...empty, name, type: AttributeType.FLOATS, floats: [...value] }
    : { ...empty, name, type: AttributeType.INTS, ints: value.map(BigInt) };
}

function valueInfo({ alias, type, shape }: Omit<GraphInput, "value">): ValueInfoProto {
  const dim = shape?.map((size, axis) => ({
    value:
      size === -1
        ? ({ $case: "dimParam", value: axis === 0 ? "batch" : `${alias}_${axis}` } as const)
        : ({ $case: "dimValue", value: BigInt(size) } as const),
  }));
  return {
    name: alias,
    type: {
      tensorType: { elemType: ONNX_TYPES[type], shape: dim === undefined ? undefined : { dim } },
      sequenceType: NO_BYTES,
      mapType: NO_BYTES,
    },
  };
}
