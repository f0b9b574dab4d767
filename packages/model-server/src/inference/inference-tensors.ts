/** Tensors as the Open Inference Protocol writes them: datatypes, raw bytes, typed contents. */

import { NUMERIC_TYPES } from "@vitrine/protocol/dtype";
import type { InferTensorContents } from "@vitrine/protocol/gen/inference/open_inference_grpc";
import { ServeError } from "@vitrine/protocol/status";
import {
  DataType,
  elementCount,
  type NumericData,
  type Tensor,
  type TensorData,
} from "@vitrine/protocol/tensor";

const DATATYPES = [
  ["BOOL", DataType.DT_BOOL],
  ["UINT8", DataType.DT_UINT8],
  ["UINT16", DataType.DT_UINT16],
  ["UINT32", DataType.DT_UINT32],
  ["UINT64", DataType.DT_UINT64],
  ["INT8", DataType.DT_INT8],
  ["INT16", DataType.DT_INT16],
  ["INT32", DataType.DT_INT32],
  ["INT64", DataType.DT_INT64],
  ["FP16", DataType.DT_HALF],
  ["FP32", DataType.DT_FLOAT],
  ["FP64", DataType.DT_DOUBLE],
  ["BF16", DataType.DT_BFLOAT16],
  ["BYTES", DataType.DT_STRING],
] as const;

const DTYPE_OF = new Map<string, DataType>(DATATYPES);
const NAME_OF = new Map<DataType, string>(DATATYPES.map(([name, dtype]) => [dtype, name]));

/** Such as `FP32`. Complex numbers have none: they are called by TensorFlow's number. */
export function datatypeName(dtype: DataType): string {
  return NAME_OF.get(dtype) ?? `TYPE_${dtype}`;
}

/** @returns undefined for a word that the protocol does not have. */
export function dtypeOfDatatype(datatype: string): DataType | undefined {
  return DTYPE_OF.get(datatype);
}

/**
 * Sizes of a request's tensor, whose elements are counted before anything is allocated.
 *
 * @throws {ServeError} TENSOR_INVALID
 */
export function checkedShape(name: string, shape: readonly (number | bigint)[]): readonly number[] {
  const sizes = shape.map(Number);
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw invalid(`inference input '${name}' had shape [${shape.join(",")}], expected sizes from 0`);
  }
  if (!Number.isSafeInteger(elementCount(sizes))) {
    throw invalid(`inference input '${name}' had shape [${shape.join(",")}], expected fewer elements`);
  }
  return sizes;
}

/**
 * Reads row-major little-endian bytes; BYTES are elements of a uint32 length and as many bytes each.
 *
 * @returns a view of the bytes where their alignment allows, else a copy.
 * @throws {ServeError} TENSOR_INVALID when they are not as many as the shape needs.
 */
export function tensorFromRaw(
  name: string,
  dtype: DataType,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  const elements = elementCount(shape);
  if (dtype === DataType.DT_STRING) return { dtype, shape, data: stringsFromRaw(name, bytes, elements) };
  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) throw new Error(`no raw form of dtype ${dtype}`);
  const expected = elements * type.parts * type.array.BYTES_PER_ELEMENT;
  if (bytes.byteLength !== expected) {
    throw invalid(
      `input byte size mismatch for input '${name}'. Expected ${expected}, got ${bytes.byteLength}`,
    );
  }
  if (dtype === DataType.DT_BOOL && bytes.some((byte) => byte > 1)) {
    throw invalid(`inference input '${name}' had a byte above 1, expected 0 or 1 for BOOL`);
  }
  const aligned = bytes.byteOffset % type.array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return { dtype, shape, data: new type.array(aligned.buffer, aligned.byteOffset, elements * type.parts) };
}

function stringsFromRaw(name: string, bytes: Uint8Array, elements: number): readonly Uint8Array[] {
  const strings: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset + 4 <= bytes.byteLength) {
    const length = view.getUint32(offset, true);
    offset += 4;
    if (offset + length > bytes.byteLength) break;
    strings.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  if (offset !== bytes.byteLength || strings.length !== elements) {
    throw invalid(`expected ${elements} strings for inference input '${name}', got ${strings.length}`);
  }
  return strings;
}

/** The reverse of {@link tensorFromRaw}: a view of the tensor's memory, but for BYTES. */
export function rawOfTensor({ data }: Tensor): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat(
    data.flatMap((string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(string.byteLength);
      return [length, string];
    }),
  );
}

type Values = readonly (number | bigint | boolean | Uint8Array)[];

/** Contents carry a type's values in the field that is wide enough. FP16 and BF16 travel raw only. */
const CONTENTS_FIELD = new Map<DataType, keyof InferTensorContents>([
  [DataType.DT_BOOL, "boolContents"],
  [DataType.DT_INT8, "intContents"],
  [DataType.DT_INT16, "intContents"],
  [DataType.DT_INT32, "intContents"],
  [DataType.DT_INT64, "int64Contents"],
  [DataType.DT_UINT8, "uintContents"],
  [DataType.DT_UINT16, "uintContents"],
  [DataType.DT_UINT32, "uintContents"],
  [DataType.DT_UINT64, "uint64Contents"],
  [DataType.DT_FLOAT, "fp32Contents"],
  [DataType.DT_DOUBLE, "fp64Contents"],
  [DataType.DT_STRING, "bytesContents"],
]);

export function hasContentsForm(dtype: DataType): boolean {
  return CONTENTS_FIELD.has(dtype);
}

/** @throws {ServeError} TENSOR_INVALID for another number of values, or values in another type's field. */
export function tensorFromContents(
  name: string,
  dtype: DataType,
  shape: readonly number[],
  contents: InferTensorContents,
): Tensor {
  const field = CONTENTS_FIELD.get(dtype);
  if (field === undefined) {
    throw invalid(`inference input '${name}' of ${datatypeName(dtype)} was expected in raw_input_contents`);
  }
  const values: Values = contents[field];
  const elements = elementCount(shape);
  if (values.length !== elements) {
    throw invalid(`input '${name}' got ${values.length} values in ${field}, expected ${elements}`);
  }
  return { dtype, shape, data: dataOfValues(dtype, values) };
}

/** Integers beyond an 8- or 16-bit type wrap, as a C cast does. */
function dataOfValues(dtype: DataType, values: Values): TensorData {
  if (dtype === DataType.DT_STRING) return values.filter((value) => value instanceof Uint8Array);
  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) throw new Error(`no array for dtype ${dtype}`);
  const data = new type.array(values.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (const [index, value] of values.entries()) if (typeof value !== "object") data[index] = BigInt(value);
  } else {
    for (const [index, value] of values.entries()) data[index] = Number(value);
  }
  return data;
}

export function contentsOfTensor({ dtype, data }: Tensor): InferTensorContents {
  const contents: InferTensorContents = {
    boolContents: [],
    intContents: [],
    int64Contents: [],
    uintContents: [],
    uint64Contents: [],
    fp32Contents: [],
    fp64Contents: [],
    bytesContents: [],
  };
  if (!ArrayBuffer.isView(data)) return { ...contents, bytesContents: [...data] };
  if (data instanceof BigInt64Array) return { ...contents, int64Contents: [...data] };
  if (data instanceof BigUint64Array) return { ...contents, uint64Contents: [...data] };
  switch (CONTENTS_FIELD.get(dtype)) {
    case "boolContents":
      return { ...contents, boolContents: Array.from(data, (value) => value !== 0) };
    case "intContents":
      return { ...contents, intContents: numbersOf(data) };
    case "uintContents":
      return { ...contents, uintContents: numbersOf(data) };
    case "fp64Contents":
      return { ...contents, fp64Contents: numbersOf(data) };
    default:
      return { ...contents, fp32Contents: numbersOf(data) };
  }
}

function numbersOf(data: Exclude<NumericData, BigInt64Array | BigUint64Array>): number[] {
  const numbers = new Array<number>(data.length);
  for (let index = 0; index < data.length; index++) numbers[index] = data[index] ?? 0;
  return numbers;
}

function invalid(message: string): ServeError {
  return new ServeError("TENSOR_INVALID", message);
}
