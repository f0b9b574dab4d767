/** A flat TensorFlow graph, operator by operator, into the graph between all formats. */
import { ServeError } from "@vitrine/protocol/status";
import type { Constant } from "../../graph/graph.js";
import { constantOfProto } from "./constants.js";
import type { Emitter, Value } from "./emitter.js";
import { parsesFedExamples } from "./example-features.js";
import type { FlatGraph } from "./flatten.js";
import type { FunctionLibrary } from "./function-library.js";
import { attributeOf } from "./nodes.js";
import { Operation } from "./operation.js";
import { dilatedConvolution } from "./operators/convolution.js";
import { adviceFor, OPERATORS } from "./operators/operators.js";
import type { TfNode, TfTensor } from "./tf-node.js";
import { isVariable } from "./variables.js";

/** Operators that cannot be converted, all of a graph together: `message` names up to ten. */
const MAX_NAMED = 10;

export interface LowerOptions {
  /** What callers feed, by alias. */
  readonly feeds: ReadonlyMap<string, Value>;
  /** Values of variables, by name of their node. */
  readonly variables: ReadonlyMap<string, Constant>;
  /** Converts a ParseExample of what callers feed: its outputs, those that can be had. */
  readonly parseExamples: (operation: Operation) => readonly (Value | undefined)[];
  readonly library: FunctionLibrary;
}

/**
 * Converts all operators.
 *
 * @returns the value of each output.
 * @throws {ServeError} MODEL_UNSUPPORTED naming up to ten operators that cannot be converted, and what would help.
 */
export function lower(flat: FlatGraph, graph: Emitter, options: LowerOptions): readonly Value[] {
  const done = new Map<TfNode, readonly (Value | undefined)[]>();
  const uses = usesOf(flat);
  const dilated = dilatedConvolutions(flat, uses);
  const partsOfDilated = new Set([...dilated.values()].flatMap(({ middle, first }) => [middle, first]));
  const problems: string[] = [];
  const problemOf = new Map<TfNode, string>();
  for (const node of flat.nodes) {
    if (done.has(node)) continue;
    graph.begin(node.name);
    try {
      const parts = dilated.get(node);
      const joined = parts === undefined ? undefined : convertDilated(node, parts, graph, done, uses);
      if (joined !== undefined) {
        done.set(node, [joined]);
        continue;
      }
      if (!isKnown(node)) throw unknown(node, options.library);
      const inputs = node.inputs.map((input) => done.get(input.node)?.[input.index]);
      const known = inputs.filter((input) => input !== undefined);
      if (known.length !== inputs.length) {
        problems.push(...untold(node, done, problemOf));
        continue;
      }
      const values: Value | readonly (Value | undefined)[] = convert(
        new Operation(node, graph, known, uses),
        options,
      );
      done.set(node, Array.isArray(values) ? values : [values]);
    } catch (error) {
      if (!(error instanceof ServeError) || error.reason !== "MODEL_UNSUPPORTED") throw error;
      // A part of a dilated convolution matters only when it is left to stand by itself.
      if (partsOfDilated.has(node)) problemOf.set(node, error.message);
      else problems.push(error.message);
    }
  }
  if (problems.length > 0) throw unsupported(problems);
  return flat.outputs.map((output) => valueAt(done, output));
}

/** Whether the operator is one that may be converted, whatever its inputs are. */
function isKnown(node: TfNode): boolean {
  const { op, fed } = node;
  return fed !== undefined || isVariable(op) || isConst(op) || OPERATORS.has(op) || parsesFedExamples(node);
}

function isConst(op: string): boolean {
  return op === "Const" || op === "HostConst";
}

function unknown(node: TfNode, library: FunctionLibrary): ServeError {
  const inner = decodersOf(node, library);
  const what = inner === undefined ? `a ${node.op}` : `a ${node.op} over a function with ${inner}`;
  return new ServeError(
    "MODEL_UNSUPPORTED",
    `node ${node.name} is ${what}, expected ${adviceFor(inner ?? node.op)}`,
  );
}

/** The operator that decodes pictures inside a loop, which tf.map_fn writes around it. */
function decodersOf(node: TfNode, library: FunctionLibrary): string | undefined {
  if (!node.attributes.has("body")) return undefined;
  const pending = [node.attributes.func("body").name];
  const seen = new Set<string>();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name) || !library.has(name)) continue;
    seen.add(name);
    for (const inner of library.get(name).nodes.values()) {
      if (inner.op.startsWith("Decode")) return inner.op;
      const value = attributeOf(inner, "f");
      if (value?.$case === "func") pending.push(value.value.name);
    }
  }
  return undefined;
}

function convert(
  operation: Operation,
  { feeds, variables, parseExamples }: LowerOptions,
): Value | readonly (Value | undefined)[] {
  const { node, graph } = operation;
  if (node.fed !== undefined) {
    // Serialised examples are no input of the graph; their features are.
    return feeds.get(node.fed) ?? { type: "string", dims: undefined };
  }
  if (isVariable(node.op)) {
    const constant = variables.get(node.name);
    if (constant !== undefined) return graph.stored(constant);
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `node ${node.name} is a ${node.op} that the checkpoint does not hold, expected a variable saved with the model`,
    );
  }
  if (isConst(node.op)) {
    return graph.stored(constantOfProto(node.attributes.tensor("value"), operation.title));
  }
  if (parsesFedExamples(node)) return parseExamples(operation);
  const known = OPERATORS.get(node.op);
  if (known === undefined) throw new ServeError("INTERNAL", `${operation.title} was let through`);
  return known(operation);
}

/** Outputs of operators that are converted; one that cannot be had is undefined. */
type Done = ReadonlyMap<TfNode, readonly (Value | undefined)[]>;

interface Dilated {
  readonly middle: TfNode;
  readonly first: TfNode;
}

/** Convolutions between SpaceToBatchND and BatchToSpaceND, by the latter. */
function dilatedConvolutions(
  flat: FlatGraph,
  uses: ReadonlyMap<TfNode, number>,
): ReadonlyMap<TfNode, Dilated> {
  const found = new Map<TfNode, Dilated>();
  for (const node of flat.nodes) {
    const middle = node.op === "BatchToSpaceND" ? node.inputs[0]?.node : undefined;
    if (middle?.op !== "Conv2D" && middle?.op !== "DepthwiseConv2dNative") continue;
    const first = middle.inputs[0]?.node;
    if (first?.op !== "SpaceToBatchND" || uses.get(middle) !== 1) continue;
    found.set(node, { middle, first });
  }
  return found;
}

function convertDilated(
  node: TfNode,
  { middle, first }: Dilated,
  graph: Emitter,
  done: Done,
  uses: ReadonlyMap<TfNode, number>,
): Value | undefined {
  const values = [
    first.inputs[0],
    middle.inputs[1],
    first.inputs[1],
    first.inputs[2],
    node.inputs[1],
    node.inputs[2],
  ].map((input) => (input === undefined ? undefined : done.get(input.node)?.[input.index]));
  const [x, kernel, block, pads, unblock, crops] = values;
  if (!(x && kernel && block && pads && unblock && crops)) return undefined;
  return dilatedConvolution(
    new Operation(node, graph, [x, unblock, crops], uses),
    new Operation(middle, graph, [x, kernel], uses),
    new Operation(first, graph, [x, block, pads], uses),
  );
}

/**
 * Problems that an operator without all of its inputs brings to light: an output that its source does not have, and
 * the parts of what turned out to be no dilated convolution. What merely follows a fault is none itself.
 */
function untold(node: TfNode, done: Done, problemOf: Map<TfNode, string>): string[] {
  return node.inputs.flatMap((input) => {
    const problem = problemOf.get(input.node);
    problemOf.delete(input.node);
    if (problem !== undefined) return [problem];
    const values = done.get(input.node);
    if (values === undefined || values[input.index] !== undefined) return [];
    return [
      `node ${node.name} takes output ${input.index} of ${input.node.name} (a ${input.node.op}), expected its first`,
    ];
  });
}

function usesOf(flat: FlatGraph): ReadonlyMap<TfNode, number> {
  const uses = new Map<TfNode, number>();
  const count = ({ node }: TfTensor) => uses.set(node, (uses.get(node) ?? 0) + 1);
  for (const node of flat.nodes) node.inputs.forEach(count);
  flat.outputs.forEach(count);
  return uses;
}

function valueAt(done: Done, { node, index }: TfTensor): Value {
  const value = done.get(node)?.[index];
  if (value !== undefined) return value;
  throw unsupported([`output ${index} of node ${node.name} (${node.op})`]);
}

function unsupported(problems: readonly string[]): ServeError {
  const named = problems.slice(0, MAX_NAMED).join("; ");
  const more = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : "";
  return new ServeError("MODEL_UNSUPPORTED", `${named}${more}`);
}
