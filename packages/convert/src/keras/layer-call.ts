/** One call of one layer, and the means by which a layer's rule writes it down as operators. */
import { sizeOf } from "../graph/constant-values.js";
import type { Attribute, Constant, ElementType, Shape } from "../graph/graph.js";
import type { GraphBuilder } from "../graph/graph-builder.js";
import type { TensorRef } from "./config.js";
import { damaged, unsupported } from "./fault.js";
import { type Json, Options } from "./options.js";
import { float32Of } from "./weight-types.js";

/** A value of the graph with what Keras knows of it. Sizes that are known only at run time are -1; axis 0 is the batch. */
export interface KerasTensor {
  readonly value: string;
  readonly shape: Shape;
  readonly type: ElementType;
}

/** Keras 1, 2 (with tf.keras) and 3 give some names different meanings. */
export type KerasVersion = 1 | 2 | 3;

/** A layer's weights by their own names (`kernel`, `moving_mean`). */
export interface LayerWeights {
  /**
   * Hands weights over, once.
   *
   * @param names all weights of the layer or part, in the order in which Keras makes them.
   * @param part a layer inside this one, by the name that each version of Keras gives it.
   * @throws {ServeError} MODEL_INVALID when one is missing.
   */
  take(names: readonly string[], part?: LayerPart): Constant[];
}

export interface LayerPart {
  /** In the names of HDF5 weights: `query` in `query/kernel:0`. */
  readonly name: string;
  /** In the paths of a .keras file: `query_dense` in `query_dense/vars/0`. */
  readonly attribute: string;
}

export interface LayerSite {
  readonly builder: GraphBuilder;
  /** Path of the layer through the nested models; names the nodes. */
  readonly path: string;
  readonly className: string;
  readonly version: KerasVersion;
  readonly weights: LayerWeights;
  /** Constants of this layer that are in the graph, for layers that are called more than once. */
  readonly emitted: Map<string, string>;
}

type Operand = KerasTensor | string;

export class LayerCall {
  readonly site: LayerSite;
  readonly options: Options;
  readonly inputs: readonly KerasTensor[];
  /** Arguments with tensors in place of references. */
  readonly args: readonly unknown[];
  readonly kwargs: Json;

  constructor(
    site: LayerSite,
    values: Json,
    call: { inputs: readonly KerasTensor[]; args: readonly unknown[]; kwargs: Json },
  ) {
    this.site = site;
    this.options = new Options(site.path, values);
    this.inputs = call.inputs;
    this.args = call.args;
    this.kwargs = call.kwargs;
  }

  /** The same call of a layer with other options. */
  withOptions(values: Json): LayerCall {
    return new LayerCall(this.site, values, this);
  }

  get version(): KerasVersion {
    return this.site.version;
  }

  /** The only input. */
  get input(): KerasTensor {
    const [input] = this.inputs;
    if (input === undefined || this.inputs.length !== 1)
      throw damaged(`${this.site.path}: it took ${this.inputs.length} tensors, expected one`);
    return input;
  }

  /** The only input, as float32 and of one of these ranks. */
  floats(...ranks: readonly number[]): KerasTensor {
    const { input } = this;
    if (ranks.length > 0 && !ranks.includes(input.shape.length))
      throw damaged(
        `${this.site.path}: its input had rank ${input.shape.length}, expected ${ranks.join(" or ")}`,
      );
    return this.toFloat(input);
  }

  toFloat(tensor: KerasTensor): KerasTensor {
    return this.cast(tensor, "float32");
  }

  cast(tensor: KerasTensor, type: ElementType): KerasTensor {
    if (tensor.type === type) return tensor;
    return this.emit("Cast", [tensor], tensor.shape, { to: type }, { type, part: "cast" });
  }

  /**
   * Adds an operator with one output.
   *
   * @param shape of its output.
   * @param to.part names a step before the layer's result; without it the node takes the layer's own name.
   */
  emit(
    op: string,
    inputs: readonly Operand[],
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
    to: { type?: ElementType; part?: string } = {},
  ): KerasTensor {
    const [first] = inputs;
    const type = to.type ?? (typeof first === "object" ? first.type : "float32");
    const value = this.site.builder.node(op, this.#name(to.part), inputs.map(nameOf), attributes);
    return { value, shape, type };
  }

  emitMany(
    op: string,
    inputs: readonly KerasTensor[],
    shapes: readonly Shape[],
    attributes: Readonly<Record<string, Attribute>>,
    more: readonly string[] = [],
  ): KerasTensor[] {
    const values = [...inputs.map(nameOf), ...more];
    const outputs = this.site.builder.nodeWithOutputs(op, this.site.path, values, shapes.length, attributes);
    return outputs.map((value, index) => ({
      value,
      shape: shapes[index] ?? [],
      type: inputs[0]?.type ?? "float32",
    }));
  }

  int64s(part: string, values: readonly number[]): string {
    return this.site.builder.int64s(this.#name(part), values);
  }

  scalar(part: string, value: number): string {
    return this.site.builder.float32(this.#name(part), value);
  }

  /** A constant made by the rule or from a weight; made once, however often the layer is called. */
  constant(part: string, make: () => Constant): string {
    const before = this.site.emitted.get(part);
    if (before !== undefined) return before;
    const value = this.site.builder.constant(this.#name(part), make());
    this.site.emitted.set(part, value);
    return value;
  }

  /**
   * The layer's weights, as float32 constants of the graph.
   *
   * @param expected each weight's name and shape, in the order in which Keras makes them; -1 is any size.
   * @param change what becomes of each weight before it is written down.
   * @throws {ServeError} MODEL_INVALID when one is missing or of another shape.
   */
  weights<const Name extends string>(
    expected: Readonly<Partial<Record<Name, Shape | undefined>>>,
    change: Partial<Record<Name, (weight: Constant) => Constant>> = {},
    part?: LayerPart,
  ): Partial<Record<Name, string>> {
    const prefix = part === undefined ? "" : `${part.name}/`;
    const names = (Object.keys(expected) as Name[]).filter((name) => expected[name] !== undefined);
    const missing = names.some((name) => !this.site.emitted.has(prefix + name));
    const taken = missing ? this.site.weights.take(names, part) : [];
    const values: Partial<Record<Name, string>> = {};
    names.forEach((name, index) => {
      values[name] = this.constant(prefix + name, () => {
        const weight = taken[index];
        if (weight === undefined) throw damaged(`${this.site.path}: its weight ${prefix}${name} was missing`);
        this.#checkShape(prefix + name, weight, expected[name] ?? []);
        const floats = float32Of(weight);
        return change[name]?.(floats) ?? floats;
      });
    });
    return values;
  }

  #checkShape(name: string, { shape, bytes }: Constant, expected: Shape): void {
    const fits =
      shape.length === expected.length &&
      expected.every((size, axis) => size === -1 || size === shape[axis]) &&
      bytes.length > 0 === sizeOf(shape) > 0;
    if (!fits)
      throw damaged(
        `${this.site.path}: its weight ${name} had shape [${shape.join(", ")}], expected [${expected.join(", ")}]`,
      );
  }

  /**
   * Guards a constant or a row of nodes that the rule makes from sizes the file states, not from weights it holds.
   *
   * @throws {ServeError} MODEL_INVALID above what any classifier needs.
   */
  bound(count: number, most: number, what: string): void {
    if (!(count <= most))
      throw damaged(`${this.site.path}: it had ${count} ${what}, expected at most ${most}`);
  }

  /** @throws {ServeError} MODEL_UNSUPPORTED always. @param what of the layer cannot be converted. */
  refuse(what: string, advice: string): never {
    throw unsupported({ layer: this.site.path, type: `${this.site.className} with ${what}`, advice });
  }

  #name(part: string | undefined): string {
    return part === undefined ? this.site.path : `${this.site.path}/${part}`;
  }
}

function nameOf(operand: Operand): string {
  return typeof operand === "string" ? operand : operand.value;
}

/** What a rule makes of a call: one tensor, or several. */
export type LayerRule = (call: LayerCall) => KerasTensor | readonly KerasTensor[];

export function isKerasTensor(value: unknown): value is KerasTensor {
  return (
    typeof value === "object" && value !== null && "value" in value && "shape" in value && "type" in value
  );
}

/** Replaces references by tensors, at any depth of a call's arguments. */
export function resolved(
  value: unknown,
  isRef: (value: unknown) => value is TensorRef,
  tensor: (ref: TensorRef) => KerasTensor,
): unknown {
  if (isRef(value)) return tensor(value);
  if (Array.isArray(value)) return value.map((entry) => resolved(entry, isRef, tensor));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, resolved(entry, isRef, tensor)]),
  );
}
