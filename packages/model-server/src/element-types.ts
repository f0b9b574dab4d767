/** TensorFlow's dtypes beside ONNX Runtime's element types. */
import { DataType } from "@vitrine/protocol/tensor";
import type { ElementType, NumericArray } from "./worker-messages.js";

interface ElementTypeFacts {
  readonly dtype: DataType;
  /** Undefined for strings, which have no fixed size. */
  readonly bytes: number | undefined;
  /** The array over a buffer of its own. */
  view(buffer: ArrayBuffer): NumericArray;
}

const FACTS: Readonly<Record<ElementType, ElementTypeFacts>> = {
  float32: { dtype: DataType.DT_FLOAT, bytes: 4, view: (buffer) => new Float32Array(buffer) },
  float64: { dtype: DataType.DT_DOUBLE, bytes: 8, view: (buffer) => new Float64Array(buffer) },
  float16: { dtype: DataType.DT_HALF, bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  uint8: { dtype: DataType.DT_UINT8, bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  int8: { dtype: DataType.DT_INT8, bytes: 1, view: (buffer) => new Int8Array(buffer) },
  uint16: { dtype: DataType.DT_UINT16, bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  int16: { dtype: DataType.DT_INT16, bytes: 2, view: (buffer) => new Int16Array(buffer) },
  uint32: { dtype: DataType.DT_UINT32, bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  int32: { dtype: DataType.DT_INT32, bytes: 4, view: (buffer) => new Int32Array(buffer) },
  uint64: { dtype: DataType.DT_UINT64, bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  int64: { dtype: DataType.DT_INT64, bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  bool: { dtype: DataType.DT_BOOL, bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  string: { dtype: DataType.DT_STRING, bytes: undefined, view: () => new Uint8Array(0) },
};

export function dtypeOf(type: ElementType): DataType {
  return FACTS[type].dtype;
}

/** Bytes of one element; undefined for strings. */
export function bytesOf(type: ElementType): number | undefined {
  return FACTS[type].bytes;
}

/** The elements in a buffer that holds nothing else. */
export function viewOf(type: ElementType, buffer: ArrayBuffer): NumericArray {
  return FACTS[type].view(buffer);
}
