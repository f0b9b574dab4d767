/** A TensorFlow graph that grows node by node, with its weights beside it. */
import { ServeError } from "@vitrine/protocol/status";
import type { NodeDef } from "../../gen/tensorflow/core/framework/node_def.js";
import type { Constant, ElementType, Shape } from "../../graph/graph.js";
import { type AttrValues, shapeAttr, tensorAttr, textAttr, typeAttr } from "./attr-values.js";
import type { BundleTensor } from "./tensor-bundle.js";

/** A tensor of the graph: what a node takes as input. */
export interface TensorRef {
  /** `NODE` for a node's first output, else `NODE:INDEX`. */
  readonly ref: string;
  readonly type: ElementType;
}

/** Constants at least this large become variables, whose bytes lie outside of saved_model.pb. */
const MIN_VARIABLE_BYTES = 256;

export interface Variable extends BundleTensor {
  /** Node that gives the variable's handle; also the variable's name. */
  readonly name: string;
  /** Node that reads it. */
  readonly read: string;
}

export class TensorFlowGraph {
  readonly nodes: NodeDef[] = [];
  readonly variables: Variable[] = [];
  /** In lower case: some file systems and tools take names that differ by case for one. */
  readonly #taken = new Set<string>();
  readonly #constants = new Map<string, TensorRef>();

  /**
   * Adds a node.
   *
   * @param name a wish; characters that TensorFlow refuses are replaced and a number is added when it is taken.
   * @param types of its outputs.
   */
  node(
    op: string,
    name: string,
    inputs: readonly TensorRef[],
    attributes: AttrValues,
    types: readonly ElementType[],
  ): TensorRef[] {
    const unique = this.#unique(name);
    this.#push(
      unique,
      op,
      inputs.map(({ ref }) => ref),
      attributes,
    );
    return types.map((type, index) => ({ ref: index === 0 ? unique : `${unique}:${index}`, type }));
  }

  /** Adds a node that is there for its effect. @param inputs `NODE`, `NODE:INDEX` or `^NODE`. @returns its name. */
  effect(op: string, name: string, inputs: readonly string[], attributes: AttrValues = {}): string {
    const unique = this.#unique(name);
    this.#push(unique, op, inputs, attributes);
    return unique;
  }

  /** @returns the name under which the caller's tensor is known: `NAME:0`. */
  placeholder(name: string, type: ElementType, shape: Shape | undefined): TensorRef {
    const attributes = { dtype: typeAttr(type), shape: shapeAttr(shape) };
    const [output] = this.node("Placeholder", name, [], attributes, [type]);
    if (output === undefined) throw new ServeError("INTERNAL", "a placeholder had no output");
    return output;
  }

  /**
   * A small tensor as a Const node, a large one as a variable and the node that reads it.
   *
   * @param key constants of one key are made once.
   * @param bytes asked for when the weights are written; large ones need not lie in memory until then.
   */
  constant(
    key: string,
    name: string,
    type: ElementType,
    shape: Shape,
    bytes: BundleTensor["bytes"],
    byteLength: number,
  ): TensorRef {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const made =
      byteLength < MIN_VARIABLE_BYTES || type === "string"
        ? this.#small(name, { type, shape, bytes: bytes((byteLength) => new Uint8Array(byteLength)) })
        : this.#variable(name, type, shape, bytes);
    this.#constants.set(key, made);
    return made;
  }

  strings(key: string, name: string, constant: Constant): TensorRef {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const made = this.#small(name, constant);
    this.#constants.set(key, made);
    return made;
  }

  #small(name: string, constant: Constant): TensorRef {
    const unique = this.#unique(name);
    this.#push(unique, "Const", [], { dtype: typeAttr(constant.type), value: tensorAttr(constant) });
    return { ref: unique, type: constant.type };
  }

  #variable(
    wish: string,
    type: Exclude<ElementType, "string">,
    shape: Shape,
    bytes: BundleTensor["bytes"],
  ): TensorRef {
    const name = this.#unique(wish.replace(/:\d+$/, ""));
    const read = this.#unique(`${name}/Read/ReadVariableOp`);
    this.#push(name, "VarHandleOp", [], {
      dtype: typeAttr(type),
      shape: shapeAttr(shape),
      shared_name: textAttr(name),
    });
    this.#push(read, "ReadVariableOp", [name], { dtype: typeAttr(type) });
    this.variables.push({ name, read, type, shape, bytes });
    return { ref: read, type };
  }

  #push(name: string, op: string, input: readonly string[], attributes: AttrValues): void {
    this.nodes.push({ name, op, input: [...input], device: "", attr: new Map(Object.entries(attributes)) });
  }

  /** Source of the rule: tensorflow/core/graph/graph_constructor.cc, IsValidNodeName. */
  #unique(wish: string): string {
    const legal = wish.replace(/[^A-Za-z0-9_.\\/>-]/g, "_").replace(/^(?![A-Za-z0-9.])/, "n_");
    let unique = legal;
    for (let count = 1; this.#taken.has(unique.toLowerCase()); count++) unique = `${legal}_${count}`;
    this.#taken.add(unique.toLowerCase());
    return unique;
  }
}
