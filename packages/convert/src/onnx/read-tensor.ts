/** TensorProto to constant: views of the file's bytes where it holds them as they are in memory. */
import { ServeError } from "@vitrine/protocol/status";
import type { TensorProto } from "../gen/onnx/onnx.js";
import { constantOf, type ElementArray, newElements } from "../graph/constant-values.js";
import { ELEMENT_BYTES, elementTypeOfOnnx } from "../graph/element-type.js";
import type { Constant, ElementType, Shape } from "../graph/graph.js";
import type { ExternalData } from "./external-data.js";

const MAX_RANK = 64;

/** Types whose elements the `int32_data` field carries. */
const IN_INT32: ReadonlySet<ElementType> = new Set<ElementType>([
  "int32",
  "int16",
  "int8",
  "uint16",
  "uint8",
  "bool",
  "float16",
  "bfloat16",
]);

/**
 * Reads a tensor.
 *
 * @param label names the tensor in messages.
 * @throws {ServeError} MODEL_INVALID when its bytes are not what its shape needs; MODEL_UNSUPPORTED for a type of less than a byte.
 */
export async function readTensor(
  proto: TensorProto,
  label: string,
  externalData: ExternalData | undefined,
): Promise<Constant> {
  const type = elementTypeOfOnnx(proto.dataType);
  if (type === undefined) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${label} was of ONNX's data type ${proto.dataType}, expected numbers of 8, 16, 32 or 64 bits, bool or string`,
    );
  }
  const shape = shapeOf(proto.dims, label);
  const elements = shape.reduce((product, size) => product * size, 1);
  const expected = elements * ELEMENT_BYTES[type];
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(expected)) {
    throw invalid(label, `shape [${shape.join(",")}]`, "a size that memory can hold");
  }
  if (proto.dataLocation === 1) {
    if (externalData === undefined || type === "string") {
      throw invalid(label, "its bytes in another file", "them in the model");
    }
    return { type, shape, bytes: await externalData.read(proto.externalData, expected, label) };
  }
  if (type === "string") {
    if (proto.stringData.length !== elements) {
      throw invalid(
        label,
        `${proto.stringData.length} strings`,
        `${elements} for shape [${shape.join(",")}]`,
      );
    }
    return { type, shape, bytes: new Uint8Array(0), strings: proto.stringData };
  }
  const stored = storedConstant(proto, type, shape, elements, label);
  if (stored.bytes.byteLength === expected) return stored;
  throw invalid(
    label,
    `${stored.bytes.byteLength} bytes`,
    `${expected} for ${type} of shape [${shape.join(",")}]`,
  );
}

function shapeOf(dims: readonly bigint[], label: string): Shape {
  if (dims.length > MAX_RANK) throw invalid(label, `${dims.length} dimensions`, `at most ${MAX_RANK}`);
  return dims.map((size) => {
    if (size >= 0n && size <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(size);
    throw invalid(label, `a dimension of ${size}`, "0 to 2^53");
  });
}

function storedConstant(
  proto: TensorProto,
  type: ElementType,
  shape: Shape,
  elements: number,
  label: string,
): Constant {
  if (proto.rawData.byteLength > 0 || elements === 0) return { type, shape, bytes: proto.rawData };
  if (type === "float32") return { type, shape, bytes: joined(proto.floatData) };
  if (type === "float64") return { type, shape, bytes: joined(proto.doubleData) };
  const chunks = IN_INT32.has(type) ? proto.int32Data : type === "int64" ? proto.int64Data : proto.uint64Data;
  const varints = joined(chunks);
  // A varint is at least one byte: what is not there cannot be asked for.
  if (elements > varints.byteLength) {
    throw invalid(
      label,
      `${varints.byteLength} bytes`,
      `at least ${elements} for ${type} of shape [${shape.join(",")}]`,
    );
  }
  const values = newElements(type, elements);
  const count = readVarints(varints, values);
  if (count !== elements)
    throw invalid(label, `${count} elements`, `${elements} for shape [${shape.join(",")}]`);
  return constantOf(type, shape, values);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first, ...more] = chunks;
  if (first === undefined) return new Uint8Array(0);
  return more.length === 0 ? first : Buffer.concat(chunks);
}

/** @returns the number of varints; those beyond the array are counted, not stored. */
function readVarints(bytes: Uint8Array, values: ElementArray): number {
  let count = 0;
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (shift > 70n) return -1;
    if (byte >= 0x80) continue;
    if (count < values.length) store(values, count, BigInt.asIntN(64, value));
    count++;
    value = 0n;
    shift = 0n;
  }
  return shift === 0n ? count : -1;
}

/** Integers beyond the array's type wrap, as a C cast does. */
function store(values: ElementArray, index: number, value: bigint): void {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) values[index] = value;
  else values[index] = Number(value);
}

function invalid(label: string, was: string, expected: string): ServeError {
  return new ServeError("MODEL_INVALID", `${label} had ${was}, expected ${expected}`);
}
