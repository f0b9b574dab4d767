/** Element types of the graph: their sizes, arrays and names elsewhere. */
import { DataType } from "@vitrine/protocol/tensor";
import type { ElementType } from "./graph.js";

/** Bytes of one element; strings have no fixed size. */
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
  string: 0,
};

/** TensorFlow's number of each type. */
export const TENSORFLOW_TYPES: Readonly<Record<ElementType, DataType>> = {
  float32: DataType.DT_FLOAT,
  float16: DataType.DT_HALF,
  bfloat16: DataType.DT_BFLOAT16,
  float64: DataType.DT_DOUBLE,
  int8: DataType.DT_INT8,
  uint8: DataType.DT_UINT8,
  int16: DataType.DT_INT16,
  uint16: DataType.DT_UINT16,
  int32: DataType.DT_INT32,
  uint32: DataType.DT_UINT32,
  int64: DataType.DT_INT64,
  uint64: DataType.DT_UINT64,
  bool: DataType.DT_BOOL,
  string: DataType.DT_STRING,
};

/** ONNX's number of each type (TensorProto.DataType). */
export const ONNX_TYPES: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

const BY_ONNX_TYPE = inverse(ONNX_TYPES);
const BY_TENSORFLOW_TYPE = inverse(TENSORFLOW_TYPES);

export function elementTypeOfOnnx(number: number): ElementType | undefined {
  return BY_ONNX_TYPE.get(number);
}

export function elementTypeOfTensorFlow(dtype: DataType): ElementType | undefined {
  return BY_TENSORFLOW_TYPE.get(dtype);
}

export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

function inverse(numbers: Readonly<Record<ElementType, number>>): ReadonlyMap<number, ElementType> {
  return new Map(
    Object.entries(numbers).flatMap(([type, number]) => (isElementType(type) ? [[number, type]] : [])),
  );
}
