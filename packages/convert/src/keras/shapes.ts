/** Sizes as Keras computes them; -1 is known only at run time. */
import type { Shape } from "../graph/graph.js";
import { damaged } from "./fault.js";

export const UNKNOWN = -1;

export function isKnown(size: number | undefined): size is number {
  return size !== undefined && size >= 0;
}

/** The product, unknown when a factor is. */
export function productOf(sizes: Shape): number {
  return sizes.every((size) => isKnown(size)) ? sizes.reduce((a, b) => a * b, 1) : UNKNOWN;
}

/** @param axis may count from the end. @throws {ServeError} MODEL_INVALID when there is no such axis. */
export function axisOf(axis: number, rank: number, layer: string): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(positive) || positive < 0 || positive >= rank)
    throw damaged(`${layer}: axis was ${axis}, expected one of a tensor of rank ${rank}`);
  return positive;
}

/** Shape of an elementwise operator's result, by NumPy's rules. */
export function broadcast(layer: string, ...shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((size) => size !== 1);
    const known = sizes.filter((size) => isKnown(size));
    if (new Set(known).size > 1)
      throw damaged(
        `${layer}: its inputs had shapes ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")}`,
      );
    return known[0] ?? (sizes.length > 0 ? UNKNOWN : 1);
  });
}

export function withoutAxes(shape: Shape, axes: readonly number[]): number[] {
  return shape.filter((_, axis) => !axes.includes(axis));
}

export function withAxes(shape: Shape, axes: readonly number[], size: number): number[] {
  return shape.map((old, axis) => (axes.includes(axis) ? size : old));
}

/** Where the spatial axes and the channels are. */
export interface Format {
  readonly layout: "NHWC" | "NCHW";
  readonly channelAxis: number;
  readonly spatialAxes: readonly number[];
}

export function formatOf(dataFormat: string, rank: number): Format {
  const spatial = Array.from({ length: rank - 2 }, (_, axis) => axis);
  return dataFormat === "channels_first" || dataFormat === "th"
    ? { layout: "NCHW", channelAxis: 1, spatialAxes: spatial.map((axis) => axis + 2) }
    : { layout: "NHWC", channelAxis: rank - 1, spatialAxes: spatial.map((axis) => axis + 1) };
}

/** A shape from its spatial sizes and channels. */
export function arranged(format: Format, batch: number, spatial: Shape, channels: number): number[] {
  return format.layout === "NHWC" ? [batch, ...spatial, channels] : [batch, channels, ...spatial];
}

/** Length of a convolution's or pooling's result along one axis. */
export function windowedLength(
  size: number,
  window: { kernel: number; stride: number; dilation: number; padding: string },
): number {
  if (!isKnown(size)) return UNKNOWN;
  const { kernel, stride, dilation, padding } = window;
  if (padding === "valid") return Math.max(0, Math.floor((size - (kernel - 1) * dilation - 1) / stride) + 1);
  return Math.ceil(size / stride);
}

/** TensorFlow's SAME: what is odd goes to the end. Undefined when it depends on a size known only at run time. */
export function samePads(
  size: number,
  { kernel, stride, dilation }: { kernel: number; stride: number; dilation: number },
): [number, number] | undefined {
  const reach = (kernel - 1) * dilation + 1;
  if (!isKnown(size) && stride !== 1) return undefined;
  const total = isKnown(size)
    ? Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0)
    : reach - 1;
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}
