/** Where TensorFlow's bilinear and bicubic take their samples, with half-pixel centres (image_resizer_state.h). */

const { fround } = Math;

/** Position in the source of the centre of a target pixel. */
function centreOf(index: number, scale: number): number {
  return fround(fround(fround(index + 0.5) * scale) - 0.5);
}

export interface BilinearWeights {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  /** Of the upper sample. */
  readonly share: Float32Array;
}

/** `compute_interpolation_weights`. */
export function bilinearWeights(from: number, to: number): BilinearWeights {
  const scale = fround(from / to);
  const weights = { lower: new Int32Array(to), upper: new Int32Array(to), share: new Float32Array(to) };
  for (let index = 0; index < to; index += 1) {
    const centre = centreOf(index, scale);
    const floor = Math.floor(centre);
    weights.lower[index] = Math.max(floor, 0);
    weights.upper[index] = Math.min(Math.ceil(centre), from - 1);
    weights.share[index] = centre - floor;
  }
  return weights;
}

const TABLE_SIZE = 1024;
const A = -0.5;

/** Weights of the nearer and of the farther sample at each of 1025 distances; float64 between, as there. */
const TABLE = Float32Array.from({ length: 2 * (TABLE_SIZE + 1) }, (_, at) => {
  const x = (at >> 1) / TABLE_SIZE;
  if (at % 2 === 0) return ((A + 2) * x - (A + 3)) * x * x + 1;
  const far = fround(x + 1);
  return ((A * far - 5 * A) * far + 8 * A) * far - 4 * A;
});

export interface BicubicWeights {
  /** Four per target pixel. */
  readonly positions: Int32Array;
  readonly weights: Float32Array;
}

/** `GetWeightsAndIndices` with Keys' cubic: samples outside weigh nothing, the rest is brought back to a sum of 1. */
export function bicubicWeights(from: number, to: number): BicubicWeights {
  const scale = fround(from / to);
  const positions = new Int32Array(4 * to);
  const weights = new Float32Array(4 * to);
  for (let index = 0; index < to; index += 1) {
    const centre = centreOf(index, scale);
    const floor = Math.floor(centre);
    const offset = roundHalfEven(fround(fround(centre - floor) * TABLE_SIZE));
    const rest = TABLE_SIZE - offset;
    const four = [2 * offset + 1, 2 * offset, 2 * rest, 2 * rest + 1].map((at, tap) => {
      const position = floor - 1 + tap;
      positions[4 * index + tap] = Math.min(from - 1, Math.max(0, position));
      return position < 0 || position >= from ? 0 : (TABLE[at] as number);
    });
    const sum = four.reduce((total, weight) => fround(total + weight), 0);
    const perSum = fround(1 / sum);
    for (let tap = 0; tap < 4; tap += 1) weights[4 * index + tap] = (four[tap] as number) * perSum;
  }
  return { positions, weights };
}

/** C's lrintf and Python's round. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
