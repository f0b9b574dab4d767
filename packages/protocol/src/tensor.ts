/**
 * Tensors in memory and on the wire.
 *
 * The rules of parsing were measured against TensorFlow's C++ parser (`Tensor::FromProto`); golden/ holds its
 * answers. Multi-byte elements are little endian on the wire and in memory: Node runs on no other hosts.
 */
import { DataType, dtypeName, NUMERIC_TYPES, type NumericData, type NumericType } from "./dtype.js";
import type { TensorProto } from "./gen/tensorflow/core/framework/tensor.js";
import { ServeError } from "./status.js";
import { stringsFromContent } from "./tensor-strings.js";

export { DataType, dtypeName, type NumericData };

/** DT_STRING: one byte string per element. */
export type TensorData = NumericData | readonly Uint8Array[];

export interface Tensor {
  readonly dtype: DataType;
  /** Sizes, all known; [] is a scalar. */
  readonly shape: readonly number[];
  /**
   * Row-major. DT_BOOL: Uint8Array of 0 and 1. DT_HALF, DT_BFLOAT16: Uint16Array of bit patterns. DT_COMPLEX*:
   * real and imaginary part by turns, two entries per element. Else the array type of that name.
   */
  readonly data: TensorData;
}

/** A tensor above this size is refused unless the caller says otherwise: one value may stand for a huge shape. */
export const DEFAULT_MAX_TENSOR_BYTES = 256 * 1024 * 1024;

/** TensorFlow's limit on the number of dimensions (`TensorShape::MaxDimensions`). */
const MAX_RANK = 254;

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Array entries that `data` of this dtype and shape has; complex numbers take two each. */
function entryCount(dtype: DataType, shape: readonly number[]): number {
  return elementCount(shape) * (NUMERIC_TYPES.get(dtype)?.parts ?? 1);
}

/**
 * Reads a tensor as TensorFlow does: `tensor_content` wins over values; too few values repeat the last one;
 * none are zeros; surplus ones and those in another type's field are ignored; no shape means a scalar.
 *
 * @param alias names the tensor in errors.
 * @param options.maxBytes most bytes that `data` may take; a shape is checked before anything is allocated.
 * @returns `data` is a view of `tensor_content` where its alignment allows (always for one-byte elements), and
 *   of `string_val`; else a copy.
 * @throws {ServeError} TENSOR_INVALID, beginning `tensor parsing error: ALIAS` as TensorFlow Serving says it.
 */
export function tensorFromProto(
  proto: TensorProto,
  alias: string,
  options: { maxBytes?: number } = {},
): Tensor {
  const refuse = (what: string) =>
    new ServeError("TENSOR_INVALID", `tensor parsing error: ${alias}: ${what}`);
  const { dtype } = proto;
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_TENSOR_BYTES;
  if (dtype === DataType.DT_STRING) {
    // A reference per element is what one value costs for each place it stands in.
    const shape = shapeFromProto(proto, Math.floor(maxBytes / 8), refuse);
    const elements = elementCount(shape);
    const content = proto.tensorContent;
    if (content.byteLength === 0 || elements === 0) {
      return { dtype, shape, data: repeatLastString(proto.stringVal, elements) };
    }
    const data = stringsFromContent(content, elements);
    if (data === undefined) throw refuse(`tensor_content was not ${elements} lengths and their strings`);
    return { dtype, shape, data };
  }

  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) {
    throw refuse(`dtype was ${dtypeName(dtype)}, expected string or a number type of at least 8 bits`);
  }
  const bytesPerElement = type.array.BYTES_PER_ELEMENT * type.parts;
  const shape = shapeFromProto(proto, Math.floor(maxBytes / bytesPerElement), refuse);
  const elements = elementCount(shape);
  const content = proto.tensorContent;
  if (content.byteLength === 0 || elements === 0) {
    return { dtype, shape, data: dataFromValues(proto[type.field], type, elements) };
  }
  if (content.byteLength !== elements * bytesPerElement) {
    throw refuse(
      `tensor_content had ${content.byteLength} bytes, expected ${elements * bytesPerElement} for ` +
        `${type.name} of shape [${shape.join(",")}]`,
    );
  }
  if (dtype === DataType.DT_BOOL && content.some((byte) => byte > 1)) {
    throw refuse("tensor_content had a byte above 1, expected 0 or 1 for bool");
  }
  return { dtype, shape, data: dataFromContent(content, type, elements * type.parts) };
}

/** `unknown_rank` says nothing that missing dimensions do not: TensorFlow takes such a tensor for a scalar. */
function shapeFromProto(
  proto: TensorProto,
  maxElements: number,
  refuse: (what: string) => ServeError,
): readonly number[] {
  const shape = proto.tensorShape?.dim.map((dim) => dim.size) ?? [];
  if (shape.length > MAX_RANK) {
    throw refuse(`shape had ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  }
  if (shape.some((size) => size < 0)) {
    throw refuse(`shape was [${shape.join(",")}], expected no negative dimension`);
  }
  let elements = 1;
  let overflows = false;
  for (const size of shape) {
    elements *= size;
    // A 0 that follows mends nothing, as in TensorFlow.
    overflows ||= elements >= 2 ** 63;
  }
  if (overflows || elements > maxElements) {
    throw refuse(`shape was [${shape.join(",")}], expected at most ${maxElements} elements`);
  }
  return shape;
}

function dataFromContent(content: Uint8Array, type: NumericType, entries: number): NumericData {
  const aligned = content.byteOffset % type.array.BYTES_PER_ELEMENT === 0;
  // Not content.slice(): on a Buffer that is a view.
  const bytes = aligned ? content : new Uint8Array(content);
  return new type.array(bytes.buffer, bytes.byteOffset, entries);
}

function dataFromValues(
  values: readonly (number | bigint | boolean)[],
  type: NumericType,
  elements: number,
): NumericData {
  const entries = elements * type.parts;
  const data = new type.array(entries);
  const given = Math.min(Math.floor(values.length / type.parts) * type.parts, entries);
  copyValues(data, given === values.length ? values : values.slice(0, given));
  if (given === 0 || given === entries) return data;
  // Doubling: each copy repeats what is there, beginning with the last element given.
  const last = given - type.parts;
  for (let filled = given; filled < entries; ) {
    const length = Math.min(filled - last, entries - filled);
    data.copyWithin(filled, last, last + length);
    filled += length;
  }
  return data;
}

/** Integers beyond the array's type wrap modulo 2^n, as a C cast does. */
function copyValues(data: NumericData, values: readonly (number | bigint | boolean)[]): void {
  let index = 0;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (const value of values) data[index++] = BigInt(value);
  } else {
    for (const value of values) data[index++] = Number(value);
  }
}

function repeatLastString(strings: readonly Uint8Array[], elements: number): readonly Uint8Array[] {
  if (strings.length === elements) return strings;
  const last = strings.at(-1) ?? new Uint8Array(0);
  return Array.from({ length: elements }, (_, index) => strings[index] ?? last);
}

/**
 * Writes a tensor.
 *
 * @param form `content` puts the raw bytes into `tensor_content` (a view of `data`, not a copy); `values` writes
 *   every element into the type's `*_val` field, as TensorFlow Serving answers. Strings travel in `string_val`
 *   in both forms, as every client sends them.
 * @throws {ServeError} INTERNAL when `data` does not have as many entries as `shape` says: a bug of ours.
 */
export function tensorToProto(tensor: Tensor, form: "content" | "values"): TensorProto {
  const { dtype, shape, data } = tensor;
  const expected = entryCount(dtype, shape);
  if (data.length !== expected) {
    throw new ServeError(
      "INTERNAL",
      `${dtypeName(dtype)} tensor of shape [${shape.join(",")}] had ${data.length} entries, expected ${expected}`,
    );
  }
  const proto = emptyTensorProto(dtype, shape);
  if (!ArrayBuffer.isView(data)) {
    proto.stringVal = [...data];
  } else if (form === "content") {
    proto.tensorContent = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  } else {
    setValues(proto, dtype, data);
  }
  return proto;
}

function emptyTensorProto(dtype: DataType, shape: readonly number[]): TensorProto {
  return {
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
    versionNumber: 0,
    tensorContent: new Uint8Array(0),
    floatVal: [],
    doubleVal: [],
    intVal: [],
    stringVal: [],
    scomplexVal: [],
    int64Val: [],
    boolVal: [],
    dcomplexVal: [],
    halfVal: [],
    uint32Val: [],
    uint64Val: [],
  };
}

function setValues(proto: TensorProto, dtype: DataType, data: NumericData): void {
  if (data instanceof BigInt64Array) {
    proto.int64Val = Array.from(data);
    return;
  }
  if (data instanceof BigUint64Array) {
    proto.uint64Val = Array.from(data);
    return;
  }
  const field = NUMERIC_TYPES.get(dtype)?.field;
  if (field === "boolVal") {
    proto.boolVal = Array.from(data, (value) => value !== 0);
  } else if (field !== undefined && field !== "int64Val" && field !== "uint64Val") {
    proto[field] = numbersOf(data);
  }
}

/** Array.from takes 5 times as long: it goes through the iterator. */
function numbersOf(data: Exclude<NumericData, BigInt64Array | BigUint64Array>): number[] {
  const numbers = new Array<number>(data.length);
  for (let index = 0; index < data.length; index++) numbers[index] = data[index] ?? 0;
  return numbers;
}
