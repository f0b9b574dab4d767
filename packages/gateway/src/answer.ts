/** Predictions to the body of the answer. */
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import type { PredictResponse, ScoresResponse } from "./api.js";
import type { ClassifyRequest } from "./classify.js";
import type { FittedModel } from "./model-fit.js";
import type { Predicted } from "./predict-pictures.js";
import type { Prediction } from "./prediction-client.js";
import {
  heatmapOfTensor,
  indexOfGreatest,
  jointProbabilities,
  probabilitiesOfScores,
  ranked,
  scoresOfTensor,
} from "./scores.js";

export interface Classified {
  readonly answer: PredictResponse;
  /** Raw output of the first picture, for `format=scores`. */
  readonly scores: ScoresResponse;
  /** Nothing had to be computed for it. */
  readonly isCached: boolean;
}

/**
 * Puts the answer together.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when the outputs are not what the contract says.
 */
export function answerOf(
  { model, predictions, isCached }: Predicted,
  wishes: Pick<ClassifyRequest, "topK" | "wantsHeatmap" | "times">,
  isItem: boolean,
): Classified {
  const { labels, threshold, digest } = model.contract;
  const scores = predictions.map((each) => scoresOfTensor(outputOf(each, model.scoresOutput), labels.length));
  const photos = scores.map((each) => probabilitiesOfScores(each, model.contract));
  const joint = jointProbabilities(photos);
  const best = indexOfGreatest(joint);
  const bestProbability = joint[best] ?? 0;
  const { name, version } = model.description;
  const { fetch, decode = 0, resize = 0, predict = 0, total = 0 } = wishes.times.ms;
  const answer: PredictResponse = {
    predictions: byLabel(labels, joint),
    top_class: labels[best] ?? "",
    top_probability: bestProbability,
    unsure: threshold !== undefined && bestProbability < threshold,
    ...(wishes.topK === undefined ? {} : { top: ranked(labels, joint).slice(0, wishes.topK) }),
    ...(isItem ? { photos: photos.map((each) => topOf(labels, each)) } : {}),
    ...(wishes.wantsHeatmap ? { heatmap: heatmapOf(model, predictions[0], best) } : {}),
    model: { name, version },
    contract: digest,
    timings: { ...(fetch === undefined ? {} : { fetch }), decode, resize, predict, total },
  };
  return { answer, scores: byLabel(labels, scores[0] ?? new Float64Array(0)), isCached };
}

function topOf(labels: readonly string[], probabilities: Float64Array) {
  const best = indexOfGreatest(probabilities);
  return { top_class: labels[best] ?? "", top_probability: probabilities[best] ?? 0 };
}

function byLabel(labels: readonly string[], values: Float64Array): Record<string, number> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? 0]));
}

function heatmapOf(model: FittedModel, prediction: Prediction | undefined, labelIndex: number) {
  const maps = outputOf(prediction, model.activationMapOutput ?? "");
  return heatmapOfTensor(maps, labelIndex, model.contract.labels.length);
}

function outputOf(prediction: Prediction | undefined, alias: string): Tensor {
  const tensor = prediction?.outputs.get(alias);
  if (tensor === undefined) {
    throw new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      `model did not answer its output "${alias}", expected it to`,
    );
  }
  return tensor;
}
