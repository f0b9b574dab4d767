/**
 * The arithmetic of a JPEG decoder in WebAssembly SIMD: libjpeg's accurate integer IDCT (jidctint.c), its "fancy"
 * upsampling (jdsample.c) and its YCbCr to RGB (jdcolor.c), all exact in integers, so equal to the bit.
 */
import {
  type Code,
  i32,
  increase,
  type Local,
  type Locals,
  repeatWhile,
  set,
  v128,
  type WasmFunction,
  wasmFunction,
  wasmModule,
} from "./wasm-assembler.js";

/** Arguments are byte addresses, counts of bytes, and numbers. All write up to 24 bytes past the end of their target. */
export interface JpegKernels {
  /**
   * Blocks side by side to samples.
   *
   * @param coefficients int16, 64 per block, row-major; up to `coefficientsEnd`.
   * @param quantization int16, 64 factors, row-major.
   * @param target       upper left sample of the first block.
   * @param stride       of the target, a row of samples.
   * @param magnitudes   8 int16 that take on the bits of all multiplied coefficients, of negative ones the complement's.
   */
  readonly transformBlocks: (
    coefficients: number,
    coefficientsEnd: number,
    quantization: number,
    target: number,
    stride: number,
    magnitudes: number,
  ) => void;
  /**
   * A row of chroma to twice as many samples. Sums s = near * nearWeight + far * farWeight; then the samples are
   * (3 s + s before + evenBias) >> shift and (3 s + s after + oddBias) >> shift, the ends repeated.
   *
   * @param sums room for `count` + 9 int16, of which the first lies 2 bytes before this address.
   */
  readonly upsampleRow: (
    near: number,
    far: number,
    nearWeight: number,
    farWeight: number,
    count: number,
    sums: number,
    target: number,
    evenBias: number,
    oddBias: number,
    shift: number,
  ) => void;
  /** Luma and both chromas to RGB, 8 pixels at a time up to `lumaEnd`. */
  readonly colourRow: (luma: number, lumaEnd: number, blue: number, red: number, target: number) => void;
}

/** The binary module that exports {@link JpegKernels} and imports `host.memory`. */
export function jpegModule(): Uint8Array<ArrayBuffer> {
  return wasmModule([transformKernel(), upsampleKernel(), colourKernel()]);
}

const shifted = (lanes: readonly number[], by: number) => lanes.map((lane) => lane + by);
const LOW_16 = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
const LOW_32 = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const LOW_64 = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const lowHalves = { 16: LOW_16, 32: LOW_32, 64: LOW_64 } as const;

/** Elements of both vectors by turns, from their lower or upper halves. */
function interleave(left: Code, right: Code, bits: 16 | 32 | 64, half: "low" | "high"): Code {
  return v128.i8x16Shuffle(left, right, half === "low" ? lowHalves[bits] : shifted(lowHalves[bits], 8));
}

/** Two int16 factors in every pair of lanes. */
function factors(first: number, second: number): Code {
  const pair = [first & 0xff, (first >> 8) & 0xff, second & 0xff, (second >> 8) & 0xff];
  return v128.constant([...pair, ...pair, ...pair, ...pair]);
}

/** jidctint.c's constants, scaled by 2^13. */
const CONST_BITS = 13;
const PASS1_BITS = 2;
const F_0_298 = 2446;
const F_0_390 = 3196;
const F_0_541 = 4433;
const F_0_765 = 6270;
const F_0_899 = 7373;
const F_1_175 = 9633;
const F_1_501 = 12299;
const F_1_847 = 15137;
const F_1_961 = 16069;
const F_2_053 = 16819;
const F_2_562 = 20995;
const F_3_072 = 25172;

type Eight<T> = readonly [T, T, T, T, T, T, T, T];

/** One-dimensional IDCT of eight columns at once, in place; the sums are added up in another order than in C, which integers allow. */
function transformPass(rows: Eight<Local>, locals: TransformLocals, shift: number, offset: number): Code[] {
  const { pairs, sums, results } = locals;
  const bias = v128.i32x4Splat(i32.constant((1 << (shift - 1)) + offset));
  const one = 1 << CONST_BITS;
  const dot = (pair: Local, first: number, second: number) =>
    v128.i32x4DotI16x8S(pair.get, factors(first, second));
  const dots = (c1: number, c3: number, c5: number, c7: number) =>
    v128.i32x4Add(dot(pairs[2], c1, c3), dot(pairs[3], c5, c7));
  const half = (side: "low" | "high", into: Eight<Local>): Code[] => [
    set(pairs[0], interleave(rows[0].get, rows[4].get, 16, side)),
    set(pairs[1], interleave(rows[2].get, rows[6].get, 16, side)),
    set(pairs[2], interleave(rows[1].get, rows[3].get, 16, side)),
    set(pairs[3], interleave(rows[5].get, rows[7].get, 16, side)),
    // Even part.
    set(sums[4], v128.i32x4Add(dot(pairs[0], one, one), bias)),
    set(sums[5], dot(pairs[1], F_0_541 + F_0_765, F_0_541)),
    set(sums[0], v128.i32x4Add(sums[4].get, sums[5].get)),
    set(sums[3], v128.i32x4Sub(sums[4].get, sums[5].get)),
    set(sums[4], v128.i32x4Add(dot(pairs[0], one, -one), bias)),
    set(sums[5], dot(pairs[1], F_0_541, F_0_541 - F_1_847)),
    set(sums[1], v128.i32x4Add(sums[4].get, sums[5].get)),
    set(sums[2], v128.i32x4Sub(sums[4].get, sums[5].get)),
    // Odd part: what the sums 0 to 3 differ by from their mirror images.
    set(sums[4], dots(F_1_501 - F_0_899 - F_0_390 + F_1_175, F_1_175, F_1_175 - F_0_390, F_1_175 - F_0_899)),
    set(sums[5], dots(F_1_175, F_3_072 - F_2_562 - F_1_961 + F_1_175, F_1_175 - F_2_562, F_1_175 - F_1_961)),
    set(sums[6], dots(F_1_175 - F_0_390, F_1_175 - F_2_562, F_2_053 - F_2_562 - F_0_390 + F_1_175, F_1_175)),
    set(sums[7], dots(F_1_175 - F_0_899, F_1_175 - F_1_961, F_1_175, F_0_298 - F_0_899 - F_1_961 + F_1_175)),
    ...([0, 1, 2, 3] as const).flatMap((index) => {
      const [even, odd] = [sums[index], sums[(index + 4) as 4 | 5 | 6 | 7]];
      const mirror = (7 - index) as 4 | 5 | 6 | 7;
      return [
        set(into[index], v128.i32x4ShrS(v128.i32x4Add(even.get, odd.get), i32.constant(shift))),
        set(into[mirror], v128.i32x4ShrS(v128.i32x4Sub(even.get, odd.get), i32.constant(shift))),
      ];
    }),
  ];
  const { lower, upper } = results;
  return [
    ...half("low", lower),
    ...half("high", upper),
    ...rows.map((row, index) => set(row, v128.i16x8NarrowI32x4S(at(lower, index).get, at(upper, index).get))),
  ];
}

function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  if (element === undefined) throw new RangeError(`there is no element ${index}`);
  return element;
}

interface TransformLocals {
  readonly pairs: readonly [Local, Local, Local, Local];
  readonly sums: Eight<Local>;
  readonly results: { readonly lower: Eight<Local>; readonly upper: Eight<Local> };
}

function eight(locals: Locals): Eight<Local> {
  const next = () => locals.v128();
  return [next(), next(), next(), next(), next(), next(), next(), next()];
}

/** 8x8 int16, rows to columns, in place. */
function transpose(rows: Eight<Local>, spare: Eight<Local>): Code[] {
  const pass = (
    from: Eight<Local>,
    to: Eight<Local>,
    bits: 16 | 32 | 64,
    order: readonly (readonly [number, number])[],
  ) =>
    order.flatMap(([left, right], index) => [
      set(at(to, 2 * index), interleave(at(from, left).get, at(from, right).get, bits, "low")),
      set(at(to, 2 * index + 1), interleave(at(from, left).get, at(from, right).get, bits, "high")),
    ]);
  return [
    // Pairs of rows; then 0 1 2 3 and 4 5 6 7 of two columns each; then whole columns.
    ...pass(rows, spare, 16, [[0, 1], [2, 3], [4, 5], [6, 7]]), // biome-ignore format: one line
    ...pass(spare, rows, 32, [[0, 2], [1, 3], [4, 6], [5, 7]]), // biome-ignore format: one line
    ...pass(rows, spare, 64, [[0, 4], [1, 5], [2, 6], [3, 7]]), // biome-ignore format: one line
    ...rows.map((row, index) => set(row, at(spare, index).get)),
  ];
}

function transformKernel(): WasmFunction {
  const parameters = [
    "coefficients",
    "coefficientsEnd",
    "quantization",
    "target",
    "stride",
    "magnitudes",
  ] as const;
  return wasmFunction("transformBlocks", parameters, (p, locals) => {
    const rows = eight(locals);
    const spare = eight(locals);
    const pairs = [locals.v128(), locals.v128(), locals.v128(), locals.v128()] as const;
    const used = { pairs, sums: eight(locals), results: { lower: eight(locals), upper: eight(locals) } };
    const line = locals.i32();
    const seen = locals.v128();
    const block = [
      ...rows.map((row, index) =>
        set(
          row,
          v128.i16x8Mul(v128.load(p.coefficients.get, 16 * index), v128.load(p.quantization.get, 16 * index)),
        ),
      ),
      ...rows.map((row) =>
        set(seen, v128.or(seen.get, v128.xor(row.get, v128.i16x8ShrS(row.get, i32.constant(15))))),
      ),
      ...transformPass(rows, used, CONST_BITS - PASS1_BITS, 0),
      ...transpose(rows, spare),
      // Samples lie around 128.
      ...transformPass(rows, used, CONST_BITS + PASS1_BITS + 3, 128 << (CONST_BITS + PASS1_BITS + 3)),
      ...transpose(rows, spare),
      set(line, p.target.get),
      ...[0, 2, 4, 6].flatMap((index) => [
        set(at(spare, index), v128.i8x16NarrowI16x8U(at(rows, index).get, at(rows, index + 1).get)),
        v128.store64(line.get, at(spare, index).get, 0),
        increase(line, p.stride.get),
        v128.store64(line.get, at(spare, index).get, 1),
        increase(line, p.stride.get),
      ]),
      increase(p.target, i32.constant(8)),
      increase(p.coefficients, i32.constant(128)),
    ];
    return [
      set(seen, v128.load(p.magnitudes.get)),
      repeatWhile(i32.lessThan(p.coefficients.get, p.coefficientsEnd.get), block),
      v128.store(p.magnitudes.get, seen.get),
    ];
  });
}

function upsampleKernel(): WasmFunction {
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

function colourKernel(): WasmFunction {
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
