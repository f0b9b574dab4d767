/**
 * The two passes of the resize in WebAssembly SIMD.
 *
 * Sums are exact integers, so their order is free. A weight of 24 bits is split, weight = high * 4096 + low, because
 * the one instruction that multiplies and adds eight lanes at a time takes 16-bit factors.
 */
import { PRECISION_BITS } from "./resize.js";
import {
  type Code,
  i32,
  increase,
  type Local,
  repeatWhile,
  set,
  v128,
  type WasmFunction,
  wasmFunction,
  wasmModule,
} from "./wasm-assembler.js";

export const LOW_BITS = 12;
/** One step of `resizeRows` takes four source pixels. Its weights are pairs of int16: high 0 1, high 2 3, low 0 1, low 2 3. */
export const ROW_STEP = { taps: 4, bytes: 16 } as const;
/** One step of `resizeColumns` takes two source rows. Its weights are pairs of int16: high 0 1, low 0 1. */
export const COLUMN_STEP = { taps: 2, bytes: 8 } as const;
/** Both passes read and write up to so many bytes past the end of what they work on. */
export const SLACK_BYTES = 16;

/** Arguments are byte addresses in the memory, and counts of bytes. At least one row and one pixel. */
export interface ResizeKernels {
  /**
   * Source rows from first to last; all their target pixels.
   *
   * @param starts      int32 per target pixel: byte offset of its first source pixel in the row.
   * @param weightBytes of one target pixel.
   */
  readonly resizeRows: (
    source: number,
    sourceEnd: number,
    sourceRowBytes: number,
    target: number,
    starts: number,
    startsEnd: number,
    weights: number,
    weightBytes: number,
  ) => void;
  /**
   * Target rows from first to last, 16 samples at a time.
   *
   * @param source      what `starts` counts from; may lie before the memory that is read.
   * @param starts      int32 per target row: byte offset of its first source row.
   * @param weightBytes of one target row.
   */
  readonly resizeColumns: (
    source: number,
    rowBytes: number,
    target: number,
    starts: number,
    startsEnd: number,
    weights: number,
    weightBytes: number,
  ) => void;
}

/** The binary module that exports {@link ResizeKernels} and imports `host.memory`. */
export function resizeModule(): Uint8Array<ArrayBuffer> {
  return wasmModule([rowsKernel(), columnsKernel()]);
}

const ZERO = v128.constant(new Array<number>(16).fill(0));
/** What rounds the quotient. */
const HALF = v128.i32x4Splat(i32.constant(1 << (PRECISION_BITS - 1)));

/** into += the pairs of samples times the pair of weights at an address. */
function accumulate(into: Local, samples: Local, weights: Code, offset: number): Code {
  return set(
    into,
    v128.i32x4Add(into.get, v128.i32x4DotI16x8S(samples.get, v128.load32Splat(weights, offset))),
  );
}

/** (high * 4096 + low) / 2^22, cut off. */
function quotient(high: Local, low: Local): Code {
  return v128.i32x4ShrS(
    v128.i32x4Add(v128.i32x4Shl(high.get, i32.constant(LOW_BITS)), low.get),
    i32.constant(PRECISION_BITS),
  );
}

/** Byte indices that spread two pixels to pairs of int16: red red, green green, blue blue, 0 0. */
function pairedPixels(firstByte: number): Code {
  const none = 0x80;
  const pairs = [0, 1, 2].flatMap((channel) => [firstByte + channel, none, firstByte + 3 + channel, none]);
  return v128.constant([...pairs, none, none, none, none]);
}

function rowsKernel(): WasmFunction {
  const parameters = [
    "source",
    "sourceEnd",
    "sourceRowBytes",
    "target",
    "starts",
    "startsEnd",
    "weights",
    "weightBytes",
  ] as const;
  return wasmFunction("resizeRows", parameters, (p, locals) => {
    const [start, at, weight, weightEnd] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [pixels, pair, high, low] = [locals.v128(), locals.v128(), locals.v128(), locals.v128()];
    // Loaded twice, not kept in a local: the first compiler of Node.js 20's V8 spreads the indices by the pixels then, on
    // processors without AVX.
    const step = [
      set(pair, v128.i8x16Swizzle(v128.load(at.get), pairedPixels(0))),
      accumulate(high, pair, weight.get, 0),
      accumulate(low, pair, weight.get, 8),
      set(pair, v128.i8x16Swizzle(v128.load(at.get), pairedPixels(6))),
      accumulate(high, pair, weight.get, 4),
      accumulate(low, pair, weight.get, 12),
      increase(at, i32.constant(3 * ROW_STEP.taps)),
      increase(weight, i32.constant(ROW_STEP.bytes)),
    ];
    const pixel = [
      set(at, i32.add(p.source.get, i32.load(start.get))),
      set(high, ZERO),
      set(low, HALF),
      set(weightEnd, i32.add(weight.get, p.weightBytes.get)),
      repeatWhile(i32.lessThan(weight.get, weightEnd.get), step),
      set(pixels, quotient(high, low)),
      set(pixels, v128.i16x8NarrowI32x4S(pixels.get, pixels.get)),
      // Four bytes; the next pixel overwrites the fourth.
      v128.store32Low(p.target.get, v128.i8x16NarrowI16x8U(pixels.get, pixels.get)),
      increase(p.target, i32.constant(3)),
      increase(start, i32.constant(4)),
    ];
    const row = [
      set(start, p.starts.get),
      set(weight, p.weights.get),
      repeatWhile(i32.lessThan(start.get, p.startsEnd.get), pixel),
      increase(p.source, p.sourceRowBytes.get),
    ];
    return [repeatWhile(i32.lessThan(p.source.get, p.sourceEnd.get), row)];
  });
}

const LOW_HALVES = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];
const HIGH_HALVES = LOW_HALVES.map((lane) => lane + 8);

function columnsKernel(): WasmFunction {
  const parameters = [
    "source",
    "rowBytes",
    "target",
    "starts",
    "startsEnd",
    "weights",
    "weightBytes",
  ] as const;
  return wasmFunction("resizeColumns", parameters, (p, locals) => {
    const [column, at, weight, weightEnd] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [upper, lower, mixed, pair] = [locals.v128(), locals.v128(), locals.v128(), locals.v128()];
    // Four sums of each kind: 16 samples.
    const sums = [0, 1, 2, 3].map(() => ({ high: locals.v128(), low: locals.v128() }));
    const accumulatePair = (index: number, samples: Code) => {
      const sum = sums[index];
      if (sum === undefined) throw new RangeError(`there is no sum ${index}`);
      return [
        set(pair, samples),
        accumulate(sum.high, pair, weight.get, 0),
        accumulate(sum.low, pair, weight.get, 4),
      ];
    };
    const step = [
      set(upper, v128.load(at.get)),
      set(lower, v128.load(i32.add(at.get, p.rowBytes.get))),
      set(mixed, v128.i8x16Shuffle(upper.get, lower.get, LOW_HALVES)),
      ...accumulatePair(0, v128.i16x8ExtendLowI8x16U(mixed.get)),
      ...accumulatePair(1, v128.i16x8ExtendHighI8x16U(mixed.get)),
      set(mixed, v128.i8x16Shuffle(upper.get, lower.get, HIGH_HALVES)),
      ...accumulatePair(2, v128.i16x8ExtendLowI8x16U(mixed.get)),
      ...accumulatePair(3, v128.i16x8ExtendHighI8x16U(mixed.get)),
      increase(at, i32.add(p.rowBytes.get, p.rowBytes.get)),
      increase(weight, i32.constant(COLUMN_STEP.bytes)),
    ];
    const [a, b, c, d] = sums.map(({ high, low }) => quotient(high, low));
    if (a === undefined || b === undefined || c === undefined || d === undefined)
      throw new RangeError("four sums");
    const samples = [
      set(at, i32.add(i32.add(p.source.get, i32.load(p.starts.get)), column.get)),
      ...sums.flatMap(({ high, low }) => [set(high, ZERO), set(low, HALF)]),
      set(weight, p.weights.get),
      set(weightEnd, i32.add(p.weights.get, p.weightBytes.get)),
      repeatWhile(i32.lessThan(weight.get, weightEnd.get), step),
      v128.store(
        i32.add(p.target.get, column.get),
        v128.i8x16NarrowI16x8U(v128.i16x8NarrowI32x4S(a, b), v128.i16x8NarrowI32x4S(c, d)),
      ),
      increase(column, i32.constant(16)),
    ];
    const row = [
      set(column, i32.constant(0)),
      repeatWhile(i32.lessThan(column.get, p.rowBytes.get), samples),
      increase(p.target, p.rowBytes.get),
      increase(p.weights, p.weightBytes.get),
      increase(p.starts, i32.constant(4)),
    ];
    return [repeatWhile(i32.lessThan(p.starts.get, p.startsEnd.get), row)];
  });
}
