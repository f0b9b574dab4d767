/** Resize, where TensorFlow samples at the same places; else by way of matrices or gathered rows. */
import { numberAttribute, numbersAttribute, textAttribute } from "../../../graph/attributes.js";
import { boolAttr, textAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { cast } from "./elementwise.js";
import { sizeAt, transposed } from "./shapes.js";

interface Resize {
  /** The two axes that change. */
  readonly axes: readonly [number, number];
  /** Sizes before; -1 where not known. */
  readonly from: readonly [number, number];
  /** Sizes after, where they are known. */
  readonly to: readonly [number, number] | undefined;
  readonly scales: readonly [number, number] | undefined;
}

function resize(operator: Operator): TensorRef {
  const x = operator.input(0);
  const repeats = repeatsOf(operator);
  if (repeats !== undefined) return repeated(operator, x, repeats);
  const target = resizeOf(operator);
  const isNhwc = target.axes[0] === 1 && target.axes[1] === 2;
  const isNchw = target.axes[0] === 2 && target.axes[1] === 3;
  if (operator.rank(0) !== 4 || !(isNhwc || isNchw)) {
    throw operator.refuse(`resizes axes ${target.axes.join(" and ")}`, "expected height and width");
  }
  const data = isNhwc ? x : transposed(operator, x, [0, 2, 3, 1]);
  const sampled = sampler(operator, target)(data);
  const back = isNhwc ? sampled : transposed(operator, sampled, [0, 3, 1, 2]);
  return cast(operator, back, x.type);
}

/** How often each element stands, where that is all there is to it and the axes are not height and width. */
function repeatsOf(operator: Operator): readonly (readonly [axis: number, times: number])[] | undefined {
  const { node } = operator;
  const rank = operator.rank(0);
  const shape = operator.shape(0) ?? [];
  if (textAttribute(node, "mode", "nearest") !== "nearest") return undefined;
  const places = textAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const isFloor =
    places === "half_pixel" ||
    (places === "asymmetric" && textAttribute(node, "nearest_mode", "round_prefer_floor") === "floor");
  const axes = (numbersAttribute(node, "axes") ?? Array.from({ length: rank }, (_, axis) => axis)).map(
    (axis) => operator.axis(axis),
  );
  const factors = axes.map((axis, index) => {
    if (operator.has(2)) return operator.numbers(2)?.[index] ?? -1;
    const wanted = operator.numbers(3)?.[index] ?? -1;
    return wanted === shape[axis] ? 1 : wanted / (shape[axis] ?? -1);
  });
  if (!isFloor || factors.some((factor) => !Number.isInteger(factor) || factor < 1)) return undefined;
  const changed = axes.flatMap((axis, index): [number, number][] => {
    const factor = factors[index] ?? 1;
    return factor === 1 ? [] : [[axis, factor]];
  });
  const isPicture = rank === 4 && changed.every(([axis]) => axis === 1 || axis === 2);
  return isPicture || (rank === 4 && changed.every(([axis]) => axis > 1)) ? undefined : changed;
}

function repeated(
  operator: Operator,
  x: TensorRef,
  repeats: readonly (readonly [axis: number, times: number])[],
): TensorRef {
  const int32 = { T: typeAttr("int32") };
  return repeats.reduce((value, [axis, times]) => {
    const size = sizeAt(operator, operator.shapeOf(value), axis);
    const factor = operator.int32(times, "times");
    const places = operator.helper(
      "Range",
      [operator.int32(0, "zero"), operator.helper("Mul", [size, factor], int32), operator.int32(1, "one")],
      { Tidx: typeAttr("int32") },
    );
    const indices = operator.helper("FloorDiv", [places, factor], int32);
    return operator.helper("GatherV2", [value, indices, operator.int32(axis, "axis")], {
      Tparams: typeAttr(value.type),
      Tindices: typeAttr("int32"),
      Taxis: typeAttr("int32"),
    });
  }, x);
}

function resizeOf(operator: Operator): Resize {
  const rank = operator.rank(0);
  const shape = operator.shape(0) ?? [];
  const listed = numbersAttribute(operator.node, "axes") ?? Array.from({ length: rank }, (_, axis) => axis);
  const given = listed.map((axis) => operator.axis(axis));
  const scales = operator.has(2) ? operator.knownNumbers(2, "scales") : [];
  const sizes = operator.has(3) ? operator.knownNumbers(3, "sizes") : [];
  if (textAttribute(operator.node, "keep_aspect_ratio_policy", "stretch") !== "stretch") {
    throw operator.refuse("keeps the aspect ratio", "expected fixed sizes");
  }
  const changed = given.flatMap((axis, index) => {
    const size = shape[axis] ?? -1;
    const stays = sizes.length > 0 ? sizes[index] === size : scales[index] === 1;
    return stays ? [] : [axis];
  });
  const spatial = changed.some((axis) => axis === 3) ? [2, 3] : [1, 2];
  const [first = 1, second = 2] = changed.length === 2 ? changed : listed.length === 2 ? given : spatial;
  const at = (values: readonly number[], axis: number): number | undefined => values[given.indexOf(axis)];
  const from = [shape[first] ?? -1, shape[second] ?? -1] as const;
  const to = [first, second].map((axis, index) => {
    if (sizes.length > 0) return at(sizes, axis) ?? from[index] ?? -1;
    const size = from[index] ?? -1;
    return size < 0 ? -1 : Math.floor(size * (at(scales, axis) ?? 1));
  });
  const [height = -1, width = -1] = to;
  return {
    axes: [first, second],
    from,
    to: height < 0 || width < 0 ? undefined : [height, width],
    scales: scales.length === 0 ? undefined : [at(scales, first) ?? 1, at(scales, second) ?? 1],
  };
}

function sampler(operator: Operator, target: Resize): (x: TensorRef) => TensorRef {
  const { node } = operator;
  const mode = textAttribute(node, "mode", "nearest");
  const places = textAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const size = (x: TensorRef): TensorRef => sizeOf(operator, x, target);
  const run = (op: string, corners: boolean, halves: boolean) => (x: TensorRef) => {
    const float = op === "ResizeNearestNeighbor" ? x : cast(operator, x, "float32");
    const attributes = typed(float, {
      align_corners: boolAttr(corners),
      half_pixel_centers: boolAttr(halves),
    });
    return operator.helper(op, [float, size(x)], attributes, float.type);
  };
  const known = exactSampler(operator, target, mode, places);
  if (known !== undefined) return run(...known);
  if (isKeysCubic(operator, target, mode, places)) return (x) => keysCubic(operator, target, x);
  const { from, to } = target;
  if (to === undefined || from[0] < 0 || from[1] < 0) {
    throw operator.refuse(
      `samples by ${mode} at ${places} of a size that is not known`,
      "expected a fixed size, or a rule that TensorFlow has",
    );
  }
  throw operator.refuse(`samples by ${mode} at ${places}`, "expected a rule that TensorFlow has");
}

/** The operator of TensorFlow that samples the same places: [name, align_corners, half_pixel_centers]. */
function exactSampler(
  operator: Operator,
  target: Resize,
  mode: string,
  places: string,
): [op: string, corners: boolean, halves: boolean] | undefined {
  const { node } = operator;
  if (numberAttribute(node, "antialias", 0) === 1) return undefined;
  // The two differ for results of one pixel only.
  const halves =
    places === "half_pixel" ||
    (places === "pytorch_half_pixel" && (target.to ?? [2, 2]).every((size) => size > 1));
  if (mode === "nearest") {
    const rounding = textAttribute(node, "nearest_mode", "round_prefer_floor");
    const op = "ResizeNearestNeighbor";
    if (halves && (rounding === "round_prefer_ceil" || isWhole(target))) {
      return rounding.startsWith("round") ? [op, false, true] : undefined;
    }
    if (places === "asymmetric" && rounding === "floor") return [op, false, false];
    if (places === "align_corners" && rounding === "round_prefer_ceil") return [op, true, false];
    return undefined;
  }
  if (mode === "linear") {
    if (halves) return ["ResizeBilinear", false, true];
    if (places === "asymmetric") return ["ResizeBilinear", false, false];
    if (places === "align_corners") return ["ResizeBilinear", true, false];
    return undefined;
  }
  return undefined;
}

/**
 * Whether ScaleAndTranslate with Keys' cubic weighs the same pixels. ResizeBicubic would, too, but takes its weights
 * from a table. Antialiasing is left out: ONNX Runtime spreads its weights over other pixels than TensorFlow does.
 */
function isKeysCubic(
  { node }: Operator,
  { from, to, scales }: Resize,
  mode: string,
  places: string,
): boolean {
  // Given scales that do not give whole sizes sample at other places than the sizes would.
  const isExact =
    scales === undefined || scales.every((scale, axis) => scale * (from[axis] ?? 0) === to?.[axis]);
  return (
    mode === "cubic" &&
    places === "half_pixel" &&
    to !== undefined &&
    isExact &&
    numberAttribute(node, "antialias", 0) === 0 &&
    numberAttribute(node, "exclude_outside", 0) === 1 &&
    Math.abs(numberAttribute(node, "cubic_coeff_a", -0.75) + 0.5) < 1e-6
  );
}

function keysCubic(operator: Operator, { from, to = [1, 1] }: Resize, x: TensorRef): TensorRef {
  if (from[0] < 1 || from[1] < 1)
    throw operator.refuse("has a size that is not known", "expected a fixed one");
  const factors = [to[0] / from[0], to[1] / from[1]];
  return operator.helper(
    "ScaleAndTranslate",
    [
      x,
      operator.int32s(to, "size"),
      operator.float32s(factors, "scale"),
      operator.float32s([0, 0], "translation"),
    ],
    typed(x, { kernel_type: textAttr("keyscubic"), antialias: boolAttr(false) }),
    "float32",
  );
}

/** Whether each pixel becomes a whole number of pixels: no place then lies between two of them. */
function isWhole({ from, to, scales }: Resize): boolean {
  const factors = scales ?? (to === undefined ? [0.5] : [to[0] / from[0], to[1] / from[1]]);
  return factors.every((factor) => Number.isInteger(factor) && factor >= 1);
}

/** The new size as a tensor [height, width]. */
function sizeOf(operator: Operator, x: TensorRef, { to, scales }: Resize): TensorRef {
  if (to !== undefined) return operator.int32s(to, "size");
  const int32 = { T: typeAttr("int32") };
  const shape = operator.helper(
    "Slice",
    [operator.shapeOf(x), operator.int32s([1], "from"), operator.int32s([2], "count")],
    { ...int32, Index: typeAttr("int32") },
  );
  const factors = scales ?? [1, 1];
  if (factors.every((factor) => Number.isInteger(factor))) {
    return operator.helper("Mul", [shape, operator.int32s(factors, "scales")], int32);
  }
  throw operator.refuse("scales a size that is not known by a fraction", "expected a fixed size");
}

export const RESIZES: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["Resize", resize],
]);
