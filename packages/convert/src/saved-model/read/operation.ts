/** One operator of TensorFlow on its way into the graph. */
import { ServeError } from "@vitrine/protocol/status";
import type { Attribute } from "../../graph/graph.js";
import { readNumbers } from "./constants.js";
import type { Dims } from "./dims.js";
import type { Emitter, Result, Value } from "./emitter.js";
import type { Attributes, TfNode } from "./tf-node.js";

/** Converts one operator: its outputs, in TensorFlow's order. Outputs beyond those given are refused when taken. */
export type Convert = (operation: Operation) => Value | readonly Value[];

export class Operation {
  readonly node: TfNode;
  readonly graph: Emitter;
  readonly inputs: readonly Value[];
  /** How many operators take each output-carrying node. */
  readonly #uses: ReadonlyMap<TfNode, number>;

  constructor(node: TfNode, graph: Emitter, inputs: readonly Value[], uses: ReadonlyMap<TfNode, number>) {
    this.node = node;
    this.graph = graph;
    this.inputs = inputs;
    this.#uses = uses;
  }

  get attributes(): Attributes {
    return this.node.attributes;
  }

  /** @throws {ServeError} MODEL_INVALID when the operator has fewer inputs. */
  input(index: number): Value {
    const value = this.inputs.at(index);
    if (value !== undefined) return value;
    throw new ServeError("MODEL_INVALID", `${this.title} had no input ${index}, expected one`);
  }

  /** Whether nothing but this operator takes what computes an input. */
  isOnlyUse(index: number): boolean {
    const source = this.node.inputs[index]?.node;
    return source !== undefined && (this.#uses.get(source) ?? 0) <= 1;
  }

  /** Rank of an input. @throws {ServeError} MODEL_UNSUPPORTED when it is not known. */
  dims(index: number): Dims {
    const { dims } = this.input(index);
    if (dims !== undefined) return dims;
    throw this.refuse(`a tensor of unknown rank as input ${index}`, "a known rank");
  }

  /** Elements of an input that has to be known while converting: axes, paddings, permutations. */
  numbers(index: number): readonly number[] {
    const known = this.knownNumbers(index);
    if (known !== undefined) return known;
    throw this.refuse(`input ${index} computed at run time`, "a constant");
  }

  knownNumbers(index: number): readonly number[] | undefined {
    const { constant, elements } = this.input(index);
    const numbers = readNumbers(constant);
    if (numbers !== undefined) return numbers;
    const known = elements?.filter((element) => typeof element === "number");
    return known?.length === elements?.length ? known : undefined;
  }

  /** An axis of an input, counted from the front. */
  axis(number: number, rank: number): number {
    const axis = number < 0 ? number + rank : number;
    if (axis >= 0 && axis < rank) return axis;
    throw new ServeError("MODEL_INVALID", `${this.title} had axis ${number}, expected one of ${rank}`);
  }

  emit(
    op: string,
    inputs: readonly (Value | undefined)[],
    result: Result,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.graph.emit(op, inputs, result, attributes);
  }

  get title(): string {
    return `node ${this.node.name} (${this.node.op})`;
  }

  /** @returns the error for what the operator has and Vitrine does not convert. */
  refuse(was: string, expected: string): ServeError {
    return new ServeError(
      "MODEL_UNSUPPORTED",
      `node ${this.node.name} is a ${this.node.op} with ${was}, expected ${expected}`,
    );
  }
}
