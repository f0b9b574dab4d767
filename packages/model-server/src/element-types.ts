/** TensorFlow's dtypes beside ONNX Runtime's element types. */
import { DataType } from "@vitrine/protocol/tensor";
import type { ElementType, NumericArray } from "./engine/worker-messages.js";

interface ElementTypeFacts {
  readonly dtype: DataType;
  /** Undefined for strings, which have no fixed size. */
  readonly bytes: number | undefined;
  /** The array over the first elements of a buffer. */
  view(buffer: ArrayBuffer, elements: number): NumericArray;
}

const FACTS: Readonly<Record<ElementType, ElementTypeFacts>> = {
  float32: {
    dtype: DataType.DT_FLOAT,
    bytes: 4,
    view: (buffer, elements) => new Float32Array(buffer, 0, elements),
  },
  float64: {
    dtype: DataType.DT_DOUBLE,
    bytes: 8,
    view: (buffer, elements) => new Float64Array(buffer, 0, elements),
  },
  float16: {
    dtype: DataType.DT_HALF,
    bytes: 2,
    view: (buffer, elements) => new Uint16Array(buffer, 0, elements),
  },
  uint8: {
    dtype: DataType.DT_UINT8,
    bytes: 1,
    view: (buffer, elements) => new Uint8Array(buffer, 0, elements),
  },
  int8: { dtype: DataType.DT_INT8, bytes: 1, view: (buffer, elements) => new Int8Array(buffer, 0, elements) },
  uint16: {
    dtype: DataType.DT_UINT16,
    bytes: 2,
    view: (buffer, elements) => new Uint16Array(buffer, 0, elements),
  },
  int16: {
    dtype: DataType.DT_INT16,
    bytes: 2,
    view: (buffer, elements) => new Int16Array(buffer, 0, elements),
  },
  uint32: {
    dtype: DataType.DT_UINT32,
    bytes: 4,
    view: (buffer, elements) => new Uint32Array(buffer, 0, elements),
  },
  int32: {
    dtype: DataType.DT_INT32,
    bytes: 4,
    view: (buffer, elements) => new Int32Array(buffer, 0, elements),
  },
  uint64: {
    dtype: DataType.DT_UINT64,
    bytes: 8,
    view: (buffer, elements) => new BigUint64Array(buffer, 0, elements),
  },
  int64: {
    dtype: DataType.DT_INT64,
    bytes: 8,
    view: (buffer, elements) => new BigInt64Array(buffer, 0, elements),
  },
  bool: {
    dtype: DataType.DT_BOOL,
    bytes: 1,
    view: (buffer, elements) => new Uint8Array(buffer, 0, elements),
  },
  string: { dtype: DataType.DT_STRING, bytes: undefined, view: () => new Uint8Array(0) },
};

export function dtypeOf(type: ElementType): DataType {
  return FACTS[type].dtype;
}

/** Bytes of one element; undefined for strings. */
export function bytesOf(type: ElementType): number | undefined {
  return FACTS[type].bytes;
}

/** The first elements in a buffer. */
export function viewOf(type: ElementType, buffer: ArrayBuffer, elements: number): NumericArray {
  return FACTS[type].view(buffer, elements);
}

const TYPES = new Map<DataType, ElementType>(
  (Object.keys(FACTS) as ElementType[]).map((type) => [FACTS[type].dtype, type]),
);

/** @throws for a dtype that ONNX Runtime has no type for. */
export function elementTypeOf(dtype: DataType): ElementType {
  const type = TYPES.get(dtype);
  if (type === undefined) throw new Error(`dtype ${dtype} has no element type`);
  return type;
}
