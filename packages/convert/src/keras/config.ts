/**
 * What `model_config` (HDF5) and config.json (.keras) say, in one form for all versions of Keras: a model is a list of
 * layers, and each layer a list of calls with the tensors they take.
 */
import { z } from "zod";
import { damaged } from "./fault.js";
import { isNumbers, isRecord, type Json, listOf } from "./options.js";

/** Output `tensor` of call number `node` of a layer. */
export class TensorRef {
  readonly layer: string;
  readonly node: number;
  readonly tensor: number;

  constructor(layer: string, node: number, tensor: number) {
    this.layer = layer;
    this.node = node;
    this.tensor = tensor;
  }
}

/** Arguments are JSON in which {@link TensorRef}s stand for tensors, at any depth. */
export interface Call {
  readonly args: readonly unknown[];
  readonly kwargs: Json;
}

export interface LayerConfig {
  /** Unique within its model. */
  readonly name: string;
  readonly className: string;
  readonly module: string;
  /** An operation of Keras 3 (`keras.ops`) is no layer: it has no weights, and its arguments may be numbers. */
  readonly isOperation: boolean;
  readonly options: Json;
  readonly calls: readonly Call[];
  /** Set when the layer is itself a model. */
  readonly model: ModelConfig | undefined;
  /** Set when the layer wraps another one (TimeDistributed). */
  readonly wrapped: LayerConfig | undefined;
  readonly buildShape: readonly (number | null)[] | undefined;
}

export interface ModelConfig {
  readonly name: string;
  readonly layers: readonly LayerConfig[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly { readonly key: string | undefined; readonly ref: TensorRef }[];
}

const MAX_DEPTH = 32;
const MAX_LAYERS = 100_000;

const LayerEntry = z.object({
  class_name: z.string(),
  config: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]),
  name: z.string().nullish(),
  module: z.string().nullish(),
  inbound_nodes: z.array(z.unknown()).nullish(),
  build_config: z.unknown().optional(),
});
type LayerEntry = z.infer<typeof LayerEntry>;

const FunctionalConfig = z.object({
  name: z.string().nullish(),
  layers: z.array(z.unknown()).max(MAX_LAYERS),
  input_layers: z.unknown().optional(),
  output_layers: z.unknown().optional(),
});

const MODEL_CLASSES: ReadonlySet<string> = new Set(["Functional", "Model", "Sequential"]);

/** @throws {ServeError} MODEL_INVALID when the text is not a model's configuration. */
export function parseModelConfig(text: string): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damaged(
      `the model's configuration was not JSON (${cause instanceof Error ? cause.message : String(cause)})`,
    );
  }
  const entry = LayerEntry.safeParse(json);
  if (!entry.success) throw damaged("the model's configuration had no class_name and config");
  const model = modelOf(entry.data, entry.data.class_name, 0);
  if (model === undefined)
    throw damaged(
      `the model was a ${entry.data.class_name}, expected Sequential or Functional: a subclassed model's code is not in the file; export it as a SavedModel or to ONNX`,
    );
  return model;
}

/** @returns undefined when the entry is no model. */
function modelOf(entry: LayerEntry, name: string, depth: number): ModelConfig | undefined {
  if (depth > MAX_DEPTH) throw damaged(`${name}: models were nested deeper than ${MAX_DEPTH} levels`);
  const { config } = entry;
  if (entry.class_name === "Sequential") return sequential(entry, name, depth);
  // Subclasses of Model that were built with the functional API have its configuration, too.
  if (Array.isArray(config) || !("layers" in config) || !("output_layers" in config)) {
    if (MODEL_CLASSES.has(entry.class_name)) throw damaged(`${name}: its configuration had no layers`);
    return undefined;
  }
  const parsed = FunctionalConfig.safeParse(config);
  if (!parsed.success) throw damaged(`${name}: its configuration had no list of layers`);
  const own = parsed.data.name ?? name;
  return {
    name: own,
    layers: parsed.data.layers.map((layer) => layerOf(layer, own, depth)),
    inputs: flatRefs(parsed.data.input_layers, own).map(({ ref }) => ref),
    outputs: flatRefs(parsed.data.output_layers, own),
  };
}

function sequential({ config }: LayerEntry, outer: string, depth: number): ModelConfig {
  const entries = Array.isArray(config) ? config : config.layers;
  const stated = Array.isArray(config) ? undefined : config.name;
  const name = typeof stated === "string" ? stated : outer;
  if (!Array.isArray(entries) || entries.length > MAX_LAYERS)
    throw damaged(`${name}: it had no list of layers`);
  const layers = entries.map((layer) => layerOf(layer, name, depth));
  const first = layers[0];
  if (first === undefined) throw damaged(`${name}: it had no layers, expected at least one`);
  if (first.className !== "InputLayer") layers.unshift(inputLayerFor(first, config));
  const chained = layers.map((layer, index): LayerConfig => {
    const before = layers[index - 1];
    return before === undefined
      ? layer
      : { ...layer, calls: [{ args: [new TensorRef(before.name, 0, 0)], kwargs: {} }] };
  });
  const ends = [layers[0], layers.at(-1)].map((layer) => new TensorRef(layer?.name ?? "", 0, 0));
  const [input, output] = ends;
  return {
    name,
    layers: chained,
    inputs: input === undefined ? [] : [input],
    outputs: output === undefined ? [] : [{ key: undefined, ref: output }],
  };
}

/** A Sequential may begin with a layer that states the input's shape itself, or state it apart, or not at all. */
function inputLayerFor(first: LayerConfig, config: Json | readonly unknown[]): LayerConfig {
  const model = Array.isArray(config) ? undefined : config;
  const inner = first.model?.layers.find((layer) => layer.name === first.model?.inputs[0]?.layer);
  const shape =
    first.options.batch_input_shape ??
    first.options.batch_shape ??
    (isRecord(model) ? model.build_input_shape : undefined) ??
    inner?.options.batch_input_shape ??
    inner?.options.batch_shape;
  return {
    name: `${first.name}_input`,
    className: "InputLayer",
    module: "",
    options: { batch_shape: shape, dtype: first.options.input_dtype ?? inner?.options.dtype },
    isOperation: false,
    calls: [],
    model: undefined,
    wrapped: undefined,
    buildShape: undefined,
  };
}

function layerOf(value: unknown, model: string, depth: number): LayerConfig {
  const parsed = LayerEntry.safeParse(value);
  if (!parsed.success) throw damaged(`${model}: one of its layers had no class_name and config`);
  const entry = parsed.data;
  const options = Array.isArray(entry.config) ? {} : entry.config;
  const stated = entry.name ?? options.name;
  if (typeof stated !== "string" && !Array.isArray(entry.config))
    throw damaged(`${model}: a ${entry.class_name} had no name`);
  const name = typeof stated === "string" ? stated : entry.class_name.toLowerCase();
  const build = isRecord(entry.build_config) ? listOf(entry.build_config.input_shape) : undefined;
  return {
    name,
    className: entry.class_name,
    module: entry.module ?? "",
    isOperation: isOperation(entry, options),
    options,
    calls: (entry.inbound_nodes ?? []).flatMap((node) => callOf(node, name) ?? []),
    model: modelOf(entry, name, depth + 1),
    wrapped: isRecord(options.layer) ? layerOf(options.layer, name, depth + 1) : undefined,
    buildShape: isShape(build) ? build : undefined,
  };
}

/** HDF5 files of Keras 3 do not say which module a class is from, but layers have `trainable`, or a dropout's `rate`. */
function isOperation(
  { class_name: className, module, inbound_nodes: calls }: LayerEntry,
  options: Json,
): boolean {
  if (typeof module === "string") return /(^|\.)ops(\.|$)/.test(module);
  const isLayer = ["trainable", "rate", "layers"].some((key) => key in options);
  return className !== "InputLayer" && isRecord(calls?.[0]) && !isLayer;
}

export function isShape(value: unknown): value is (number | null)[] {
  return (
    Array.isArray(value) && value.every((size) => size === null || (Number.isSafeInteger(size) && size >= -1))
  );
}

function callOf(node: unknown, layer: string): Call | undefined {
  if (isRecord(node)) {
    const { args, kwargs } = node;
    return {
      args: Array.isArray(args) ? args.map((value) => keras3Argument(value, 0)) : [],
      kwargs: isRecord(kwargs) ? mapValues(kwargs, (value) => keras3Argument(value, 0)) : {},
    };
  }
  if (!Array.isArray(node)) throw damaged(`${layer}: a call was not a list of tensors`);
  if (node.length === 0) return undefined;
  return keras2Call(node, layer);
}

function mapValues(record: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

/** Keras 3: tensors, numpy arrays, slices and tuples are objects with a class_name. */
function keras3Argument(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw damaged(`arguments of a call were nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((entry) => keras3Argument(entry, depth + 1));
  if (!isRecord(value)) return value;
  const { config } = value;
  switch (value.class_name) {
    case "__keras_tensor__": {
      const ref = isRecord(config) ? tensorRef(config.keras_history) : undefined;
      if (ref === undefined) throw damaged("a tensor in a call had no keras_history");
      return ref;
    }
    case "__tuple__":
      return keras3Argument(value.items, depth + 1);
    case "__numpy__":
    case "__tensor__":
      return isRecord(config) ? config.value : undefined;
    case "__slice__":
      return config;
    default:
      return mapValues(value, (entry) => keras3Argument(entry, depth + 1));
  }
}

/**
 * Keras 1 and 2: `[name, node, tensor, kwargs]` for each tensor of the first argument; a list of them in one more pair of
 * brackets stands for a list of tensors. A first argument that is no tensor is named "_CONSTANT_VALUE".
 */
function keras2Call(node: readonly unknown[], layer: string): Call {
  // An operator's call is one entry without brackets around it.
  const entries = typeof node[0] === "string" ? [node] : node;
  const deeper = entries.length === 1 && Array.isArray(entries[0]) && Array.isArray(entries[0][0]);
  const list = deeper && Array.isArray(entries[0]) ? entries[0] : entries;
  const tensors = list.map((entry: unknown) => {
    if (!Array.isArray(entry)) throw damaged(`${layer}: a call's tensor was not [layer, node, tensor]`);
    if (entry[0] === "_CONSTANT_VALUE") return entry[2];
    const ref = tensorRef(entry.slice(0, 3));
    if (ref === undefined) throw damaged(`${layer}: a call's tensor was not [layer, node, tensor]`);
    return ref;
  });
  const first: unknown = list[0];
  const kwargs = Array.isArray(first) && isRecord(first[3]) ? first[3] : {};
  const single = tensors.length === 1 && !deeper;
  return { args: [single ? tensors[0] : tensors], kwargs: mapValues(kwargs, keras2Argument) };
}

/** In keyword arguments a list of a name and two numbers is a tensor; there is no other mark. */
function keras2Argument(value: unknown): unknown {
  const ref = Array.isArray(value) && value.length === 3 ? tensorRef(value) : undefined;
  if (ref !== undefined) return ref;
  return Array.isArray(value) && value.length > 0 && value.every(Array.isArray)
    ? value.map(keras2Argument)
    : value;
}

function tensorRef(value: unknown): TensorRef | undefined {
  const list = listOf(value);
  if (!Array.isArray(list) || list.length !== 3 || typeof list[0] !== "string") return undefined;
  const numbers = list.slice(1);
  const [node, tensor] = isNumbers(numbers) ? numbers : [];
  return node === undefined || tensor === undefined ? undefined : new TensorRef(list[0], node, tensor);
}

/** `input_layers` and `output_layers`: one tensor, a list, or a mapping, in any nesting. */
function flatRefs(value: unknown, model: string): { key: string | undefined; ref: TensorRef }[] {
  const found: { key: string | undefined; ref: TensorRef }[] = [];
  const walk = (part: unknown, key: string | undefined, depth: number): void => {
    const ref = tensorRef(part);
    const list = listOf(part);
    if (depth > MAX_DEPTH) throw damaged(`${model}: its outputs were nested deeper than ${MAX_DEPTH} levels`);
    if (ref !== undefined) found.push({ key, ref });
    else if (Array.isArray(list)) for (const entry of list) walk(entry, key, depth + 1);
    else if (isRecord(list)) for (const [name, entry] of Object.entries(list)) walk(entry, name, depth + 1);
    else throw damaged(`${model}: its inputs or outputs were not [layer, node, tensor]`);
  };
  walk(value, undefined, 0);
  if (found.length === 0) throw damaged(`${model}: it had no inputs or outputs`);
  return found;
}
