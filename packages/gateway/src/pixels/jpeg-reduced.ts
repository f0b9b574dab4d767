/**
 * libjpeg's inverse transforms to 4x4, 2x2 and 1x1 samples (jidctred.c, `ISLOW`), equal to the bit: a picture at a half, a
 * quarter or an eighth of its size. Plain loops: there is little to compute.
 */

/** Samples along the edge of a block. */
export type ReducedEdge = 1 | 2 | 4;

const CONST_BITS = 13;
const PASS_BITS = 2;
const { imul } = Math;

/** Columns, and rows, of coefficients that the result depends on. */
const USED = { 2: [0, 1, 3, 5, 7], 4: [0, 1, 2, 3, 5, 6, 7] } as const;

const values = new Int32Array(64);
const work = new Int32Array(32);
const samples = new Int32Array(16);

/**
 * Transforms blocks that lie one behind the other.
 *
 * @param coefficients of 64 each, in natural order, all of the blocks of one row.
 * @param quantization 64 factors.
 * @param target       address in `planes` of the first block's upper left sample; `stride` samples per row.
 */
export function reduceBlocks(
  coefficients: Int16Array,
  quantization: Int16Array,
  edge: ReducedEdge,
  planes: Uint8Array,
  target: number,
  stride: number,
): void {
  const words = new Int32Array(coefficients.buffer, coefficients.byteOffset, coefficients.length / 2);
  const first = quantization[0] as number;
  for (let block = 0, to = target; block < coefficients.length; block += 64, to += edge) {
    const mean = toByte((imul(coefficients[block] as number, first) + 4) >> 3);
    if (edge === 1) planes[to] = mean;
    else if (isFlat(words, block / 2, coefficients[block + 1] as number)) {
      for (let row = 0; row < edge; row += 1) planes.fill(mean, to + row * stride, to + row * stride + edge);
    } else {
      for (const row of USED[edge]) {
        for (const column of USED[edge]) {
          const at = 8 * row + column;
          values[at] = imul(coefficients[block + at] as number, quantization[at] as number);
        }
      }
      if (edge === 2) toTwo();
      else toFour();
      for (let row = 0, from = 0; row < edge; row += 1) {
        for (let column = 0; column < edge; column += 1, from += 1) {
          planes[to + row * stride + column] = toByte(samples[from] as number);
        }
      }
    }
  }
}

/** Whether a block has no coefficient but its first, in which case all samples are one. */
function isFlat(words: Int32Array, start: number, second: number): boolean {
  let any = second;
  for (let at = start + 1; at < start + 32; at += 1) any |= words[at] as number;
  return any === 0;
}

function toByte(value: number): number {
  return Math.max(0, Math.min(255, value + 128));
}

function descale(value: number, bits: number): number {
  return (value + (1 << (bits - 1))) >> bits;
}

function toTwo(): void {
  for (const column of USED[2]) twoOf(values, column, 8, CONST_BITS - PASS_BITS + 2, work, column, 8);
  for (let row = 0; row < 2; row += 1) {
    twoOf(work, 8 * row, 1, CONST_BITS + PASS_BITS + 5, samples, 2 * row, 1);
  }
}

function toFour(): void {
  for (const column of USED[4]) fourOf(values, column, 8, CONST_BITS - PASS_BITS + 1, work, column, 8);
  for (let row = 0; row < 4; row += 1) {
    fourOf(work, 8 * row, 1, CONST_BITS + PASS_BITS + 4, samples, 4 * row, 1);
  }
}

/** Two values of a line of eight. */
function twoOf(
  source: Int32Array,
  at: number,
  step: number,
  bits: number,
  target: Int32Array,
  to: number,
  toStep: number,
): void {
  const even = (source[at] as number) << (CONST_BITS + 2);
  const odd =
    imul(source[at + 7 * step] as number, -5906) +
    imul(source[at + 5 * step] as number, 6967) +
    imul(source[at + 3 * step] as number, -10426) +
    imul(source[at + step] as number, 29692);
  target[to] = descale(even + odd, bits);
  target[to + toStep] = descale(even - odd, bits);
}

/** Four values of a line of eight. */
function fourOf(
  source: Int32Array,
  at: number,
  step: number,
  bits: number,
  target: Int32Array,
  to: number,
  toStep: number,
): void {
  const first = source[at + step] as number;
  const third = source[at + 3 * step] as number;
  const fifth = source[at + 5 * step] as number;
  const seventh = source[at + 7 * step] as number;
  const even = (source[at] as number) << (CONST_BITS + 1);
  const turn = imul(source[at + 2 * step] as number, 15137) + imul(source[at + 6 * step] as number, -6270);
  const inner = imul(seventh, -1730) + imul(fifth, 11893) + imul(third, -17799) + imul(first, 8697);
  const outer = imul(seventh, -4176) + imul(fifth, -4926) + imul(third, 7373) + imul(first, 20995);
  target[to] = descale(even + turn + outer, bits);
  target[to + 3 * toStep] = descale(even + turn - outer, bits);
  target[to + toStep] = descale(even - turn + inner, bits);
  target[to + 2 * toStep] = descale(even - turn - inner, bits);
}
