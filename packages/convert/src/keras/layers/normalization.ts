/** Normalizations, with what they learned or were told. */
import { float32Constant, floatsOf, sizeOf } from "../../graph/constant-values.js";
import type { Constant, Shape } from "../../graph/graph.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { isNumbers } from "../options.js";
import { axisOf, isKnown, withAxes } from "../shapes.js";
import { filled } from "./activation.js";

function knownSize(call: LayerCall, x: KerasTensor, axis: number): number {
  const size = x.shape[axis];
  if (!isKnown(size))
    return call.refuse(`an axis ${axis} of unknown size`, "give its Input a fixed shape there");
  return size;
}

/** A shape of ones with `sizes` at `axes`, for weights that are spread over the others. */
function spread(rank: number, axes: readonly number[], sizes: readonly number[]): number[] {
  return Array.from({ length: rank }, (_, axis) => sizes[axes.indexOf(axis)] ?? 1);
}

export const batchNormalization: LayerRule = (call) => {
  const { options } = call;
  if (options.number("mode", 0) !== 0)
    return call.refuse(
      "mode 1 or 2 (Keras 1)",
      "train it with mode 0, whose statistics are fixed at inference",
    );
  const x = call.floats();
  const rank = x.shape.length;
  const axis = axisOf(options.axes("axis", -1)[0] ?? -1, rank, call.site.path);
  const size = knownSize(call, x, axis);
  const epsilon = options.number("epsilon", 1e-3);
  const weights = call.weights({
    gamma: options.boolean("scale", true) ? [size] : undefined,
    beta: options.boolean("center", true) ? [size] : undefined,
    moving_mean: [size],
    moving_variance: [size],
  });
  const scale = weights.gamma ?? call.constant("ones", () => filled(size, 1));
  const offset = weights.beta ?? call.constant("zeros", () => filled(size, 0));
  const statistics = [weights.moving_mean ?? "", weights.moving_variance ?? ""];
  const layout = axis === rank - 1 ? "NHWC" : "NCHW";
  if (rank >= 3 && (axis === rank - 1 || axis === 1))
    return call.emit("BatchNormalization", [x, scale, offset, ...statistics], x.shape, { epsilon, layout });
  return apart(call, x, axis, [scale, offset, ...statistics], epsilon);
};

/** Batch normalization along an axis that no operator knows: (x - mean) / sqrt(variance + epsilon) * gamma + beta. */
function apart(
  call: LayerCall,
  x: KerasTensor,
  axis: number,
  values: readonly string[],
  epsilon: number,
): KerasTensor {
  const shape = call.int64s("shape", spread(x.shape.length, [axis], [-1]));
  const along = x.shape.map((size, index) => (index === axis ? size : 1));
  const [scale, offset, mean, variance] = values.map((value, index) =>
    call.emit("Reshape", [value, shape], along, {}, { type: "float32", part: `along_${index}` }),
  );
  if (!(scale && offset && mean && variance)) return x;
  const step = (op: string, inputs: readonly (KerasTensor | string)[], to: Shape): KerasTensor =>
    call.emit(op, inputs, to, {}, { part: op.toLowerCase(), type: "float32" });
  const deviation = step("Sqrt", [step("Add", [variance, call.scalar("epsilon", epsilon)], along)], along);
  const factor = step("Div", [scale, deviation], along);
  const product = step("Mul", [step("Sub", [x, mean], x.shape), factor], x.shape);
  return call.emit("Add", [product, offset], x.shape);
}

/** Mean and variance over some axes, and what is left when they are taken away. */
function standardized(
  call: LayerCall,
  x: KerasTensor,
  axes: readonly number[],
  epsilon: number,
): KerasTensor {
  const list = call.int64s("axes", axes);
  const kept = withAxes(x.shape, axes, 1);
  const step = (op: string, inputs: readonly (KerasTensor | string)[], to: Shape): KerasTensor =>
    call.emit(op, inputs, to, op.startsWith("Reduce") ? { keepdims: 1 } : {}, { part: op.toLowerCase() });
  const centred = step("Sub", [x, step("ReduceMean", [x, list], kept)], x.shape);
  const variance = step("ReduceMean", [step("Mul", [centred, centred], x.shape), list], kept);
  const deviation = step("Sqrt", [step("Add", [variance, call.scalar("epsilon", epsilon)], kept)], kept);
  return step("Div", [centred, deviation], x.shape);
}

/** Multiplies and adds weights of a shape that stretches over the tensor. */
function scaled(
  call: LayerCall,
  x: KerasTensor,
  { gamma, beta }: { gamma?: string; beta?: string },
): KerasTensor {
  const product = gamma === undefined ? x : call.emit("Mul", [x, gamma], x.shape, {}, { part: "scaled" });
  return beta === undefined ? product : call.emit("Add", [product, beta], x.shape);
}

export const layerNormalization: LayerRule = (call) => {
  const { options } = call;
  const x = call.floats();
  const rank = x.shape.length;
  const axes = options
    .axes("axis", -1)
    .map((axis) => axisOf(axis, rank, call.site.path))
    .sort((a, b) => a - b);
  const epsilon = options.number("epsilon", 1e-3);
  const sizes = axes.map((axis) => knownSize(call, x, axis));
  const along = (weight: Constant): Constant => ({ ...weight, shape: spread(rank, axes, sizes) });
  const trailing = axes.every((axis, index) => axis === rank - axes.length + index);
  if (options.boolean("rms_scaling", false))
    return call.refuse("rms_scaling", "use RMSNormalization, or export the model as a SavedModel");
  const expected = {
    gamma: options.boolean("scale", true) ? sizes : undefined,
    beta: options.boolean("center", true) ? sizes : undefined,
  };
  if (!trailing) {
    const weights = call.weights(expected, { gamma: along, beta: along });
    return scaled(call, standardized(call, x, axes, epsilon), weights);
  }
  const { gamma, beta } = call.weights(expected);
  call.bound(sizeOf(sizes), 2 ** 26, "elements to normalize together");
  const ones = (): Constant => ({ ...filled(sizeOf(sizes), 1), shape: sizes });
  const inputs = [x, gamma ?? call.constant("ones", ones), ...(beta === undefined ? [] : [beta])];
  return call.emit("LayerNormalization", inputs, x.shape, { axis: axes[0] ?? -1, epsilon });
};

export const rmsNormalization: LayerRule = (call) => {
  const x = call.floats();
  const rank = x.shape.length;
  const axes = call.options.axes("axis", -1).map((axis) => axisOf(axis, rank, call.site.path));
  const sizes = axes.map((axis) => knownSize(call, x, axis));
  const { scale = "" } = call.weights(
    { scale: sizes },
    { scale: (weight) => ({ ...weight, shape: spread(rank, axes, sizes) }) },
  );
  const kept = withAxes(x.shape, axes, 1);
  const square = call.emit("Mul", [x, x], x.shape, {}, { part: "square" });
  const mean = call.emit(
    "ReduceMean",
    [square, call.int64s("axes", axes)],
    kept,
    { keepdims: 1 },
    { part: "mean" },
  );
  const epsilon = call.scalar("epsilon", call.options.number("epsilon", 1e-6));
  const root = call.emit(
    "Sqrt",
    [call.emit("Add", [mean, epsilon], kept, {}, { part: "add" })],
    kept,
    {},
    {
      part: "sqrt",
    },
  );
  return call.emit("Mul", [call.emit("Div", [x, root], x.shape, {}, { part: "div" }), scale], x.shape);
};

/** Groups of channels, each with its own mean and variance over all but the batch. */
export const groupNormalization: LayerRule = (call) => {
  const { options } = call;
  const x = call.floats();
  const rank = x.shape.length;
  const axis = axisOf(options.number("axis", -1), rank, call.site.path);
  const size = knownSize(call, x, axis);
  const stated = options.number("groups", 32);
  const groups = stated === -1 ? size : stated;
  if (!(Number.isSafeInteger(groups) && groups > 0 && size % groups === 0))
    throw options.wrong("groups", stated, `a divisor of ${size}`);
  const split = [...x.shape.slice(0, axis), groups, size / groups, ...x.shape.slice(axis + 1)];
  const grouped = reshaped(call, x, split, "groups");
  const axes = split.map((_, index) => index).filter((index) => index !== 0 && index !== axis);
  const epsilon = options.number("epsilon", 1e-3);
  const plain = reshaped(call, standardized(call, grouped, axes, epsilon), x.shape, "joined");
  const along = (weight: Constant): Constant => ({ ...weight, shape: spread(rank, [axis], [size]) });
  const weights = call.weights(
    {
      gamma: options.boolean("scale", true) ? [size] : undefined,
      beta: options.boolean("center", true) ? [size] : undefined,
    },
    { gamma: along, beta: along },
  );
  return scaled(call, plain, weights);
};

/** Reshape in which the batch, and at most one more size, may be unknown. */
export function reshaped(call: LayerCall, x: KerasTensor, shape: Shape, part?: string): KerasTensor {
  const unknown = shape.slice(1).filter((size) => !isKnown(size)).length;
  if (unknown > 1) return call.refuse("several unknown sizes", "give its Input a fixed shape");
  // 0 copies the batch from the input, -1 takes what is left.
  const sizes = [isKnown(shape[0]) ? shape[0] : 0, ...shape.slice(1)];
  const to = call.int64s(part === undefined ? "shape" : `${part}/shape`, sizes);
  return call.emit("Reshape", [x, to], shape, {}, part === undefined ? {} : { part });
}

/** x / sqrt(max(sum(x^2), 1e-12)) */
export const unitNormalization: LayerRule = (call) => {
  const x = call.floats();
  const axes = call.options.axes("axis", -1).map((axis) => axisOf(axis, x.shape.length, call.site.path));
  return toUnit(call, x, axes);
};

export function toUnit(call: LayerCall, x: KerasTensor, axes: readonly number[], part?: string): KerasTensor {
  const kept = withAxes(x.shape, axes, 1);
  const square = call.emit("Mul", [x, x], x.shape, {}, { part: "square" });
  const sum = call.emit(
    "ReduceSum",
    [square, call.int64s("axes", axes)],
    kept,
    { keepdims: 1 },
    { part: "sum" },
  );
  const floor = call.emit("Max", [sum, call.scalar("least", 1e-12)], kept, {}, { part: "max" });
  const norm = call.emit("Sqrt", [floor], kept, {}, { part: "norm" });
  return call.emit("Div", [x, norm], x.shape, {}, part === undefined ? {} : { part });
}

/** The Normalization layer: (x - mean) / max(sqrt(variance), 1e-7), adapted to data or stated. */
export const normalization: LayerRule = (call) => {
  const { options } = call;
  const x = call.floats();
  const rank = x.shape.length;
  const axes = (options.any("axis") === undefined ? [] : options.axes("axis", [])).map((axis) =>
    axisOf(axis, rank, call.site.path),
  );
  const sizes = axes.map((axis) => knownSize(call, x, axis));
  const along = spread(rank, axes, sizes);
  const known = (index: 0 | 1): Constant => {
    learned ??= options.has("mean")
      ? [statedValues(call, "mean"), statedValues(call, "variance")]
      : // Its third weight, how much data was seen, changes nothing.
        call.site.weights.take(["mean", "variance"]).map(floatsOf);
    const values = learned[index];
    const shape = values?.length === 1 ? [] : along;
    if (values?.length !== sizeOf(shape))
      throw options.wrong(["mean", "variance"][index] ?? "", values?.length, `${sizeOf(along)} values`);
    return float32Constant(index === 0 ? values : values.map(deviationOf), shape);
  };
  let learned: readonly (Float32Array | undefined)[] | undefined;
  const middle = call.constant("mean", () => known(0));
  const width = call.constant("deviation", () => known(1));
  const first = options.boolean("invert", false)
    ? call.emit("Mul", [x, width], x.shape, {}, { part: "mul" })
    : call.emit("Sub", [x, middle], x.shape, {}, { part: "sub" });
  return options.boolean("invert", false)
    ? call.emit("Add", [first, middle], x.shape)
    : call.emit("Div", [first, width], x.shape);
};

const deviationOf = (variance: number): number => Math.max(Math.sqrt(variance), 1e-7);

function statedValues({ options }: LayerCall, key: string): Float32Array | undefined {
  const value = options.any(key);
  const flat: unknown = typeof value === "number" ? [value] : Array.isArray(value) ? value.flat(8) : value;
  return isNumbers(flat) ? Float32Array.from(flat) : undefined;
}
