/** Pooling: in windows, over everything, and to a stated size. */

import { float32Constant } from "../../graph/constant-values.js";
import type { Attribute } from "../../graph/graph.js";
import { damaged } from "../fault.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import {
  arranged,
  type Format,
  formatOf,
  isKnown,
  samePads,
  UNKNOWN,
  windowedLength,
  withAxes,
  withoutAxes,
} from "../shapes.js";

export function pooling(kind: "Max" | "Average", spatialRank: number): LayerRule {
  return (call) => {
    const { options } = call;
    const size = options.sizes(["pool_size", "pool_length"], spatialRank, 2);
    const stated = options.has("strides") || options.has("stride");
    return pooled(call, call.floats(spatialRank + 2), {
      kind,
      format: formatOf(options.text(["data_format", "dim_ordering"], "channels_last"), spatialRank + 2),
      size,
      strides: stated ? options.sizes(["strides", "stride"], spatialRank) : size,
      padding: options.text(["padding", "border_mode"], "valid").toLowerCase(),
    });
  };
}

export interface Windows {
  readonly kind: "Max" | "Average";
  readonly format: Format;
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly padding: string;
}

export function pooled(call: LayerCall, x: KerasTensor, windows: Windows): KerasTensor {
  const { kind, format, size, strides, padding } = windows;
  if (padding !== "valid" && padding !== "same")
    throw call.options.wrong("padding", padding, "valid or same");
  const lengths = format.spatialAxes.map((axis) => x.shape[axis] ?? UNKNOWN);
  const sides = size.map((kernel, index) => ({ kernel, stride: strides[index] ?? 1, dilation: 1, padding }));
  const spatial = sides.map((side, index) => windowedLength(lengths[index] ?? UNKNOWN, side));
  if (spatial.includes(0))
    throw damaged(`${call.site.path}: its input of ${lengths.join(" x ")} was smaller than its window`);
  const pads = sides.map((side, index) => samePads(lengths[index] ?? UNKNOWN, side));
  const attributes: Record<string, Attribute> = { layout: format.layout, kernel_shape: size, strides };
  if (padding === "same" && pads.includes(undefined)) attributes.auto_pad = "SAME_UPPER";
  else if (padding === "same")
    attributes.pads = [...pads.map((pair) => pair?.[0] ?? 0), ...pads.map((pair) => pair?.[1] ?? 0)];
  // What lies outside of the picture counts for neither the sum nor the number.
  if (kind === "Average") attributes.count_include_pad = 0;
  const channels = x.shape[format.channelAxis] ?? UNKNOWN;
  return call.emit(
    `${kind}Pool`,
    [x],
    arranged(format, x.shape[0] ?? UNKNOWN, spatial, channels),
    attributes,
  );
}

export function globalPooling(kind: "Max" | "Average", spatialRank: number): LayerRule {
  return (call) => {
    const x = call.floats(spatialRank + 2);
    const format = formatOf(
      call.options.text(["data_format", "dim_ordering"], "channels_last"),
      spatialRank + 2,
    );
    const keep = call.options.boolean("keepdims", false);
    const axes = format.spatialAxes;
    return call.emit(
      kind === "Max" ? "ReduceMax" : "ReduceMean",
      [x, call.int64s("axes", axes)],
      keep ? withAxes(x.shape, axes, 1) : withoutAxes(x.shape, axes),
      { keepdims: keep ? 1 : 0 },
    );
  };
}

/**
 * Pooling to a stated size: output i takes the inputs from floor(i n / m) to ceil((i + 1) n / m). Averages are a matrix
 * along each axis; maxima are taken window by window.
 */
export function adaptivePooling(kind: "Max" | "Average", spatialRank: number): LayerRule {
  return (call) => {
    let x = call.floats(spatialRank + 2);
    const format = formatOf(call.options.text("data_format", "channels_last"), spatialRank + 2);
    const sizes = call.options.sizes("output_size", spatialRank);
    for (const [index, axis] of format.spatialAxes.entries()) {
      const from = x.shape[axis];
      const to = sizes[index] ?? 1;
      if (!isKnown(from)) return call.refuse("an input of unknown size", "give its Input a fixed shape");
      call.bound(to, 1024, "outputs along an axis");
      call.bound(from * to, 2 ** 24, "shares along an axis");
      x = kind === "Max" ? largestOf(call, x, axis, from, to) : averageOf(call, x, axis, from, to);
    }
    return x;
  };
}

function windowsOf(from: number, to: number): [number, number][] {
  return Array.from({ length: to }, (_, index) => [
    Math.floor((index * from) / to),
    Math.ceil(((index + 1) * from) / to),
  ]);
}

function averageOf(call: LayerCall, x: KerasTensor, axis: number, from: number, to: number): KerasTensor {
  const matrix = new Float32Array(from * to);
  windowsOf(from, to).forEach(([start, end], column) => {
    for (let row = start; row < end; row++) matrix[row * to + column] = 1 / (end - start);
  });
  return alongAxis(
    call,
    x,
    axis,
    call.constant(`averages_${axis}`, () => float32Constant(matrix, [from, to])),
    to,
  );
}

function largestOf(call: LayerCall, x: KerasTensor, axis: number, from: number, to: number): KerasTensor {
  const parts = windowsOf(from, to).map(([start, end]) => {
    const bounds = [[start], [end], [axis]].map((list, index) => call.int64s(`window_${index}`, list));
    const window = call.emit(
      "Slice",
      [x, ...bounds],
      withAxes(x.shape, [axis], end - start),
      {},
      {
        part: "slice",
      },
    );
    const axes = call.int64s("axes", [axis]);
    return call.emit(
      "ReduceMax",
      [window, axes],
      withAxes(x.shape, [axis], 1),
      { keepdims: 1 },
      {
        part: "max",
      },
    );
  });
  return call.emit("Concat", parts, withAxes(x.shape, [axis], to), { axis });
}

/** Multiplies one axis of a tensor by a matrix [size, to]: the axis moves to the end for that, and back. */
export function alongAxis(
  call: LayerCall,
  x: KerasTensor,
  axis: number,
  matrix: string,
  to: number,
): KerasTensor {
  const order = x.shape.map((_, index) => index);
  const perm = [...order.filter((index) => index !== axis), axis];
  const shape = perm.map((index) => x.shape[index] ?? UNKNOWN);
  const moved = call.emit("Transpose", [x], shape, { perm }, { part: "moved" });
  const product = call.emit("MatMul", [moved, matrix], [...shape.slice(0, -1), to], {}, { part: "matmul" });
  const back = order.map((index) => perm.indexOf(index));
  return call.emit("Transpose", [product], withAxes(x.shape, [axis], to), { perm: back });
}
