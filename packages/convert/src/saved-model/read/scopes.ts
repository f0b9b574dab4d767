/** Finds what an input names, through calls of functions and operators that pass a tensor on. */
import { ServeError } from "@vitrine/protocol/status";
import type { NodeIndex } from "../../gen/vitrine/saved_model_index.js";
import type { FunctionLibrary, TfFunction } from "./function-library.js";
import { attributeOf, type Nodes } from "./nodes.js";
import { isControl, outputIndex, parseTensorName } from "./tensor-names.js";
import { Attributes, type FunctionCall, type ReadAttribute } from "./tf-node.js";

/** The graph, or one call of a function. */
export interface Scope {
  readonly id: number;
  readonly nodes: Nodes;
  /** Absent for the graph itself. */
  readonly call?: {
    readonly caller: Scope;
    readonly function: TfFunction;
    /** By name of the function's argument: the input of the caller. */
    readonly arguments: ReadonlyMap<string, string>;
    readonly attribute: ReadAttribute;
  };
}

/** One output of an operator in its scope. */
export interface Place {
  readonly scope: Scope;
  readonly node: NodeIndex;
  readonly index: number;
  /** Alias in the signature, of a tensor that callers feed. */
  readonly fed?: string;
}

/** Operators whose output is their first input. A variable's handle stands for its value. */
const PASSING: ReadonlySet<string> = new Set([
  "Identity",
  "IdentityN",
  "StopGradient",
  "PreventGradient",
  "Snapshot",
  "CheckNumerics",
  "CheckNumericsV2",
  "DebugIdentity",
  "DebugGradientIdentity",
  "DebugGradientRefIdentity",
  "RefIdentity",
  "EnsureShape",
  "PlaceholderWithDefault",
  "Print",
  "ReadVariableOp",
]);

/** Limits on what few bytes may become: functions that call functions twice each grow as powers of two. */
const MAX_SCOPES = 20_000;
const MAX_DEPTH = 200;
const MAX_STEPS = 20_000_000;
/** Operators that hand on a tensor, one after another: more than this is a circle. */
const MAX_CHAIN = 50_000;

export class Scopes {
  readonly main: Scope;
  readonly #library: FunctionLibrary;
  readonly #feeds: ReadonlyMap<string, string>;
  /** By scope and name of the call. */
  readonly #calls = new Map<string, Scope>();
  readonly #decisions = new Map<string, boolean | undefined>();
  #scopes = 1;
  #steps = 0;
  #deciding = 0;

  /** @param feeds tensors of the graph (`NODE:INDEX`) that callers feed, and their aliases. */
  constructor(nodes: Nodes, library: FunctionLibrary, feeds: ReadonlyMap<string, string> = new Map()) {
    this.main = { id: 0, nodes };
    this.#library = library;
    this.#feeds = feeds;
  }

  /**
   * Follows an input to the operator that computes it.
   *
   * @throws {ServeError} MODEL_INVALID for names of nothing, and for calls without end.
   */
  find(scope: Scope, input: string): Place {
    let place = this.#step(scope, input);
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      this.spend();
      if (place.fed !== undefined) return place;
      const next = this.#passed(place);
      if (next === undefined) return place;
      place = this.#step(next.scope, next.input);
    }
    throw invalid(`${input} depends on itself`, "no cycles");
  }

  attributesOf({ scope, node }: { scope: Scope; node: NodeIndex }): Attributes {
    return new Attributes(
      `node ${node.name} (${node.op})`,
      (name) => attributeOf(node, name),
      scope.call?.attribute,
    );
  }

  /** The scope that a call opens, if the operator is one. */
  called(scope: Scope, node: NodeIndex): Scope | undefined {
    const call = this.#callOf(scope, node);
    if (call === undefined) return undefined;
    const key = `${scope.id} ${node.name}`;
    const known = this.#calls.get(key);
    if (known !== undefined) return known;

    const callee = this.#library.get(call.name);
    let depth = 0;
    for (let above = scope.call; above !== undefined; above = above.caller.call) {
      depth += 1;
      if (above.function === callee || depth > MAX_DEPTH) {
        throw invalid(`function ${call.name} calls itself`, "functions that end");
      }
    }
    this.#scopes += 1;
    if (this.#scopes > MAX_SCOPES) throw invalid(`more than ${MAX_SCOPES} calls`, "fewer");
    const inputs = node.input.filter((input) => !isControl(input)).slice(call.firstArgument);
    const made: Scope = {
      id: this.#scopes,
      nodes: callee.nodes,
      call: {
        caller: scope,
        function: callee,
        arguments: new Map(callee.inputs.map((name, index) => [name, inputs[index] ?? ""])),
        attribute: call.attribute,
      },
    };
    this.#calls.set(key, made);
    return made;
  }

  /** Counts work, so that no file can make it endless. */
  spend(): void {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw invalid("a graph without end", "one that can be walked");
  }

  /** One name to what it names, arguments of functions included. */
  #step(from: Scope, input: string): Place {
    let scope = from;
    let name = parseTensorName(input);
    for (;;) {
      this.spend();
      if (scope.call === undefined) {
        const fed = this.#feeds.get(`${name.node}:${name.index}`);
        const node = scope.nodes.get(name.node);
        if (node === undefined) throw invalid(`input ${input} named no node`, "one of the graph");
        const place = { scope, node, index: name.index };
        return fed === undefined ? place : { ...place, fed };
      }
      const argument = scope.call.arguments.get(name.node);
      if (argument === undefined) break;
      if (argument === "") {
        throw invalid(
          `function ${scope.call.function.name} was called without ${name.node}`,
          "all arguments",
        );
      }
      name = parseTensorName(argument);
      scope = scope.call.caller;
    }
    const node = scope.nodes.get(name.node);
    if (node === undefined) throw invalid(`input ${input} named no node`, "one of its function");
    const index = outputIndex(node.op, name, () => listSizes(this.attributesOf({ scope, node })));
    return { scope, node, index };
  }

  /** What an operator's output is, if it only hands on another tensor. */
  #passed({ scope, node, index }: Place): { scope: Scope; input: string } | undefined {
    const callee = this.called(scope, node);
    if (callee?.call !== undefined) {
      const { function: definition } = callee.call;
      const name = definition.outputs[index];
      const input = name === undefined ? undefined : definition.returns.get(name);
      if (input === undefined) throw invalid(`function ${definition.name} has no output ${index}`, "one");
      return { scope: callee, input };
    }
    if (PASSING.has(node.op)) return { scope, input: dataInput(node, node.op === "IdentityN" ? index : 0) };
    if (node.op === "Switch" && this.#decide(scope, dataInput(node, 1)) !== undefined) {
      return { scope, input: dataInput(node, 0) };
    }
    if (node.op === "Merge" && index === 0) {
      const alive = node.input.filter((input) => !isControl(input) && !this.#isDead(scope, input));
      const [only] = alive;
      if (alive.length === 1 && only !== undefined) return { scope, input: only };
    }
    return undefined;
  }

  #callOf(scope: Scope, node: NodeIndex): (FunctionCall & { firstArgument: number }) | undefined {
    const attributes = () => this.attributesOf({ scope, node });
    switch (node.op) {
      case "PartitionedCall":
      case "StatefulPartitionedCall":
        return { ...attributes().func("f"), firstArgument: 0 };
      case "If":
      case "StatelessIf": {
        const condition = this.#decide(scope, dataInput(node, 0));
        if (condition === undefined) return undefined;
        return { ...attributes().func(condition ? "then_branch" : "else_branch"), firstArgument: 1 };
      }
      default:
        if (this.#library.has(node.op)) {
          return { name: node.op, attribute: (name) => attributeOf(node, name), firstArgument: 0 };
        }
        return undefined;
    }
  }

  /** The value of a condition that no input of the signature decides, such as Keras' learning phase. */
  #decide(scope: Scope, input: string): boolean | undefined {
    // Finding what an input names may take the decision of another condition, or of this one again.
    if (this.#deciding > MAX_DEPTH) throw invalid(`condition ${input} depends on itself`, "no cycles");
    this.#deciding += 1;
    try {
      const { node, scope: at, index, fed } = this.find(scope, input);
      if (fed !== undefined) return undefined;
      const key = `${at.id} ${node.name}:${index}`;
      if (this.#decisions.has(key)) return this.#decisions.get(key);
      const decided = this.#evaluate(at, node);
      this.#decisions.set(key, decided);
      return decided;
    } finally {
      this.#deciding -= 1;
    }
  }

  #evaluate(scope: Scope, node: NodeIndex): boolean | undefined {
    const operand = (index: number) => this.#decide(scope, dataInput(node, index));
    switch (node.op) {
      case "Const": {
        const value = attributeOf(node, "value");
        if (value?.$case !== "tensor") return undefined;
        const { boolVal, intVal, int64Val, tensorContent } = value.value;
        const [number = boolVal[0] ?? intVal[0] ?? int64Val[0] ?? 0] = tensorContent;
        return Number(number) !== 0;
      }
      case "LogicalNot": {
        const only = operand(0);
        return only === undefined ? undefined : !only;
      }
      case "LogicalAnd": {
        const [left, right] = [operand(0), operand(1)];
        return left === false || right === false ? false : left === undefined ? undefined : right;
      }
      case "LogicalOr": {
        const [left, right] = [operand(0), operand(1)];
        return left === true || right === true ? true : left === undefined ? undefined : right;
      }
      case "Cast":
        return operand(0);
      default:
        return undefined;
    }
  }

  /**
   * Whether a tensor belongs to the branch of a condition that is not taken: some operator before it takes the dead
   * output of a Switch. Control inputs count: they tie constants to a branch.
   */
  #isDead(scope: Scope, from: string): boolean {
    const pending = [from];
    const seen = new Set<string>();
    for (let input = pending.pop(); input !== undefined; input = pending.pop()) {
      this.spend();
      const name = parseTensorName(isControl(input) ? input.slice(1) : input);
      const node = scope.nodes.get(name.node);
      const key = `${name.node}:${name.index}`;
      if (node === undefined || seen.has(key)) continue;
      seen.add(key);
      if (node.op === "Switch") {
        const condition = this.#decide(scope, dataInput(node, 1));
        const taken = condition ? 1 : 0;
        const index = outputIndex(node.op, name, () => []);
        if (condition !== undefined && index !== taken) return true;
      }
      // What a merge hands on is alive when one of its branches is; an older condition does not decide this one.
      if (node.op !== "Merge") pending.push(...node.input);
    }
    return false;
  }
}

/** @throws {ServeError} MODEL_INVALID when the operator has fewer inputs. */
function dataInput(node: NodeIndex, index: number): string {
  const input = node.input.filter((name) => !isControl(name))[index];
  if (input !== undefined) return input;
  throw invalid(`node ${node.name} (${node.op}) had no input ${index}`, "one");
}

function listSizes(attributes: Attributes): readonly number[] {
  const sparse = attributes.int("Nsparse", attributes.int("num_sparse", 0));
  const dense = attributes.types("Tdense").length;
  const ragged = attributes.types("ragged_value_types").length;
  return [sparse, sparse, sparse, dense, ragged, ragged];
}

function invalid(was: string, expected: string): ServeError {
  return new ServeError("MODEL_INVALID", `saved_model.pb: ${was}, expected ${expected}`);
}
