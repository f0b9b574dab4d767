/** Predictions to the body of the answer. */
import type { PredictResponse, ScoresResponse } from "./api.js";
import type { ClassifyRequest } from "./classify.js";
import type { Explained } from "./explain/explain.js";
import type { Predicted } from "./predict-pictures.js";
import { indexOfGreatest, ranked } from "./scores.js";
import type { Verdict } from "./verdict.js";

export interface Classified {
  readonly answer: PredictResponse;
  /** Raw output of the first picture, for `format=scores`. */
  readonly scores: ScoresResponse;
  /** Of the model that answered, in its order. */
  readonly labels: readonly string[];
  /** Nothing had to be computed for it. */
  readonly isCached: boolean;
}

/** Puts the answer together. */
export function answerOf(
  { model, isCached }: Predicted,
  { scores, photos, joint, best }: Verdict,
  explained: Explained,
  wishes: Pick<ClassifyRequest, "topK" | "times">,
  isItem: boolean,
): Classified {
  const { labels, threshold, digest } = model.contract;
  const bestProbability = joint[best] ?? 0;
  const { name, version } = model.description;
  const { fetch, decode = 0, resize = 0, predict = 0, explain, total = 0 } = wishes.times.ms;
  const answer: PredictResponse = {
    predictions: byLabel(labels, joint),
    top_class: labels[best] ?? "",
    top_probability: bestProbability,
    unsure: threshold !== undefined && bestProbability < threshold,
    ...(wishes.topK === undefined ? {} : { top: ranked(labels, joint).slice(0, wishes.topK) }),
    ...(isItem ? { photos: photos.map((each) => topOf(labels, each)) } : {}),
    ...explained,
    model: { name, version },
    contract: digest,
    timings: {
      ...(fetch === undefined ? {} : { fetch }),
      decode,
      resize,
      predict,
      ...(explain === undefined ? {} : { explain }),
      total,
    },
  };
  return {
    answer,
    scores: byLabel(labels, scores[0] ?? new Float64Array(0)),
    labels,
    isCached: isCached && explain === undefined,
  };
}

function topOf(labels: readonly string[], probabilities: Float64Array) {
  const best = indexOfGreatest(probabilities);
  return { top_class: labels[best] ?? "", top_probability: probabilities[best] ?? 0 };
}

/** By label; in the model's order only once `jsonInLabelOrder` has written it. */
export function byLabel(labels: readonly string[], values: Float64Array): Record<string, number> {
  return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? 0]));
}
