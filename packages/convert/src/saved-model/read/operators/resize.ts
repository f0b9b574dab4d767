/** Pictures made larger or smaller inside the graph. */
import { type Dim, unknownDim } from "../dims.js";
import { sizeAt, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

const SPATIAL = [1, 2];

/**
 * Emits a Resize of height and width that states all axes: with `axes`, ONNX Runtime 1.30 takes sizes for scales of all
 * axes when it moves a Transpose past it.
 *
 * Scales where both sizes are known. Else sizes, of which the batch is known only at run time, with channels first: the
 * one order in which ONNX Runtime computes all modes.
 */
function resize(
  operation: Operation,
  x: Value,
  size: Value,
  attributes: Readonly<Record<string, string | number>>,
): Value {
  const { graph } = operation;
  const [batch = 1, height = 1, width = 1, channels = 1] = operation.dims(0);
  const [toHeight = unknownDim(), toWidth = unknownDim()] = size.elements ?? [];
  const dims = [batch, toHeight, toWidth, channels];
  const scales = [scaleOf(height, toHeight), scaleOf(width, toWidth)];
  const known = scales.filter((scale) => scale !== undefined);
  if (known.length === scales.length && attributes.mode !== "cubic") {
    const factors = graph.numbers("float32", [4], [1, ...known, 1]);
    return graph.emit("Resize", [x, undefined, factors], { type: x.type, dims }, attributes);
  }
  const turned = graph.transpose(x, [0, 3, 1, 2]);
  const shape = graph.shapeOf(turned);
  const outer = graph.emit("Slice", [shape, graph.int64s([0]), graph.int64s([2]), graph.int64s([0])], {
    type: "int64",
    dims: [2],
    sizes: [batch, channels],
  });
  const sizes = graph.emit(
    "Concat",
    [outer, graph.sizes(size, false)],
    { type: "int64", dims: [4] },
    { axis: 0 },
  );
  const result = { type: x.type, dims: [batch, channels, toHeight, toWidth] };
  const resized = graph.emit("Resize", [turned, undefined, undefined, sizes], result, attributes);
  return graph.transpose(resized, [0, 2, 3, 1]);
}

/** The factor of an axis, such that the runtime's truncated product is the size wanted. */
function scaleOf(from: Dim, to: Dim): number | undefined {
  if (typeof from !== "number" || typeof to !== "number" || from === 0) return undefined;
  const scale = Math.fround(to / from);
  if (Math.trunc(Math.fround(scale * from)) === to) return scale;
  const above = Math.fround(scale * (1 + 2 ** -23));
  return Math.trunc(Math.fround(above * from)) === to ? above : undefined;
}

/** Which point of the input a pixel of the result is taken from. */
function coordinates({ attributes }: Operation): string {
  if (attributes.bool("align_corners", false)) return "align_corners";
  return attributes.bool("half_pixel_centers", false) ? "half_pixel" : "asymmetric";
}

/** Results are float32 whatever the pixels are. */
function asFloat(operation: Operation): Value {
  return operation.graph.cast(operation.input(0), "float32");
}

const bilinear: Convert = (operation) =>
  resize(operation, asFloat(operation), operation.input(1), {
    mode: "linear",
    coordinate_transformation_mode: coordinates(operation),
  });

const nearest: Convert = (operation) => {
  const mode = coordinates(operation);
  return resize(operation, operation.input(0), operation.input(1), {
    mode: "nearest",
    coordinate_transformation_mode: mode,
    // The legacy rule rounds down; the others take the pixel whose area the point lies in.
    nearest_mode: mode === "asymmetric" ? "floor" : "round_prefer_ceil",
  });
};

/** With pixel centres at halves TensorFlow uses Keys' kernel and leaves out what lies outside of the picture. */
const bicubic: Convert = (operation) => {
  const mode = coordinates(operation);
  const isKeys = mode === "half_pixel";
  return resize(operation, asFloat(operation), operation.input(1), {
    mode: "cubic",
    coordinate_transformation_mode: mode,
    cubic_coeff_a: isKeys ? -0.5 : -0.75,
    exclude_outside: isKeys ? 1 : 0,
  });
};

/** The mean of the pixels below each new one; only where those are whole pixels. */
const area: Convert = (operation) => {
  const from = SPATIAL.map((axis) => sizeAt(operation.input(0), axis));
  const to = operation.knownNumbers(1);
  const factors = from.map((size, axis) => (size ?? Number.NaN) / (to?.[axis] ?? Number.NaN));
  if (!factors.every(Number.isInteger)) {
    throw operation.refuse("sizes that do not divide each other", "whole factors, or another method");
  }
  const [batch = 1, , , channels = 1] = operation.dims(0);
  const dims = [batch, ...(to ?? []), channels];
  return operation.emit(
    "AveragePool",
    [asFloat(operation)],
    { type: "float32", dims },
    {
      layout: "NHWC",
      kernel_shape: factors,
      strides: factors,
    },
  );
};

/** What tf.image.resize(antialias=True) writes: scales given, no translation. */
const scaleAndTranslate: Convert = (operation) => {
  const { attributes } = operation;
  const [size, scale, translation] = [1, 2, 3].map((index) => operation.numbers(index));
  const kernel = attributes.text("kernel_type", "lanczos3");
  const from = SPATIAL.map((axis) => sizeAt(operation.input(0), axis));
  const whole = from.every((pixels, axis) => {
    const ratio = (size?.[axis] ?? 0) / (pixels ?? Number.NaN);
    return Math.abs(ratio - (scale?.[axis] ?? 0)) < 1e-5 && translation?.[axis] === 0;
  });
  const names: Readonly<Record<string, string>> = { triangle: "linear", keyscubic: "cubic" };
  const mode = names[kernel];
  if (!whole || mode === undefined) {
    throw operation.refuse(
      `kernel ${kernel}`,
      "triangle or keyscubic, over the whole of a picture of known size",
    );
  }
  return resize(operation, asFloat(operation), operation.input(1), {
    mode,
    coordinate_transformation_mode: "half_pixel",
    antialias: attributes.bool("antialias", true) ? 1 : 0,
    cubic_coeff_a: -0.5,
    exclude_outside: 1,
  });
};

export const RESIZE: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ["ResizeBilinear", bilinear],
  ["ResizeNearestNeighbor", nearest],
  ["ResizeBicubic", bicubic],
  ["ResizeArea", area],
  ["ScaleAndTranslate", scaleAndTranslate],
]);
