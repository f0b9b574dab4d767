/**
 * Tensors in memory and on the wire.
 *
 * The rules of parsing were measured against TensorFlow's C++ parser (`Tensor::FromProto`); golden/ holds its
 * answers. Multi-byte elements are little endian on the wire and in memory: Node runs on no other hosts.
 */
import type { TensorProto } from "./gen/tensorflow/core/framework/tensor.js";
import { DataType } from "./gen/tensorflow/core/framework/types.js";
import { ServeError } from "./status.js";
import { stringsFromContent } from "./tensor-strings.js";

export { DataType };

/** Elements of a numeric tensor, row-major. */
export type NumericData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

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

type ValueField = {
  [K in keyof TensorProto]: TensorProto[K] extends (number | bigint | boolean)[] ? K : never;
}[keyof TensorProto];

interface NumericArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumericData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericData;
}

interface NumericType {
  /** As TensorFlow writes it in messages. */
  readonly name: string;
  readonly array: NumericArrayConstructor;
  /** Array entries per element: 2 for complex numbers. */
  readonly parts: 1 | 2;
  /** The `*_val` field that carries this type. */
  readonly field: ValueField;
}

const NUMERIC_TYPES: ReadonlyMap<DataType, NumericType> = new Map<DataType, NumericType>([
  [DataType.DT_FLOAT, { name: "float", array: Float32Array, parts: 1, field: "floatVal" }],
  [DataType.DT_DOUBLE, { name: "double", array: Float64Array, parts: 1, field: "doubleVal" }],
  [DataType.DT_INT32, { name: "int32", array: Int32Array, parts: 1, field: "intVal" }],
  [DataType.DT_UINT8, { name: "uint8", array: Uint8Array, parts: 1, field: "intVal" }],
  [DataType.DT_INT16, { name: "int16", array: Int16Array, parts: 1, field: "intVal" }],
  [DataType.DT_INT8, { name: "int8", array: Int8Array, parts: 1, field: "intVal" }],
  [DataType.DT_UINT16, { name: "uint16", array: Uint16Array, parts: 1, field: "intVal" }],
  [DataType.DT_INT64, { name: "int64", array: BigInt64Array, parts: 1, field: "int64Val" }],
  [DataType.DT_UINT32, { name: "uint32", array: Uint32Array, parts: 1, field: "uint32Val" }],
  [DataType.DT_UINT64, { name: "uint64", array: BigUint64Array, parts: 1, field: "uint64Val" }],
  [DataType.DT_BOOL, { name: "bool", array: Uint8Array, parts: 1, field: "boolVal" }],
  [DataType.DT_HALF, { name: "half", array: Uint16Array, parts: 1, field: "halfVal" }],
  [DataType.DT_BFLOAT16, { name: "bfloat16", array: Uint16Array, parts: 1, field: "halfVal" }],
  [DataType.DT_COMPLEX64, { name: "complex64", array: Float32Array, parts: 2, field: "scomplexVal" }],
  [DataType.DT_COMPLEX128, { name: "complex128", array: Float64Array, parts: 2, field: "dcomplexVal" }],
]);

const ENUM_NAMES = new Map<number, string>(Object.entries(DataType).map(([name, number]) => [number, name]));

/** TensorFlow's short name, as in its error messages: `float`, `uint8`, `string`. */
export function dtypeName(dtype: DataType): string {
  const enumName = ENUM_NAMES.get(dtype);
  if (enumName === undefined) return `dtype ${dtype}`;
  return NUMERIC_TYPES.get(dtype)?.name ?? enumName.slice("DT_".length).toLowerCase();
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  // Apart, because a product that overflows to Infinity before it meets the 0 would be NaN.
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
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
    if (proto.tensorContent.byteLength > 0) {
      const strings = stringsFromContent(proto.tensorContent, elements);
      if (strings === undefined)
        throw refuse(`tensor_content was not ${elements} strings with their lengths`);
      return { dtype, shape, data: strings };
    }
    return { dtype, shape, data: repeatLastString(proto.stringVal, elements) };
  }

  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) {
    throw refuse(`dtype was ${dtypeName(dtype)}, expected string or a number type of at least 8 bits`);
  }
  const bytesPerElement = type.array.BYTES_PER_ELEMENT * type.parts;
  const shape = shapeFromProto(proto, Math.floor(maxBytes / bytesPerElement), refuse);
  const elements = elementCount(shape);
  const content = proto.tensorContent;
  if (content.byteLength === 0)
    return { dtype, shape, data: dataFromValues(proto[type.field], type, elements) };
  if (content.byteLength !== elements * bytesPerElement) {
    throw refuse(
      `tensor_content had ${content.byteLength} bytes, expected ${elements * bytesPerElement} for ` +
        `${type.name} of shape [${shape.join(",")}]`,
    );
  }
  return { dtype, shape, data: dataFromContent(content, type, elements * type.parts) };
}

function shapeFromProto(
  proto: TensorProto,
  maxElements: number,
  refuse: (what: string) => ServeError,
): readonly number[] {
  const shapeProto = proto.tensorShape;
  if (shapeProto === undefined || shapeProto.unknownRank) return [];
  const shape = shapeProto.dim.map((dim) => dim.size);
  if (shape.length > MAX_RANK)
    throw refuse(`shape had ${shape.length} dimensions, expected at most ${MAX_RANK}`);
  if (shape.some((size) => size < 0)) {
    throw refuse(`shape was [${shape.join(",")}], expected no negative dimension`);
  }
  // The product may be too large for a double to hold exactly, which the comparison survives.
  if (elementCount(shape) > maxElements) {
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
    proto[field] = Array.from(data);
  }
}
