/** Activations: those that layers name in `activation`, and those that are layers themselves. */

import { float32Constant } from "../../graph/constant-values.js";
import type { Constant } from "../../graph/graph.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { isRecord, Options } from "../options.js";
import { axisOf, isKnown, withAxes } from "../shapes.js";

/** @param options of the activation itself, such as `alpha`; empty where it is only named. */
type Activation = (call: LayerCall, x: KerasTensor, options: Options) => KerasTensor;

/** One operator on one tensor. */
function simple(op: string, attributes: Record<string, number | string> = {}): Activation {
  return (call, x) => call.emit(op, [x], x.shape, attributes);
}

function step(call: LayerCall, op: string, inputs: readonly (KerasTensor | string)[], x: KerasTensor) {
  return call.emit(op, inputs, x.shape, {}, { part: op.toLowerCase() });
}

function clip(call: LayerCall, x: KerasTensor, low: number, high: number, part?: string): KerasTensor {
  const bounds = [call.scalar("min", low), call.scalar("max", high)];
  return call.emit("Clip", [x, ...bounds], x.shape, {}, part === undefined ? {} : { part });
}

/** Keras 1 and 2: 0.2 x + 0.5 between 0 and 1; Keras 3: x / 6 + 0.5. */
function hardSigmoid(call: LayerCall, x: KerasTensor, part?: string): KerasTensor {
  const alpha = call.version === 3 ? 1 / 6 : 0.2;
  return call.emit("HardSigmoid", [x], x.shape, { alpha, beta: 0.5 }, part === undefined ? {} : { part });
}

function silu(call: LayerCall, x: KerasTensor): KerasTensor {
  return call.emit("Mul", [x, step(call, "Sigmoid", [x], x)], x.shape);
}

function softmaxOver(call: LayerCall, x: KerasTensor, axes: readonly number[]): KerasTensor {
  const rank = x.shape.length;
  const positive = axes.map((axis) => axisOf(axis, rank, call.site.path));
  const [axis] = positive;
  if (axis !== undefined && positive.length === 1) return call.emit("Softmax", [x], x.shape, { axis });
  const list = call.int64s("axes", positive);
  const kept = withAxes(x.shape, positive, 1);
  const largest = call.emit("ReduceMax", [x, list], kept, { keepdims: 1 }, { part: "max" });
  const powers = step(call, "Exp", [step(call, "Sub", [x, largest], x)], x);
  const sum = call.emit("ReduceSum", [powers, list], kept, { keepdims: 1 }, { part: "sum" });
  return call.emit("Div", [powers, sum], x.shape);
}

const softplusOf = (call: LayerCall, x: KerasTensor): KerasTensor => step(call, "Softplus", [x], x);

/** By Keras' names, in lower case. */
const ACTIVATIONS = new Map<string, Activation>([
  ["linear", (_call, x) => x],
  ["relu", (call, x, options) => reluOf(call, x, options)],
  ["relu6", (call, x) => clip(call, x, 0, 6)],
  ["elu", (call, x, options) => call.emit("Elu", [x], x.shape, { alpha: options.number("alpha", 1) })],
  ["selu", simple("Selu")],
  ["celu", (call, x, options) => call.emit("Celu", [x], x.shape, { alpha: options.number("alpha", 1) })],
  ["sigmoid", simple("Sigmoid")],
  ["hard_sigmoid", (call, x) => hardSigmoid(call, x)],
  ["tanh", simple("Tanh")],
  ["hard_tanh", (call, x) => clip(call, x, -1, 1)],
  ["softplus", simple("Softplus")],
  ["softsign", simple("Softsign")],
  ["exponential", simple("Exp")],
  ["softmax", (call, x, options) => softmaxOver(call, x, options.axes("axis", -1))],
  ["log_softmax", (call, x, options) => logSoftmax(call, x, options.number("axis", -1))],
  ["gelu", (call, x, options) => gelu(call, x, options.boolean("approximate", false))],
  ["mish", (call, x) => call.emit("Mul", [x, step(call, "Tanh", [softplusOf(call, x)], x)], x.shape)],
  ["swish", silu],
  ["silu", silu],
  ["hard_silu", (call, x) => call.emit("Mul", [x, hardSigmoid(call, x, "hardsigmoid")], x.shape)],
  ["hard_swish", (call, x) => call.emit("Mul", [x, hardSigmoid(call, x, "hardsigmoid")], x.shape)],
  ["leaky_relu", (call, x, options) => leakyRelu(call, x, options.number(["negative_slope", "alpha"], 0.2))],
  ["log_sigmoid", (call, x) => call.emit("Neg", [softplusOf(call, step(call, "Neg", [x], x))], x.shape)],
  ["glu", (call, x, options) => glu(call, x, options.number("axis", -1))],
  ["hard_shrink", (call, x, options) => shrink(call, x, options.number("threshold", 0.5), 0)],
  ["soft_shrink", (call, x, options) => softShrink(call, x, options.number("threshold", 0.5))],
  ["tanh_shrink", (call, x) => call.emit("Sub", [x, step(call, "Tanh", [x], x)], x.shape)],
  ["squareplus", (call, x, options) => squareplus(call, x, options.number("b", 4))],
  ["sparse_plus", sparsePlus],
  ["sparse_sigmoid", simple("HardSigmoid", { alpha: 0.5, beta: 0.5 })],
]);

const gelu = (call: LayerCall, x: KerasTensor, approximate: boolean): KerasTensor =>
  call.emit("Gelu", [x], x.shape, { approximate: approximate ? "tanh" : "none" });

const leakyRelu = (call: LayerCall, x: KerasTensor, alpha: number): KerasTensor =>
  call.emit("LeakyRelu", [x], x.shape, { alpha });

const shrink = (call: LayerCall, x: KerasTensor, lambd: number, bias: number): KerasTensor =>
  call.emit("Shrink", [x], x.shape, { lambd, bias });

const softShrink = (call: LayerCall, x: KerasTensor, threshold: number): KerasTensor =>
  shrink(call, x, threshold, threshold);

function logSoftmax(call: LayerCall, x: KerasTensor, axis: number): KerasTensor {
  return call.emit("LogSoftmax", [x], x.shape, { axis: axisOf(axis, x.shape.length, call.site.path) });
}

function glu(call: LayerCall, x: KerasTensor, axis: number): KerasTensor {
  const at = axisOf(axis, x.shape.length, call.site.path);
  const size = x.shape[at];
  if (!isKnown(size) || size % 2 !== 0) throw call.options.wrong("axis", axis, "one of an even, known size");
  const half = withAxes(x.shape, [at], size / 2);
  const [left = x, right = x] = call.emitMany("Split", [x], [half, half], { axis: at, num_outputs: 2 });
  return call.emit("Mul", [left, call.emit("Sigmoid", [right], half, {}, { part: "sigmoid" })], half);
}

/** (x + sqrt(x^2 + b)) / 2 */
function squareplus(call: LayerCall, x: KerasTensor, b: number): KerasTensor {
  const square = call.emit("Mul", [x, x], x.shape, {}, { part: "square" });
  const root = step(call, "Sqrt", [step(call, "Add", [square, call.scalar("b", b)], x)], x);
  return call.emit("Mul", [step(call, "Add", [x, root], x), call.scalar("half", 0.5)], x.shape);
}

/** 0 below -1, x above 1, (x + 1)^2 / 4 between. */
function sparsePlus(call: LayerCall, x: KerasTensor): KerasTensor {
  const one = call.scalar("one", 1);
  const inside = step(call, "Add", [clip(call, x, -1, 1, "inside"), one], x);
  const square = step(call, "Mul", [inside, inside], x);
  const curve = call.emit("Mul", [square, call.scalar("quarter", 0.25)], x.shape, {}, { part: "curve" });
  const above = step(call, "Relu", [step(call, "Sub", [x, one], x)], x);
  return call.emit("Add", [curve, above], x.shape);
}

/**
 * Keras' relu with all its options: `max_value` caps, `negative_slope` tilts what lies below `threshold`.
 *
 * Source: keras/backend relu: x * (x > threshold), capped, minus slope * relu(threshold - x).
 */
function reluOf(call: LayerCall, x: KerasTensor, options: Options): KerasTensor {
  const threshold = options.number(["threshold", "theta"], 0);
  const slope = options.number(["negative_slope", "alpha"], 0);
  const cap = options.optionalNumber("max_value");
  if (threshold === 0 && slope === 0)
    return cap === undefined ? call.emit("Relu", [x], x.shape) : clip(call, x, 0, cap);
  if (threshold === 0 && cap === undefined) return leakyRelu(call, x, slope);
  const edge = call.scalar("threshold", threshold);
  const above = call.emit("Greater", [x, edge], x.shape, {}, { type: "bool", part: "greater" });
  let positive = call.emit(
    "Where",
    [above, x, call.scalar("zero", 0)],
    x.shape,
    {},
    {
      type: "float32",
      part: "where",
    },
  );
  if (cap !== undefined) positive = clip(call, positive, 0, cap, "clip");
  const below = step(call, "Relu", [step(call, "Sub", [edge, x], x)], x);
  const tilted = step(call, "Mul", [below, call.scalar("slope", slope)], x);
  return call.emit("Sub", [positive, tilted], x.shape);
}

/** Names of layers that may stand where an activation is named: `activation=LeakyReLU()`. */
const LAYERS_AS_ACTIVATIONS = new Map<string, string>([
  ["ReLU", "relu"],
  ["LeakyReLU", "leaky_relu"],
  ["ELU", "elu"],
  ["Softmax", "softmax"],
]);

/** An activation by its name, or as the object in which Keras writes one down with options. */
function named(value: unknown): { name: string; values: Readonly<Record<string, unknown>> } | undefined {
  if (typeof value === "string") return { name: value, values: {} };
  if (!isRecord(value)) return undefined;
  const { class_name: className, config } = value;
  if (className === "function" && typeof config === "string") return { name: config, values: {} };
  if (typeof className !== "string") return undefined;
  const name = LAYERS_AS_ACTIVATIONS.get(className);
  // The layer leans by 0.3 where the function leans by 0.2.
  if (name !== undefined)
    return {
      name,
      values: { alpha: className === "LeakyReLU" ? 0.3 : undefined, ...(isRecord(config) ? config : {}) },
    };
  // Keras 3.0 wrote functions as {class_name: "function", config: name}, later versions as their bare name.
  return { name: className, values: isRecord(config) ? config : {} };
}

/** Applies what `activation` names to a layer's result. */
export function activated(call: LayerCall, x: KerasTensor): KerasTensor {
  const value = call.options.any("activation");
  return value === undefined ? x : applyActivation(call, x, value);
}

function applyActivation(call: LayerCall, x: KerasTensor, value: unknown): KerasTensor {
  const found = named(value);
  const activation = found === undefined ? undefined : ACTIVATIONS.get(found.name.toLowerCase());
  if (found === undefined || activation === undefined) {
    const words = found?.name ?? JSON.stringify(value).slice(0, 60);
    return call.refuse(
      `the activation ${words}`,
      "replace it by one of Keras' own, or export the model from Keras as a SavedModel",
    );
  }
  return activation(call, x, new Options(call.site.path, found.values));
}

/** An operation of Keras 3 or TensorFlow that is an activation. @returns undefined when it is none. */
export function activationNamed(name: string): Activation | undefined {
  return ACTIVATIONS.get(name);
}

export const activationLayer: LayerRule = (call) => activated(call, call.floats());

export const relu: LayerRule = (call) => reluOf(call, call.floats(), call.options);

export const leakyReluLayer: LayerRule = (call) =>
  leakyRelu(call, call.floats(), call.options.number(["negative_slope", "alpha"], 0.3));

export const elu: LayerRule = (call) => {
  const x = call.floats();
  return call.emit("Elu", [x], x.shape, { alpha: call.options.number("alpha", 1) });
};

export const softmax: LayerRule = (call) => softmaxOver(call, call.floats(), call.options.axes("axis", -1));

/** f(x) = x above theta, else 0. */
export const thresholdedRelu: LayerRule = (call) => {
  const x = call.floats();
  const theta = call.scalar("theta", call.options.number("theta", 1));
  const above = call.emit("Greater", [x, theta], x.shape, {}, { type: "bool", part: "greater" });
  return call.emit("Where", [above, x, call.scalar("zero", 0)], x.shape, {}, { type: "float32" });
};

export const prelu: LayerRule = (call) => {
  const x = call.floats();
  const shared = call.options.has("shared_axes") ? call.options.axes("shared_axes", []) : [];
  const shape = x.shape.slice(1).map((size, index) => (shared.includes(index + 1) ? 1 : size));
  const { alpha = "" } = call.weights({ alpha: shape });
  return call.emit("PRelu", [x, alpha], x.shape);
};

/** A constant of ones or zeros, where a layer has no weight of its own. */
export function filled(size: number, value: number): Constant {
  return float32Constant(new Float32Array(size).fill(value), [size]);
}
