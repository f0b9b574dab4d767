/** What the model's outputs say, before it is written down as an answer. */
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import type { Predicted } from "./predict-pictures.js";
import type { Prediction } from "./prediction-client.js";
import { indexOfGreatest, jointProbabilities, probabilitiesOfScores, scoresOfRows } from "./scores.js";

export interface Verdict {
  /** Raw scores of each photo, in order. */
  readonly scores: readonly Float64Array[];
  /** Probabilities of each photo. */
  readonly photos: readonly Float64Array[];
  /** Probabilities of the item. */
  readonly joint: Float64Array;
  /** Index of the item's label. */
  readonly best: number;
  /** Index of the photo that speaks for that label most. */
  readonly decidingPhoto: number;
}

/** @throws {ServeError} MODEL_CONTRACT_MISMATCH when the outputs are not what the contract says. */
export function verdictOf({ model, predictions }: Predicted): Verdict {
  const labels = model.contract.labels.length;
  const scores = predictions.flatMap((each) => scoresOfRows(outputOf(each, model.scoresOutput), 1, labels));
  const photos = scores.map((each) => probabilitiesOfScores(each, model.contract));
  const joint = jointProbabilities(photos);
  const best = indexOfGreatest(joint);
  const decidingPhoto = indexOfGreatest(Float64Array.from(photos, (each) => each[best] ?? 0));
  return { scores, photos, joint, best, decidingPhoto };
}

/** @throws {ServeError} MODEL_CONTRACT_MISMATCH when the model did not answer it. */
export function outputOf(prediction: Prediction | undefined, alias: string): Tensor {
  const tensor = prediction?.outputs.get(alias);
  if (tensor === undefined) {
    throw new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      `model did not answer its output "${alias}", expected it to`,
    );
  }
  return tensor;
}
