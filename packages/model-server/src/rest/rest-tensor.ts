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
  readonly #elements: ElementCollector;
  #rowShape: readonly number[] | undefined;

  constructor(dtype: DataType, bytes: Buffer) {
    this.#dtype = dtype;
    this.#bytes = bytes;
    this.#convert = converterOf(dtype);
    this.#elements = new ElementCollector(dtype);
  }

  /** @throws {ServeError} REQUEST_INVALID; METHOD_UNIMPLEMENTED for a dtype that JSON cannot carry. */
  whole(value: JsonValue): Tensor {
    if (value instanceof JsonNumbers) {
      const tensor = tensorOfNumbers(this.#dtype, value);
      if (tensor !== undefined) return tensor;
    }
    const shape = this.#add(value);
    return { dtype: this.#dtype, shape, data: this.#elements.take() };
  }

  /** @throws {ServeError} as `whole`. */
  addRow(value: JsonValue): void {
    const shape = this.#add(value);
    this.#rowShape ??= shape;
    if (
      shape.length !== this.#rowShape.length ||
      shape.some((size, axis) => size !== this.#rowShape?.[axis])
    ) {
      throw invalid(`Expecting shape [${this.#rowShape.join(",")}] but got: [${shape.join(",")}]`);
    }
  }

  rows(count: number): Tensor {
    return {
      dtype: this.#dtype,
      shape: [count, ...(this.#rowShape ?? [])],
      data: this.#elements.take(),
    };
  }

  /** @returns the shape of what was added. */
  #add(value: JsonValue): readonly number[] {
    if (value instanceof JsonNumbers) {
      if (!fitsDtype(this.#dtype, value)) return this.#add(plainArray(this.#bytes, value));
      this.#elements.addNumbers(value.values);
      return value.shape;
    }
    const shape = shapeOf(value);
    this.#fill(value, shape, 0);
    return shape;
  }

  #fill(value: JsonValue, shape: readonly number[], level: number): void {
    const size = shape[level];
    if (!Array.isArray(value)) {
      if (size !== undefined) {
        throw invalid(`Encountered value at incorrect level: ${level} expected a list of size: ${size}`);
      }
      this.#elements.add(this.#convert(value));
      return;
    }
    const items: readonly JsonValue[] = value;
    if (size === undefined) throw invalid(`Encountered list at incorrect level: ${level} expected a value`);
    if (items.length !== size) {
      throw invalid(
        `Encountered list at unexpected size: ${items.length} at level: ${level} expected size: ${size}`,
      );
    }
    for (const item of items) this.#fill(item, shape, level + 1);
  }
}

/** Elements in the array of their dtype, which grows. */
class ElementCollector {
  readonly #strings: Uint8Array[] = [];
  /** Undefined for strings. */
  #data: NumericData | undefined;
  #used = 0;

  constructor(dtype: DataType) {
    const type = NUMERIC_TYPES.get(dtype);
    this.#data = type === undefined ? undefined : new type.array(16);
  }

  add(element: Element): void {
    if (element instanceof Uint8Array) {
      this.#strings.push(element);
      return;
    }
    const data = this.#withRoomFor(1);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[this.#used] = BigInt(element);
    else data[this.#used] = Number(element);
    this.#used++;
  }

  addNumbers(values: Float64Array | readonly number[]): void {
    const data = this.#withRoomFor(values.length);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      for (const [index, value] of values.entries()) data[this.#used + index] = BigInt(value);
    } else {
      data.set(values, this.#used);
    }
    this.#used += values.length;
  }

  /** What was added, in memory of its own size. */
  take(): TensorData {
    return this.#data === undefined ? this.#strings : this.#data.slice(0, this.#used);
  }

  #withRoomFor(elements: number): NumericData {
    const data = this.#data;
    if (data === undefined) throw new Error("a number among strings");
    if (this.#used + elements <= data.length) return data;
    const larger = enlarged(data, Math.max(2 * data.length, this.#used + elements));
    this.#data = larger;
    return larger;
  }
}

function enlarged(data: NumericData, elements: number): NumericData {
  const bytes = new Uint8Array(elements * data.BYTES_PER_ELEMENT);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const { buffer } = bytes;
  if (data instanceof Float32Array) return new Float32Array(buffer);
  if (data instanceof Float64Array) return new Float64Array(buffer);
  if (data instanceof Int8Array) return new Int8Array(buffer);
  if (data instanceof Int16Array) return new Int16Array(buffer);
  if (data instanceof Int32Array) return new Int32Array(buffer);
  if (data instanceof Uint16Array) return new Uint16Array(buffer);
  if (data instanceof Uint32Array) return new Uint32Array(buffer);
  if (data instanceof BigInt64Array) return new BigInt64Array(buffer);
  if (data instanceof BigUint64Array) return new BigUint64Array(buffer);
  return bytes;
}

/** @returns undefined where only the slow way can say what is wrong, or hold the numbers exactly. */
export function tensorOfNumbers(dtype: DataType, numbers: JsonNumbers): Tensor | undefined {
  const data = dataOfNumbers(dtype, numbers);
  return data === undefined ? undefined : { dtype, shape: numbers.shape, data };
}

function dataOfNumbers(dtype: DataType, numbers: JsonNumbers): NumericData | undefined {
  const { values } = numbers;
  if (dtype === DataType.DT_DOUBLE && values instanceof Float64Array) return values;
  if (!fitsDtype(dtype, numbers)) return undefined;
  const type = NUMERIC_TYPES.get(dtype);
  if (type === undefined) return undefined;
  if (dtype === DataType.DT_INT64) return BigInt64Array.from(values, BigInt);
  const data = new type.array(values.length);
  if (!(data instanceof BigInt64Array || data instanceof BigUint64Array)) data.set(values);
  return data;
}

/** Whether each number is an element as it stands; integers of 8 and 16 bits wrap, as TensorFlow Serving has it. */
function fitsDtype(dtype: DataType, { values, exactIntegers }: JsonNumbers): boolean {
  switch (dtype) {
    case DataType.DT_FLOAT:
    case DataType.DT_DOUBLE:
      return true;
    case DataType.DT_INT64:
      return exactIntegers;
    case DataType.DT_UINT32:
      return exactIntegers && within(values, 0, 2 ** 32);
    case DataType.DT_INT32:
    case DataType.DT_INT16:
    case DataType.DT_INT8:
    case DataType.DT_UINT8:
      return exactIntegers && within(values, -(2 ** 31), 2 ** 31);
    default:
      return false;
  }
}

function within(values: Float64Array | readonly number[], least: number, beyond: number): boolean {
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (value < least || value >= beyond) return false;
  }
  return true;
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
