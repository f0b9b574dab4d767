/**
 * The orders of axes in which each value of a graph is at hand while the graph is written anew.
 *
 * A value keeps its meaning; where a tensor lies with its axes in another order it has another name. A Transpose is
 * added only when an order is asked for that is not there, and once.
 */
import { int64Constant } from "./constant-values.js";
import type { Attribute, Constant, Graph, Node } from "./graph.js";
import type { InferredValues } from "./infer-shapes.js";
import {
  isIdentity,
  movesOnlyUnits,
  type Permutation,
  permutationBetween,
  permuteConstant,
  permuted,
} from "./permutation.js";
import { type Size, UNKNOWN, type ValueInfo } from "./value-info.js";

interface Form {
  readonly perm: Permutation;
  readonly name: string;
}

const AS_IT_IS: Permutation = [];

export class ValueForms {
  readonly nodes: Node[] = [];
  readonly constants: Map<string, Constant>;
  readonly #graph: Graph;
  readonly #infos: Map<string, ValueInfo>;
  /** By value; the first form is the one that was computed. */
  readonly #forms = new Map<string, Form[]>();
  readonly #replacedInputs = new Map<string, Map<number, string>>();
  readonly #taken: Set<string>;

  constructor(graph: Graph, infos: InferredValues) {
    this.#graph = graph;
    this.#infos = new Map(infos);
    this.constants = new Map(graph.constants);
    this.#taken = new Set([
      "",
      ...graph.inputs.map(({ value }) => value),
      ...graph.constants.keys(),
      ...graph.nodes.flatMap((node) => [node.name, ...node.outputs]),
    ]);
  }

  info(value: string): ValueInfo {
    return this.#infos.get(value) ?? UNKNOWN;
  }

  isConstant(value: string): boolean {
    return this.constants.has(value);
  }

  /** The order in which a value was computed; undefined when it is the value's own. */
  permOf(value: string): Permutation | undefined {
    const computed = this.#forms.get(value)?.[0]?.perm;
    return computed === undefined || computed.length === 0 ? undefined : computed;
  }

  /** The first order among the values that is not their own. */
  permOfAny(values: readonly string[]): Permutation | undefined {
    for (const value of values) {
      const perm = this.permOf(value);
      if (perm !== undefined) return perm;
    }
    return undefined;
  }

  /** @returns the name of the value in its own order. */
  plain(value: string): string {
    return this.in(value, AS_IT_IS);
  }

  /** @returns the name of the value with its axes in the given order; adds a Transpose when it has to. */
  in(value: string, wanted: Permutation): string {
    if (value === "") return value;
    const perm = isIdentity(wanted) ? AS_IT_IS : wanted;
    const forms = this.#forms.get(value) ?? [{ perm: AS_IT_IS, name: value }];
    const known = forms.find((form) => samePerm(form.perm, perm));
    if (known !== undefined) return known.name;
    const [computed = { perm: AS_IT_IS, name: value }] = forms;
    const name = this.#convert(value, computed, perm);
    this.#forms.set(value, [...forms, { perm, name }]);
    return name;
  }

  /** Makes an order the one in which a value is at hand first: what takes it is computed in that order. */
  prefer(value: string, perm: Permutation): void {
    const name = this.in(value, perm);
    const forms = this.#forms.get(value) ?? [];
    this.#forms.set(value, [
      ...forms.filter((form) => form.name === name),
      ...forms.filter((form) => form.name !== name),
    ]);
  }

  /** Names the computed form of an output. @returns the name that the node has to give it. */
  define(value: string, perm: Permutation): string {
    if (value === "" || isIdentity(perm)) return value;
    const name = this.unique(`${value}/${perm.join("")}`);
    this.#forms.set(value, [{ perm, name }]);
    return name;
  }

  /** States that a value is another one with its axes in another order: it costs nothing. */
  alias(value: string, of: string, perm: Permutation): void {
    const forms = this.#forms.get(of) ?? [{ perm: AS_IT_IS, name: of }];
    this.#forms.set(
      value,
      forms.map((form) => {
        const own = form.perm.length === 0 ? perm.map((_, axis) => axis) : form.perm;
        const between = permutationBetween(perm, own);
        return { perm: isIdentity(between) ? AS_IT_IS : between, name: form.name };
      }),
    );
  }

  emit(node: Node): void {
    const replaced = this.#replacedInputs.get(node.name);
    const inputs = node.inputs.map((input, index) => replaced?.get(index) ?? input);
    this.nodes.push(replaced === undefined ? node : { ...node, inputs });
  }

  /** Gives a node that is yet to be written another input. */
  replaceInput(node: Node, index: number, input: string): void {
    const replaced = this.#replacedInputs.get(node.name) ?? new Map<number, string>();
    this.#replacedInputs.set(node.name, replaced.set(index, input));
  }

  /** A further node beside those of the source. @returns its output. */
  add(
    op: string,
    wish: string,
    inputs: readonly string[],
    info: ValueInfo,
    attributes: Readonly<Record<string, Attribute>>,
  ): string {
    const name = this.unique(wish);
    this.#infos.set(name, info);
    this.emit({ op, name, inputs, outputs: [name], attributes });
    return name;
  }

  addConstant(wish: string, constant: Constant): string {
    const name = this.unique(wish);
    this.constants.set(name, constant);
    this.#infos.set(name, { type: constant.type, sizes: constant.shape });
    return name;
  }

  integers(wish: string, values: readonly number[]): string {
    return this.addConstant(wish, int64Constant(values));
  }

  unique(wish: string): string {
    let name = wish;
    for (let count = 1; this.#taken.has(name); count++) name = `${wish}_${count}`;
    this.#taken.add(name);
    return name;
  }

  build(): Graph {
    const outputs = this.#graph.outputs.map((output) => ({ ...output, value: this.plain(output.value) }));
    return { ...this.#graph, nodes: this.nodes, outputs, constants: this.constants };
  }

  #convert(value: string, computed: Form, wanted: Permutation): string {
    const constant = this.constants.get(computed.name);
    const wish = wanted.length === 0 ? value : `${value}/${wanted.join("")}`;
    // The value's own name is free as long as nothing computes it.
    const name = wanted.length === 0 && computed.name !== value ? value : this.unique(wish);
    const own = (wanted.length === 0 ? computed.perm : wanted).map((_, axis) => axis);
    const from = computed.perm.length === 0 ? own : computed.perm;
    const to = wanted.length === 0 ? own : wanted;
    const perm = permutationBetween(from, to);
    if (constant !== undefined) {
      this.constants.set(name, permuteConstant(constant, perm));
      return name;
    }
    const { sizes } = this.info(value);
    const target = sizes && this.#reshapeTarget(permuted(sizes, from), perm);
    if (target === undefined) {
      this.emit({
        op: "Transpose",
        name: this.unique(`${name}/Transpose`),
        inputs: [computed.name],
        outputs: [name],
        attributes: { perm },
      });
    } else {
      const shape = this.integers(`${name}/shape`, target);
      this.emit({
        op: "Reshape",
        name: this.unique(`${name}/Reshape`),
        inputs: [computed.name, shape],
        outputs: [name],
        attributes: {},
      });
    }
    return name;
  }

  /** The shape to which a Reshape does what the Transpose would; undefined when elements move. */
  #reshapeTarget(sizes: readonly Size[], perm: Permutation): number[] | undefined {
    if (!movesOnlyUnits(perm, sizes)) return undefined;
    const target = perm.map((axis, index) => {
      const size = sizes[axis] ?? -1;
      if (typeof size === "number") return size;
      return axis === index ? 0 : -1;
    });
    return target.filter((size) => size === -1).length <= 1 && !sizes.includes(0) ? target : undefined;
  }
}

function samePerm(a: Permutation, b: Permutation): boolean {
  return a.length === b.length && a.every((axis, index) => axis === b[index]);
}
