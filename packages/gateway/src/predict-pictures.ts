/** Pictures to predictions, by the contract of the version that really answers. */
import { ServeError } from "@vitrine/protocol/status";
import { eachPhoto, type Placed, placed } from "./each-photo.js";
import { type FittedModel, isSameWork } from "./model-fit.js";
import type { ModelLink } from "./model-link.js";
import type { PredictionCache } from "./prediction-cache.js";
import type { CallContext, Prediction, PredictionClient } from "./prediction-client.js";
import type { Preprocessor } from "./preprocess.js";
import type { StageTimes } from "./stage-times.js";
import { together } from "./together.js";

export interface PredictPicturesParts {
  readonly preprocessor: Pick<Preprocessor, "preprocess" | "recycle">;
  readonly client: Pick<PredictionClient, "predict">;
  readonly link: Pick<ModelLink, "ofVersion" | "refresh" | "lost">;
  readonly cache: PredictionCache;
}

export interface PredictPicturesRequest {
  /** Encoded pictures. */
  readonly pictures: readonly Uint8Array[];
  /** Aliases of the outputs that the caller needs of a model. */
  readonly outputs: (model: FittedModel) => readonly string[];
  readonly context: CallContext;
  readonly times: StageTimes;
}

export interface Predicted {
  /** The model that answered. */
  readonly model: FittedModel;
  /** One per picture, in order; each tensor has one row. */
  readonly predictions: readonly Prediction[];
  /** True when every prediction was kept from before. */
  readonly isCached: boolean;
}

/**
 * Prepares each picture as the model's contract says and has it predicted, one `Predict` a picture: the model
 * tier joins what arrives together, and no batch limit of its can refuse an item of many photos.
 *
 * When another version answers than the one prepared for, or the model tier refuses the tensor, and a version
 * with other wishes explains it, everything is prepared once more.
 *
 * @param current the model as last seen.
 * @throws {ServeError} of the preprocessor and the prediction client; MODEL_UNAVAILABLE when the model changes
 *   a second time meanwhile.
 */
export async function predictPictures(
  request: PredictPicturesRequest,
  current: FittedModel,
  parts: PredictPicturesParts,
): Promise<Predicted> {
  let model = current;
  const pictures = placed(request.pictures);
  for (const isLast of [false, true]) {
    try {
      const asked = model;
      const { predictions, isHit } = await parts.cache.of(
        { pictures, model, outputs: request.outputs(model), signal: request.context.signal },
        (missing, signal) => attempt(missing, signal, request, asked, parts),
      );
      const served = await servedBy(predictions, model, request.context, parts.link);
      if (isSameWork(served, model)) return { model: served, predictions, isCached: isHit };
      model = served;
    } catch (error) {
      if (isLast || !isMismatch(error)) throw error;
      const fresh = await parts.link.refresh();
      if (isSameWork(fresh, model)) throw error;
      model = fresh;
    }
  }
  throw new ServeError("MODEL_UNAVAILABLE", "model was being replaced, expected it to stay; try again", {
    retryAfterSeconds: 1,
  });
}

async function attempt(
  pictures: readonly Placed<Uint8Array>[],
  signal: AbortSignal,
  { outputs, context, times }: PredictPicturesRequest,
  model: FittedModel,
  { preprocessor, client, link }: PredictPicturesParts,
): Promise<Prediction[]> {
  const prepared = await eachPhoto(pictures, signal, (bytes, either) =>
    preprocessor.preprocess(bytes, model.plan, either),
  );
  for (const { decodeMs, resizeMs } of prepared) {
    times.add("decode", decodeMs);
    times.add("resize", resizeMs);
  }
  try {
    return await times.time("predict", () =>
      together(prepared, signal, ({ tensor }, either) =>
        client.predict(model.input.alias, tensor, outputs(model), { ...context, signal: either }),
      ),
    );
  } catch (error) {
    if (error instanceof ServeError && error.reason === "MODEL_UNAVAILABLE") link.lost();
    throw error;
  } finally {
    for (const { tensor } of prepared) preprocessor.recycle(tensor);
  }
}

/** The model that answered: one that wants other tensors than `model`, if there is such a one among them. */
async function servedBy(
  predictions: readonly Prediction[],
  model: FittedModel,
  context: CallContext,
  link: PredictPicturesParts["link"],
): Promise<FittedModel> {
  let served = model;
  for (const version of new Set(predictions.map((prediction) => prediction.version))) {
    if (version === undefined || version === model.description.version) continue;
    served = await link.ofVersion(version, context);
    if (!isSameWork(served, model)) break;
  }
  return served;
}

function isMismatch(error: unknown): boolean {
  return error instanceof ServeError && error.reason === "MODEL_CONTRACT_MISMATCH";
}
