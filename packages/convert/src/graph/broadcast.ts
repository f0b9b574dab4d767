/** Where the elements of tensors of different shapes meet, by NumPy's rules. */
import { sizeOf } from "./constant-values.js";
import type { Shape } from "./graph.js";

export interface BroadcastIndices {
  readonly shape: Shape;
  /** Per tensor: the index of its element that stands at an index of the result. */
  readonly at: readonly ((index: number) => number)[];
}

/** @returns undefined when the shapes do not fit. */
export function broadcastIndices(shapes: readonly Shape[]): BroadcastIndices | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const whole = shapes.map((shape) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  const result = Array.from({ length: rank }, (_, axis) => {
    const sizes = whole.map((shape) => shape[axis] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
  const fits = whole.every((shape) => shape.every((size, axis) => size === 1 || size === result[axis]));
  return fits ? { shape: result, at: whole.map((shape) => indexIn(shape, result)) } : undefined;
}

function indexIn(shape: Shape, result: Shape): (index: number) => number {
  const elements = sizeOf(shape);
  if (elements === sizeOf(result)) return (index) => index;
  if (elements === 1) return () => 0;
  // One run of axes that are the tensor's own: what weights and their scales look like.
  const first = shape.findIndex((size) => size !== 1);
  const last = shape.findLastIndex((size) => size !== 1);
  const isOneRun = shape.every((size, axis) => axis < first || axis > last || size === result[axis]);
  if (isOneRun) {
    const inner = sizeOf(result.slice(last + 1));
    return (index) => Math.floor(index / inner) % elements;
  }
  const strides = shape.map((size, axis) => (size === 1 ? 0 : sizeOf(shape.slice(axis + 1))));
  const steps = result.map((_, axis) => sizeOf(result.slice(axis + 1)));
  return (index) => {
    let at = 0;
    let rest = index;
    for (let axis = 0; axis < steps.length; axis++) {
      const step = steps[axis] ?? 1;
      const count = Math.floor(rest / step);
      rest -= count * step;
      at += count * (strides[axis] ?? 0);
    }
    return at;
  };
}
