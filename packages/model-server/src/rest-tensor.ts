/** JSON values as tensors of a given dtype, by TensorFlow Serving's rules for elements and nesting. */
import { NUMERIC_TYPES } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import {
  DataType,
  dtypeName,
  type NumericData,
  type Tensor,
  type TensorData,
} from "@vitrine/protocol/tensor";
import { JsonDecimal, JsonNumbers, type JsonObject, type JsonValue, plainArray } from "./rest-json.js";

type Element = number | bigint | Uint8Array;

/** Collects the elements of one input and the shape that its lists have. */
export class TensorBuilder {
  readonly #dtype: DataType;
  /** What the values were read from. */
  readonly #bytes: Buffer;
  readonly #convert: (value: JsonValue) => Element;
  readonly #parts: TensorData[] = [];
  #rowShape: readonly number[] | undefined;

  constructor(dtype: DataType, bytes: Buffer) {
    this.#dtype = dtype;
    this.#bytes = bytes;
    this.#convert = converterOf(dtype);
  }

  /** @throws {ServeError} REQUEST_INVALID; METHOD_UNIMPLEMENTED for a dtype that JSON cannot carry. */
  whole(value: JsonValue): Tensor {
    return this.#read(value);
  }

  /** @throws {ServeError} as `whole`. */
  addRow(value: JsonValue): void {
    const { shape, data } = this.#read(value);
    this.#rowShape ??= shape;
    if (
      shape.length !== this.#rowShape.length ||
      shape.some((size, axis) => size !== this.#rowShape?.[axis])
    ) {
      throw invalid(`Expecting shape [${this.#rowShape.join(",")}] but got: [${shape.join(",")}]`);
    }
    this.#parts.push(data);
  }

  rows(count: number): Tensor {
    return {
      dtype: this.#dtype,
      shape: [count, ...(this.#rowShape ?? [])],
      data: joinParts(this.#dtype, this.#parts),
    };
  }

  #read(value: JsonValue): Tensor {
    if (value instanceof JsonNumbers) {
      return tensorOfNumbers(this.#dtype, value) ?? this.#read(plainArray(this.#bytes, value));
    }
    const shape = shapeOf(value);
    const elements: Element[] = [];
    this.#fill(value, shape, 0, elements);
    return { dtype: this.#dtype, shape, data: arrayOf(this.#dtype, elements) };
  }

  #fill(value: JsonValue, shape: readonly number[], level: number, elements: Element[]): void {
    const size = shape[level];
    if (!Array.isArray(value)) {
      if (size !== undefined) {
        throw invalid(`Encountered value at incorrect level: ${level} expected a list of size: ${size}`);
      }
      elements.push(this.#convert(value));
      return;
    }
    const items: readonly JsonValue[] = value;
    if (size === undefined) throw invalid(`Encountered list at incorrect level: ${level} expected a value`);
    if (items.length !== size) {
      throw invalid(
        `Encountered list at unexpected size: ${items.length} at level: ${level} expected size: ${size}`,
      );
    }
    for (const item of items) this.#fill(item, shape, level + 1, elements);
  }
}

/** @returns undefined where only the slow way can say what is wrong, or hold the numbers exactly. */
export function tensorOfNumbers(dtype: DataType, numbers: JsonNumbers): Tensor | undefined {
  const data = dataOfNumbers(dtype, numbers);
  return data === undefined ? undefined : { dtype, shape: numbers.shape, data };
}

function dataOfNumbers(dtype: DataType, { values, exactIntegers }: JsonNumbers): NumericData | undefined {
  if (dtype === DataType.DT_FLOAT) return new Float32Array(values);
  if (dtype === DataType.DT_DOUBLE) return values;
  if (!exactIntegers) return undefined;
  switch (dtype) {
    case DataType.DT_INT64:
      return BigInt64Array.from(values, BigInt);
    case DataType.DT_UINT32:
      return within(values, 0, 2 ** 32) ? new Uint32Array(values) : undefined;
    case DataType.DT_INT32:
      return within(values, -(2 ** 31), 2 ** 31) ? new Int32Array(values) : undefined;
    case DataType.DT_INT16:
      return within(values, -(2 ** 31), 2 ** 31) ? new Int16Array(values) : undefined;
    case DataType.DT_INT8:
      return within(values, -(2 ** 31), 2 ** 31) ? new Int8Array(values) : undefined;
    case DataType.DT_UINT8:
      return within(values, -(2 ** 31), 2 ** 31) ? new Uint8Array(values) : undefined;
    default:
      return undefined;
  }
}

function within(values: Float64Array, least: number, beyond: number): boolean {
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (value < least || value >= beyond) return false;
  }
  return true;
}

function joinParts(dtype: DataType, parts: readonly TensorData[]): TensorData {
  const [first] = parts;
  if (first === undefined) return arrayOf(dtype, []);
  if (parts.length === 1) return first;
  if (dtype === DataType.DT_STRING) return parts.flatMap((part) => (ArrayBuffer.isView(part) ? [] : part));
  const elements = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = emptyArray(dtype, elements);
  let offset = 0;
  for (const part of parts) {
    if (joined instanceof BigInt64Array || joined instanceof BigUint64Array) {
      if (part instanceof BigInt64Array || part instanceof BigUint64Array) joined.set(part, offset);
    } else if (
      ArrayBuffer.isView(part) &&
      !(part instanceof BigInt64Array || part instanceof BigUint64Array)
    ) {
      joined.set(part, offset);
    }
    offset += part.length;
  }
  return joined;
}

/** Shape by the nesting of first members. */
function shapeOf(value: JsonValue): number[] {
  const shape: number[] = [];
  let inner: JsonValue | undefined = value;
  while (Array.isArray(inner)) {
    const items: readonly JsonValue[] = inner;
    shape.push(items.length);
    inner = items[0];
  }
  return shape;
}

function converterOf(dtype: DataType): (value: JsonValue) => Element {
  switch (dtype) {
    case DataType.DT_FLOAT:
    case DataType.DT_DOUBLE:
      return (value) => floatElement(value, dtype);
    case DataType.DT_INT32:
    case DataType.DT_INT16:
    case DataType.DT_INT8:
    case DataType.DT_UINT8:
      return (value) => smallIntegerElement(value, dtype, -(2 ** 31), 2 ** 31);
    case DataType.DT_UINT32:
      return (value) => smallIntegerElement(value, dtype, 0, 2 ** 32);
    case DataType.DT_INT64:
      return (value) => bigIntegerElement(value, dtype, -(2n ** 63n), 2n ** 63n);
    case DataType.DT_UINT64:
      return (value) => bigIntegerElement(value, dtype, 0n, 2n ** 64n);
    case DataType.DT_BOOL:
      return (value) => {
        if (typeof value !== "boolean") throw wrongType(value, dtype);
        return value ? 1 : 0;
      };
    case DataType.DT_STRING:
      return (value) => stringElement(value, dtype);
    default:
      return (value) => {
        throw new ServeError(
          "METHOD_UNIMPLEMENTED",
          `Conversion of JSON Value: ${textOf(value)} to type: ${dtypeName(dtype)}`,
        );
      };
  }
}

function floatElement(value: JsonValue, dtype: DataType): number {
  if (typeof value === "number") return value;
  if (value instanceof JsonDecimal) return value.value;
  if (typeof value === "bigint") return Number(value);
  throw wrongType(value, dtype);
}

function smallIntegerElement(value: JsonValue, dtype: DataType, least: number, beyond: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value >= beyond) {
    throw wrongType(value, dtype);
  }
  return value;
}

function bigIntegerElement(value: JsonValue, dtype: DataType, least: bigint, beyond: bigint): bigint {
  if (typeof value !== "bigint" && (typeof value !== "number" || !Number.isInteger(value))) {
    throw wrongType(value, dtype);
  }
  const exact = BigInt(value);
  if (exact < least || exact >= beyond) throw wrongType(value, dtype);
  return exact;
}

function stringElement(value: JsonValue, dtype: DataType): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  const base64 = value instanceof Map ? base64Of(value) : undefined;
  if (base64 === undefined) throw wrongType(value, dtype);
  return bytesOfBase64(base64);
}

/** Standard alphabet, padding optional. @throws {ServeError} REQUEST_INVALID */
export function bytesOfBase64(base64: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.replace(/=+$/, "").length % 4 === 1) {
    throw invalid("Unable to base64 decode");
  }
  return Buffer.from(base64, "base64");
}

function arrayOf(dtype: DataType, elements: readonly Element[]): TensorData {
  if (dtype === DataType.DT_STRING) return elements.filter((element) => element instanceof Uint8Array);
  const data = emptyArray(dtype, elements.length);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (const [index, element] of elements.entries()) {
      if (typeof element === "bigint") data[index] = element;
    }
  } else {
    for (const [index, element] of elements.entries()) {
      if (typeof element === "number") data[index] = element;
    }
  }
  return data;
}

function emptyArray(dtype: DataType, elements: number): NumericData {
  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) throw new Error(`no array for dtype ${dtype}`);
  return new type.array(elements);
}

/** The text of `{"b64": "…"}`. */
export function base64Of(value: JsonObject): string | undefined {
  const text = value.size === 1 ? value.get("b64") : undefined;
  return typeof text === "string" ? text : undefined;
}

function wrongType(value: JsonValue, dtype: DataType): ServeError {
  return invalid(
    `JSON Value: ${textOf(value)} Type: ${typeWord(value)} is not of expected type: ${dtypeName(dtype)}`,
  );
}

/** The value as JSON, cut at 256 characters as TensorFlow Serving does. */
function textOf(value: JsonValue): string {
  const text =
    JSON.stringify(value, (_, member: unknown) => {
      if (member instanceof Map) return Object.fromEntries(member);
      if (member instanceof JsonDecimal)
        return Number.isInteger(member.value) ? member.value : String(member.value);
      return typeof member === "bigint" ? member.toString() : member;
    }) ?? "";
  return text.slice(0, 256);
}

export function typeWord(value: JsonValue): string {
  if (value === null) return "Null";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return "String";
  if (Array.isArray(value)) return "Array";
  return value instanceof Map ? "Object" : "Number";
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
