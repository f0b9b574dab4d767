/** Rearranges the bytes of weights. */
import type { Shape } from "../../graph/graph.js";

/**
 * Transposes a tensor.
 *
 * @param bytes row-major elements of `elementBytes` each.
 * @param result of as many bytes, at an offset that is a multiple of 8.
 * @returns `result`, row-major in the new order of axes.
 */
export function permuteBytes(
  bytes: Uint8Array,
  shape: Shape,
  perm: readonly number[],
  elementBytes: number,
  result: Uint8Array = new Uint8Array(bytes.byteLength),
): Uint8Array {
  // Whole words where they are aligned; weights in a file need not be.
  const wordBytes = elementBytes === 8 ? 4 : elementBytes;
  const source = wordsOf(bytes.byteOffset % wordBytes === 0 ? bytes : Uint8Array.from(bytes), wordBytes);
  const target = wordsOf(result, wordBytes);
  const words = elementBytes / wordBytes;

  const strides = stridesOf(shape);
  // Axes in the new order; those of one element do not matter.
  const axes = perm.map((axis) => ({ size: shape[axis] ?? 1, stride: (strides[axis] ?? 0) * words }));
  if (words > 1) axes.push({ size: words, stride: 1 });
  const inner = axes.pop() ?? { size: 1, stride: 1 };
  const counters = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < target.length; ) {
    for (let index = 0, at = from; index < inner.size; index++, at += inner.stride) {
      target[to++] = source[at] ?? 0;
    }
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, stride } = axes[axis] ?? inner;
      const count = (counters[axis] ?? 0) + 1;
      from += stride;
      counters[axis] = count;
      if (count < size) break;
      from -= stride * size;
      counters[axis] = 0;
    }
  }
  return result;
}

function wordsOf(bytes: Uint8Array, wordBytes: number): Uint8Array | Uint16Array | Uint32Array {
  if (wordBytes === 4) return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  if (wordBytes === 2) return new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return bytes;
}

/** Elements from one entry of each axis to the next. */
function stridesOf(shape: Shape): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const size of [...shape].reverse()) {
    strides.unshift(stride);
    stride *= size;
  }
  return strides;
}

/**
 * Puts zeros between the taps of a kernel, which makes it a dilated one.
 *
 * @param shape spatial axes first: [...spatial, inputs, outputs].
 * @returns bytes of the shape in which each spatial size k became (k - 1) x dilation + 1.
 */
export function spreadKernel(
  bytes: Uint8Array,
  shape: Shape,
  dilations: readonly number[],
  elementBytes: number,
): Uint8Array {
  const spread = spreadShape(shape, dilations);
  const elements = spread.reduce((product, size) => product * size, 1);
  const result = new Uint8Array(elements * elementBytes);
  const spatial = dilations.length;
  const rowBytes = shape.slice(spatial).reduce((product, size) => product * size, 1) * elementBytes;
  const taps = shape.slice(0, spatial).reduce((product, size) => product * size, 1);
  const strides = stridesOf(spread.slice(0, spatial));
  for (let tap = 0; tap < taps; tap++) {
    let rest = tap;
    let row = 0;
    for (let axis = spatial - 1; axis >= 0; axis--) {
      const size = shape[axis] ?? 1;
      row += (rest % size) * (dilations[axis] ?? 1) * (strides[axis] ?? 1);
      rest = Math.floor(rest / size);
    }
    result.set(bytes.subarray(tap * rowBytes, (tap + 1) * rowBytes), row * rowBytes);
  }
  return result;
}

export function spreadShape(shape: Shape, dilations: readonly number[]): number[] {
  return shape.map((size, axis) => (size - 1) * (dilations[axis] ?? 1) + 1);
}
