/**
 * Operators on symbolic tensors: TFOpLambda and SlicingOpLambda of Keras 2 (`tf.math.multiply(x, 2)`), and the operation
 * nodes of Keras 3 (`keras.ops.multiply(x, 2)`). Both are brought to one table by their names in snake case.
 */

import { float32Constant } from "../../graph/constant-values.js";
import type { Constant } from "../../graph/graph.js";
import { damaged } from "../fault.js";
import { isKerasTensor, type KerasTensor, type LayerCall, type LayerRule } from "../layer-call.js";
import { isNumbers, isRecord, Options } from "../options.js";
import { axisOf, broadcast, formatOf, isKnown, UNKNOWN, withAxes, withoutAxes } from "../shapes.js";
import { activationNamed } from "./activation.js";
import { concatenated } from "./merging.js";
import { reshaped, toUnit } from "./normalization.js";
import { pooled } from "./pooling.js";
import { reshapedTo } from "./reshaping.js";
import { resizedTo } from "./resizing.js";

/** Arguments by name, whether they came by place, by keyword, or as the operation's own configuration. */
class Arguments extends Options {
  readonly call: LayerCall;

  constructor(call: LayerCall, names: readonly string[]) {
    const placed = Object.fromEntries(
      call.args.map((value, index) => [names[index] ?? `argument_${index}`, value]),
    );
    super(call.site.path, { ...call.options.values, ...placed, ...call.kwargs });
    this.call = call;
  }

  tensor(...keys: readonly string[]): KerasTensor {
    const value = this.any(...keys);
    if (isKerasTensor(value)) return value;
    throw this.wrong(keys, value, "a tensor");
  }

  floats(...keys: readonly string[]): KerasTensor {
    return this.call.toFloat(this.tensor(...keys));
  }

  tensors(...keys: readonly string[]): KerasTensor[] {
    const value = this.any(...keys);
    if (Array.isArray(value) && value.length > 0 && value.every(isKerasTensor)) return value;
    throw this.wrong(keys, value, "a list of tensors");
  }

  /** A tensor, or a number or nested list of numbers as a constant. */
  operand(...keys: readonly string[]): KerasTensor {
    const value = this.any(...keys);
    if (isKerasTensor(value)) return this.call.toFloat(value);
    const shape = listShape(value);
    const flat: unknown = Array.isArray(value) ? value.flat(8) : [value];
    if (shape === undefined || !isNumbers(flat)) throw this.wrong(keys, value, "a tensor or numbers");
    const constant: Constant = float32Constant(flat, shape);
    return {
      value: this.call.site.builder.constant(`${this.layer}/${keys[0]}`, constant),
      shape,
      type: "float32",
    };
  }
}

function listShape(value: unknown): number[] | undefined {
  const shape: number[] = [];
  for (let part = value; Array.isArray(part) && shape.length <= 8; part = part[0]) shape.push(part.length);
  return shape.length <= 8 ? shape : undefined;
}

type Operation = (given: Arguments, call: LayerCall) => KerasTensor | readonly KerasTensor[];

interface Entry {
  /** Names of the arguments by place. */
  readonly names: readonly string[];
  readonly make: Operation;
}

const FIRST = [
  "x",
  "x1",
  "a",
  "input",
  "inputs",
  "input_tensor",
  "images",
  "values",
  "value",
  "tensor",
  "features",
  "logits",
  "image",
  "t",
  "params",
];
const SECOND = ["y", "x2", "b"];

function unary(op: string): Entry {
  return {
    names: ["x"],
    make: (given, call) => {
      const x = given.floats(...FIRST);
      return call.emit(op, [x], x.shape);
    },
  };
}

function binary(op: string): Entry {
  return {
    names: ["x", "y"],
    make: (given, call) => {
      const [x, y] = [given.operand(...FIRST), given.operand(...SECOND)];
      return call.emit(op, [x, y], broadcast(call.site.path, x.shape, y.shape));
    },
  };
}

function reduction(op: string): Entry {
  return {
    names: ["x", "axis", "keepdims"],
    make: (given, call) => {
      const x = given.floats(...FIRST);
      const all = x.shape.map((_, axis) => axis);
      const axes = given.axes("axis", all).map((axis) => axisOf(axis, x.shape.length, call.site.path));
      const keep = given.boolean("keepdims", given.boolean("keep_dims", false));
      const shape = keep ? withAxes(x.shape, axes, 1) : withoutAxes(x.shape, axes);
      return call.emit(op, [x, call.int64s("axes", axes)], shape, { keepdims: keep ? 1 : 0 });
    },
  };
}

function entry(names: readonly string[], make: Operation): Entry {
  return { names, make };
}

const square = entry(["x"], (given, call) => {
  const x = given.floats(...FIRST);
  return call.emit("Mul", [x, x], x.shape);
});

const rsqrt = entry(["x"], (given, call) => {
  const x = given.floats(...FIRST);
  return call.emit("Reciprocal", [call.emit("Sqrt", [x], x.shape, {}, { part: "sqrt" })], x.shape);
});

const clip = entry(["x", "x_min", "x_max"], (given, call) => {
  const x = given.floats(...FIRST);
  const low = call.scalar("min", given.number(["x_min", "clip_value_min", "min_value"]));
  const high = call.scalar("max", given.number(["x_max", "clip_value_max", "max_value"]));
  return call.emit("Clip", [x, low, high], x.shape);
});

const matmul = entry(["a", "b"], (given, call) => {
  const turn = (x: KerasTensor, flag: boolean, part: string): KerasTensor => {
    if (!flag) return x;
    const rank = x.shape.length;
    const perm = x.shape.map((_, axis) =>
      axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis,
    );
    return call.emit(
      "Transpose",
      [x],
      perm.map((axis) => x.shape[axis] ?? UNKNOWN),
      { perm },
      { part },
    );
  };
  const a = turn(given.operand("a", "x1", "x"), given.boolean("transpose_a", false), "a");
  const b = turn(given.operand("b", "x2", "y"), given.boolean("transpose_b", false), "b");
  if (a.shape.length < 2 || b.shape.length < 2)
    throw damaged(`${call.site.path}: it took a vector, expected matrices`);
  const batch = broadcast(call.site.path, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return call.emit("MatMul", [a, b], [...batch, a.shape.at(-2) ?? UNKNOWN, b.shape.at(-1) ?? UNKNOWN]);
});

const transpose = entry(["x", "axes"], (given, call) => {
  const x = given.tensor(...FIRST);
  return transposed(call, x, given.axes(["axes", "perm"], x.shape.map((_, axis) => axis).reverse()));
});

function transposed(call: LayerCall, x: KerasTensor, axes: readonly number[]): KerasTensor {
  const perm = axes.map((axis) => axisOf(axis, x.shape.length, call.site.path));
  if (perm.toSorted((a, b) => a - b).some((axis, index) => axis !== index) || perm.length !== x.shape.length)
    throw call.options.wrong("axes", axes, "an order of all axes");
  return call.emit(
    "Transpose",
    [x],
    perm.map((axis) => x.shape[axis] ?? UNKNOWN),
    { perm },
  );
}

const swapaxes = entry(["x", "axis1", "axis2"], (given, call) => {
  const x = given.tensor(...FIRST);
  const [a, b] = ["axis1", "axis2"].map((key) => axisOf(given.number(key), x.shape.length, call.site.path));
  return transposed(
    call,
    x,
    x.shape.map((_, axis) => (axis === a ? (b ?? axis) : axis === b ? (a ?? axis) : axis)),
  );
});

const moveaxis = entry(["x", "source", "destination"], (given, call) => {
  const x = given.tensor(...FIRST);
  const rank = x.shape.length;
  const from = given.axes("source", 0).map((axis) => axisOf(axis, rank, call.site.path));
  const to = given.axes("destination", 0).map((axis) => axisOf(axis, rank, call.site.path));
  const others = x.shape.map((_, axis) => axis).filter((axis) => !from.includes(axis));
  return transposed(
    call,
    x,
    x.shape.map((_, axis) => from[to.indexOf(axis)] ?? others.shift() ?? axis),
  );
});

const reshape = entry(["x", "newshape"], (given, call) => {
  const x = given.tensor(...FIRST);
  const target = given.any("newshape", "shape");
  if (!isNumbers(target))
    return call.refuse("a shape that is computed", "use keras.layers.Reshape with fixed sizes");
  if (target[0] === -1 || target[0] === x.shape[0]) return reshapedTo(call, x, [UNKNOWN, ...target.slice(1)]);
  return call.refuse("another batch size", "keep the batch as the first axis");
});

const expandDims = entry(["x", "axis"], (given, call) => {
  const x = given.tensor(...FIRST);
  const rank = x.shape.length + 1;
  const axes = given.axes("axis", -1).map((axis) => axisOf(axis, rank, call.site.path));
  const rest = [...x.shape];
  const shape = Array.from({ length: rank }, (_, axis) =>
    axes.includes(axis) ? 1 : (rest.shift() ?? UNKNOWN),
  );
  return call.emit("Unsqueeze", [x, call.int64s("axes", axes)], shape);
});

const squeeze = entry(["x", "axis"], (given, call) => {
  const x = given.tensor(...FIRST);
  const units = x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  const axes = given
    .axes(["axis", "squeeze_dims"], units)
    .map((axis) => axisOf(axis, x.shape.length, call.site.path));
  return call.emit("Squeeze", [x, call.int64s("axes", axes)], withoutAxes(x.shape, axes));
});

const stack = entry(["x", "axis"], (given, call) => {
  const tensors = given.tensors(...FIRST);
  const rank = (tensors[0]?.shape.length ?? 0) + 1;
  const axis = axisOf(given.number("axis", 0), rank, call.site.path);
  const widened = tensors.map((tensor) => {
    const shape = [...tensor.shape.slice(0, axis), 1, ...tensor.shape.slice(axis)];
    return call.emit("Unsqueeze", [tensor, call.int64s("axes", [axis])], shape, {}, { part: "widened" });
  });
  return concatenated(call, widened, axis);
});

const split = entry(["x", "indices_or_sections", "axis"], (given, call) => {
  const x = given.tensor(...FIRST);
  const axis = axisOf(given.number("axis", 0), x.shape.length, call.site.path);
  const size = x.shape[axis];
  const parts = given.any("indices_or_sections", "num_or_size_splits");
  if (!isKnown(size)) return call.refuse("an axis of unknown size", "give its Input a fixed shape there");
  const sizes = partSizes(parts, size, call.version === 3);
  if (sizes === undefined) throw given.wrong("indices_or_sections", parts, `parts of ${size}`);
  const shapes = sizes.map((part) => withAxes(x.shape, [axis], part));
  return call.emitMany("Split", [x], shapes, { axis }, [call.int64s("sizes", sizes)]);
});

/** TensorFlow lists the parts' sizes, Keras 3 the places between them. */
function partSizes(parts: unknown, size: number, places: boolean): number[] | undefined {
  if (typeof parts === "number")
    return parts > 0 && parts <= 4096 && size % parts === 0
      ? new Array<number>(parts).fill(size / parts)
      : undefined;
  if (!isNumbers(parts)) return undefined;
  const sizes = places ? [...parts, size].map((end, index) => end - (parts[index - 1] ?? 0)) : parts;
  const whole = sizes.every((part) => Number.isInteger(part) && part >= 0);
  return whole && sizes.reduce((a, b) => a + b, 0) === size ? sizes : undefined;
}

const pad = entry(["x", "pad_width", "mode", "constant_values"], (given, call) => {
  const x = given.floats(...FIRST);
  const width = given.any("pad_width", "paddings");
  const mode = given.text("mode", "constant").toLowerCase();
  const sides = Array.isArray(width)
    ? width.filter((side): side is number[] => isNumbers(side) && side.length === 2)
    : [];
  if (sides.length !== x.shape.length) throw given.wrong("pad_width", width, "a pair for each axis");
  if (mode !== "constant" && mode !== "reflect")
    return call.refuse(`mode ${mode}`, "use constant or reflect");
  const shape = x.shape.map((size, axis) =>
    isKnown(size) ? size + (sides[axis]?.[0] ?? 0) + (sides[axis]?.[1] ?? 0) : size,
  );
  const pads = call.int64s("pads", [
    ...sides.map(([before = 0]) => before),
    ...sides.map(([, after = 0]) => after),
  ]);
  const value = mode === "constant" ? [call.scalar("value", given.number("constant_values", 0))] : [];
  return call.emit("Pad", [x, pads, ...value], shape, { mode });
});

const cast = entry(["x", "dtype"], (given, call) => {
  const x = given.tensor(...FIRST);
  const type = given.text("dtype", "float32");
  // Half floats are written down as float32 throughout.
  if (/^b?float(16|32|64)$/.test(type))
    return x.type === "float32" ? x : call.emit("Cast", [x], x.shape, { to: "float32" }, { type: "float32" });
  if (type === "int32" || type === "int64" || type === "uint8" || type === "bool")
    return call.emit("Cast", [x], x.shape, { to: type }, { type });
  return call.refuse(`dtype ${type}`, "use float32, int32, int64, uint8 or bool");
});

function pool(kind: "Max" | "Average"): Entry {
  return entry(["x", "pool_size", "strides", "padding", "data_format"], (given, call) => {
    const x = given.floats(...FIRST);
    const format = formatOf(dataFormat(given), x.shape.length);
    const rank = x.shape.length - 2;
    const size = spatialSizes(given, ["pool_size", "ksize"], rank, format.layout === "NHWC");
    const strides = given.has("strides")
      ? spatialSizes(given, ["strides"], rank, format.layout === "NHWC")
      : size;
    return pooled(call, x, {
      kind,
      format,
      size,
      strides,
      padding: given.text("padding", "valid").toLowerCase(),
    });
  });
}

function dataFormat(given: Options): string {
  return /^NC/.test(given.text("data_format", ""))
    ? "channels_first"
    : given.text("data_format", "channels_last");
}

/** TensorFlow's sizes may count batch and channels, too. */
function spatialSizes(
  given: Options,
  keys: readonly string[],
  rank: number,
  channelsLast: boolean,
): number[] {
  const value = given.any(...keys);
  if (!isNumbers(value) || value.length !== rank + 2) return given.sizes(keys, rank);
  const spatial = channelsLast ? value.slice(1, -1) : value.slice(2);
  return new Options(given.layer, { size: spatial }).sizes("size", rank);
}

const resize = entry(["images", "size", "interpolation"], (given, call) => {
  const x = given.floats(...FIRST);
  if (
    given.boolean("crop_to_aspect_ratio", false) ||
    given.boolean("pad_to_aspect_ratio", false) ||
    given.boolean("preserve_aspect_ratio", false)
  )
    return call.refuse("an aspect ratio that is kept", "use keras.layers.Resizing");
  const axes = formatOf(dataFormat(given), 4).spatialAxes;
  return resizedTo(
    call,
    x,
    axes,
    given.sizes("size", 2),
    given.text(["interpolation", "method"], "bilinear"),
    given.boolean("antialias", false),
  );
});

const normalize = entry(["x", "axis", "order"], (given, call) => {
  const x = given.floats(...FIRST);
  if (given.number("order", 2) !== 2) return call.refuse("an order other than 2", "use order 2");
  return toUnit(
    call,
    x,
    given.axes(["axis", "dim"], -1).map((axis) => axisOf(axis, x.shape.length, call.site.path)),
  );
});

function rearranged(op: "DepthToSpace" | "SpaceToDepth"): Entry {
  return entry(["input", "block_size"], (given, call) => {
    const x = given.floats(...FIRST);
    const blocksize = given.size("block_size");
    const { layout, channelAxis } = formatOf(dataFormat(given), 4);
    const factor = op === "DepthToSpace" ? blocksize : 1 / blocksize;
    const shape = x.shape.map((size, axis) =>
      axis === 0 || !isKnown(size) ? size : axis === channelAxis ? size / factor ** 2 : size * factor,
    );
    const mode = op === "DepthToSpace" ? { mode: "DCR" } : {};
    return call.emit(op, [x], shape, { layout, blocksize, ...mode });
  });
}

const flip = entry(["x", "axis"], (given, call) => {
  const x = given.tensor(...FIRST);
  const axes = given
    .axes(
      "axis",
      x.shape.map((_, axis) => axis),
    )
    .map((axis) => axisOf(axis, x.shape.length, call.site.path));
  const bounds = [axes.map(() => -1), axes.map(() => Number.MIN_SAFE_INTEGER), axes, axes.map(() => -1)].map(
    (list, index) => call.int64s(["starts", "ends", "axes", "steps"][index] ?? "", list),
  );
  return call.emit("Slice", [x, ...bounds], x.shape);
});

/** Each entry of an axis several times in a row: an axis of copies is added and joined. */
const repeat = entry(["x", "repeats", "axis"], (given, call) => {
  const x = given.tensor(...FIRST);
  const count = given.size("repeats");
  const axis = axisOf(given.number("axis"), x.shape.length, call.site.path);
  const wide = [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)];
  const widened = call.emit("Unsqueeze", [x, call.int64s("axes", [axis + 1])], wide, {}, { part: "widened" });
  const times = wide.map((_, index) => (index === axis + 1 ? count : 1));
  const copies = call.emit(
    "Tile",
    [widened, call.int64s("repeats", times)],
    withAxes(wide, [axis + 1], count),
    {},
    { part: "copies" },
  );
  return reshaped(
    call,
    copies,
    x.shape.map((size, index) => (index === axis && isKnown(size) ? size * count : size)),
  );
});

const addN = entry(["inputs"], (given, call) => {
  const [first, ...others] = given.tensors(...FIRST).map((tensor) => call.toFloat(tensor));
  if (first === undefined) throw damaged(`${call.site.path}: it took no tensors`);
  return others.reduce(
    (sum, tensor) => call.emit("Add", [sum, tensor], broadcast(call.site.path, sum.shape, tensor.shape)),
    first,
  );
});

/** `x[:, 1:5, ..., 0]` */
const getItem = entry(["x", "key"], (given, call) => {
  const x = given.tensor(...FIRST);
  const spec = given.any("slice_spec", "key");
  const items = Array.isArray(spec) ? spec : [spec];
  const ellipsis = items.findIndex((item) => isRecord(item) && item.class_name === "__ellipsis__");
  const taken = items.filter((item, index) => index !== ellipsis && item !== null).length;
  if (taken > x.shape.length)
    throw damaged(`${call.site.path}: it sliced ${taken} axes of ${x.shape.length}`);
  const everything = new Array<unknown>(ellipsis < 0 ? 0 : x.shape.length - taken).fill({});
  const full =
    ellipsis < 0 ? items : [...items.slice(0, ellipsis), ...everything, ...items.slice(ellipsis + 1)];
  return sliced(call, x, full);
});

function sliced(call: LayerCall, x: KerasTensor, items: readonly unknown[]): KerasTensor {
  const ranges: { axis: number; start: number; end: number; step: number }[] = [];
  const dropped: number[] = [];
  const added: number[] = [];
  const shape = [...x.shape];
  let axis = 0;
  let place = 0;
  for (const item of items) {
    if (item === null) {
      added.push(place++);
      continue;
    }
    const range = typeof item === "number" ? indexRange(item) : sliceRange(call, item);
    const { start, end, step } = range;
    if (step !== 1 || start !== 0 || end !== Number.MAX_SAFE_INTEGER) ranges.push({ axis, ...range });
    shape[axis] = slicedSize(x.shape[axis] ?? UNKNOWN, range);
    if (typeof item === "number") dropped.push(axis);
    else place++;
    axis++;
  }
  const bounds = [
    ranges.map((r) => r.start),
    ranges.map((r) => r.end),
    ranges.map((r) => r.axis),
    ranges.map((r) => r.step),
  ].map((list, index) => call.int64s(["starts", "ends", "axes", "steps"][index] ?? "", list));
  const more = dropped.length + added.length > 0;
  const cut =
    ranges.length === 0 ? x : call.emit("Slice", [x, ...bounds], shape, {}, more ? { part: "slice" } : {});
  const kept = withoutAxes(shape, dropped);
  const flat =
    dropped.length === 0
      ? cut
      : call.emit(
          "Squeeze",
          [cut, call.int64s("dropped", dropped)],
          kept,
          {},
          added.length > 0 ? { part: "squeeze" } : {},
        );
  if (added.length === 0) return flat;
  const wide = added.reduce((sizes, at) => [...sizes.slice(0, at), 1, ...sizes.slice(at)], kept);
  return call.emit("Unsqueeze", [flat, call.int64s("added", added)], wide);
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

const indexRange = (index: number): Range => ({
  start: index,
  end: index === -1 ? Number.MAX_SAFE_INTEGER : index + 1,
  step: 1,
});

function sliceRange(call: LayerCall, item: unknown): Range {
  const { start = null, stop = null, step = null } = isRecord(item) ? item : {};
  const fixed = [start, stop, step].every((part) => part === null || Number.isSafeInteger(part));
  if (!isRecord(item) || !fixed) return call.refuse("a slice that is computed", "slice with fixed numbers");
  const by = typeof step === "number" ? step : 1;
  if (by < 1) return call.refuse("a slice that goes backwards", "use flip");
  return {
    start: typeof start === "number" ? start : 0,
    end: typeof stop === "number" ? stop : Number.MAX_SAFE_INTEGER,
    step: by,
  };
}

function slicedSize(size: number, { start, end, step }: Range): number {
  if (!isKnown(size)) return start === 0 && end === Number.MAX_SAFE_INTEGER && step === 1 ? size : UNKNOWN;
  const at = (index: number): number => Math.min(size, Math.max(0, index < 0 ? index + size : index));
  return Math.max(0, Math.ceil((at(end) - at(start)) / step));
}

/** By Keras 3's names of operations in snake case; TensorFlow's others beside them. */
const OPERATIONS = new Map<string, Entry>([
  ["add", binary("Add")],
  ["subtract", binary("Sub")],
  ["sub", binary("Sub")],
  ["multiply", binary("Mul")],
  ["mul", binary("Mul")],
  ["divide", binary("Div")],
  ["true_divide", binary("Div")],
  ["truediv", binary("Div")],
  ["realdiv", binary("Div")],
  ["power", binary("Pow")],
  ["pow", binary("Pow")],
  ["maximum", binary("Max")],
  ["minimum", binary("Min")],
  ["negative", unary("Neg")],
  ["neg", unary("Neg")],
  ["absolute", unary("Abs")],
  ["abs", unary("Abs")],
  ["exp", unary("Exp")],
  ["log", unary("Log")],
  ["sqrt", unary("Sqrt")],
  ["reciprocal", unary("Reciprocal")],
  ["floor", unary("Floor")],
  ["ceil", unary("Ceil")],
  ["sin", unary("Sin")],
  ["cos", unary("Cos")],
  ["erf", unary("Erf")],
  ["square", square],
  ["rsqrt", rsqrt],
  ["identity", entry(["x"], (given) => given.tensor(...FIRST))],
  ["stop_gradient", entry(["x"], (given) => given.tensor(...FIRST))],
  ["mean", reduction("ReduceMean")],
  ["reduce_mean", reduction("ReduceMean")],
  ["sum", reduction("ReduceSum")],
  ["reduce_sum", reduction("ReduceSum")],
  ["max", reduction("ReduceMax")],
  ["reduce_max", reduction("ReduceMax")],
  ["min", reduction("ReduceMin")],
  ["reduce_min", reduction("ReduceMin")],
  ["prod", reduction("ReduceProd")],
  ["reduce_prod", reduction("ReduceProd")],
  ["clip", clip],
  ["clip_by_value", clip],
  ["matmul", matmul],
  ["transpose", transpose],
  ["swapaxes", swapaxes],
  ["moveaxis", moveaxis],
  ["reshape", reshape],
  ["expand_dims", expandDims],
  ["squeeze", squeeze],
  ["stack", stack],
  ["split", split],
  ["pad", pad],
  ["cast", cast],
  [
    "concatenate",
    entry(["xs", "axis"], (given, call) =>
      concatenated(call, given.tensors("xs", ...FIRST), given.number("axis", 0)),
    ),
  ],
  [
    "concat",
    entry(["values", "axis"], (given, call) =>
      concatenated(call, given.tensors(...FIRST), given.number("axis", 0)),
    ),
  ],
  ["max_pool", pool("Max")],
  ["max_pool2d", pool("Max")],
  ["average_pool", pool("Average")],
  ["avg_pool", pool("Average")],
  ["avg_pool2d", pool("Average")],
  ["resize", resize],
  ["normalize", normalize],
  ["l2_normalize", normalize],
  ["depth_to_space", rearranged("DepthToSpace")],
  ["space_to_depth", rearranged("SpaceToDepth")],
  ["flip", flip],
  ["reverse", flip],
  ["repeat", repeat],
  ["add_n", addN],
  ["getitem", getItem],
  ["get_item", getItem],
]);

/** `math.reduce_mean` -> `reduce_mean`, `compat.v1.transpose` -> `transpose`, `GetItem` -> `get_item`. */
export function operationName(name: string): string {
  const last = name.slice(name.lastIndexOf(".") + 1);
  return last.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toLowerCase();
}

/** @returns undefined when no such operation is known. */
export function operationRule(name: string): LayerRule | undefined {
  const known = OPERATIONS.get(operationName(name));
  if (known !== undefined) return (call) => known.make(new Arguments(call, known.names), call);
  const activation = activationNamed(operationName(name));
  if (activation === undefined) return undefined;
  return (call) => {
    const given = new Arguments(call, ["x"]);
    return activation(call, given.floats(...FIRST), given);
  };
}
