/** Reads an ONNX model into a graph, in the words of opset 21. */
import { readFile, stat } from "node:fs/promises";
import { MessageReader } from "@vitrine/protocol/message-reader";
import { ServeError } from "@vitrine/protocol/status";
import { type GraphProto, ModelProto, type NodeProto, type ValueInfoProto } from "../gen/onnx/onnx.js";
import { isConstant, isNumbers, isSpatial } from "../graph/attributes.js";
import { constantOf, int64Constant } from "../graph/constant-values.js";
import { elementTypeOfOnnx } from "../graph/element-type.js";
import type { Constant, ElementType, Graph, GraphInput, Node, Shape } from "../graph/graph.js";
import { withOutputShapes } from "../graph/infer-shapes.js";
import { inOrder } from "../graph/node-order.js";
import { ExternalData } from "./external-data.js";
import { inlineFunctions } from "./inline-functions.js";
import { readAttributes } from "./read-attributes.js";
import { readTensor } from "./read-tensor.js";
import { NEWEST_OPSET, OLDEST_OPSET, upgradeNode } from "./upgrade.js";

/** A protobuf message ends there; larger models keep their weights beside them. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;
/** By MessageReader's estimate; a model of 5000 nodes takes a tenth. Weights are views of the file and count as nothing. */
const MAX_DECODED_BYTES = 48 * 1024 * 1024;
/** As many refusals are named at once. */
const MAX_NAMED = 10;

/**
 * Reads a model and the weights beside it.
 *
 * @returns constants are views of the file's bytes; spatial operators are NCHW.
 * @throws {ServeError} MODEL_INVALID when the file is damaged; MODEL_UNSUPPORTED when an operator or a type is not ours to convert.
 */
export async function readOnnx(file: string): Promise<Graph> {
  const { size } = await stat(file);
  if (size > MAX_MODEL_BYTES) throw invalid(file, `${size} bytes`, `at most ${MAX_MODEL_BYTES}`);
  const buffer = await readFile(file);
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const externalData = new ExternalData(file);
  try {
    return await graphOf(decodeModel(bytes, file), file, externalData);
  } finally {
    await externalData.close();
  }
}

/** Decodes the message. @param label names the model in errors. */
export function decodeModel(bytes: Uint8Array, label: string): ModelProto {
  let model: ModelProto;
  try {
    model = ModelProto.decode(new MessageReader(bytes, MAX_DECODED_BYTES));
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError("MODEL_INVALID", `${label} was no ONNX model: ${words}`, { cause });
  }
  if (model.graph === undefined || model.opsetImport.length === 0) {
    throw new ServeError("MODEL_INVALID", `${label} was no ONNX model: it had no graph or no opset`);
  }
  return model;
}

async function graphOf(model: ModelProto, label: string, externalData: ExternalData): Promise<Graph> {
  const proto = model.graph;
  if (proto === undefined) throw invalid(label, "no graph", "one");
  const opset = opsetOf(model, label);
  if (proto.sparseInitializer.length > 0) {
    throw new ServeError("MODEL_UNSUPPORTED", `${label} had sparse weights, expected dense ones`);
  }
  const reading = new GraphReading(label, opset);
  for (const tensor of proto.initializer) {
    reading.define(tensor.name, "an initializer");
    reading.constants.set(tensor.name, await readTensor(tensor, `initializer ${tensor.name}`, externalData));
  }
  const inputs = inputsOf(proto, reading);
  for (const node of inlineFunctions(proto.node, model.functions)) await reading.read(node);
  reading.throwRefusals();
  const outputs = proto.output.map((output) => {
    const { type, shape } = tensorType(output);
    if (!reading.isDefined(output.name))
      throw invalid(`output ${output.name}`, "no node that computes it", "one");
    return { value: output.name, alias: output.name, type, shape };
  });
  const known = [...reading.constants.keys(), ...inputs.map(({ value }) => value)];
  const nodes = inOrder(reading.nodes, known);
  return withOutputShapes({ name: proto.name, inputs, outputs, nodes, constants: reading.constants });
}

function opsetOf(model: ModelProto, label: string): number {
  const found = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  const opset = Number(found?.version ?? 0n);
  if (opset >= OLDEST_OPSET && opset <= NEWEST_OPSET) return opset;
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${label} was of opset ${opset}, expected ${OLDEST_OPSET} to ${NEWEST_OPSET}`,
  );
}

/** Old models list their weights among the inputs. */
function inputsOf(proto: GraphProto, reading: GraphReading): GraphInput[] {
  return proto.input.flatMap((input) => {
    if (reading.constants.has(input.name)) return [];
    reading.define(input.name, "an input");
    return [{ value: input.name, alias: input.name, ...tensorType(input) }];
  });
}

function tensorType({ name, type }: ValueInfoProto): { type: ElementType; shape: Shape | undefined } {
  const tensor = type?.tensorType;
  const elementType = elementTypeOfOnnx(tensor?.elemType ?? 0);
  if (tensor === undefined || elementType === undefined) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${name} was a sequence, a map or of ONNX's data type ${tensor?.elemType}, expected a tensor of numbers`,
    );
  }
  const shape = tensor.shape?.dim.map(({ value }) => {
    const size = value?.$case === "dimValue" ? Number(value.value) : -1;
    return Number.isSafeInteger(size) && size >= 0 ? size : -1;
  });
  return { type: elementType, shape };
}

/** What a graph is read into, node by node. */
class GraphReading {
  readonly nodes: Node[] = [];
  readonly constants = new Map<string, Constant>();
  readonly #label: string;
  readonly #opset: number;
  readonly #values = new Set<string>();
  readonly #names = new Set<string>();
  readonly #refusals: string[] = [];

  constructor(label: string, opset: number) {
    this.#label = label;
    this.#opset = opset;
  }

  isDefined(value: string): boolean {
    return this.#values.has(value);
  }

  define(value: string, what: string): void {
    if (value === "") return;
    if (this.#values.has(value)) throw invalid(this.#label, `${what} ${value} twice`, "each value once");
    this.#values.add(value);
  }

  async read(proto: NodeProto): Promise<void> {
    const name = this.#unique(proto.name || proto.output[0] || proto.opType);
    for (const output of proto.output) this.define(output, "a result");
    if (proto.domain !== "" && proto.domain !== "ai.onnx") {
      this.#refusals.push(`${name} is a ${proto.domain}.${proto.opType}`);
      return;
    }
    if (SUBGRAPHS.has(proto.opType)) {
      this.#refusals.push(`${name} is a ${proto.opType}`);
      return;
    }
    const attributes = await readAttributes(proto.attribute, `${name} (${proto.opType})`);
    const node: Node = { op: proto.opType, name, inputs: proto.input, outputs: proto.output, attributes };
    if (node.op === "Constant") {
      this.constants.set(node.outputs[0] ?? "", constantNode(node));
      return;
    }
    const upgraded = upgradeNode(node, {
      opset: this.#opset,
      constantOf: (value) => this.constants.get(value),
      unique: (wish) => this.#unique(wish),
      constant: (wish, constant) => {
        const value = this.#unique(wish);
        this.constants.set(value, constant);
        return value;
      },
    });
    for (const one of upgraded) {
      this.nodes.push(
        isSpatial(one.op) ? { ...one, attributes: { ...one.attributes, layout: "NCHW" } } : one,
      );
    }
  }

  /** @throws {ServeError} MODEL_UNSUPPORTED when operators were refused, naming up to ten. */
  throwRefusals(): void {
    const { length } = this.#refusals;
    if (length === 0) return;
    const named = this.#refusals.slice(0, MAX_NAMED).join("; ");
    const more = length > MAX_NAMED ? `; and ${length - MAX_NAMED} more` : "";
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${named}${more}, expected ONNX's own operators without subgraphs; export the model for inference, with fixed control flow`,
    );
  }

  #unique(wish: string): string {
    let name = wish;
    for (let count = 1; this.#names.has(name) || (count > 1 && this.#values.has(name)); count++)
      name = `${wish}_${count}`;
    this.#names.add(name);
    return name;
  }
}

const SUBGRAPHS: ReadonlySet<string> = new Set(["If", "Loop", "Scan", "SequenceMap"]);

function constantNode(node: Node): Constant {
  const { value, value_float, value_floats, value_int, value_ints } = node.attributes;
  if (value !== undefined && isConstant(value)) return value;
  if (typeof value_int === "number") return int64Constant([value_int], []);
  if (value_ints !== undefined && isNumbers(value_ints)) return int64Constant(value_ints);
  if (typeof value_float === "number") return constantOf("float32", [], Float32Array.of(value_float));
  if (value_floats !== undefined && isNumbers(value_floats)) {
    return constantOf("float32", [value_floats.length], Float32Array.from(value_floats));
  }
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${node.name} is a Constant of text or sparse numbers, expected dense numbers`,
  );
}

function invalid(what: string, was: string, expected: string): ServeError {
  return new ServeError("MODEL_INVALID", `${what} had ${was}, expected ${expected}`);
}
