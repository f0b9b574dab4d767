/** Predictions kept, and shared while they are made: the same pixels to the same model give the same answer. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Placed } from "./each-photo.js";
import type { FittedModel } from "./model-fit.js";
import type { Prediction } from "./prediction-client.js";
import { SharedWork } from "./shared-work.js";

export interface PredictionQuestion {
  /** Encoded. */
  readonly pictures: readonly Placed<Uint8Array>[];
  readonly model: FittedModel;
  /** Aliases of the outputs wanted. */
  readonly outputs: readonly string[];
  readonly signal: AbortSignal;
}

export interface CachedPredictions {
  /** One per picture, in order. */
  readonly predictions: readonly Prediction[];
  /** True when nothing had to be computed. */
  readonly isHit: boolean;
}

export interface PredictionCache {
  /**
   * Predictions that are kept, and of the others what `predict` makes of them, in one call.
   *
   * @param predict gets the pictures that are not kept. Its signal outlives the caller while others wait for the same.
   */
  of(
    question: PredictionQuestion,
    predict: (pictures: readonly Placed<Uint8Array>[], signal: AbortSignal) => Promise<readonly Prediction[]>,
  ): Promise<CachedPredictions>;
}

/** Keeps nothing and shares nothing. */
export const NO_PREDICTION_CACHE: PredictionCache = {
  async of({ pictures, signal }, predict) {
    return { predictions: await predict(pictures, signal), isHit: false };
  },
};

/** Of keys and objects around an entry's tensors, roughly. */
const ENTRY_BYTES = 512;

/**
 * Keys are SHA-256 of the picture's bytes with the model's version and the contract's digest, so a re-trained model
 * or a changed contract never meets an old answer. `maxAgeMs` bounds how long an answer outlives a model whose files
 * were changed without a new version number.
 *
 * @param maxBytes of the tensors kept.
 */
export function createPredictionCache(options: {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}): PredictionCache {
  const kept = new LRUCache<string, Prediction>({
    maxSize: options.maxBytes,
    maxEntrySize: options.maxBytes,
    sizeCalculation: sizeOf,
    ttl: options.maxAgeMs,
  });
  const shared = new SharedWork<readonly Prediction[]>();

  return {
    async of({ pictures, model, outputs, signal }, predict) {
      const { version, signatureName } = model.description;
      const suffix = [version, signatureName, model.contract.digest, ...outputs].join("\n");
      const questions = pictures.map((picture) => {
        const key = `${createHash("sha256").update(picture.photo).digest("base64")}\n${suffix}`;
        return { picture, key, prediction: kept.get(key) };
      });
      const missing = questions.filter(({ prediction }) => prediction === undefined);
      if (missing.length === 0) return { predictions: predictionsOf(questions), isHit: true };

      const keys = missing.map(({ key }) => key);
      // Shared with those alone who know the photos by the same places: a fault is told with its place.
      const flight = missing.map(({ picture, key }) => `${picture.place}\n${key}`).join("\n\n");
      const made = await shared.run(flight, signal, async (either) => {
        const predictions = await predict(
          missing.map(({ picture }) => picture),
          either,
        );
        for (const [index, prediction] of predictions.entries()) {
          const key = keys[index];
          // Another version's answer has another key, and its tensor may have been made by another contract.
          if (key !== undefined && prediction.version === version) kept.set(key, prediction);
        }
        return predictions;
      });
      const fresh = made.values();
      const all = questions.map((question) => ({
        prediction: question.prediction ?? fresh.next().value,
      }));
      return { predictions: predictionsOf(all), isHit: false };
    },
  };
}

function predictionsOf(questions: readonly { prediction: Prediction | undefined }[]): Prediction[] {
  return questions.flatMap(({ prediction }) => (prediction === undefined ? [] : [prediction]));
}

function sizeOf({ outputs }: Prediction): number {
  let bytes = ENTRY_BYTES;
  for (const { data } of outputs.values()) bytes += "byteLength" in data ? data.byteLength : 64 * data.length;
  return bytes;
}
