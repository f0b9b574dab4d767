/** Builds a graph node by node, in order of evaluation. */
import { ServeError } from "@vitrine/protocol/status";
import type {
  Attribute,
  Constant,
  ElementType,
  Graph,
  GraphInput,
  GraphOutput,
  Node,
  Shape,
} from "./graph.js";

export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: GraphInput[] = [];
  readonly #outputs: GraphOutput[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #taken = new Set<string>();
  /** Where to go on counting, so that a name asked for very often does not cost the square of that. */
  readonly #counts = new Map<string, number>();

  constructor(name: string) {
    this.#name = name;
  }

  /** @returns the value that callers feed under `alias`. */
  input(alias: string, type: ElementType, shape: Shape | undefined): string {
    const value = this.#unique(alias);
    this.#inputs.push({ value, alias, type, shape });
    return value;
  }

  output(alias: string, value: string, type: ElementType, shape: Shape | undefined): void {
    this.#outputs.push({ value, alias, type, shape });
  }

  /** @param name a wish; a number is added when it is taken. @returns the constant's value. */
  constant(name: string, constant: Constant): string {
    const value = this.#unique(name);
    this.#constants.set(value, constant);
    return value;
  }

  /** A list of int64, such as axes or a shape; rank 1. */
  int64s(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.constant(name, { type: "int64", shape: [values.length], bytes });
  }

  /** A float32 scalar, rank 0. */
  float32(name: string, value: number): string {
    return this.constant(name, {
      type: "float32",
      shape: [],
      bytes: new Uint8Array(Float32Array.of(value).buffer),
    });
  }

  /** Adds an operator with one output. @param name a wish, as for {@link constant}. @returns its output's value. */
  node(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    const [output = ""] = this.nodeWithOutputs(op, name, inputs, 1, attributes);
    return output;
  }

  /** Adds an operator with several outputs. @returns their values. */
  nodeWithOutputs(
    op: string,
    name: string,
    inputs: readonly string[],
    outputCount: number,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const unique = this.#unique(name);
    const outputs = Array.from({ length: outputCount }, (_, index) =>
      index === 0 ? unique : this.#unique(`${name}:${index}`),
    );
    this.#nodes.push({ op, name: unique, inputs, outputs, attributes });
    return outputs;
  }

  /** @throws {ServeError} MODEL_INVALID when a node takes a value that nothing before it makes. */
  build(): Graph {
    const known = new Set(["", ...this.#constants.keys(), ...this.#inputs.map(({ value }) => value)]);
    for (const node of this.#nodes) {
      for (const input of node.inputs) if (!known.has(input)) throw unknownValue(input, node.name);
      for (const output of node.outputs) known.add(output);
    }
    for (const { alias, value } of this.#outputs) if (!known.has(value)) throw unknownValue(value, alias);
    return {
      name: this.#name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      constants: this.#constants,
    };
  }

  #unique(name: string): string {
    let unique = name;
    let count = this.#counts.get(name) ?? 1;
    for (; this.#taken.has(unique) || unique === ""; count++) unique = `${name}_${count}`;
    this.#counts.set(name, count);
    this.#taken.add(unique);
    return unique;
  }
}

function unknownValue(value: string, taker: string): ServeError {
  return new ServeError(
    "MODEL_INVALID",
    `${taker} took ${value}, expected a value that is computed before it`,
  );
}
