/** Windows of convolutions and pools: where they stand, and how large what they compute is. */
import type { Attribute } from "../../../graph/graph.js";
import { computedDim, type Dim, type Dims } from "../dims.js";
import type { Operation } from "../operation.js";

export type Layout = "NHWC" | "NCHW";

export interface Window {
  readonly layout: Layout;
  /** Of the data, spatial axes in order. */
  readonly spatialAxes: readonly number[];
  readonly channelAxis: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: string;
  /** All begins, then all ends; with `padding` EXPLICIT. */
  readonly explicitPads: readonly number[];
}

/** @param rank of the data, batch and channels included. */
export function windowOf(operation: Operation, rank: number, dilations = "dilations"): Window {
  const { attributes } = operation;
  const layout = attributes.text("data_format", "").startsWith("NC") ? "NCHW" : "NHWC";
  const channelAxis = layout === "NHWC" ? rank - 1 : 1;
  const spatialAxes = Array.from({ length: rank - 2 }, (_, axis) => axis + (layout === "NHWC" ? 1 : 2));
  const ones = new Array<number>(rank).fill(1);
  const perAxis = (name: string): readonly number[] => {
    const all = attributes.ints(name, ones);
    if (all[0] !== 1 || all[channelAxis] !== 1 || all.length !== rank) {
      throw operation.refuse(`${name} of [${all.join(", ")}]`, "1 for batch and channels");
    }
    return spatialAxes.map((axis) => all[axis] ?? 1);
  };
  const padding = attributes.text("padding", "VALID");
  const pairs = attributes.ints("explicit_paddings", []);
  if (
    !["SAME", "VALID", "EXPLICIT"].includes(padding) ||
    (padding === "EXPLICIT" && pairs.length !== 2 * rank)
  ) {
    throw operation.refuse(`padding of ${padding}`, "SAME, VALID or EXPLICIT");
  }
  return {
    layout,
    spatialAxes,
    channelAxis,
    strides: perAxis("strides"),
    dilations: perAxis(dilations),
    padding,
    explicitPads: [
      ...spatialAxes.map((axis) => pairs[2 * axis] ?? 0),
      ...spatialAxes.map((axis) => pairs[2 * axis + 1] ?? 0),
    ],
  };
}

/** Padding of TensorFlow as ONNX has it, and the sizes that come out. */
export interface Placed {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly spatial: Dims;
}

/**
 * Places a window of `kernel` over data.
 *
 * SAME gives ceil(size / stride) windows and pads what that takes, the odd element at the end. With a stride of 1
 * that does not depend on the size; else, where the size is not known, it is left to the runtime (SAME_UPPER).
 */
export function placeWindow(window: Window, kernel: readonly number[], data: Dims): Placed {
  const { spatialAxes, strides, dilations, padding, explicitPads } = window;
  const sizes = spatialAxes.map((axis) => data[axis] ?? 1);
  const spans = kernel.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
  if (padding !== "SAME") {
    const pads = padding === "EXPLICIT" ? explicitPads : explicitPads.map(() => 0);
    const spatial = sizes.map((size, axis) => {
      const padded = (pads[axis] ?? 0) + (pads[axis + sizes.length] ?? 0);
      const [span, stride] = [spans[axis] ?? 1, strides[axis] ?? 1];
      if (typeof size === "number") return Math.max(0, Math.floor((size + padded - span) / stride) + 1);
      return span === padded + 1 && stride === 1
        ? size
        : computedDim(`valid${padded - span}/${stride}`, size);
    });
    return { attributes: padAttributes(pads), spatial };
  }
  const spatial = sizes.map((size, axis) => sameSize(size, strides[axis] ?? 1));
  const totals = sizes.map((size, axis) => {
    const [span, stride] = [spans[axis] ?? 1, strides[axis] ?? 1];
    if (stride === 1) return span - 1;
    if (typeof size !== "number") return span === 1 ? 0 : undefined;
    return Math.max((Math.ceil(size / stride) - 1) * stride + span - size, 0);
  });
  if (totals.includes(undefined)) return { attributes: { auto_pad: "SAME_UPPER" }, spatial };
  const begins = totals.map((total) => Math.floor((total ?? 0) / 2));
  const ends = totals.map((total, axis) => (total ?? 0) - (begins[axis] ?? 0));
  return { attributes: padAttributes([...begins, ...ends]), spatial };
}

/** Sizes of the data with other spatial sizes and channels. */
export function resized(window: Window, data: Dims, spatial: Dims, channels: Dim): Dims {
  return data.map((dim, axis) => {
    if (axis === window.channelAxis) return channels;
    const place = window.spatialAxes.indexOf(axis);
    return place === -1 ? dim : (spatial[place] ?? dim);
  });
}

export function padAttributes(pads: readonly number[]): Readonly<Record<string, Attribute>> {
  return pads.every((pad) => pad === 0) ? {} : { pads };
}

function sameSize(size: Dim, stride: number): Dim {
  if (stride === 1) return size;
  return typeof size === "number" ? Math.ceil(size / stride) : computedDim(`ceil/${stride}`, size);
}
