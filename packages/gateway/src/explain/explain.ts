/** What is answered beyond the category: where the evidence lies, and what became of the picture on its way. */
import { ServeError } from "@vitrine/protocol/status";
import type { PredictResponse } from "../api.js";
import type { FittedModel } from "../model-fit.js";
import type { ModelLink } from "../model-link.js";
import type { Preprocessed } from "../pixels/prepare.js";
import type { Predicted } from "../predict-pictures.js";
import type { CallContext, Prediction, PredictionClient } from "../prediction-client.js";
import type { Preprocessor } from "../preprocess.js";
import { heatmapOfTensor } from "../scores.js";
import type { StageTimes } from "../stage-times.js";
import { outputOf, type Verdict } from "../verdict.js";
import { inputArea, takesAll } from "./input-area.js";
import { occlude } from "./occlusion.js";
import { stepsOf } from "./steps.js";

/** A heat map as a caller wishes it. */
export interface HeatmapWish {
  /** undefined: by the model's own maps where it has them. */
  readonly method: HeatmapMethod["name"] | undefined;
  /** Cells in each direction, of an occlusion; undefined: {@link USUAL_GRID}, or what is allowed if that is less. */
  readonly grid: number | undefined;
}

export type HeatmapMethod =
  | { readonly name: "activation"; readonly output: string }
  | { readonly name: "occlusion"; readonly grid: number };

export interface ExplainParts {
  readonly preprocessor: Pick<Preprocessor, "preprocess" | "recycle">;
  readonly client: Pick<PredictionClient, "predict">;
  readonly link: Pick<ModelLink, "lost">;
}

export interface ExplainRequest {
  /** undefined: no heat map is wished. */
  readonly method: HeatmapMethod | undefined;
  readonly wantsSteps: boolean;
  /** Encoded, in order. */
  readonly pictures: readonly Uint8Array[];
  readonly predicted: Predicted;
  readonly verdict: Verdict;
  readonly context: CallContext;
  readonly times: StageTimes;
}

export type Explained = Pick<PredictResponse, "heatmap" | "steps">;

const USUAL_GRID = 7;

/**
 * How a wish is answered for this model.
 *
 * @param maxPatches most predictions that one heat map may cost; 0: none is made by occlusion.
 * @throws {ServeError} METHOD_UNIMPLEMENTED when there is no way; BODY_INVALID when the grid is finer than is allowed.
 */
export function heatmapMethod(wish: HeatmapWish, model: FittedModel, maxPatches: number): HeatmapMethod {
  const { activationMapOutput: output } = model;
  const name = wish.method ?? (output === undefined ? "occlusion" : "activation");
  if (name === "activation") {
    if (output !== undefined) return { name, output };
    throw new ServeError(
      "METHOD_UNIMPLEMENTED",
      "explain=activation was asked for, but this model has no activation map, expected explain=1",
    );
  }
  if (maxPatches === 0) {
    throw new ServeError(
      "METHOD_UNIMPLEMENTED",
      output === undefined
        ? "explain was asked for, but this model has no activation map, and occlusion is turned off here"
        : "explain=occlusion was asked for, but occlusion is turned off here, expected explain=1",
    );
  }
  const most = greatestGrid(maxPatches);
  const grid = wish.grid ?? Math.min(USUAL_GRID, most);
  if (grid > most) {
    throw new ServeError(
      "BODY_INVALID",
      `explain_grid was ${grid}, expected at most ${most}, as GET /info says`,
    );
  }
  return { name, grid };
}

/** Predictions that it costs on top. */
export function predictionsFor(method: HeatmapMethod | undefined): number {
  return method?.name === "occlusion" ? method.grid ** 2 : 0;
}

/** Cells in each direction of the finest grid that is allowed. */
export function greatestGrid(maxPatches: number): number {
  return Math.floor(Math.sqrt(maxPatches));
}

/**
 * Explains the answer by the photo that speaks for it most. That photo is prepared once more where its pixels are needed:
 * the tensor of the prediction may be gone, or never was where the prediction was kept from before.
 *
 * @throws {ServeError} of the preprocessor and the prediction client.
 */
export async function explain(request: ExplainRequest, parts: ExplainParts): Promise<Explained> {
  const { method, wantsSteps, predicted, verdict } = request;
  if (method === undefined && !wantsSteps) return {};
  return await request.times.time("explain", async () => {
    const { plan } = predicted.model;
    const knowsPlace = takesAll(plan) && plan.orientation === "exif";
    if (method?.name === "activation" && !wantsSteps && knowsPlace)
      return { heatmap: activation(method, request) };
    const bytes = request.pictures[verdict.decidingPhoto] ?? new Uint8Array(0);
    const prepared = await parts.preprocessor.preprocess(bytes, plan, request.context.signal);
    try {
      const heatmap = await heatmapOf(request, prepared, parts);
      const steps = wantsSteps
        ? await stepsOf({ ...predicted, ...request, prepared, bytes: bytes.length })
        : undefined;
      return { ...(heatmap === undefined ? {} : { heatmap }), ...(steps === undefined ? {} : { steps }) };
    } finally {
      parts.preprocessor.recycle(prepared.tensor);
    }
  });
}

type Heatmap = NonNullable<PredictResponse["heatmap"]>;

async function heatmapOf(
  request: ExplainRequest,
  prepared: Preprocessed,
  parts: ExplainParts,
): Promise<Heatmap | undefined> {
  const { method, verdict, predicted, context } = request;
  if (method === undefined) return undefined;
  if (method.name === "activation") return activation(method, request, prepared);
  const { model, predictions } = predicted;
  const { decidingPhoto: photo, best: labelIndex } = verdict;
  const { drop, ...map } = await occlude(
    {
      tensor: prepared.tensor,
      model,
      version: predictions[photo]?.version,
      labelIndex,
      probability: verdict.photos[photo]?.[labelIndex] ?? 0,
      grid: method.grid,
      context,
    },
    { predict: (...call) => predictOrLose(call, parts) },
  );
  return { ...map, method: method.name, ...placeOf(request, prepared), flat: isFlat(map.values), drop };
}

/** A model tier that cannot be reached is lost for all requests, not for this one alone. */
async function predictOrLose(
  call: Parameters<PredictionClient["predict"]>,
  { client, link }: ExplainParts,
): Promise<Prediction> {
  try {
    return await client.predict(...call);
  } catch (error) {
    if (error instanceof ServeError && error.reason === "MODEL_UNAVAILABLE") link.lost();
    throw error;
  }
}

function activation(
  { name, output }: Extract<HeatmapMethod, { name: "activation" }>,
  request: ExplainRequest,
  prepared?: Preprocessed,
): Heatmap {
  const { model, predictions } = request.predicted;
  const { best, decidingPhoto } = request.verdict;
  const maps = outputOf(predictions[decidingPhoto], output);
  const map = heatmapOfTensor(maps, best, model.contract.labels.length);
  return { ...map, method: name, ...placeOf(request, prepared), flat: isFlat(map.values) };
}

/** Which photo the map belongs to, and where on it it lies. */
function placeOf({ predicted, verdict }: ExplainRequest, prepared: Preprocessed | undefined) {
  const { plan } = predicted.model;
  const isTurned = plan.orientation === "exif";
  return {
    photo: verdict.decidingPhoto,
    area: prepared === undefined ? { x: 0, y: 0, width: 1, height: 1 } : inputArea(plan, prepared),
    orientation: isTurned ? 1 : (prepared?.orientation ?? 1),
  };
}

function isFlat(values: readonly number[]): boolean {
  return values.every((value) => value === 0);
}
