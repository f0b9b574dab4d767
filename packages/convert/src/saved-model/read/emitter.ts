/** Builds the graph while TensorFlow's operators are converted, and knows what is known of each tensor. */
import { ServeError } from "@vitrine/protocol/status";
import { int64Constant, sizeOf } from "../../graph/constant-values.js";
import type { Attribute, Constant, ElementType, Graph, Shape } from "../../graph/graph.js";
import { GraphBuilder } from "../../graph/graph-builder.js";
import { isIdentity, permuteConstant } from "../../graph/permutation.js";
import { float32Of } from "../../keras/weight-types.js";
import { numbersConstant, readNumbers } from "./constants.js";
import { type Dim, type Dims, dimsOfShape, isKnown, shapeOfDims, unknownDim } from "./dims.js";

/** A tensor of the graph that is being built. */
export interface Value {
  readonly type: ElementType;
  /** Undefined: of any rank. */
  readonly dims: Dims | undefined;
  /** Set when all elements are known. */
  readonly constant?: Constant;
  /** Elements of integers of rank 0 or 1, each as far as it is known: shapes and what is computed from them. */
  readonly elements?: Dims;
  /** What the tensor is a scale of, channel by channel: batch normalisation taken apart begins so. */
  readonly scaled?: { readonly of: Value; readonly scale: Value };
  /** A convolution without a bias: the axis of its channels, and the same with one, [channels]. */
  readonly biasable?: { readonly channelAxis: number; readonly with: (bias: Value) => Value };
}

/** What an emitted operator gives. */
export interface Result {
  readonly type: ElementType;
  readonly dims: Dims | undefined;
  /** The value's `elements`, named otherwise: a value may say what another is like, and that is not its elements. */
  readonly sizes?: Dims | undefined;
}

/** Constants up to this size are compared by their bytes, so that equal ones are stored once. */
const MAX_COMPARED_BYTES = 4096;

/** What constants computed while converting may take: this, and a few times what the file holds. */
const MAX_DERIVED_BYTES = 256 * 1024 * 1024;
const MAX_DERIVED_SHARE = 4;

export class Emitter {
  readonly #builder: GraphBuilder;
  /** Names in the graph; a constant gets its own when an operator first takes it. */
  readonly #names = new Map<Value, string>();
  readonly #constants = new Map<string, string>();
  readonly #large = new Map<Uint8Array, Map<string, string>>();
  readonly #transposed = new Map<Uint8Array, Map<string, Constant>>();
  /** By operator, inputs and attributes: what a second signature computes again is computed once. */
  readonly #emitted = new Map<string, readonly string[]>();
  readonly #inputs = new Set<string>();
  #storedBytes = 0;
  #derivedBytes = 0;
  #node = "";

  constructor(name: string) {
    this.#builder = new GraphBuilder(name);
  }

  /** Names what is emitted next after an operator of the source. */
  begin(node: string): void {
    this.#node = node;
  }

  /** What callers feed. Half floats are widened at once: see {@link wide}. */
  input(alias: string, type: ElementType, shape: Shape | undefined): Value {
    this.begin(alias);
    const name = this.#builder.input(alias, type, shape);
    const value: Value = { type, dims: dimsOfShape(shape, name) };
    this.#names.set(value, name);
    this.#inputs.add(name);
    return this.cast(value, wide(type));
  }

  /** @param type as the signature states it. */
  output(alias: string, value: Value, type: ElementType, shape: Shape | undefined): void {
    this.begin(alias);
    const isHalf = type !== wide(type) && value.type === wide(type);
    const given = isHalf
      ? this.emit("Cast", [value], { type, dims: value.dims }, { to: type })
      : this.#computed(value);
    this.#builder.output(alias, this.nameOf(given), given.type, shape);
  }

  /** A constant that was computed while converting. @throws {ServeError} MODEL_INVALID when few bytes become too many. */
  derived(constant: Constant): Value {
    this.#derivedBytes += constant.bytes.byteLength;
    if (this.#derivedBytes > MAX_DERIVED_BYTES + MAX_DERIVED_SHARE * this.#storedBytes) {
      throw new ServeError(
        "MODEL_INVALID",
        `${this.#node}: constants grew to ${this.#derivedBytes} bytes, expected no more than what the model stores`,
      );
    }
    return this.constant(constant);
  }

  /** A constant of the file. Its bytes allow as many, a few times over, to be derived. */
  stored(constant: Constant): Value {
    this.#storedBytes += constant.bytes.byteLength;
    return this.constant(constant);
  }

  /** A constant; half floats as float32. */
  constant(stored: Constant): Value {
    const constant = stored.type === wide(stored.type) ? stored : float32Of(stored);
    const { type, shape } = constant;
    const elements = shape.length <= 1 && isInteger(type) ? readNumbers(constant) : undefined;
    return { type, dims: shape, constant, ...(elements === undefined ? {} : { elements }) };
  }

  /** A constant of numbers of any shape. */
  numbers(type: ElementType, shape: Shape, numbers: readonly number[]): Value {
    const constant = numbersConstant(type, shape, numbers);
    if (constant === undefined) {
      throw new ServeError("MODEL_UNSUPPORTED", `${this.#node} computes ${type}, expected float32`);
    }
    return this.derived(constant);
  }

  /** A scalar, often of the type of another value. */
  scalar(type: ElementType, number: number): Value {
    return this.numbers(type, [], [number]);
  }

  /** A list of int64, as ONNX takes axes, shapes and pads. */
  int64s(numbers: readonly number[]): Value {
    return this.constant(int64Constant(numbers));
  }

  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    result: Result,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    const [value = { type: result.type, dims: result.dims }] = this.emitAll(op, inputs, [result], attributes);
    return value;
  }

  /** Adds an operator with several outputs. */
  emitAll(
    op: string,
    inputs: readonly (Value | undefined)[],
    results: readonly Result[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value[] {
    const names = inputs.map((input) => (input === undefined ? "" : this.nameOf(input)));
    const key = JSON.stringify([op, names, results.length, attributes]);
    const known = this.#emitted.get(key);
    const outputs = known ?? this.#builder.nodeWithOutputs(op, this.#node, names, results.length, attributes);
    this.#emitted.set(key, outputs);
    return results.map((result, index) => {
      const value: Value = {
        type: result.type,
        dims: result.dims,
        ...(result.sizes === undefined ? {} : { elements: result.sizes }),
      };
      this.#names.set(value, outputs[index] ?? "");
      return value;
    });
  }

  /** The same tensor with more known about it. */
  with(value: Value, more: Partial<Value>): Value {
    const known = { ...value, ...more };
    const name = this.#names.get(value);
    if (name !== undefined) this.#names.set(known, name);
    return known;
  }

  cast(value: Value, to: ElementType): Value {
    const type = wide(to);
    if (value.type === type) return value;
    const numbers = readNumbers(value.constant);
    if (numbers !== undefined && type !== "string") {
      const whole = isInteger(type) ? numbers.map(Math.trunc) : numbers;
      const cast = type === "bool" ? numbers.map((number) => (number === 0 ? 0 : 1)) : whole;
      const constant = numbersConstant(type, value.constant?.shape ?? [], cast);
      if (constant !== undefined) return this.derived(constant);
    }
    const sizes = isInteger(type) ? value.elements : undefined;
    return this.emit("Cast", [value], { type, dims: value.dims, sizes }, { to: type });
  }

  /**
   * A list of sizes as ONNX takes it: int64, a constant when at most one is unknown and -1 can stand for it.
   *
   * @param mayInfer -1 is allowed (Reshape), once.
   */
  sizes(value: Value, mayInfer: boolean): Value {
    const { elements } = value;
    if (elements !== undefined) {
      if (isKnown(elements)) return this.int64s(elements);
      const known = elements.map((size) => (typeof size === "number" ? size : -1));
      if (mayInfer && known.filter((size) => size === -1).length === 1) return this.int64s(known);
    }
    return this.cast(value, "int64");
  }

  /** Constants are moved now, once each: kernels of a convolution are, and two signatures share them. */
  transpose(value: Value, perm: readonly number[]): Value {
    if (isIdentity(perm)) return value;
    if (value.constant !== undefined && value.type !== "string") {
      return this.constant(this.#permuted(value.constant, perm));
    }
    const dims =
      value.dims === undefined ? undefined : perm.map((axis) => value.dims?.[axis] ?? unknownDim());
    return this.emit("Transpose", [value], { type: value.type, dims }, { perm });
  }

  /** @param target sizes: -1 is what the others leave, 0 as in the tensor (a size of 0 where `dims` has one). */
  reshape(value: Value, target: readonly number[], dims: Dims): Value {
    if (value.constant !== undefined && isKnown(dims) && sizeOf(dims) === sizeOf(value.constant.shape)) {
      return this.constant({ ...value.constant, shape: dims });
    }
    if (value.dims?.length === dims.length && dims.every((dim, axis) => dim === value.dims?.[axis]))
      return value;
    return this.emit("Reshape", [value, this.int64s(target)], { type: value.type, dims }, zeroSizes(dims));
  }

  /** A constant of a shape with one value, or the operator that makes it at run time. */
  fill(type: ElementType, sizes: Value, value: Value): Value {
    return this.emit("Expand", [value, this.sizes(sizes, false)], { type, dims: sizes.elements });
  }

  /** The run-time shape of a tensor, int64. */
  shapeOf(value: Value): Value {
    const dims: Dims | undefined = value.dims;
    if (dims !== undefined && isKnown(dims)) return this.int64s(dims);
    return this.emit("Shape", [value], {
      type: "int64",
      dims: dims === undefined ? [unknownDim()] : [dims.length],
      sizes: dims,
    });
  }

  /** Whether two values are one tensor of the graph. */
  isSame(one: Value, other: Value): boolean {
    return this.nameOf(one) === this.nameOf(other);
  }

  /** A value that an operator computes: an output may not be an input, nor a constant. */
  #computed(value: Value): Value {
    const isComputed = value.constant === undefined && !this.#inputs.has(this.nameOf(value));
    return isComputed ? value : this.emit("Identity", [value], value);
  }

  /** Name of a value in the graph; constants are added now. */
  nameOf(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    if (value.constant === undefined) {
      throw new ServeError("INTERNAL", `${this.#node} took a value that nothing computes`);
    }
    const name = this.#constantName(value.constant);
    this.#names.set(value, name);
    return name;
  }

  build(): Graph {
    return this.#builder.build();
  }

  #permuted(constant: Constant, perm: readonly number[]): Constant {
    const forms = this.#transposed.get(constant.bytes) ?? new Map<string, Constant>();
    this.#transposed.set(constant.bytes, forms);
    const key = `${constant.shape.join()} ${perm.join()}`;
    const known = forms.get(key);
    if (known !== undefined) return known;
    const moved = permuteConstant(constant, perm);
    forms.set(key, moved);
    this.derived(moved);
    return moved;
  }

  #constantName(constant: Constant): string {
    const { type, shape, bytes } = constant;
    const add = () => this.#builder.constant(`${this.#node}/const`, constant);
    if (type === "string") return add();
    const form = `${type}[${shape.join()}]`;
    if (bytes.byteLength > MAX_COMPARED_BYTES) {
      const forms = this.#large.get(bytes) ?? new Map<string, string>();
      this.#large.set(bytes, forms);
      const name = forms.get(form) ?? add();
      forms.set(form, name);
      return name;
    }
    const key = `${form}${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")}`;
    const name = this.#constants.get(key) ?? add();
    this.#constants.set(key, name);
    return name;
  }
}

/**
 * The type to compute in. ONNX Runtime has no kernels for half floats on CPUs: bfloat16 it refuses, float16 it widens
 * operator by operator. Both are computed in float32, which is at least as exact.
 */
function wide(type: ElementType): ElementType {
  return type === "float16" || type === "bfloat16" ? "float32" : type;
}

export function isInteger(type: ElementType): boolean {
  return type.startsWith("int") || type.startsWith("uint");
}

function zeroSizes(dims: Dims): Readonly<Record<string, Attribute>> {
  return dims.includes(0) ? { allowzero: 1 } : {};
}

/** Shape as the graph states it. */
export function shapeOf(value: Value): Shape | undefined {
  return shapeOfDims(value.dims);
}

/** The known size of an axis; undefined when it is not. */
export function sizeAt(value: Value, axis: number): number | undefined {
  const dim: Dim | undefined = value.dims?.at(axis);
  return typeof dim === "number" ? dim : undefined;
}
