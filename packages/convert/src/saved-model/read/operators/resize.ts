/** Pictures made larger or smaller inside the graph. */
import { computedDim, type Dims } from "../dims.js";
import { sizeAt, type Value } from "../emitter.js";
import type { Convert, Operation } from "../operation.js";

const SPATIAL = [1, 2];

function resize(
  operation: Operation,
  x: Value,
  size: Value,
  attributes: Readonly<Record<string, string | number | readonly number[]>>,
): Value {
  const { graph } = operation;
  const [batch, , , channels] = operation.dims(0);
  const sizes: Dims = size.elements ?? ["height", "width"].map((word) => computedDim(word));
  const dims = [batch ?? 1, sizes[0] ?? 1, sizes[1] ?? 1, channels ?? 1];
  return graph.emit(
    "Resize",
    [x, undefined, undefined, graph.sizes(size, false)],
    { type: x.type, dims },
    { ...attributes, axes: SPATIAL },
  );
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
