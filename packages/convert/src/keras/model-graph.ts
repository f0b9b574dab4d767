/** Walks a model's layers in an order in which each finds its inputs, through nested models, and writes them into a graph. */
import { sizeOf } from "../graph/constant-values.js";
import type { ElementType, Graph } from "../graph/graph.js";
import { GraphBuilder } from "../graph/graph-builder.js";
import { type Call, isShape, type LayerConfig, type ModelConfig, TensorRef } from "./config.js";
import { damaged, type Unsupported, unsupported } from "./fault.js";
import { isKerasTensor, type KerasTensor, type KerasVersion, LayerCall, resolved } from "./layer-call.js";
import { ruleOf } from "./layers/rules.js";
import { isRecord, listOf } from "./options.js";
import { isKnown, productOf, UNKNOWN } from "./shapes.js";
import type { LayerLink, WeightStore } from "./weights.js";

/** Shared models called many times over, each at each depth, would never end. */
const MAX_CALLS = 20_000;
const MAX_RANK = 8;

const INPUT_TYPES = new Map<string, ElementType>([
  ...["float16", "bfloat16", "float32", "float64"].map((name): [string, ElementType] => [name, "float32"]),
  ...(["uint8", "int8", "int16", "int32", "int64", "bool"] as const).map((name): [string, ElementType] => [
    name,
    name,
  ]),
]);

/**
 * The graph of a model. Inputs and outputs have the names under which Keras' own SavedModel has them: the layers', or the
 * keys of a mapping of outputs.
 *
 * @throws {ServeError} MODEL_UNSUPPORTED naming up to ten layers that cannot be converted; MODEL_INVALID.
 */
export function modelGraph(model: ModelConfig, version: KerasVersion, store: WeightStore): Graph {
  const missing = unsupportedLayers(model, "");
  if (missing.length > 0) throw unsupported(...missing);
  const builder = new GraphBuilder(model.name);
  const walk = new Walk(builder, version, store);
  const aliases = uniqueNames(model.inputs.map(({ layer }) => layer));
  const inputs = model.inputs.map(({ layer }, index) => {
    const config = model.layers.find(({ name }) => name === layer);
    if (config === undefined) throw damaged(`${layer}: it was an input but no layer of the model`);
    return inputOf(builder, config, aliases[index] ?? layer);
  });
  const outputs = walk.model(model, inputs, []);
  const names = uniqueNames(model.outputs.map(({ key, ref }) => key ?? ref.layer));
  outputs.forEach(({ value, type, shape }, index) => {
    builder.output(names[index] ?? `output_${index}`, value, type, shape);
  });
  return builder.build();
}

function unsupportedLayers(model: ModelConfig, prefix: string): Unsupported[] {
  return model.layers.flatMap((layer) => {
    const path = prefix + layer.name;
    if (layer.model !== undefined) return unsupportedLayers(layer.model, `${path}/`);
    if (layer.className === "InputLayer") return [];
    const found = ruleOf(layer.className === "TimeDistributed" ? (layer.wrapped ?? layer) : layer, path);
    return typeof found === "function" ? [] : [found];
  });
}

/** Keras numbers names that occur more than once: `dense`, `dense_1`. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  return names.map((name) => {
    let unique = name;
    let count = counts.get(name) ?? 1;
    for (; taken.has(unique); count++) unique = `${name}_${count}`;
    counts.set(name, count);
    taken.add(unique);
    return unique;
  });
}

function inputOf(builder: GraphBuilder, { name, options }: LayerConfig, alias: string): KerasTensor {
  const stated = listOf(options.batch_shape ?? options.batch_input_shape);
  if (!isShape(stated) || stated.length === 0 || stated.length > MAX_RANK)
    throw damaged(
      `${name}: its shape was ${JSON.stringify(stated) ?? "missing"}, expected a list of sizes; call the model once before saving it`,
    );
  const shape = stated.map((size, axis) => (axis === 0 ? UNKNOWN : (size ?? UNKNOWN)));
  if (sizeOf(shape.filter((size) => isKnown(size))) > 2 ** 40)
    throw damaged(`${name}: its shape was [${shape.join(", ")}], too large`);
  const dtype = typeof options.dtype === "string" ? options.dtype : "float32";
  const type = INPUT_TYPES.get(dtype);
  if (type === undefined)
    throw unsupported({
      layer: name,
      type: `InputLayer of ${dtype}`,
      advice: "prepare texts and other types before the request",
    });
  return { value: builder.input(alias, type, shape), shape, type };
}

class Walk {
  readonly #builder: GraphBuilder;
  readonly #version: KerasVersion;
  readonly #store: WeightStore;
  /** Constants that are in the graph, by the layer's path. */
  readonly #emitted = new Map<string, Map<string, string>>();
  #calls = 0;

  constructor(builder: GraphBuilder, version: KerasVersion, store: WeightStore) {
    this.#builder = builder;
    this.#version = version;
    this.#store = store;
  }

  /** @param chain the models around this one. @returns the model's outputs. */
  model(model: ModelConfig, inputs: readonly KerasTensor[], chain: readonly LayerLink[]): KerasTensor[] {
    const path = chain.map(({ config }) => config.name).join("/") || model.name;
    const order = evaluationOrder(model, path);
    const results = new Map<string, readonly KerasTensor[]>();
    const tensorOf = (ref: TensorRef): KerasTensor => {
      const tensor = results.get(`${ref.layer}\n${ref.node}`)?.[ref.tensor];
      if (tensor === undefined)
        throw damaged(`${path}: it took output ${ref.tensor} of ${ref.layer}, which has fewer`);
      return tensor;
    };
    model.inputs.forEach((ref, index) => {
      const tensor = inputs[index];
      if (tensor === undefined)
        throw damaged(`${path}: it took ${inputs.length} tensors, expected ${model.inputs.length}`);
      results.set(`${ref.layer}\n${ref.node}`, [tensor]);
    });
    for (const { layer, call, key } of order) {
      if (results.has(key)) continue;
      const link: LayerLink = { config: layer, siblings: model.layers, wrapped: false };
      results.set(key, this.#layer([...chain, link], resolvedCall(call, tensorOf)));
    }
    return model.outputs.map(({ ref }) => tensorOf(ref));
  }

  #layer(chain: readonly LayerLink[], call: ResolvedCall): readonly KerasTensor[] {
    if (++this.#calls > MAX_CALLS) throw damaged(`the model had more than ${MAX_CALLS} calls of layers`);
    const config = chain.at(-1)?.config;
    if (config === undefined) return [];
    const path = chain.map((link) => link.config.name).join("/");
    if (config.model !== undefined) return this.model(config.model, call.inputs, chain);
    if (config.className === "InputLayer")
      throw damaged(`${path}: it was an input that the model did not list`);
    if (config.className === "TimeDistributed" && config.wrapped !== undefined)
      return this.#eachStep(chain, config.wrapped, call, path);
    return this.#apply(chain, config, call, path);
  }

  #apply(
    chain: readonly LayerLink[],
    config: LayerConfig,
    call: ResolvedCall,
    path: string,
  ): readonly KerasTensor[] {
    const rule = ruleOf(config, path);
    if (typeof rule !== "function") throw unsupported(rule);
    refuseTraining(config, call, path, this.#version);
    const result = rule(this.#call(chain, config, call, path));
    return isKerasTensor(result) ? [result] : result;
  }

  #call(chain: readonly LayerLink[], config: LayerConfig, call: ResolvedCall, path: string): LayerCall {
    const emitted = this.#emitted.get(path) ?? new Map<string, string>();
    this.#emitted.set(path, emitted);
    const site = {
      builder: this.#builder,
      path,
      className: config.className,
      version: this.#version,
      weights: this.#store.of(chain),
      emitted,
    };
    return new LayerCall(site, config.options, call);
  }

  /** TimeDistributed: steps go into the batch, through the layer, and back. */
  #eachStep(
    chain: readonly LayerLink[],
    inner: LayerConfig,
    call: ResolvedCall,
    path: string,
  ): readonly KerasTensor[] {
    const outer = this.#call(chain, inner, call, path);
    const { input } = outer;
    const [batch = UNKNOWN, steps = UNKNOWN, ...rest] = input.shape;
    const sizes = outer.int64s("steps/shape", [-1, ...rest]);
    if (!rest.every((size) => isKnown(size)) || !isKnown(steps))
      return outer.refuse("steps of unknown size", "give the model's Input a fixed shape");
    const flat = outer.emit("Reshape", [input, sizes], [UNKNOWN, ...rest], {}, { part: "steps" });
    const link: LayerLink = { config: inner, siblings: [], wrapped: true };
    const [result] = this.#layer([...chain, link], { ...call, inputs: [flat], args: [flat] });
    if (result === undefined) throw damaged(`${path}: its layer made no tensor`);
    const shape = [batch, steps, ...result.shape.slice(1)];
    if (productOf(shape.slice(1)) === UNKNOWN)
      return outer.refuse("steps of unknown size", "give the model's Input a fixed shape");
    const back = outer.int64s("back/shape", [-1, ...shape.slice(1)]);
    return [outer.emit("Reshape", [result, back], shape)];
  }
}

interface ResolvedCall {
  readonly inputs: readonly KerasTensor[];
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

const isRef = (value: unknown): value is TensorRef => value instanceof TensorRef;

function resolvedCall(call: Call, tensorOf: (ref: TensorRef) => KerasTensor): ResolvedCall {
  const args = call.args.map((value) => resolved(value, isRef, tensorOf));
  const kwargs = resolved(call.kwargs, isRef, tensorOf);
  return { inputs: tensorsIn(args), args, kwargs: isRecord(kwargs) ? kwargs : {} };
}

function tensorsIn(value: unknown): KerasTensor[] {
  if (isKerasTensor(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  return isRecord(value) ? Object.values(value).flatMap(tensorsIn) : [];
}

/** Keras 2 lets a call be fixed to training, as for Monte Carlo dropout; its result is random or depends on the batch. */
function refuseTraining(config: LayerConfig, call: ResolvedCall, path: string, version: KerasVersion): void {
  if (version === 3 || call.kwargs.training !== true || config.className.startsWith("Random")) return;
  throw unsupported({
    layer: path,
    type: `${config.className} that was called with training=True`,
    advice: "call it without training, so that it does what it does at inference",
  });
}

interface Step {
  readonly layer: LayerConfig;
  readonly call: Call;
  /** Name and node, as references have them. */
  readonly key: string;
}

/**
 * All calls of a model's layers, each after those it depends on.
 *
 * @throws {ServeError} MODEL_INVALID when a call depends on itself or on a layer that is not there.
 */
function evaluationOrder(model: ModelConfig, path: string): Step[] {
  const offsets = nodeOffsets(model);
  const steps: Step[] = [];
  const names = new Set<string>();
  for (const layer of model.layers) {
    if (names.has(layer.name)) throw damaged(`${path}: it had two layers called ${layer.name}`);
    names.add(layer.name);
    const offset = offsets.get(layer.name) ?? 0;
    layer.calls.forEach((call, node) => {
      steps.push({ layer, call, key: `${layer.name}\n${node + offset}` });
    });
  }
  const inputs = new Set(model.inputs.map(({ layer, node }) => `${layer}\n${node}`));
  const waiting = new Map<string, Step[]>();
  const open = new Map<Step, number>();
  const known = new Set([...inputs, ...steps.map(({ key }) => key)]);
  const ready: Step[] = [];
  for (const step of steps) {
    const needs = new Set(refsIn(step.call).map(({ layer, node }) => `${layer}\n${node}`));
    for (const need of needs) {
      if (!known.has(need))
        throw damaged(
          `${path}/${step.layer.name}: it took a tensor of ${need.split("\n")[0]}, which is not computed`,
        );
      if (!inputs.has(need)) waiting.set(need, [...(waiting.get(need) ?? []), step]);
    }
    const count = [...needs].filter((need) => !inputs.has(need)).length;
    open.set(step, count);
    if (count === 0) ready.push(step);
  }
  const order: Step[] = [];
  for (let step = ready.shift(); step !== undefined; step = ready.shift()) {
    order.push(step);
    for (const other of waiting.get(step.key) ?? []) {
      const left = (open.get(other) ?? 0) - 1;
      open.set(other, left);
      if (left === 0) ready.push(other);
    }
  }
  if (order.length < steps.length) {
    const stuck = steps.find((step) => (open.get(step) ?? 0) > 0);
    throw damaged(
      `${path}/${stuck?.layer.name ?? ""}: it depends on its own result, expected a graph without cycles`,
    );
  }
  return order;
}

function refsIn(value: unknown): TensorRef[] {
  if (isRef(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(refsIn);
  return isRecord(value) ? Object.values(value).flatMap(refsIn) : [];
}

/**
 * A nested model may count its own making as node 0, so that its first call is node 1. Which it does is told by the
 * references: a call that no one refers to is not written down.
 */
function nodeOffsets(model: ModelConfig): Map<string, number> {
  const largest = new Map<string, number>();
  const refs = [
    ...model.outputs.map(({ ref }) => ref),
    ...model.layers.flatMap((layer) => layer.calls.flatMap((call) => refsIn(call))),
  ];
  for (const { layer, node } of refs) largest.set(layer, Math.max(largest.get(layer) ?? 0, node));
  return new Map(
    model.layers.map((layer) => {
      const over = (largest.get(layer.name) ?? 0) - layer.calls.length + 1;
      return [layer.name, layer.model !== undefined && over === 1 ? 1 : 0];
    }),
  );
}
