/** libjpeg's accurate integer IDCT (jidctint.c) in WebAssembly SIMD, equal to the bit. */
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
} from "./wasm-assembler.js";
import { factors, interleave } from "./wasm-lanes.js";

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

/** `transformBlocks` of JpegKernels. */
export function transformKernel(): WasmFunction {
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
