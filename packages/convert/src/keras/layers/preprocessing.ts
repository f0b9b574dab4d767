/** Layers that prepare pictures inside the model. */
import { float32Constant } from "../../graph/constant-values.js";
import type { Constant } from "../../graph/graph.js";
import type { KerasTensor, LayerCall, LayerRule } from "../layer-call.js";
import { isNumbers, isRecord } from "../options.js";
import { broadcast, formatOf, isKnown } from "../shapes.js";
import { resizedTo } from "./resizing.js";

/** x scale + offset, each a number or one for each channel. */
export const rescaling: LayerRule = (call) => {
  const x = call.floats();
  const scale = call.constant("scale", () => numbers(call, "scale", 1));
  const offset = numbers(call, "offset", 0);
  const none = offset.shape.length === 0 && new Float32Array(offset.bytes.buffer)[0] === 0;
  const shape = broadcast(call.site.path, x.shape, offset.shape);
  if (none) return call.emit("Mul", [x, scale], x.shape);
  const scaled = call.emit("Mul", [x, scale], x.shape, {}, { part: "scaled" });
  return call.emit("Add", [scaled, call.constant("offset", () => offset)], shape);
};

function numbers(call: LayerCall, key: string, otherwise: number): Constant {
  const given = call.options.any(key) ?? otherwise;
  const value = isRecord(given) && isRecord(given.config) ? given.config.value : given;
  if (typeof value === "number") return float32Constant([value], []);
  if (!isNumbers(value)) throw call.options.wrong(key, given, "a number or one for each channel");
  return float32Constant(value, [value.length]);
}

interface Box {
  readonly axes: readonly [number, number];
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

function boxOf(call: LayerCall, x: KerasTensor): Box {
  const { options } = call;
  const [heightAxis = 1, widthAxis = 2] = formatOf(
    options.text("data_format", "channels_last"),
    4,
  ).spatialAxes;
  return {
    axes: [heightAxis, widthAxis],
    from: [x.shape[heightAxis] ?? -1, x.shape[widthAxis] ?? -1],
    to: [options.size("height"), options.size("width")],
  };
}

function cropped(
  call: LayerCall,
  x: KerasTensor,
  { axes }: Box,
  start: readonly number[],
  size: readonly number[],
): KerasTensor {
  const end = start.map((at, index) => at + (size[index] ?? 0));
  const bounds = [start, end, axes].map((list, index) =>
    call.int64s(["starts", "ends", "axes"][index] ?? "", list),
  );
  const shape = x.shape.map((old, axis) => size[axes.indexOf(axis)] ?? old);
  return call.emit("Slice", [x, ...bounds], shape, {}, { part: "crop" });
}

function fixedSize(call: LayerCall, { from }: Box): void {
  if (!from.every(isKnown))
    call.refuse("an input of unknown size", "give the model's Input a fixed height and width");
}

/** Cuts to the target's aspect ratio around the middle, then resizes: Keras' smart_resize. */
function smartResized(
  call: LayerCall,
  x: KerasTensor,
  box: Box,
  interpolation: string,
  antialias: boolean,
): KerasTensor {
  fixedSize(call, box);
  const [height, width] = box.from;
  const [targetHeight, targetWidth] = box.to;
  const size = [
    Math.max(1, Math.min(height, Math.trunc(Math.fround(width * targetHeight) / targetWidth))),
    Math.max(1, Math.min(width, Math.trunc(Math.fround(height * targetWidth) / targetHeight))),
  ];
  const start = size.map((length, index) => Math.trunc(((box.from[index] ?? 0) - length) / 2));
  return resizedTo(call, cropped(call, x, box, start, size), box.axes, box.to, interpolation, antialias);
}

/** Adds borders up to the target's aspect ratio, then resizes. */
function paddedResized(
  call: LayerCall,
  x: KerasTensor,
  box: Box,
  interpolation: string,
  antialias: boolean,
): KerasTensor {
  fixedSize(call, box);
  const [height, width] = box.from;
  const [targetHeight, targetWidth] = box.to;
  const size = [
    Math.max(height, Math.trunc(Math.fround(width * targetHeight) / targetWidth)),
    Math.max(width, Math.trunc(Math.fround(height * targetWidth) / targetHeight)),
  ];
  const border = size.map((length, index) => Math.trunc((length - (box.from[index] ?? 0)) / 2));
  const at = (axis: number): number => border[box.axes.indexOf(axis)] ?? 0;
  const sides = x.shape.map((_, axis) => at(axis));
  const fill = call.scalar("fill", call.options.number("fill_value", 0));
  const shape = x.shape.map((length, axis) => length + 2 * (box.axes.includes(axis) ? at(axis) : 0));
  const padded = call.emit(
    "Pad",
    [x, call.int64s("pads", [...sides, ...sides]), fill],
    shape,
    { mode: "constant" },
    { part: "padded" },
  );
  return resizedTo(call, padded, box.axes, box.to, interpolation, antialias);
}

export const resizing: LayerRule = (call) => {
  const x = call.floats(4);
  const box = boxOf(call, x);
  const interpolation = call.options.text("interpolation", "bilinear");
  const antialias = call.options.boolean("antialias", false);
  if (call.options.boolean("crop_to_aspect_ratio", false))
    return smartResized(call, x, box, interpolation, antialias);
  if (call.options.boolean("pad_to_aspect_ratio", false))
    return paddedResized(call, x, box, interpolation, antialias);
  return resizedTo(call, x, box.axes, box.to, interpolation, antialias);
};

/** The middle of a picture; one that is smaller than the target is resized to it. */
export const centerCrop: LayerRule = (call) => {
  const x = call.floats(4);
  const box = boxOf(call, x);
  fixedSize(call, box);
  const spare = box.from.map((size, index) => size - (box.to[index] ?? 0));
  if (spare.some((size) => size < 0)) return smartResized(call, x, box, "bilinear", false);
  return cropped(
    call,
    x,
    box,
    spare.map((size) => Math.floor(size / 2)),
    box.to,
  );
};

/** At inference Keras 2 resizes to the crop's size; Keras 3 leaves the picture alone. */
export const randomCrop: LayerRule = (call) => {
  const x = call.floats(4);
  return call.version === 3 ? x : smartResized(call, x, boxOf(call, x), "bilinear", false);
};
