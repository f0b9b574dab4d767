/** Bytes to floats by a table per channel, in WebAssembly: the loop of every float tensor, two to three times as fast. */
import { i32, increase, set, wasmFunction, wasmModule, whileTrue } from "./wasm-assembler.js";
import { instantiate } from "./wasm-instance.js";

export interface TableRows {
  readonly pixels: Uint8Array;
  /** Pixels per row of `pixels`. */
  readonly stride: number;
  /** Pixels of a row that are taken, and rows, in their order. */
  readonly columns: Int32Array;
  readonly rows: Int32Array;
  /** What the 256 samples of each channel of the tensor become. */
  readonly tables: readonly [Float32Array, Float32Array, Float32Array];
  /** Place in a pixel of the first channel that goes out; the third is at the other end. */
  readonly from: 0 | 2;
  /** Channels side by side, or each in a plane of its own. */
  readonly layout: "NHWC" | "NCHW";
}

/** @param data of the tensor, all of which is written. */
export type FillRows = (data: Float32Array, rows: TableRows) => void;

interface TableKernel {
  fillRow(
    first: number,
    second: number,
    third: number,
    offsets: number,
    offsetsEnd: number,
    out: number,
    step: number,
    plane: number,
  ): void;
}

const PAGE_BYTES = 65_536;
const TABLE_BYTES = 1024;
/** The three tables lie at the start of the memory, the offsets behind them. */
const OFFSETS = 3 * TABLE_BYTES;
/** Of the memory, which never shrinks. */
const MAX_MEMORY_BYTES = 16 * 1024 * 1024;

/** One row: `first`, `second`, `third` are where its samples begin; `step` and `plane` are bytes between two values. */
function tableModule(): Uint8Array<ArrayBuffer> {
  const fillRow = wasmFunction(
    "fillRow",
    ["first", "second", "third", "offsets", "offsetsEnd", "out", "step", "plane"],
    ({ first, second, third, offsets, offsetsEnd, out, step, plane }, locals) => {
      const at = locals.i32();
      const to = locals.i32();
      const value = (sample: typeof first, table: number) =>
        i32.load(
          i32.shiftLeft(i32.load8U(i32.add(sample.get, at.get)), i32.constant(2)),
          table * TABLE_BYTES,
        );
      return [
        whileTrue(i32.lessThan(offsets.get, offsetsEnd.get), [
          set(at, i32.load(offsets.get)),
          i32.store(out.get, value(first, 0)),
          set(to, i32.add(out.get, plane.get)),
          i32.store(to.get, value(second, 1)),
          i32.store(i32.add(to.get, plane.get), value(third, 2)),
          increase(out, step.get),
          increase(offsets, i32.constant(4)),
        ]),
      ];
    },
  );
  return wasmModule([fillRow]);
}

/**
 * Compiles the kernel; the function returned belongs to one thread.
 *
 * @returns undefined where there is no WebAssembly.
 */
export function createTableKernel(): FillRows | undefined {
  const instance = instantiate<TableKernel>(tableModule());
  if (instance === undefined) return undefined;
  const { exports: kernel, memory } = instance;

  return (data, { pixels, stride, columns, rows, tables, from, layout }) => {
    const width = columns.length;
    const source = OFFSETS + 4 * width;
    const target = source + 4 * Math.ceil((3 * stride) / 4);
    const targetBytes = 12 * width;
    const missingBytes = target + targetBytes - memory.buffer.byteLength;
    if (target + targetBytes > MAX_MEMORY_BYTES) {
      fillRowsPlainly(data, { pixels, stride, columns, rows, tables, from, layout });
      return;
    }
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    const heap = new Uint8Array(memory.buffer);
    for (const [index, table] of tables.entries()) {
      new Float32Array(memory.buffer, index * TABLE_BYTES, 256).set(table);
    }
    const offsets = new Int32Array(memory.buffer, OFFSETS, width);
    for (let x = 0; x < width; x += 1) offsets[x] = 3 * (columns[x] as number);
    const made = new Float32Array(memory.buffer, target, 3 * width);
    const [step, plane] = layout === "NHWC" ? [12, 4] : [4, 4 * width];
    const planeLength = width * rows.length;
    for (let y = 0; y < rows.length; y += 1) {
      const start = 3 * stride * (rows[y] as number);
      heap.set(pixels.subarray(start, start + 3 * stride), source);
      kernel.fillRow(source + from, source + 1, source + 2 - from, OFFSETS, source, target, step, plane);
      if (layout === "NHWC") data.set(made, 3 * width * y);
      else {
        for (let channel = 0; channel < 3; channel += 1) {
          data.set(made.subarray(channel * width, (channel + 1) * width), channel * planeLength + y * width);
        }
      }
    }
  };
}

/** The same in plain loops. */
export const fillRowsPlainly: FillRows = (data, { pixels, stride, columns, rows, tables, from, layout }) => {
  const [first, second, third] = tables;
  const last = 2 - from;
  const [step, plane] = layout === "NHWC" ? [3, 1] : [1, columns.length * rows.length];
  let to = 0;
  for (let y = 0; y < rows.length; y += 1) {
    const row = (rows[y] as number) * stride;
    for (let x = 0; x < columns.length; x += 1, to += step) {
      const at = 3 * (row + (columns[x] as number));
      data[to] = first[pixels[at + from] as number] as number;
      data[to + plane] = second[pixels[at + 1] as number] as number;
      data[to + 2 * plane] = third[pixels[at + last] as number] as number;
    }
  }
};
