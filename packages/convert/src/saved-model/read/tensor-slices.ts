/** Parts of tensors: partitioned variables put together and taken apart. */
import { ServeError } from "@vitrine/protocol/status";
import { ELEMENT_BYTES } from "../../graph/element-type.js";
import type { Constant, Shape } from "../../graph/graph.js";
import type { Slice } from "./slice-key.js";

/** A part with its place in the whole, no length left open. */
interface Region {
  readonly starts: readonly number[];
  readonly shape: Shape;
}

/**
 * Reads a `shape_and_slices` entry of RestoreV2: sizes of the whole, then `start,length` or `-` for each axis, as in
 * "100 10 0,50:-".
 *
 * @returns undefined for "", which means the whole tensor.
 */
export function parseSliceSpec(name: string, spec: string): Slice | undefined {
  if (spec === "") return undefined;
  const words = spec.trim().split(" ");
  const axes = (words.at(-1) ?? "").split(":");
  if (axes.length !== words.length - 1) throw wrong(name, `a slice of ${spec}`);
  return axes.map((axis) => {
    if (axis === "-") return { start: 0, length: -1 };
    const match = /^(\d{1,15}),(\d{1,15})$/.exec(axis);
    if (match === null) throw wrong(name, `a slice of ${spec}`);
    return { start: Number(match[1]), length: Number(match[2]) };
  });
}

/** The part of a tensor. @throws {ServeError} MODEL_INVALID when it reaches beyond the tensor. */
export function cutSlice(name: string, whole: Constant, slice: Slice): Constant {
  const region = regionOf(name, whole.shape, slice);
  const bytesPer = bytesPerElement(name, whole);
  const out = new Uint8Array(elements(region.shape) * bytesPer);
  eachRow(whole.shape, region, (wholeAt, partAt, count) => {
    out.set(whole.bytes.subarray(wholeAt * bytesPer, (wholeAt + count) * bytesPer), partAt * bytesPer);
  });
  return { type: whole.type, shape: region.shape, bytes: out };
}

/** A tensor of its parts. @throws {ServeError} MODEL_INVALID when they do not cover it exactly. */
export function joinSlices(
  name: string,
  shape: Shape,
  parts: readonly { readonly slice: Slice; readonly tensor: Constant }[],
): Constant {
  const first = parts[0]?.tensor;
  const held = parts.reduce((sum, { tensor }) => sum + elements(tensor.shape), 0);
  // Checked before memory is taken; parts that overlap leave a hole elsewhere, which zeros would hide.
  if (first === undefined || held !== elements(shape) || overlap(name, shape, parts)) {
    throw wrong(name, `slices that do not make up [${shape.join(", ")}]`);
  }
  const bytesPer = bytesPerElement(name, first);
  const out = new Uint8Array(held * bytesPer);
  for (const { slice, tensor } of parts) {
    const region = regionOf(name, shape, slice);
    if (tensor.type !== first.type || tensor.shape.join() !== region.shape.join()) {
      throw wrong(name, `a slice of [${tensor.shape.join(", ")}] for [${region.shape.join(", ")}]`);
    }
    eachRow(shape, region, (wholeAt, partAt, count) => {
      out.set(tensor.bytes.subarray(partAt * bytesPer, (partAt + count) * bytesPer), wholeAt * bytesPer);
    });
  }
  return { type: first.type, shape, bytes: out };
}

/** More parts than any partitioner makes; they are compared in pairs. */
const MAX_PARTS = 4096;

function overlap(name: string, shape: Shape, parts: readonly { readonly slice: Slice }[]): boolean {
  if (parts.length > MAX_PARTS) throw wrong(name, `${parts.length} slices`);
  const regions = parts.map(({ slice }) => regionOf(name, shape, slice));
  return regions.some((one, index) =>
    regions.slice(index + 1).some((other) =>
      shape.every((_, axis) => {
        const [a = 0, b = 0] = [one.starts[axis], other.starts[axis]];
        return a < b + (other.shape[axis] ?? 0) && b < a + (one.shape[axis] ?? 0);
      }),
    ),
  );
}

function regionOf(name: string, shape: Shape, slice: Slice): Region {
  if (slice.length !== shape.length) throw wrong(name, `a slice of ${slice.length} axes`);
  const region = {
    starts: slice.map(({ start }) => start),
    shape: slice.map(({ length }, axis) => (length === -1 ? (shape[axis] ?? 0) : length)),
  };
  const inside = shape.every((size, axis) => {
    const [start = -1, length = -1] = [region.starts[axis], region.shape[axis]];
    return start >= 0 && length >= 0 && length <= size - start;
  });
  if (!inside) throw wrong(name, `a slice beyond [${shape.join(", ")}]`);
  return region;
}

/** Calls `row` for each run of neighbours along the last axis. Offsets and counts are elements. */
function eachRow(
  whole: Shape,
  part: Region,
  row: (wholeAt: number, partAt: number, count: number) => void,
): void {
  const count = part.shape.at(-1) ?? 1;
  const total = elements(part.shape);
  const index = part.shape.map(() => 0);
  for (let partAt = 0; partAt < total; partAt += count) {
    let wholeAt = 0;
    for (const [axis, size] of whole.entries()) {
      wholeAt = wholeAt * size + (part.starts[axis] ?? 0) + (index[axis] ?? 0);
    }
    row(wholeAt, partAt, count);
    for (let axis = index.length - 2; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === part.shape[axis] ? 0 : next;
      if (next !== part.shape[axis]) break;
    }
  }
}

function bytesPerElement(name: string, { type }: Constant): number {
  if (type === "string") throw wrong(name, "slices of strings");
  return ELEMENT_BYTES[type];
}

function elements(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

function wrong(name: string, what: string): ServeError {
  return new ServeError("MODEL_INVALID", `variable ${name} had ${what}, expected parts of one tensor`);
}
