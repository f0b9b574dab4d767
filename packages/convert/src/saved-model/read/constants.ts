/** Constants of TensorFlow's graphs, and the numbers in small ones. */
import { ServeError } from "@vitrine/protocol/status";
import { tensorFromProto } from "@vitrine/protocol/tensor";
import type { TensorProto } from "../../gen/tensorflow/core/framework/tensor.js";
import { constantOf, newElements, numbersOf, sizeOf, toInt64 } from "../../graph/constant-values.js";
import { ELEMENT_BYTES, elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { Constant, ElementType, Shape } from "../../graph/graph.js";

/** Largest constant that one value may stand for, in bytes; one with its elements in the file may be larger. */
const MAX_FILLED_BYTES = 256 * 1024 * 1024;

/** Larger constants are joined by passes over the graph. */
const MAX_JOINED_BYTES = 16 * 1024 * 1024;

/** Most elements of a constant that is read number by number: shapes, axes, scales of channels. */
export const MAX_READ_ELEMENTS = 65_536;

/**
 * A Const's tensor.
 *
 * @param where names it in errors.
 * @returns a view of the file where the elements lie there as they are.
 * @throws {ServeError} MODEL_INVALID when damaged; MODEL_UNSUPPORTED for types that the graph does not have.
 */
export function constantOfProto(proto: TensorProto, where: string): Constant {
  const type = elementTypeOfTensorFlow(proto.dtype);
  if (type === undefined) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${where} is a constant of dtype ${proto.dtype}, expected strings or numbers of whole bytes`,
    );
  }
  const content = proto.tensorContent;
  const shape = proto.tensorShape?.dim.map(({ size }) => size) ?? [];
  if (type !== "string" && type !== "bool" && content.byteLength > 0) {
    // As the file has it: no array needs to be aligned here.
    if (shape.every((size) => size >= 0) && sizeOf(shape) * ELEMENT_BYTES[type] === content.byteLength) {
      return { type, shape, bytes: content };
    }
  }
  try {
    const tensor = tensorFromProto(proto, where, {
      maxBytes: Math.max(MAX_FILLED_BYTES, content.byteLength),
    });
    const { data } = tensor;
    if (!ArrayBuffer.isView(data)) {
      return { type, shape: tensor.shape, bytes: new Uint8Array(0), strings: data };
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { type, shape: tensor.shape, bytes };
  } catch (cause) {
    if (!(cause instanceof ServeError)) throw cause;
    throw new ServeError("MODEL_INVALID", cause.message, { cause });
  }
}

/** Elements as numbers; undefined when they are none, or more than {@link MAX_READ_ELEMENTS}. */
export function readNumbers(constant: Constant | undefined): readonly number[] | undefined {
  if (constant === undefined || !hasNumbers(constant.type)) return undefined;
  return sizeOf(constant.shape) > MAX_READ_ELEMENTS ? undefined : numbersOf(constant);
}

/** A constant of numbers, rounded to its type; undefined for types without an array of numbers. */
export function numbersConstant(
  type: ElementType,
  shape: Shape,
  numbers: readonly number[],
): Constant | undefined {
  if (!hasNumbers(type)) return undefined;
  const elements = newElements(type, numbers.length);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    for (const [index, number] of numbers.entries()) {
      elements[index] = Number.isNaN(number) ? 0n : toInt64(number);
    }
  } else {
    elements.set(numbers);
  }
  return constantOf(type, shape, elements);
}

/** Half floats are bit patterns, which no arithmetic here may touch. */
function hasNumbers(type: ElementType): boolean {
  return type !== "string" && type !== "float16" && type !== "bfloat16";
}

/**
 * Joins constants along an axis.
 *
 * @returns undefined when one of them is none, or when they hold strings or do not fit together.
 */
export function concatConstants(
  parts: readonly (Constant | undefined)[],
  axis: number,
): Constant | undefined {
  const [first] = parts;
  const known = parts.filter((part) => part !== undefined);
  if (first === undefined || known.length !== parts.length || first.type === "string") return undefined;
  const others = (shape: Shape) => shape.filter((_, index) => index !== axis).join();
  if (known.some((part) => part.type !== first.type || others(part.shape) !== others(first.shape)))
    return undefined;
  if (known.reduce((sum, part) => sum + part.bytes.byteLength, 0) > MAX_JOINED_BYTES) return undefined;
  const total = known.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0);
  const shape = first.shape.map((size, index) => (index === axis ? total : size));
  const bytes = new Uint8Array(sizeOf(shape) * ELEMENT_BYTES[first.type]);
  const runs = sizeOf(first.shape.slice(0, axis));
  let at = 0;
  for (let run = 0; run < runs; run++) {
    for (const part of known) {
      const length = part.bytes.byteLength / runs;
      bytes.set(part.bytes.subarray(run * length, (run + 1) * length), at);
      at += length;
    }
  }
  return { type: first.type, shape, bytes };
}
