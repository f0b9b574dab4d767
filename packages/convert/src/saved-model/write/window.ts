/** The windows of convolutions and pools, as TensorFlow says them. */
import { numberAttribute, numbersAttribute, textAttribute } from "../../graph/attributes.js";
import { type AttrValues, intsAttr, textAttr } from "./attr-values.js";
import type { Operator } from "./operator.js";

/** One entry per spatial axis throughout. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** SAME and VALID are TensorFlow's; EXPLICIT is `begin` and `end`. */
  readonly padding: "SAME" | "VALID" | "EXPLICIT";
  readonly begin: readonly number[];
  readonly end: readonly number[];
}

/**
 * Reads kernel, strides and pads of an operator.
 *
 * @param sizes of the padded input's spatial axes; -1 where they are known only at run time.
 * @throws {ServeError} MODEL_UNSUPPORTED for pads that depend on a size which is not known.
 */
export function windowOf(operator: Operator, kernel: readonly number[], sizes: readonly number[]): Window {
  const { node } = operator;
  const ones = kernel.map(() => 1);
  const strides = numbersAttribute(node, "strides") ?? ones;
  const dilations = numbersAttribute(node, "dilations") ?? ones;
  const shape = { kernel, strides, dilations };
  const zeros = kernel.map(() => 0);
  const mode = textAttribute(node, "auto_pad", "NOTSET");
  const total = sameTotals(shape, sizes);
  if (mode === "VALID") return { ...shape, padding: "VALID", begin: zeros, end: zeros };
  if (mode === "SAME_UPPER" || mode === "SAME_LOWER") {
    const pads = total.map((size) =>
      size === undefined ? undefined : ([Math.floor(size / 2), Math.ceil(size / 2)] as const),
    );
    // Both put half of the pads at each end; they differ in where an odd one goes.
    const even = pads.every((pair) => pair !== undefined && pair[0] === pair[1]);
    if (mode === "SAME_UPPER" || even) {
      const begin = pads.map((pair) => pair?.[0] ?? 0);
      return { ...shape, padding: "SAME", begin, end: pads.map((pair) => pair?.[1] ?? 0) };
    }
    const known = pads.filter((pair) => pair !== undefined);
    if (known.length < pads.length) {
      throw operator.refuse("pads SAME_LOWER at a size that is not known", "expected fixed sizes");
    }
    return {
      ...shape,
      padding: "EXPLICIT",
      begin: known.map((pair) => pair[1]),
      end: known.map((pair) => pair[0]),
    };
  }
  const pads = numbersAttribute(node, "pads") ?? [...zeros, ...zeros];
  const begin = pads.slice(0, kernel.length);
  const end = pads.slice(kernel.length);
  if (pads.every((pad) => pad === 0)) return { ...shape, padding: "VALID", begin, end };
  const isSame = total.every(
    (size, axis) =>
      size !== undefined && begin[axis] === Math.floor(size / 2) && end[axis] === Math.ceil(size / 2),
  );
  return { ...shape, padding: isSame ? "SAME" : "EXPLICIT", begin, end };
}

/** Extent of a dilated kernel along an axis. */
export function extentOf({ kernel, dilations }: Pick<Window, "kernel" | "dilations">, axis: number): number {
  return ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
}

/** What SAME pads along each axis, both ends together; undefined where that depends on an unknown size. */
function sameTotals(
  window: Pick<Window, "kernel" | "strides" | "dilations">,
  sizes: readonly number[],
): (number | undefined)[] {
  return window.kernel.map((_, axis) => {
    const stride = window.strides[axis] ?? 1;
    const extent = extentOf(window, axis);
    const size = sizes[axis] ?? -1;
    if (stride === 1) return extent - 1;
    if (size < 0) return undefined;
    return Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
  });
}

/** Per spatial axis, with `edge` for batch and channels: [edge, ...values, edge]. */
export function nhwc(values: readonly number[], edge: number): number[] {
  return [edge, ...values, edge];
}

/** Padding as the attribute of Conv2D and its like. */
export function paddingAttributes({ padding, begin, end }: Window): AttrValues {
  if (padding !== "EXPLICIT") return { padding: textAttr(padding) };
  const pads = begin.flatMap((before, axis) => [before, end[axis] ?? 0]);
  return { padding: textAttr("EXPLICIT"), explicit_paddings: intsAttr([0, 0, ...pads, 0, 0]) };
}

/** Rows of a Pad node for NHWC data. */
export function padRows(begin: readonly number[], end: readonly number[]): [number, number][] {
  const rows = begin.map((before, axis): [number, number] => [before, end[axis] ?? 0]);
  return [[0, 0], ...rows, [0, 0]];
}

/** Pads that ceil_mode adds behind the data so that rounding down gives as many windows. */
export function ceilPads(operator: Operator, window: Window, sizes: readonly number[]): readonly number[] {
  if (numberAttribute(operator.node, "ceil_mode", 0) === 0) return window.kernel.map(() => 0);
  return window.kernel.map((_, axis) => {
    const stride = window.strides[axis] ?? 1;
    const extent = extentOf(window, axis);
    const [begin, end, size] = [window.begin[axis] ?? 0, window.end[axis] ?? 0, sizes[axis] ?? -1];
    if (size < 0) {
      // A window that lies wholly in the pads is left out; whether there is one depends on the size.
      if (end + stride - 1 >= extent) {
        throw operator.refuse("rounds up at a size that is not known", "expected a fixed size");
      }
      return stride - 1;
    }
    const span = size + begin + end - extent;
    let windows = Math.ceil(span / stride) + 1;
    if ((windows - 1) * stride >= size + begin) windows--;
    return Math.max(0, (windows - 1) * stride - span);
  });
}
