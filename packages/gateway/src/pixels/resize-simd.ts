/** `resize` by SIMD kernels: the same bytes, several times as fast. */
import { axesOf, type Coefficients, isColumnsFirst, type Resize, resize, windowOf } from "./resize.js";
import {
  COLUMN_STEP,
  LOW_BITS,
  type ResizeKernels,
  ROW_STEP,
  resizeModule,
  SLACK_BYTES,
} from "./resize-kernels.js";
import { instantiate } from "./wasm-instance.js";

/** So much of the source is in the kernels' memory at a time: it stays in the processor's cache. */
const STRIPE_BYTES = 192 * 1024;
const PAGE_BYTES = 65_536;
/** The memory never shrinks. What needs more, an extreme size, is left to the plain loops. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;

/** One axis' coefficients, and where the kernel finds them in the memory. */
interface Pass {
  readonly coefficients: Coefficients;
  readonly step: typeof ROW_STEP | typeof COLUMN_STEP;
  /** Source pixels or rows read for each target pixel or row, those with weight 0 included. */
  readonly taps: number;
  readonly starts: number;
  readonly weights: number;
  /** Bytes of the weights of one target pixel or row. */
  readonly weightBytes: number;
}

/** Lays out areas of memory one behind the other. */
interface Layout {
  take(bytes: number): number;
  readonly totalBytes: number;
}

/**
 * Compiles the kernels.
 *
 * @returns a function for one thread, as it keeps a memory for its next call; undefined where WebAssembly has no SIMD.
 */
export function createSimdResize(): Resize | undefined {
  const instance = instantiate<ResizeKernels>(resizeModule());
  if (instance === undefined) return undefined;
  const { exports: kernels, memory } = instance;

  return (picture, target) => {
    const { width, height } = windowOf(target);
    if (target.filter === "nearest") return resize(picture, target);

    const axes = axesOf(picture, target);
    if (axes.rows === undefined && axes.columns === undefined) return picture;
    const layout = startLayout();
    const rows = axes.rows && planPass(layout, axes.rows, ROW_STEP);
    const columns = axes.columns && planPass(layout, axes.columns, COLUMN_STEP);
    const isFirstColumns = rows === undefined || (columns !== undefined && isColumnsFirst(picture, target));
    const sourceRowBytes = 3 * picture.width;
    const targetBytes = 3 * width * height;
    // What the first pass reads at once, and what the second reads; both with the rows and pixels of weight 0 behind them.
    const stripeRows = rowsOfStripe(sourceRowBytes, isFirstColumns ? columns : undefined);
    const overrun = 3 * (rows?.taps ?? 0) + 3 * Math.max(width, picture.width) * (columns?.taps ?? 0);
    const stripe = layout.take(stripeRows * sourceRowBytes + overrun);
    const isTwoPasses = rows !== undefined && columns !== undefined;
    const betweenRowBytes = isFirstColumns ? sourceRowBytes : 3 * width;
    const betweenRows = isFirstColumns ? height : picture.height;
    const between = isTwoPasses ? layout.take(betweenRows * betweenRowBytes + overrun) : 0;
    const result = layout.take(targetBytes);
    if (layout.totalBytes > MAX_MEMORY_BYTES) return resize(picture, target);

    const missingBytes = layout.totalBytes - memory.buffer.byteLength;
    if (missingBytes > 0) memory.grow(Math.ceil(missingBytes / PAGE_BYTES));
    const heap = new Uint8Array(memory.buffer);
    if (rows !== undefined) writePass(memory.buffer, rows, 3);
    if (columns !== undefined) writePass(memory.buffer, columns, isFirstColumns ? sourceRowBytes : 3 * width);

    const runRows = (pass: Pass, source: number, rowBytes: number, count: number, to: number) => {
      const { starts, weights, weightBytes } = pass;
      kernels.resizeRows(
        source,
        source + count * rowBytes,
        rowBytes,
        to,
        starts,
        starts + 4 * width,
        weights,
        weightBytes,
      );
    };
    const runColumns = (
      pass: Pass,
      source: number,
      rowBytes: number,
      first: number,
      end: number,
      to: number,
    ) => {
      const { starts, weights, weightBytes } = pass;
      kernels.resizeColumns(
        source,
        rowBytes,
        to + first * rowBytes,
        starts + 4 * first,
        starts + 4 * end,
        weights + first * weightBytes,
        weightBytes,
      );
    };
    /** Brings source rows into the stripe. */
    const bring = (first: number, end: number) => {
      heap.set(picture.pixels.subarray(first * sourceRowBytes, end * sourceRowBytes), stripe);
    };

    const firstTarget = isTwoPasses ? between : result;
    if (isFirstColumns && columns !== undefined) {
      const { starts } = columns.coefficients;
      for (let first = 0, end: number; first < height; first = end) {
        const top = starts[first] as number;
        end = first + 1;
        while (end < height && (starts[end] as number) + columns.taps - top <= stripeRows) end += 1;
        bring(top, Math.min(top + stripeRows, picture.height));
        runColumns(columns, stripe - top * sourceRowBytes, sourceRowBytes, first, end, firstTarget);
      }
      if (rows !== undefined) runRows(rows, between, sourceRowBytes, height, result);
    } else if (rows !== undefined) {
      for (let top = 0; top < picture.height; top += stripeRows) {
        const bottom = Math.min(top + stripeRows, picture.height);
        bring(top, bottom);
        runRows(rows, stripe, sourceRowBytes, bottom - top, firstTarget + top * 3 * width);
      }
      if (columns !== undefined) runColumns(columns, between, 3 * width, 0, height, result);
    }
    return { width, height, pixels: heap.slice(result, result + targetBytes) };
  };
}

/** Source rows that the first pass takes at a time: for columns several windows, as neighbouring windows overlap. */
function rowsOfStripe(rowBytes: number, columns: Pass | undefined): number {
  return Math.max(1, Math.floor(STRIPE_BYTES / rowBytes), columns === undefined ? 1 : 4 * columns.taps);
}

function startLayout(): Layout {
  let totalBytes = 0;
  return {
    take(bytes) {
      const address = totalBytes;
      totalBytes = Math.ceil((totalBytes + bytes + SLACK_BYTES) / 16) * 16;
      return address;
    },
    get totalBytes() {
      return totalBytes;
    },
  };
}

function planPass(layout: Layout, coefficients: Coefficients, step: Pass["step"]): Pass {
  const { starts, counts } = coefficients;
  const steps = Math.ceil(counts.reduce((most, count) => Math.max(most, count), 0) / step.taps);
  const weightBytes = steps * step.bytes;
  return {
    coefficients,
    step,
    taps: steps * step.taps,
    starts: layout.take(starts.length * Int32Array.BYTES_PER_ELEMENT),
    weights: layout.take(starts.length * weightBytes),
    weightBytes,
  };
}

/** @param unitBytes distance in the source of two pixels of a row, or of two rows. */
function writePass(buffer: ArrayBuffer, pass: Pass, unitBytes: number): void {
  const { coefficients, step, taps } = pass;
  const { starts, weights, stride } = coefficients;
  const offsets = new Int32Array(buffer, pass.starts, starts.length);
  const pairs = new Int16Array(buffer, pass.weights, (starts.length * pass.weightBytes) / 2);
  let to = 0;
  for (let index = 0; index < starts.length; index += 1) {
    offsets[index] = (starts[index] as number) * unitBytes;
    for (let first = 0; first < taps; first += step.taps, to += 2 * step.taps) {
      for (let tap = 0; tap < step.taps; tap += 1) {
        const weight = first + tap < stride ? (weights[index * stride + first + tap] as number) : 0;
        pairs[to + tap] = weight >> LOW_BITS;
        pairs[to + step.taps + tap] = weight & ((1 << LOW_BITS) - 1);
      }
    }
  }
}
