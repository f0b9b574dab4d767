/**
 * Resizing as tf.image.resize does it, without and with antialiasing. Nearest and bilinear are ONNX's Resize; the others
 * are a matrix along each axis, computed here, for ONNX knows neither these kernels nor TensorFlow's borders.
 *
 * Source: tensorflow/core/kernels/image: resize_bicubic_op.cc, scale_and_translate_op.cc, sampling_kernels.cc,
 * resize_area_op.cc.
 */
import { float32Constant } from "../../graph/constant-values.js";
import type { KerasTensor, LayerCall } from "../layer-call.js";
import { isKnown, UNKNOWN } from "../shapes.js";
import { alongAxis } from "./pooling.js";

/** A sampling kernel: its value at a distance, in pixels of the coarser of the two grids. */
interface Kernel {
  readonly radius: number;
  readonly at: (distance: number) => number;
}

const lanczos = (radius: number): Kernel => ({
  radius,
  at: (x) =>
    x <= 1e-3 ? 1 : (radius * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / radius)) / (Math.PI * x) ** 2,
});

const KERNELS = new Map<string, Kernel>([
  ["bilinear", { radius: 1, at: (x) => 1 - x }],
  ["bicubic", { radius: 2, at: keysCubic }],
  ["lanczos3", lanczos(3)],
  ["lanczos5", lanczos(5)],
  ["gaussian", { radius: 1.5, at: (x) => Math.exp(-(x ** 2) / 0.5) }],
  ["mitchellcubic", { radius: 2, at: mitchellCubic }],
]);

function keysCubic(x: number): number {
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}

function mitchellCubic(x: number): number {
  return x < 1 ? ((7 / 6) * x - 2) * x * x + 8 / 9 : (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9;
}

/**
 * @param axes of height and width, and `to` their new sizes.
 * @throws {ServeError} MODEL_UNSUPPORTED when a matrix is needed and the size is known only at run time.
 */
export function resizedTo(
  call: LayerCall,
  x: KerasTensor,
  axes: readonly number[],
  to: readonly number[],
  interpolation: string,
  antialias: boolean,
): KerasTensor {
  const method = interpolation.toLowerCase();
  const shape = x.shape.map((size, axis) => to[axes.indexOf(axis)] ?? size);
  if (axes.every((axis) => isKnown(x.shape[axis]) && x.shape[axis] === shape[axis])) return x;
  if (method === "nearest" || (method === "bilinear" && !antialias))
    return simple(call, x, axes, to, method, shape);
  if (method !== "area" && !KERNELS.has(method))
    return call.refuse(`the interpolation ${interpolation}`, "use bilinear, nearest or bicubic");
  return axes.reduce((resized, axis, index) => {
    const from = resized.shape[axis];
    const size = to[index] ?? UNKNOWN;
    if (!isKnown(from) || !isKnown(size))
      return call.refuse(`${interpolation} over an input of unknown size`, "give its Input a fixed shape");
    if (from === size) return resized;
    call.bound(from * size, 2 ** 26, "shares along an axis");
    const matrix = call.constant(`${method}_${axis}`, () =>
      float32Constant(resizeMatrix(from, size, method, antialias), [from, size]),
    );
    return alongAxis(call, resized, axis, matrix, size);
  }, x);
}

function simple(
  call: LayerCall,
  x: KerasTensor,
  axes: readonly number[],
  to: readonly number[],
  method: string,
  shape: readonly number[],
): KerasTensor {
  const sizes = call.int64s("sizes", to);
  const mode =
    method === "nearest"
      ? // floor((i + 0.5) * scale): half of a pixel is taken off and rounded up again.
        { mode: "nearest", coordinate_transformation_mode: "half_pixel", nearest_mode: "round_prefer_ceil" }
      : { mode: "linear", coordinate_transformation_mode: "half_pixel" };
  return call.emit("Resize", [x, "", "", sizes], shape, { ...mode, axes });
}

/** @returns [from, to]: column i holds what each input counts for in output i. */
export function resizeMatrix(from: number, to: number, method: string, antialias: boolean): Float32Array {
  const matrix = new Float32Array(from * to);
  const scale = from / to;
  for (let output = 0; output < to; output++) {
    const weights =
      method === "area"
        ? areaWeights(output, scale, from)
        : method === "bicubic" && !antialias
          ? tabledCubicWeights(output, scale, from)
          : kernelWeights(output, scale, from, KERNELS.get(method) ?? lanczos(3), antialias);
    const sum = weights.reduce((total, [, weight]) => total + weight, 0);
    for (const [input, weight] of weights) {
      const at = input * to + output;
      matrix[at] = (matrix[at] ?? 0) + weight / sum;
    }
  }
  return matrix;
}

type Weights = [input: number, weight: number][];

/** How much of each input pixel lies under the output pixel. */
function areaWeights(output: number, scale: number, from: number): Weights {
  const [start, end] = [output * scale, (output + 1) * scale];
  const weights: Weights = [];
  for (let input = Math.floor(start); input < Math.min(Math.ceil(end), from); input++)
    weights.push([input, Math.min(end, input + 1) - Math.max(start, input)]);
  return weights;
}

/** TensorFlow reads the cubic kernel from a table of 1024 steps; what lies outside of the picture counts for nothing. */
function tabledCubicWeights(output: number, scale: number, from: number): Weights {
  const centre = (output + 0.5) * scale - 0.5;
  const whole = Math.floor(centre);
  const offset = Math.round((centre - whole) * 1024) / 1024;
  return [-1, 0, 1, 2].flatMap((step): Weights => {
    const input = whole + step;
    return input < 0 || input >= from ? [] : [[input, keysCubic(Math.abs(step - offset))]];
  });
}

function kernelWeights(
  output: number,
  scale: number,
  from: number,
  kernel: Kernel,
  antialias: boolean,
): Weights {
  const stretch = antialias ? Math.max(scale, 1) : 1;
  const centre = (output + 0.5) * scale;
  const reach = kernel.radius * stretch;
  const first = Math.max(0, Math.ceil(centre - reach - 0.5));
  const last = Math.min(from - 1, Math.floor(centre + reach - 0.5));
  const weights: Weights = [];
  for (let input = first; input <= last; input++) {
    const distance = Math.abs(input + 0.5 - centre) / stretch;
    weights.push([input, distance >= kernel.radius ? 0 : kernel.at(distance)]);
  }
  return weights;
}
