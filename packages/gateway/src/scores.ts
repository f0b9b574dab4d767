/** The model's raw outputs to what a person reads: probabilities, best first, and where the evidence lies. */

import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";

/** Softmax rules of a contract. */
export interface ScoreRule {
  readonly scoreKind: "logits" | "probabilities";
  readonly temperature: number;
}

export interface LabelledProbability {
  readonly label: string;
  readonly probability: number;
}

/** How far probabilities that the model itself made may be from a sum of 1; half precision stays well within. */
const SUM_TOLERANCE = 0.01;

/** In a joint answer no single photo may rule a label out for good. */
const LEAST_JOINT_PROBABILITY = 1e-9;

/**
 * The scores of each picture of a batch.
 *
 * @param tensor float32 or float64 [rows, labels].
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when it is anything else, or a score is not finite.
 */
export function scoresOfRows({ data, shape }: Tensor, rows: number, labels: number): Float64Array[] {
  if (!(data instanceof Float32Array || data instanceof Float64Array) || data.length !== rows * labels) {
    throw mismatch(`scores of shape [${shape.join(", ")}]`, `floats of shape [${rows}, ${labels}]`);
  }
  const scores = Float64Array.from(data);
  if (!scores.every(Number.isFinite)) throw mismatch("a score that was no finite number", "finite scores");
  return Array.from({ length: rows }, (_, row) => scores.subarray(row * labels, (row + 1) * labels));
}

/**
 * Probabilities of one picture; they sum to 1.
 *
 * Logits: softmax of scores / temperature, in float64, with the greatest score subtracted so that nothing
 * overflows. Probabilities: as they are, their sum's rounding error removed.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when the contract says probabilities and they are none.
 */
export function probabilitiesOfScores(scores: Float64Array, rule: ScoreRule): Float64Array {
  if (rule.scoreKind === "logits") return softmax(scores.map((score) => score / rule.temperature));
  const sum = scores.reduce((total, score) => total + score, 0);
  if (Math.abs(sum - 1) > SUM_TOLERANCE || scores.some((score) => score < 0)) {
    throw mismatch(`scores that sum to ${sum.toPrecision(4)}`, "probabilities, as its contract says");
  }
  return scores.map((score) => score / sum);
}

/** One answer for several photos of one item: the mean of their log-probabilities, renormalised. */
export function jointProbabilities(photos: readonly Float64Array[]): Float64Array {
  const [first] = photos;
  if (first !== undefined && photos.length === 1) return first;
  const labels = first?.length ?? 0;
  const meanLogs = new Float64Array(labels);
  for (const probabilities of photos) {
    for (let index = 0; index < labels; index += 1) {
      const probability = Math.max(probabilities[index] ?? 0, LEAST_JOINT_PROBABILITY);
      meanLogs[index] = (meanLogs[index] ?? 0) + Math.log(probability) / photos.length;
    }
  }
  return softmax(meanLogs);
}

/** Labels with their probabilities, best first; of equals, the first label of the model first. */
export function ranked(labels: readonly string[], probabilities: Float64Array): LabelledProbability[] {
  return labels
    .map((label, index) => ({ label, probability: probabilities[index] ?? 0 }))
    .sort((a, b) => b.probability - a.probability);
}

/** Index of the greatest value; of equals, the first. */
export function indexOfGreatest(values: Float64Array): number {
  return values.reduce((best, value, index) => (value > (values[best] ?? 0) ? index : best), 0);
}

export interface Heatmap {
  readonly width: number;
  readonly height: number;
  /** 0..1, row-major. */
  readonly values: number[];
}

/**
 * The evidence for one label, from the model's activation maps: negative evidence is 0, the strongest 1.
 *
 * @param maps float32 [1, labels, h, w].
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when it is anything else.
 */
export function heatmapOfTensor(maps: Tensor, labelIndex: number, labels: number): Heatmap {
  const [rows, channels, height = 0, width = 0] = maps.shape;
  const { data } = maps;
  if (!(data instanceof Float32Array) || maps.shape.length !== 4 || rows !== 1 || channels !== labels) {
    throw mismatch(`activation maps of shape [${maps.shape.join(", ")}]`, `floats [1, ${labels}, h, w]`);
  }
  const map = data.subarray(labelIndex * height * width, (labelIndex + 1) * height * width);
  const greatest = map.reduce((most, value) => Math.max(most, value), 0);
  const values = Array.from(map, (value) => (greatest > 0 ? Math.max(0, value / greatest) : 0));
  return { width, height, values };
}

function softmax(logits: Float64Array): Float64Array {
  const greatest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const powers = logits.map((logit) => Math.exp(logit - greatest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function mismatch(was: string, expected: string): ServeError {
  return new ServeError("MODEL_CONTRACT_MISMATCH", `model answered ${was}, expected ${expected}`);
}
