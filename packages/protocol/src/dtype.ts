/** The element types that Vitrine reads and writes. */
import type { TensorProto } from "./gen/tensorflow/core/framework/tensor.js";
import { DataType } from "./gen/tensorflow/core/framework/types.js";

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

type ValueField = {
  [K in keyof TensorProto]: TensorProto[K] extends (number | bigint | boolean)[] ? K : never;
}[keyof TensorProto];

interface NumericArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumericData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericData;
}

export interface NumericType {
  /** As TensorFlow writes it in messages. */
  readonly name: string;
  readonly array: NumericArrayConstructor;
  /** Array entries per element: 2 for complex numbers. */
  readonly parts: 1 | 2;
  /** The `*_val` field that carries this type. */
  readonly field: ValueField;
}

export const NUMERIC_TYPES: ReadonlyMap<DataType, NumericType> = new Map<DataType, NumericType>([
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
