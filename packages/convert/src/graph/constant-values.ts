/** Elements of constants as numbers, and constants made of numbers. */
import { ServeError } from "@vitrine/protocol/status";
import { ELEMENT_BYTES } from "./element-type.js";
import type { Constant, ElementType, Shape } from "./graph.js";

/** Arrays that hold the elements of a constant as they are stored. Half floats are bit patterns. */
export type ElementArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

interface ElementArrayConstructor {
  new (length: number): ElementArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ElementArray;
}

const ARRAYS: Readonly<Record<Exclude<ElementType, "string">, ElementArrayConstructor>> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function newElements(type: ElementType, count: number): ElementArray {
  if (type === "string") throw new ServeError("INTERNAL", "the type was string, expected numbers");
  return new ARRAYS[type](count);
}

/** The elements as they are stored: a view where the offset allows it, else a copy. */
export function elementsOf({ type, bytes }: Constant): ElementArray {
  if (type === "string") throw new ServeError("MODEL_INVALID", "a constant held strings, expected numbers");
  const size = ELEMENT_BYTES[type];
  // Not bytes.slice(): on a Buffer that is a view.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new ARRAYS[type](aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / size));
}

/** The elements of a float32 constant; undefined when it is of another type. */
export function floatsOf(constant: Constant | undefined): Float32Array | undefined {
  if (constant?.type !== "float32") return undefined;
  const elements = elementsOf(constant);
  return elements instanceof Float32Array ? elements : undefined;
}

/** All elements as numbers; int64 beyond 2^53 (as in "slice to the end") become the nearest number. */
export function numbersOf(constant: Constant): number[] {
  return Array.from(elementsOf(constant), Number);
}

export function constantOf(type: ElementType, shape: Shape, elements: ElementArray): Constant {
  return { type, shape, bytes: new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength) };
}

export function int64Constant(values: readonly number[], shape: Shape = [values.length]): Constant {
  return constantOf("int64", shape, BigInt64Array.from(values, toInt64));
}

/** @param values not copied when they are a Float32Array. */
export function float32Constant(values: ArrayLike<number>, shape: Shape): Constant {
  return constantOf("float32", shape, values instanceof Float32Array ? values : Float32Array.from(values));
}

/** The nearest int64: "slice to the end" comes as 2^63 - 1, which a number cannot hold. */
export function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  if (value < -(2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}
