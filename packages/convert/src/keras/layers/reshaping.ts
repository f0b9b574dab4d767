/** Layers that move, repeat, cut or stretch what comes in. */
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { isNumbers, listOf } from "../options.js";
import { formatOf, isKnown, productOf, UNKNOWN } from "../shapes.js";
import { reshaped } from "./normalization.js";
import { resizedTo } from "./resizing.js";

/** "To the end", as Slice has it. */
const TO_THE_END = Number.MAX_SAFE_INTEGER;

export const flatten: LayerRule = (call) => {
  let x = call.input;
  const rank = x.shape.length;
  // Keras flattens channels last, whatever the order of the axes.
  if (call.options.text("data_format", "channels_last") === "channels_first" && rank > 2) {
    const perm = [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
    const shape = perm.map((axis) => x.shape[axis] ?? UNKNOWN);
    x = call.emit("Transpose", [x], shape, { perm }, { part: "channels_last" });
  }
  const shape = [x.shape[0] ?? UNKNOWN, productOf(x.shape.slice(1))];
  if (rank === 1) return call.emit("Unsqueeze", [x, call.int64s("axes", [1])], [x.shape[0] ?? UNKNOWN, 1]);
  return rank === 2 ? x : call.emit("Flatten", [x], shape, { axis: 1 });
};

export const reshape: LayerRule = (call) => {
  const target = call.options.any("target_shape", "dims");
  if (!isNumbers(target)) throw call.options.wrong("target_shape", target, "a list of sizes");
  return reshapedTo(call, call.input, [UNKNOWN, ...target]);
};

/** @param target with at most one -1 beside the batch's. */
export function reshapedTo(call: LayerCall, x: KerasTensor, target: readonly number[]): KerasTensor {
  const size = productOf(x.shape.slice(1));
  const others = target.slice(1).filter((entry) => entry >= 0);
  const rest = others.reduce((product, entry) => product * entry, 1);
  const inferred = isKnown(size) && rest > 0 ? size / rest : UNKNOWN;
  const shape = target.map((entry, axis) => (axis > 0 && entry < 0 ? inferred : entry));
  if (
    !shape.every((entry) => Number.isInteger(entry)) ||
    (isKnown(size) && productOf(shape.slice(1)) !== size)
  )
    throw call.options.wrong("target_shape", target.slice(1), `${size} elements in all`);
  return reshaped(call, x, shape);
}

export const permute: LayerRule = (call) => {
  const x = call.input;
  const dims = call.options.any("dims");
  const perm = [0, ...(isNumbers(dims) ? dims : [])];
  if (perm.toSorted((a, b) => a - b).some((axis, index) => axis !== index) || perm.length !== x.shape.length)
    throw call.options.wrong("dims", dims, `an order of ${x.shape.length - 1} axes`);
  return call.emit(
    "Transpose",
    [x],
    perm.map((axis) => x.shape[axis] ?? UNKNOWN),
    { perm },
  );
};

export const repeatVector: LayerRule = (call) => {
  const x = call.input;
  const [batch = UNKNOWN, width = UNKNOWN] = x.shape;
  const count = call.options.size("n");
  const row = call.emit("Unsqueeze", [x, call.int64s("axes", [1])], [batch, 1, width], {}, { part: "row" });
  return call.emit("Tile", [row, call.int64s("repeats", [1, count, 1])], [batch, count, width]);
};

/** Pairs for each spatial axis: a number, a number for each axis, or a pair for each. */
function pairs(call: LayerCall, key: string, spatialRank: number): [number, number][] {
  const value = call.options.any(key);
  const list = typeof value === "number" ? new Array<unknown>(spatialRank).fill(value) : value;
  // One axis takes a pair alone.
  const each = spatialRank === 1 && isNumbers(list) && list.length === 2 ? [list] : list;
  const found = Array.isArray(each)
    ? each.map((entry): unknown => (typeof entry === "number" ? [entry, entry] : listOf(entry)))
    : [];
  const checked = found.flatMap((entry): [number, number][] => {
    const [before, after] = isNumbers(entry) && entry.length === 2 ? entry : [];
    const fits =
      before !== undefined &&
      after !== undefined &&
      Math.min(before, after) >= 0 &&
      Math.max(before, after) < 2 ** 31;
    return fits && Number.isInteger(before) && Number.isInteger(after) ? [[before, after]] : [];
  });
  if (checked.length !== spatialRank || found.length !== spatialRank)
    throw call.options.wrong(key, value, `a pair of sizes for each of ${spatialRank} axes`);
  return checked;
}

function spatialAxes(call: LayerCall, spatialRank: number): readonly number[] {
  const format = call.options.text(["data_format", "dim_ordering"], "channels_last");
  return formatOf(format, spatialRank + 2).spatialAxes;
}

export function zeroPadding(spatialRank: number): LayerRule {
  return (call) => {
    const x = call.floats(spatialRank + 2);
    const sides = pairs(call, "padding", spatialRank);
    const axes = spatialAxes(call, spatialRank);
    const at = (axis: number, side: 0 | 1): number => sides[axes.indexOf(axis)]?.[side] ?? 0;
    const pads = [...x.shape.map((_, axis) => at(axis, 0)), ...x.shape.map((_, axis) => at(axis, 1))];
    const shape = x.shape.map((size, axis) => (isKnown(size) ? size + at(axis, 0) + at(axis, 1) : size));
    return call.emit("Pad", [x, call.int64s("pads", pads), call.scalar("zero", 0)], shape, {
      mode: "constant",
    });
  };
}

export function cropping(spatialRank: number): LayerRule {
  return (call) => {
    const x = call.floats(spatialRank + 2);
    const sides = pairs(call, "cropping", spatialRank);
    const axes = spatialAxes(call, spatialRank);
    const shape = x.shape.map((size, axis) => {
      const [before, after] = sides[axes.indexOf(axis)] ?? [0, 0];
      return isKnown(size) ? size - before - after : size;
    });
    if (axes.some((axis) => (shape[axis] ?? UNKNOWN) === 0 || (shape[axis] ?? 0) < UNKNOWN))
      throw call.options.wrong("cropping", sides, "less than the input's size");
    const bounds = [
      sides.map(([before]) => before),
      sides.map(([, after]) => (after === 0 ? TO_THE_END : -after)),
      axes,
    ].map((list, index) => call.int64s(["starts", "ends", "axes"][index] ?? "", list));
    return call.emit("Slice", [x, ...bounds], shape);
  };
}

export function upSampling(spatialRank: number): LayerRule {
  return (call) => {
    const x = call.floats(spatialRank + 2);
    const factors = call.options.sizes(["size", "length"], spatialRank, 2);
    const axes = spatialAxes(call, spatialRank);
    const scales = x.shape.map((_, axis) => factors[axes.indexOf(axis)] ?? 1);
    const shape = x.shape.map((size, axis) => (isKnown(size) ? size * (scales[axis] ?? 1) : size));
    const interpolation = call.options.text("interpolation", "nearest");
    if (interpolation !== "nearest" && interpolation !== "bilinear") {
      const to = axes.map((axis) => shape[axis] ?? UNKNOWN);
      return resizedTo(call, x, axes, to, interpolation, false);
    }
    const mode =
      interpolation === "nearest"
        ? { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }
        : { mode: "linear", coordinate_transformation_mode: "half_pixel" };
    const factor = call.constant("scales", () => ({
      type: "float32",
      shape: [scales.length],
      bytes: new Uint8Array(Float32Array.from(scales).buffer),
    }));
    return call.emit("Resize", [x, "", factor], shape, mode);
  };
}
