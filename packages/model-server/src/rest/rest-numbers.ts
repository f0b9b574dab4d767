/** Nested JSON arrays of nothing but numbers, which is what pictures are, straight into a typed array. */

/** A regular array of numbers. What it cannot say of them, the slow way can: see {@link scanNumbers}. */
export class JsonNumbers {
  readonly shape: readonly number[];
  /** Row-major. A few are a plain array: typed ones cost V8 some hundred bytes each. */
  readonly values: Float64Array | readonly number[];
  /** All were written as integers of up to 15 digits, which are exact. */
  readonly exactIntegers: boolean;
  /** Offset of its opening bracket. */
  readonly start: number;

  constructor(
    shape: readonly number[],
    values: Float64Array | readonly number[],
    exactIntegers: boolean,
    start: number,
  ) {
    this.shape = shape;
    this.values = values;
    this.exactIntegers = exactIntegers;
    this.start = start;
  }
}

const OPEN = 0x5b;
const CLOSE = 0x5d;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const MAX_DEPTH = 256;
/** Sums of up to so many decimal digits are exact in a double. */
const EXACT_DIGITS = 15;
/** The largest power of ten that is. */
const MAX_EXACT_POWER = 22;
const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXACT_POWER + 1 }, (_, power) => Number(`1e${power}`));

/** Two and more words of a number that is not a number. */
const WORDS: readonly (readonly [word: string, value: number])[] = [
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["Inf", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-Inf", Number.NEGATIVE_INFINITY],
];

/** Where arrays of up to its size are collected: most are small, and memory for each costs more than the copy. */
const scratch = new Float64Array(4096);

/**
 * Reads the array that begins at `start`. 20 times as fast as making a JavaScript array of each list.
 *
 * @returns undefined when it is not a regular array of numbers in every detail: then nothing is known of it.
 */
export function scanNumbers(
  bytes: Buffer,
  start: number,
): { readonly numbers: JsonNumbers; readonly end: number } | undefined {
  let values: Float64Array = scratch;
  let used = 0;
  let exactIntegers = true;
  let rank = 0;
  const shape: number[] = [];
  const counts: number[] = [];
  let depth = 0;
  let offset = start;
  let expectsValue = true;

  for (;;) {
    let code = bytes[offset] ?? 0;
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = bytes[++offset] ?? 0;

    if (!expectsValue) {
      offset++;
      if (code === COMMA) {
        expectsValue = true;
        continue;
      }
      if (code !== CLOSE) return undefined;
      const count = counts[depth - 1] ?? 0;
      if (shape[depth - 1] === undefined) shape[depth - 1] = count;
      else if (shape[depth - 1] !== count) return undefined;
      depth--;
      if (depth === 0) break;
      counts[depth - 1] = (counts[depth - 1] ?? 0) + 1;
      continue;
    }

    if (code === OPEN) {
      if (depth === rank && used > 0) return undefined;
      if (depth === MAX_DEPTH) return undefined;
      counts[depth++] = 0;
      rank = Math.max(rank, depth);
      offset++;
      continue;
    }
    // Any other value must be a number, as deep as all others.
    if (depth !== rank) return undefined;

    const tokenStart = offset;
    const negative = code === MINUS;
    if (negative) code = bytes[++offset] ?? 0;
    const digitsStart = offset;
    // The first 15 significant digits, and the 15 behind them: both exact.
    let high = 0;
    let low = 0;
    let significant = 0;
    let digit = code - ZERO;
    while (digit >= 0 && digit <= 9) {
      if (significant < EXACT_DIGITS) high = high * 10 + digit;
      else if (significant < 2 * EXACT_DIGITS) low = low * 10 + digit;
      if (high !== 0) significant++;
      code = bytes[++offset] ?? 0;
      digit = code - ZERO;
    }
    const digits = offset - digitsStart;
    let value: number;
    if (digits === 0) {
      const word = WORDS.find(([text]) => startsWith(bytes, tokenStart, text));
      if (word === undefined) return undefined;
      offset = tokenStart + word[0].length;
      value = word[1];
      exactIntegers = false;
    } else {
      if (digits > 1 && bytes[digitsStart] === ZERO) return undefined;
      let fractionDigits = 0;
      if (code === POINT) {
        exactIntegers = false;
        const fractionStart = ++offset;
        code = bytes[offset] ?? 0;
        digit = code - ZERO;
        while (digit >= 0 && digit <= 9) {
          if (significant < EXACT_DIGITS) high = high * 10 + digit;
          else if (significant < 2 * EXACT_DIGITS) low = low * 10 + digit;
          if (high !== 0) significant++;
          code = bytes[++offset] ?? 0;
          digit = code - ZERO;
        }
        fractionDigits = offset - fractionStart;
        if (fractionDigits === 0) return undefined;
      }
      const hasExponent = code === 0x65 || code === 0x45;
      if (hasExponent) {
        exactIntegers = false;
        code = bytes[++offset] ?? 0;
        if (code === MINUS || code === 0x2b) code = bytes[++offset] ?? 0;
        const exponentStart = offset;
        while (code >= ZERO && code <= 0x39) code = bytes[++offset] ?? 0;
        if (offset === exponentStart) return undefined;
      }
      const lowDigits = significant - EXACT_DIGITS;
      let magnitude: number | undefined;
      if (hasExponent || fractionDigits > MAX_EXACT_POWER) magnitude = undefined;
      else if (lowDigits <= 0) magnitude = fractionDigits === 0 ? high : high / powerOfTen(fractionDigits);
      else if (lowDigits <= EXACT_DIGITS && lowDigits <= fractionDigits) {
        magnitude = quotientOf(high, low, lowDigits, fractionDigits);
      }
      if (lowDigits > 0) exactIntegers = false;
      if (magnitude === undefined) value = Number(bytes.toString("latin1", tokenStart, offset));
      else value = negative ? -magnitude : magnitude;
    }
    if (used === values.length) {
      const larger = new Float64Array(2 * used);
      larger.set(values);
      values = larger;
    }
    values[used++] = value;
    counts[depth - 1] = (counts[depth - 1] ?? 0) + 1;
    expectsValue = false;
  }
  if (used === 0) return undefined;
  return { numbers: new JsonNumbers(shape, ownValues(values, used), exactIntegers, start), end: offset };
}

const FEW = 64;

function ownValues(values: Float64Array, used: number): Float64Array | readonly number[] {
  if (values !== scratch) return values.subarray(0, used);
  if (used > FEW) return values.slice(0, used);
  const few: number[] = [];
  for (let index = 0; index < used; index++) few.push(values[index] ?? 0);
  return few;
}

function startsWith(bytes: Uint8Array, offset: number, word: string): boolean {
  for (let index = 0; index < word.length; index++) {
    if (bytes[offset + index] !== word.charCodeAt(index)) return false;
  }
  return true;
}

function powerOfTen(exponent: number): number {
  return POWERS_OF_TEN[exponent] ?? Number.NaN;
}

/** Splits a double into two of 26 bits (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;

/** More than the relative error of the correction below. */
const DOUBT = 2 ** -40;

/**
 * `(high * 10^lowDigits + low) / 10^fractionDigits` as the nearest double, for 16 to 30 digits, as Python writes
 * floats.
 *
 * @returns undefined in the rare case that it lies too near the middle of two doubles to be sure.
 */
function quotientOf(
  high: number,
  low: number,
  lowDigits: number,
  fractionDigits: number,
): number | undefined {
  const divisor = powerOfTen(fractionDigits - lowDigits);
  const quotient = high / divisor;
  // What quotient * divisor lacks of high, exactly (Dekker's product).
  const product = quotient * divisor;
  const bigQuotient = SPLITTER * quotient;
  const quotientTop = bigQuotient - (bigQuotient - quotient);
  const quotientRest = quotient - quotientTop;
  const bigDivisor = SPLITTER * divisor;
  const divisorTop = bigDivisor - (bigDivisor - divisor);
  const divisorRest = divisor - divisorTop;
  const productRest =
    quotientTop * divisorTop -
    product +
    quotientTop * divisorRest +
    quotientRest * divisorTop +
    quotientRest * divisorRest;
  const correction = (high - product - productRest) / divisor + low / powerOfTen(fractionDigits);
  const sum = quotient + correction * (1 + DOUBT);
  return sum === quotient + correction * (1 - DOUBT) ? sum : undefined;
}
