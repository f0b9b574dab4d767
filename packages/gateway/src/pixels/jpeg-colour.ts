/**
 * libjpeg's "fancy" upsampling (jdsample.c) and its YCbCr to RGB (jdcolor.c) in WebAssembly SIMD, equal to the bit.
 */
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
} from "./wasm-assembler.js";
import { factors, interleave } from "./wasm-lanes.js";

/** `upsampleRow` of JpegKernels. */
export function upsampleKernel(): WasmFunction {
  const parameters = [
    "near",
    "far",
    "nearWeight",
    "farWeight",
    "count",
    "sums",
    "target",
    "evenBias",
    "oddBias",
    "shift",
  ] as const;
  return wasmFunction("upsampleRow", parameters, (p, locals) => {
    const [sum, sumsEnd] = [locals.i32(), locals.i32()];
    const [three, even, odd] = [locals.v128(), locals.v128(), locals.v128()];
    const weighted = (row: Local, weight: Local) =>
      v128.i16x8Mul(v128.i16x8ExtendLowI8x16U(v128.load64Zero(row.get)), v128.i16x8Splat(weight.get));
    const sample = (neighbour: Code, bias: Local) =>
      v128.i16x8ShrU(
        v128.i16x8Add(v128.i16x8Add(three.get, neighbour), v128.i16x8Splat(bias.get)),
        p.shift.get,
      );
    return [
      set(sum, p.sums.get),
      set(sumsEnd, i32.add(p.sums.get, i32.add(p.count.get, p.count.get))),
      repeatWhile(i32.lessThan(sum.get, sumsEnd.get), [
        v128.store(sum.get, v128.i16x8Add(weighted(p.near, p.nearWeight), weighted(p.far, p.farWeight))),
        increase(p.near, i32.constant(8)),
        increase(p.far, i32.constant(8)),
        increase(sum, i32.constant(16)),
      ]),
      i32.store16(i32.subtract(p.sums.get, i32.constant(2)), i32.load16U(p.sums.get)),
      i32.store16(sumsEnd.get, i32.load16U(i32.subtract(sumsEnd.get, i32.constant(2)))),
      set(sum, i32.subtract(p.sums.get, i32.constant(2))),
      repeatWhile(i32.lessThan(i32.add(sum.get, i32.constant(2)), sumsEnd.get), [
        set(three, v128.i16x8Mul(v128.load(sum.get, 2), v128.i16x8Splat(i32.constant(3)))),
        set(even, sample(v128.load(sum.get), p.evenBias)),
        set(odd, sample(v128.load(sum.get, 4), p.oddBias)),
        v128.store(p.target.get, v128.or(even.get, v128.i16x8Shl(odd.get, i32.constant(8)))),
        increase(p.target, i32.constant(16)),
        increase(sum, i32.constant(16)),
      ]),
    ];
  });
}

/** Byte indices of r0 g0 b0 r1 … in the first vector's r0 to r7, g0 to g7 and the second's b0 to b7. */
const RGB = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((pixel) => [pixel, 8 + pixel, 16 + pixel]);
const RGB_START = RGB.slice(0, 16);
const RGB_END = [...RGB.slice(16), ...RGB.slice(16)];

/** `colourRow` of JpegKernels. */
export function colourKernel(): WasmFunction {
  return wasmFunction("colourRow", ["luma", "lumaEnd", "blue", "red", "target"], (p, locals) => {
    const [y, cb, cr, r, g, b] = [
      locals.v128(),
      locals.v128(),
      locals.v128(),
      locals.v128(),
      locals.v128(),
      locals.v128(),
    ];
    const samples = (row: Local) => v128.i16x8ExtendLowI8x16U(v128.load64Zero(row.get));
    const centred = (row: Local) => v128.i16x8Sub(samples(row), v128.i16x8Splat(i32.constant(128)));
    /** (left * leftFactor + right * rightFactor + 2^15) >> 16 in 32 bits. */
    const scaled = (left: Code, right: Code, leftFactor: number, rightFactor: number) => {
      const half = (side: "low" | "high") =>
        v128.i32x4ShrS(
          v128.i32x4Add(
            v128.i32x4DotI16x8S(interleave(left, right, 16, side), factors(leftFactor, rightFactor)),
            v128.i32x4Splat(i32.constant(1 << 15)),
          ),
          i32.constant(16),
        );
      return v128.i16x8NarrowI32x4S(half("low"), half("high"));
    };
    // Factors beyond int16 are split: 91881 = 65536 + 26345, -46802 = -65536 + 18734, 116130 = 131072 - 14942.
    const pixels = [
      set(y, samples(p.luma)),
      set(cb, centred(p.blue)),
      set(cr, centred(p.red)),
      set(r, v128.i16x8Add(v128.i16x8Add(y.get, cr.get), scaled(cr.get, cr.get, 26345, 0))),
      set(g, v128.i16x8Add(v128.i16x8Sub(y.get, cr.get), scaled(cb.get, cr.get, -22554, 18734))),
      set(
        b,
        v128.i16x8Add(v128.i16x8Add(y.get, v128.i16x8Add(cb.get, cb.get)), scaled(cb.get, cb.get, -14942, 0)),
      ),
      set(r, v128.i8x16NarrowI16x8U(r.get, g.get)),
      set(b, v128.i8x16NarrowI16x8U(b.get, b.get)),
      v128.store(p.target.get, v128.i8x16Shuffle(r.get, b.get, RGB_START)),
      v128.store64(p.target.get, v128.i8x16Shuffle(r.get, b.get, RGB_END), 0, 16),
      increase(p.luma, i32.constant(8)),
      increase(p.blue, i32.constant(8)),
      increase(p.red, i32.constant(8)),
      increase(p.target, i32.constant(24)),
    ];
    return [repeatWhile(i32.lessThan(p.luma.get, p.lumaEnd.get), pixels)];
  });
}
