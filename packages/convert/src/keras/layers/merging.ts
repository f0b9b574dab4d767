/** Layers that make one tensor out of several. */
import { damaged } from "../fault.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { axisOf, broadcast, isKnown, productOf, UNKNOWN } from "../shapes.js";
import { reshaped, toUnit } from "./normalization.js";

function several(call: LayerCall, least = 2): KerasTensor[] {
  if (call.inputs.length < least)
    throw damaged(`${call.site.path}: it took ${call.inputs.length} tensors, expected at least ${least}`);
  return [...call.inputs];
}

/** Keras lets ranks differ: the missing axes come after the batch. */
function sameRank(call: LayerCall, tensors: readonly KerasTensor[]): KerasTensor[] {
  const rank = Math.max(...tensors.map(({ shape }) => shape.length));
  return tensors.map((tensor) => {
    const missing = rank - tensor.shape.length;
    if (missing === 0) return tensor;
    const axes = Array.from({ length: missing }, (_, index) => index + 1);
    const shape = [tensor.shape[0] ?? UNKNOWN, ...axes.map(() => 1), ...tensor.shape.slice(1)];
    return call.emit("Unsqueeze", [tensor, call.int64s("axes", axes)], shape, {}, { part: "widened" });
  });
}

function floatsOf(call: LayerCall, tensors: readonly KerasTensor[]): KerasTensor[] {
  const types = new Set(tensors.map(({ type }) => type));
  return types.size === 1 ? [...tensors] : tensors.map((tensor) => call.toFloat(tensor));
}

/** One operator over all tensors, from the first to the last. */
export function elementwise(op: "Add" | "Sub" | "Mul" | "Max" | "Min"): LayerRule {
  return (call) => chained(call, op, several(call, op === "Sub" ? 2 : 1));
}

function chained(call: LayerCall, op: string, inputs: readonly KerasTensor[], part?: string): KerasTensor {
  const tensors = sameRank(call, floatsOf(call, inputs));
  const [first, ...others] = tensors;
  if (first === undefined) throw damaged(`${call.site.path}: it took no tensors, expected at least one`);
  return others.reduce((sum, tensor, index) => {
    const last = index === others.length - 1;
    const step = last ? part : `${part ?? "step"}_${index + 1}`;
    const shape = broadcast(call.site.path, sum.shape, tensor.shape);
    return call.emit(op, [sum, tensor], shape, {}, step === undefined ? {} : { part: step });
  }, first);
}

export const average: LayerRule = (call) => {
  const inputs = several(call, 1).map((tensor) => call.toFloat(tensor));
  const sum = chained(call, "Add", inputs, "sum");
  return call.emit("Mul", [sum, call.scalar("share", 1 / inputs.length)], sum.shape);
};

export const concatenate: LayerRule = (call) =>
  concatenated(call, several(call, 1), call.options.number(["axis", "concat_axis"], -1));

export function concatenated(call: LayerCall, inputs: readonly KerasTensor[], axis: number): KerasTensor {
  const tensors = floatsOf(call, inputs);
  const [first] = tensors;
  if (first === undefined) throw damaged(`${call.site.path}: it took no tensors, expected at least one`);
  const at = axisOf(axis, first.shape.length, call.site.path);
  const fits = (other: KerasTensor): boolean =>
    other.shape.length === first.shape.length &&
    other.shape.every(
      (size, index) =>
        index === at || size === first.shape[index] || !isKnown(size) || !isKnown(first.shape[index]),
    );
  if (!tensors.every(fits))
    throw damaged(
      `${call.site.path}: its inputs had shapes ${tensors.map(({ shape }) => `[${shape.join(", ")}]`).join(" and ")}`,
    );
  const sizes = tensors.map(({ shape }) => shape[at] ?? UNKNOWN);
  const total = sizes.every((size) => isKnown(size)) ? sizes.reduce((a, b) => a + b, 0) : UNKNOWN;
  return call.emit(
    "Concat",
    tensors,
    first.shape.map((size, index) => (index === at ? total : size)),
    { axis: at },
  );
}

/**
 * Products over one axis of each of two tensors: of [batch, ...a, k] and [batch, ...b, k] the result is
 * [batch, ...a, ...b], or [batch, 1] where nothing is left.
 */
export const dot: LayerRule = (call) => {
  const [left, right] = several(call).map((tensor) => call.toFloat(tensor));
  if (left === undefined || right === undefined || call.inputs.length !== 2)
    throw damaged(`${call.site.path}: it took ${call.inputs.length} tensors, expected two`);
  const stated = call.options.axes(["axes", "dot_axes"], -1);
  const [a = -1, b = a] = stated.length === 1 ? [stated[0], stated[0]] : stated;
  const axes: [number, number] = [
    axisOf(a, left.shape.length, call.site.path),
    axisOf(b, right.shape.length, call.site.path),
  ];
  if (axes.includes(0)) return call.refuse("an axis 0", "use axes within one sample");
  const unit = call.options.boolean("normalize", false);
  const rows = matrixOf(call, unit ? toUnit(call, left, [axes[0]], "left/unit") : left, axes[0], "left");
  const columns = matrixOf(
    call,
    unit ? toUnit(call, right, [axes[1]], "right/unit") : right,
    axes[1],
    "right",
  );
  const turned = call.emit(
    "Transpose",
    [columns.matrix],
    [0, 2, 1].map((axis) => columns.matrix.shape[axis] ?? UNKNOWN),
    { perm: [0, 2, 1] },
    { part: "turned" },
  );
  const shape = [
    left.shape[0] ?? UNKNOWN,
    rows.matrix.shape[1] ?? UNKNOWN,
    columns.matrix.shape[1] ?? UNKNOWN,
  ];
  const product = call.emit("MatMul", [rows.matrix, turned], shape, {}, { part: "product" });
  const rest = [...rows.rest, ...columns.rest];
  return reshaped(call, product, [shape[0] ?? UNKNOWN, ...(rest.length === 0 ? [1] : rest)]);
};

/** [batch, rest, k]: the axis that is summed over at the end, the others in one. */
function matrixOf(
  call: LayerCall,
  x: KerasTensor,
  axis: number,
  part: string,
): { matrix: KerasTensor; rest: number[] } {
  const order = x.shape.map((_, index) => index);
  const perm = [...order.filter((index) => index !== axis), axis];
  const shape = perm.map((index) => x.shape[index] ?? UNKNOWN);
  const rest = shape.slice(1, -1);
  const length = shape.at(-1) ?? UNKNOWN;
  const moved =
    axis === x.shape.length - 1 ? x : call.emit("Transpose", [x], shape, { perm }, { part: `${part}/moved` });
  if (rest.length === 1) return { matrix: moved, rest };
  return {
    matrix: reshaped(call, moved, [shape[0] ?? UNKNOWN, productOf(rest), length], `${part}/matrix`),
    rest,
  };
}

/** Keras 1's Merge, which later became one layer for each mode. */
export const merge: LayerRule = (call) => {
  const mode = call.options.text("mode", "sum");
  switch (mode) {
    case "sum":
      return chained(call, "Add", several(call));
    case "mul":
      return chained(call, "Mul", several(call));
    case "max":
      return chained(call, "Max", several(call));
    case "ave":
      return average(call);
    case "concat":
      return concatenate(call);
    case "dot":
      return dot(call);
    default:
      return call.refuse(`mode ${mode}`, "use sum, mul, max, ave, concat or dot");
  }
};
