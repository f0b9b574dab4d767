/** Moving and pairing the lanes of vectors. */
import { type Code, v128 } from "./wasm-assembler.js";

const shifted = (lanes: readonly number[], by: number) => lanes.map((lane) => lane + by);
const LOW_16 = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
const LOW_32 = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const LOW_64 = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const lowHalves = { 16: LOW_16, 32: LOW_32, 64: LOW_64 } as const;

/** Elements of both vectors by turns, from their lower or upper halves. */
export function interleave(left: Code, right: Code, bits: 16 | 32 | 64, half: "low" | "high"): Code {
  return v128.i8x16Shuffle(left, right, half === "low" ? lowHalves[bits] : shifted(lowHalves[bits], 8));
}

/** Two int16 factors in every pair of lanes. */
export function factors(first: number, second: number): Code {
  const pair = [first & 0xff, (first >> 8) & 0xff, second & 0xff, (second >> 8) & 0xff];
  return v128.constant([...pair, ...pair, ...pair, ...pair]);
}
