/** One operator of the graph on its way to TensorFlow: what it takes, and the nodes that stand for it. */
import { ServeError } from "@vitrine/protocol/status";
import { isConstant } from "../../graph/attributes.js";
import { constantOf, newElements, numbersOf, toInt64 } from "../../graph/constant-values.js";
import { ELEMENT_BYTES } from "../../graph/element-type.js";
import type { Constant, ElementType, Node, Shape } from "../../graph/graph.js";
import { positiveAxis, shapeOf, type ValueInfo } from "../../graph/value-info.js";
import { type AttrValues, intAttr, tensorAttr, typeAttr } from "./attr-values.js";
import { permuteBytes, spreadKernel, spreadShape } from "./permute.js";
import type { Room } from "./tensor-bundle.js";
import type { TensorFlowGraph, TensorRef } from "./tensorflow-graph.js";

/** Where an operator's inputs come from. */
export interface Values {
  readonly graph: TensorFlowGraph;
  tensor(value: string): TensorRef;
  info(value: string): ValueInfo | undefined;
  constant(value: string): Constant | undefined;
}

/** How a constant kernel is rearranged before it is stored. */
export interface KernelForm {
  /** New shape of the same elements, before they are transposed. */
  readonly reshape?: Shape;
  readonly perm: readonly number[];
  /** Zeros between the taps of the leading, spatial axes, for operators that know no dilation. */
  readonly spread?: readonly number[];
}

export class Operator {
  readonly node: Node;
  readonly #values: Values;
  #resultMade = false;

  constructor(node: Node, values: Values) {
    this.node = node;
    this.#values = values;
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  has(index: number): boolean {
    return (this.node.inputs[index] ?? "") !== "";
  }

  input(index: number): TensorRef {
    const value = this.node.inputs[index] ?? "";
    if (value === "") throw this.refuse(`has no input ${index}`, "expected one");
    return this.#values.tensor(value);
  }

  inputs(): TensorRef[] {
    return this.node.inputs.map((_, index) => this.input(index));
  }

  shape(index: number): Shape | undefined {
    return shapeOf(this.info(index));
  }

  info(index: number): ValueInfo | undefined {
    return this.#values.info(this.node.inputs[index] ?? "");
  }

  outputShape(index = 0): Shape | undefined {
    return shapeOf(this.#values.info(this.node.outputs[index] ?? ""));
  }

  /** @throws {ServeError} MODEL_UNSUPPORTED where TensorFlow needs to know it and the graph does not say. */
  rank(index: number): number {
    const rank = this.shape(index)?.length;
    if (rank === undefined) throw this.refuse("takes a tensor of unknown rank", "expected a known one");
    return rank;
  }

  /** An axis counted from the front of an input. */
  axis(axis: number, index = 0): number {
    return axis < 0 ? positiveAxis(axis, this.rank(index)) : axis;
  }

  constant(index: number): Constant | undefined {
    return this.#values.constant(this.node.inputs[index] ?? "");
  }

  /** The elements of a constant input of whole or real numbers; undefined when it is not constant. */
  numbers(index: number): number[] | undefined {
    const constant = this.constant(index);
    return constant === undefined ? undefined : numbersOf(constant);
  }

  /** As {@link numbers}, for inputs that TensorFlow wants as attributes. */
  knownNumbers(index: number, what: string): number[] {
    const numbers = this.numbers(index);
    if (numbers === undefined) throw this.refuse(`computes its ${what}`, "expected a constant");
    return numbers;
  }

  /** The first element of an attribute that holds a tensor. */
  attributeNumber(name: string): number | undefined {
    const value = this.node.attributes[name];
    return value !== undefined && isConstant(value) ? numbersOf(value)[0] : undefined;
  }

  /** Adds a node that only leads to the result. Without `types` its one output is of the first input's type. */
  helper(op: string, inputs: readonly TensorRef[], attributes: AttrValues, type?: ElementType): TensorRef {
    return this.#one(op, `${this.node.name}/${op}`, inputs, attributes, type);
  }

  /** Adds the node that gives the operator's first output, under the operator's own name. */
  result(op: string, inputs: readonly TensorRef[], attributes: AttrValues, type?: ElementType): TensorRef {
    if (this.#resultMade) return this.helper(op, inputs, attributes, type);
    this.#resultMade = true;
    return this.#one(op, this.node.name, inputs, attributes, type);
  }

  /** Adds a node with several outputs that only leads to the result. */
  helpers(
    op: string,
    inputs: readonly TensorRef[],
    attributes: AttrValues,
    types: readonly ElementType[],
  ): TensorRef[] {
    return this.#values.graph.node(op, `${this.node.name}/${op}`, inputs, attributes, types);
  }

  /** Adds a node with several outputs, under the operator's own name. */
  results(
    op: string,
    inputs: readonly TensorRef[],
    attributes: AttrValues,
    types: readonly ElementType[],
  ): TensorRef[] {
    return this.#values.graph.node(op, this.node.name, inputs, attributes, types);
  }

  /** An int32 list, such as axes; rank 1. */
  int32s(values: readonly number[], what: string): TensorRef {
    const bytes = new Uint8Array(Int32Array.from(values).buffer);
    return this.#constantOf("int32", [values.length], bytes, what);
  }

  /** A float32 list; rank 1. */
  float32s(values: readonly number[], what: string): TensorRef {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    return this.#constantOf("float32", [values.length], bytes, what);
  }

  /** An int32 matrix of rows of two, such as paddings. */
  int32Pairs(pairs: readonly (readonly [number, number])[], what: string): TensorRef {
    const bytes = new Uint8Array(Int32Array.from(pairs.flat()).buffer);
    return this.#constantOf("int32", [pairs.length, 2], bytes, what);
  }

  int32(value: number, what: string): TensorRef {
    return this.#constantOf("int32", [], new Uint8Array(Int32Array.of(value).buffer), what);
  }

  /** One number as a scalar of `type`. */
  scalar(value: number, type: ElementType, what: string): TensorRef {
    if (type === "float16" || type === "bfloat16") {
      const attributes = { SrcT: typeAttr("float32"), DstT: typeAttr(type) };
      return this.helper("Cast", [this.scalar(value, "float32", what)], attributes, type);
    }
    const elements = newElements(type, 1);
    if (elements instanceof BigInt64Array) elements[0] = toInt64(value);
    else if (elements instanceof BigUint64Array) elements[0] = BigInt.asUintN(64, toInt64(value));
    else elements[0] = value;
    return this.#constantOf(type, [], constantOf(type, [], elements).bytes, what);
  }

  /** The runtime shape of a tensor, int32, rank 1. */
  shapeOf(tensor: TensorRef): TensorRef {
    const attributes = { T: typeAttr(tensor.type), out_type: typeAttr("int32") };
    return this.helper("Shape", [tensor], attributes, "int32");
  }

  /** A kernel in TensorFlow's order of axes. @returns its shape there, too; sizes are -1 where it is computed. */
  kernel(index: number, form: KernelForm): { tensor: TensorRef; shape: number[] } {
    const value = this.node.inputs[index] ?? "";
    const constant = this.constant(index);
    const source = form.reshape ?? this.shape(index);
    if (source === undefined) throw this.refuse("has a kernel of unknown shape", "expected a known one");
    const moved = form.perm.map((axis) => source[axis] ?? -1);
    const shape = form.spread === undefined ? moved : spreadShape(moved, form.spread);
    if (constant === undefined) return { tensor: this.#computedKernel(index, form), shape };
    const { type, bytes } = constant;
    if (type === "string") throw this.refuse("has a kernel of strings", "expected numbers");
    const elementBytes = ELEMENT_BYTES[type];
    const key = JSON.stringify([value, form]);
    const arrange = (room: Room): Uint8Array => {
      const place = form.spread === undefined ? room(bytes.byteLength) : undefined;
      const permuted = permuteBytes(bytes, source, form.perm, elementBytes, place);
      return form.spread === undefined ? permuted : spreadKernel(permuted, moved, form.spread, elementBytes);
    };
    const byteLength = shape.reduce((product, size) => product * size, elementBytes);
    const tensor = this.#values.graph.constant(key, value, type, shape, arrange, byteLength);
    return { tensor, shape };
  }

  refuse(what: string, instead: string): ServeError {
    const { name, op } = this.node;
    return new ServeError("MODEL_UNSUPPORTED", `${name} is a ${op} that ${what}, ${instead}`);
  }

  #computedKernel(index: number, form: KernelForm): TensorRef {
    if (form.spread !== undefined) throw this.refuse("dilates a computed kernel", "expected a constant one");
    let tensor = this.input(index);
    if (form.reshape !== undefined) {
      const attributes = { T: typeAttr(tensor.type), Tshape: typeAttr("int32") };
      tensor = this.helper("Reshape", [tensor, this.int32s(form.reshape, "kernel_shape")], attributes);
    }
    const attributes = { T: typeAttr(tensor.type), Tperm: typeAttr("int32") };
    return this.helper("Transpose", [tensor, this.int32s(form.perm, "perm")], attributes);
  }

  #one(
    op: string,
    name: string,
    inputs: readonly TensorRef[],
    attributes: AttrValues,
    type: ElementType | undefined,
  ): TensorRef {
    const first = type ?? inputs[0]?.type;
    if (first === undefined) throw new ServeError("INTERNAL", `${name} had no type`);
    const [output] = this.#values.graph.node(op, name, inputs, attributes, [first]);
    if (output === undefined) throw new ServeError("INTERNAL", `${name} had no output`);
    return output;
  }

  #constantOf(type: ElementType, shape: Shape, bytes: Uint8Array, what: string): TensorRef {
    const name = `${this.node.name}/${what}`;
    const attributes = { dtype: typeAttr(type), value: tensorAttr({ type, shape, bytes }) };
    return this.#one("Const", name, [], attributes, type);
  }
}

/** `T`, which nearly every operator has: the type of what it takes. */
export function typed(tensor: TensorRef, more: AttrValues = {}): AttrValues {
  return { T: typeAttr(tensor.type), ...more };
}

/** `N` and `T` of operators that take a list. */
export function listed(tensors: readonly TensorRef[], more: AttrValues = {}): AttrValues {
  const [first] = tensors;
  return { N: intAttr(tensors.length), ...(first === undefined ? {} : typed(first)), ...more };
}
