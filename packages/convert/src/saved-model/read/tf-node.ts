/** Operators of a TensorFlow graph once its functions are inlined. */
import { type DataType, dtypeName } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import type { AttrValue } from "../../gen/tensorflow/core/framework/attr_value.js";
import type { TensorProto } from "../../gen/tensorflow/core/framework/tensor.js";
import type { TensorShapeProto } from "../../gen/tensorflow/core/framework/tensor_shape.js";
import { elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { ElementType, Shape } from "../../graph/graph.js";

/** One output of an operator. */
export interface TfTensor {
  readonly node: TfNode;
  readonly index: number;
}

export interface TfNode {
  readonly name: string;
  readonly op: string;
  /** Data inputs; control inputs order what has no side effects here, and are dropped. */
  readonly inputs: readonly TfTensor[];
  readonly attributes: Attributes;
  /** Set for a tensor that callers feed: its alias in the signature. */
  readonly fed?: string | undefined;
}

/** One attribute by name; undefined when it is not in the file. */
export type ReadAttribute = (name: string) => AttrValue["value"];

/** A function that an attribute names, and the attributes of its call. */
export interface FunctionCall {
  readonly name: string;
  readonly attribute: ReadAttribute;
}

/** Attributes of an operator, read as the type that it declares; one left at its default is not in the file. */
export class Attributes {
  readonly #where: string;
  readonly #read: ReadAttribute;
  /** Of the function's call: what placeholders stand for. */
  readonly #caller: ReadAttribute | undefined;

  /** @param where names the operator in messages. */
  constructor(where: string, read: ReadAttribute, caller?: ReadAttribute | undefined) {
    this.#where = where;
    this.#read = read;
    this.#caller = caller;
  }

  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  int(name: string, otherwise: number): number {
    const value = this.#value(name);
    if (value === undefined) return otherwise;
    if (value.$case !== "i") throw this.#wrong(name, "an integer");
    return Number(value.value);
  }

  float(name: string, otherwise: number): number {
    const value = this.#value(name);
    if (value === undefined) return otherwise;
    if (value.$case !== "f") throw this.#wrong(name, "a number");
    return value.value;
  }

  bool(name: string, otherwise: boolean): boolean {
    const value = this.#value(name);
    if (value === undefined) return otherwise;
    if (value.$case !== "b") throw this.#wrong(name, "true or false");
    return value.value;
  }

  text(name: string, otherwise: string): string {
    const value = this.#value(name);
    if (value === undefined) return otherwise;
    if (value.$case !== "s") throw this.#wrong(name, "text");
    return new TextDecoder().decode(value.value);
  }

  ints(name: string, otherwise: readonly number[]): readonly number[] {
    const value = this.#value(name);
    if (value === undefined) return otherwise;
    if (value.$case !== "list") throw this.#wrong(name, "a list of integers");
    // protobuf does not tell an empty list from none.
    return value.value.i.length === 0 ? otherwise : value.value.i.map(Number);
  }

  types(name: string): readonly DataType[] {
    const value = this.#value(name);
    if (value === undefined) return [];
    if (value.$case !== "list") throw this.#wrong(name, "a list of types");
    return value.value.type;
  }

  shapes(name: string): readonly TensorShapeProto[] {
    const value = this.#value(name);
    if (value === undefined) return [];
    if (value.$case !== "list") throw this.#wrong(name, "a list of shapes");
    return value.value.shape;
  }

  strings(name: string): readonly Uint8Array[] {
    const value = this.#value(name);
    if (value === undefined) return [];
    if (value.$case !== "list") throw this.#wrong(name, "a list of strings");
    return value.value.s;
  }

  /** @throws {ServeError} MODEL_UNSUPPORTED for types that the graph does not have. */
  type(name: string, otherwise?: ElementType): ElementType {
    const value = this.#value(name);
    if (value === undefined && otherwise !== undefined) return otherwise;
    if (value?.$case !== "type") throw this.#wrong(name, "a type");
    const type = elementTypeOfTensorFlow(value.value);
    if (type !== undefined) return type;
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `${this.#where} computes ${dtypeName(value.value)}, expected strings or numbers of whole bytes`,
    );
  }

  /** @returns undefined for any rank. */
  shape(name: string): Shape | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (value.$case !== "shape") throw this.#wrong(name, "a shape");
    return shapeOfProto(value.value);
  }

  tensor(name: string): TensorProto {
    const value = this.#value(name);
    if (value?.$case !== "tensor") throw this.#wrong(name, "a tensor");
    return value.value;
  }

  /** The function that the attribute names, and the attributes of its call. */
  func(name: string): FunctionCall {
    const value = this.#value(name);
    if (value?.$case !== "func") throw this.#wrong(name, "a function");
    const { name: callee, attr } = value.value;
    return { name: callee, attribute: (key) => attr.get(key)?.value };
  }

  #value(name: string): AttrValue["value"] {
    const value = this.#read(name);
    return value?.$case === "placeholder" ? this.#caller?.(value.value) : value;
  }

  #wrong(name: string, expected: string): ServeError {
    const was = this.#value(name)?.$case ?? "missing";
    return new ServeError(
      "MODEL_INVALID",
      `${this.#where}: attribute ${name} was ${was}, expected ${expected}`,
    );
  }
}

/** @returns undefined for any rank; -1 for a size known only at run time. */
export function shapeOfProto(proto: TensorShapeProto | undefined): Shape | undefined {
  if (proto === undefined || proto.unknownRank) return undefined;
  return proto.dim.map(({ size }) => (size < 0 ? -1 : size));
}
