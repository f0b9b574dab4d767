/** Reads SavedModels: TensorFlow 1.15 to 2.21, Keras 2 and 3, frozen graphs. */
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { SignatureDef } from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import type { Constant, ElementType, Graph, Shape } from "../../graph/graph.js";
import { removeUnused } from "../../graph/remove-unused.js";
import { Emitter, shapeOf, type Value } from "./emitter.js";
import {
  defaultOf,
  featuresOf,
  featureType,
  isParseExample,
  type ParsedFeature,
  parsesFedExamples,
} from "./example-features.js";
import { type FlatGraph, flatten } from "./flatten.js";
import type { FunctionLibrary } from "./function-library.js";
import { lower } from "./lower.js";
import { type OpenedModel, openModel } from "./opened-model.js";
import type { Operation } from "./operation.js";
import { Scopes } from "./scopes.js";
import {
  type ExampleInput,
  graphTensor,
  type ReadSignature,
  refused,
  type SignatureTensor,
  sorted,
  tensorNameOf,
  tensorOf,
  typeOf,
} from "./signature.js";
import { shapeOfProto } from "./tf-node.js";
import { isVariable } from "./variables.js";

const DEFAULT_SIGNATURE = "serving_default";
/** Signatures that a message lists. */
const MAX_NAMED = 20;

export interface ReadSavedModelOptions {
  /** Tag set of the MetaGraph; default `serve`. */
  readonly tags?: readonly string[] | undefined;
  /** Key of the signature; default `serving_default`, or the only one. */
  readonly signature?: string | undefined;
}

export interface AllSignatures {
  /**
   * One for each set of inputs: signatures that take the same share a graph, and what both compute is there once. That
   * of `serving_default` comes first. Outputs that would have one alias in common are named `SIGNATURE/ALIAS`.
   */
  readonly graphs: readonly Graph[];
  /** By key; those of the loader itself (`__saved_model_init_op`) are left out. */
  readonly signatures: ReadonlyMap<string, ReadSignature>;
}

/**
 * Reads what one signature computes.
 *
 * @param folder holds `saved_model.pb` and, if it has variables, `variables/`.
 * @returns inputs and outputs by the signature's aliases, each in their alphabetical order.
 * @throws {ServeError} MODEL_INVALID when the folder is damaged or has no such signature; MODEL_UNSUPPORTED naming up to
 *   ten operators that cannot be converted.
 */
export async function readSavedModel(folder: string, options: ReadSavedModelOptions = {}): Promise<Graph> {
  const model = await openModel(folder, options.tags);
  const key = chooseSignature(model, options.signature);
  const plan = planSignature(model, key);
  const variables = await model.readVariables(variablesOf([plan]));
  const emitter = new Emitter(path.basename(folder));
  emitSignature(plan, emitter, { variables, library: model.library, inputs: new Map(), outputs: new Map() });
  return removeUnused(emitter.build());
}

/**
 * Reads all signatures, for serving.
 *
 * @throws {ServeError} MODEL_INVALID when the folder is damaged. A signature that cannot be converted is listed with
 *   the reason.
 */
export async function readAllSignatures(
  folder: string,
  options: { readonly tags?: readonly string[] | undefined } = {},
): Promise<AllSignatures> {
  const model = await openModel(folder, options.tags);
  const signatures = new Map<string, ReadSignature>();
  const plans: Plan[] = [];
  for (const key of signatureKeys(model)) {
    const plan = refusalOr(() => planSignature(model, key));
    if (typeof plan === "string") signatures.set(key, refused(signatureOf(model, key), plan));
    else plans.push(plan);
  }
  const variables = await model.readVariables(variablesOf(plans));

  const groups = new Map<string, Plan[]>();
  for (const plan of plans) {
    const inputs = inputsKey(plan);
    groups.set(inputs, [...(groups.get(inputs) ?? []), plan]);
  }
  const graphs: Graph[] = [];
  for (const group of groups.values()) {
    const emitter = new Emitter(path.basename(folder));
    const inputs = new Map<string, Value>();
    const outputs = new Map<string, Value>();
    const read = group.map((plan) => {
      const made = refusalOr(() =>
        emitSignature(plan, emitter, { variables, library: model.library, inputs, outputs }),
      );
      signatures.set(
        plan.key,
        typeof made === "string" ? refused(plan.signature, made) : { ...made, graph: graphs.length },
      );
      return typeof made !== "string";
    });
    if (read.includes(true)) graphs.push(removeUnused(emitter.build()));
  }
  const sorted = signatureKeys(model).flatMap((key): [string, ReadSignature][] => {
    const signature = signatures.get(key);
    return signature === undefined ? [] : [[key, signature]];
  });
  return { graphs, signatures: new Map(sorted) };
}

/** A signature whose operators are known, and not yet converted. */
interface Plan {
  readonly key: string;
  readonly signature: SignatureDef;
  readonly flat: FlatGraph;
  readonly features: readonly ParsedFeature[];
  /** Aliases whose tensors only ParseExample takes. */
  readonly serialised: ReadonlySet<string>;
}

function planSignature(model: OpenedModel, key: string): Plan {
  const signature = signatureOf(model, key);
  const feeds = new Map(
    sorted(signature.inputs).map(([alias, info]) => [graphTensor(key, alias, info), alias]),
  );
  const scopes = new Scopes(model.nodes, model.library, feeds);
  const outputs = sorted(signature.outputs).map(([alias, info]) => tensorNameOf(key, alias, info));
  const flat = flatten(scopes, outputs);
  const features = flat.nodes.filter(parsesFedExamples).flatMap(featuresOf);
  const takers = new Map<string, boolean>();
  for (const node of flat.nodes) {
    for (const { node: source } of node.inputs) {
      if (source.fed === undefined) continue;
      const onlyParsed = isParseExample(node) && (takers.get(source.fed) ?? true);
      takers.set(source.fed, onlyParsed);
    }
  }
  const serialised = new Set([...takers].flatMap(([alias, onlyParsed]) => (onlyParsed ? [alias] : [])));
  return { key, signature, flat, features, serialised };
}

/** What the signatures of one graph share. */
interface Shared {
  readonly variables: ReadonlyMap<string, Constant>;
  readonly library: FunctionLibrary;
  /** Inputs and outputs of the graph so far, by their aliases. */
  readonly inputs: Map<string, Value>;
  readonly outputs: Map<string, Value>;
}

/** Converts a signature's operators. */
function emitSignature(
  plan: Plan,
  emitter: Emitter,
  { variables, library, inputs, outputs }: Shared,
): ReadSignature {
  const { key, signature, flat } = plan;
  const feed = (alias: string, type: ElementType, shape: Shape | undefined): Value => {
    const value = inputs.get(alias) ?? emitter.input(alias, type, shape);
    inputs.set(alias, value);
    return value;
  };
  // Before anything is emitted: a signature that is refused leaves no outputs behind.
  const types = new Map(sorted(signature.outputs).map(([alias, info]) => [alias, typeOf(key, alias, info)]));
  const feeds = new Map<string, Value>();
  const readInputs = new Map<string, SignatureTensor>();
  for (const [alias, info] of sorted(signature.inputs)) {
    const isSerialised = plan.serialised.has(alias);
    readInputs.set(alias, tensorOf(key, alias, info, isSerialised ? "" : alias));
    if (!isSerialised)
      feeds.set(alias, feed(alias, typeOf(key, alias, info), shapeOfProto(info.tensorShape)));
  }
  const exampleFeatures: ExampleInput[] = [];
  const parseExamples = ({ node, inputs: parsed }: Operation) => {
    const parts: (Value | undefined)[] = [];
    for (const { output, defaultInput, ...feature } of featuresOf(node)) {
      const defaultValue = defaultOf(feature, parsed[defaultInput]?.constant);
      const described = defaultValue === undefined ? feature : { ...feature, defaultValue };
      exampleFeatures.push({ ...described, graphName: feature.name });
      parts[output] = feed(feature.name, featureType(feature), [-1, ...feature.shape]);
    }
    return parts;
  };

  const values = lower(flat, emitter, { feeds, variables, parseExamples, library });
  const readOutputs = new Map<string, SignatureTensor>();
  for (const [place, [alias, info]] of sorted(signature.outputs).entries()) {
    const value = values[place];
    if (value === undefined) continue;
    let graphName = alias;
    const taken = outputs.get(alias);
    // The same value under the same name is one output; another one is named after its signature, too.
    if (taken !== undefined && !emitter.isSame(taken, value)) graphName = `${key}/${alias}`;
    if (!outputs.has(graphName)) {
      outputs.set(graphName, value);
      const shape = shapeOfProto(info.tensorShape) ?? shapeOf(value);
      emitter.output(graphName, value, types.get(alias) ?? value.type, shape);
    }
    readOutputs.set(alias, tensorOf(key, alias, info, graphName));
  }
  return {
    methodName: signature.methodName,
    inputs: readInputs,
    outputs: readOutputs,
    ...(plan.features.length === 0 ? {} : { exampleFeatures }),
  };
}

/** Equal for signatures that callers feed the same. */
function inputsKey({ signature, features, serialised }: Plan): string {
  const inputs = sorted(signature.inputs).map(([alias, info]) => {
    if (serialised.has(alias)) return "";
    return `${alias} ${info.dtype} ${shapeOfProto(info.tensorShape)?.join() ?? "any"}`;
  });
  const parsed = features.map(({ name, dtype, shape }) => `${name} ${dtype} ${[-1, ...shape].join()}`);
  return [...inputs.filter((input) => input !== ""), ...parsed].sort().join("\n");
}

function variablesOf(plans: readonly Plan[]): readonly string[] {
  const names = new Set<string>();
  for (const { flat } of plans) {
    for (const node of flat.nodes) if (isVariable(node.op)) names.add(node.name);
  }
  return [...names];
}

function chooseSignature(model: OpenedModel, wanted: string | undefined): string {
  const keys = signatureKeys(model);
  const [only] = keys;
  if (wanted === undefined && !keys.includes(DEFAULT_SIGNATURE) && keys.length === 1 && only !== undefined) {
    return only;
  }
  const key = wanted ?? DEFAULT_SIGNATURE;
  if (keys.includes(key)) return key;
  const more = keys.length > MAX_NAMED ? `, and ${keys.length - MAX_NAMED} more` : "";
  const names = keys.length === 0 ? "none" : `${keys.slice(0, MAX_NAMED).join(", ")}${more}`;
  throw new ServeError(
    "MODEL_INVALID",
    `signature ${key} was not in the SavedModel, expected one of it: ${names}`,
  );
}

/** Keys of what can be called; the loader's own pseudo-signatures have no method and are not. */
function signatureKeys(model: OpenedModel): readonly string[] {
  const keys = [...model.signatures.keys()].filter((key) => !key.startsWith("__saved_model_")).sort();
  // First, so that its outputs keep their aliases, and its graph is the first.
  return keys.sort((a, b) => Number(b === DEFAULT_SIGNATURE) - Number(a === DEFAULT_SIGNATURE));
}

function signatureOf(model: OpenedModel, key: string): SignatureDef {
  const signature = model.signatures.get(key);
  if (signature !== undefined && signature.outputs.size > 0) return signature;
  throw new ServeError("MODEL_INVALID", `signature ${key} had no outputs, expected some`);
}

/** The result, or why it cannot be: words for the caller. Damage is thrown on. */
function refusalOr<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof ServeError && error.reason === "MODEL_UNSUPPORTED") return error.message;
    throw error;
  }
}
