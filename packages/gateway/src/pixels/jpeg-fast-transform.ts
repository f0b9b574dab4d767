/**
 * libjpeg's fast inverse transform (jidctfst.c, `IFAST`), equal to the bit: what TensorFlow's decode_jpeg and decode_image use
 * unless they are told `dct_method="INTEGER_ACCURATE"`. Pillow's is the accurate one; the two are apart by up to 6 steps.
 */

/** Scale factors of the transform's rows and columns (Arai, Agui, Nakajima). */
const SCALES = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => (k === 0 ? 1 : Math.SQRT2 * Math.cos((k * Math.PI) / 16)));

const { imul } = Math;

const values = new Int32Array(64);
const work = new Int32Array(64);

/** The 64 factors of a table as the fast transform takes them. */
export function fastFactors(quantization: Int16Array): Int16Array {
  return quantization.map((factor, at) => {
    const [row, column] = [at >> 3, at & 7];
    // In 14 bits, as jddctmgr.c lists them.
    const scale = Math.round((SCALES[row] as number) * (SCALES[column] as number) * 16384);
    return (factor * scale + (1 << 11)) >> 12;
  });
}

/** Transforms blocks that lie one behind the other; parameters as those of `reduceBlocks`, `factors` of {@link fastFactors}. */
export function transformFast(
  coefficients: Int16Array,
  factors: Int16Array,
  planes: Uint8Array,
  target: number,
  stride: number,
): void {
  for (let block = 0, to = target; block < coefficients.length; block += 64, to += 8) {
    for (let at = 0; at < 64; at += 1) {
      values[at] = imul(coefficients[block + at] as number, factors[at] as number);
    }
    for (let column = 0; column < 8; column += 1) eightOf(values, column, 8, work);
    for (let row = 0; row < 8; row += 1) {
      eightOf(work, 8 * row, 1, values);
      for (let column = 0; column < 8; column += 1) {
        const sample = ((values[8 * row + column] as number) >> 5) + 128;
        planes[to + row * stride + column] = Math.max(0, Math.min(255, sample));
      }
    }
  }
}

/** value * factor / 256, cut off. */
function times(value: number, factor: number): number {
  return imul(value, factor) >> 8;
}

/** One line of eight, in place or to the same places of another array. */
function eightOf(source: Int32Array, at: number, step: number, target: Int32Array): void {
  const c = (index: number): number => source[at + index * step] as number;
  const [even0, even1] = [c(0) + c(4), c(0) - c(4)];
  const even3 = c(2) + c(6);
  const even2 = times(c(2) - c(6), 362) - even3;
  const [a0, a3, a1, a2] = [even0 + even3, even0 - even3, even1 + even2, even1 - even2];
  const [z13, z10, z11, z12] = [c(5) + c(3), c(5) - c(3), c(1) + c(7), c(1) - c(7)];
  const b7 = z11 + z13;
  const z5 = times(z10 + z12, 473);
  const b6 = times(z10, -669) + z5 - b7;
  const b5 = times(z11 - z13, 362) - b6;
  const b4 = times(z12, 277) - z5 + b5;
  target[at] = a0 + b7;
  target[at + 7 * step] = a0 - b7;
  target[at + step] = a1 + b6;
  target[at + 6 * step] = a1 - b6;
  target[at + 2 * step] = a2 + b5;
  target[at + 5 * step] = a2 - b5;
  target[at + 4 * step] = a3 + b4;
  target[at + 3 * step] = a3 - b4;
}
