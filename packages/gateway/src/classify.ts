/** The story of one request: permit, pictures, tensors, predictions, scores; one deadline for all of it. */
import { ServeError } from "@vitrine/protocol/status";
import { answerOf, type Classified } from "./answer.js";
import { startDeadline } from "./deadline.js";
import { eachPhoto, placed } from "./each-photo.js";
import {
  explain,
  type HeatmapMethod,
  type HeatmapWish,
  heatmapMethod,
  predictionsFor,
} from "./explain/explain.js";
import type { FittedModel } from "./model-fit.js";
import type { ModelLink } from "./model-link.js";
import type { Permit, Permits } from "./permits.js";
import type { FetchPicture } from "./picture-cache.js";
import { type PredictPicturesParts, predictPictures } from "./predict-pictures.js";
import type { StageTimes } from "./stage-times.js";
import { verdictOf } from "./verdict.js";

export type Picture =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array };

/** What a caller sent. */
export interface Submission {
  readonly pictures: readonly Picture[];
  /** Sent as several photos of one item, so the answer lists each photo. */
  readonly isItem: boolean;
}

export interface ClassifyRequest {
  /** Reads the body. Called with a permit, which it tells of every byte that it keeps. */
  readonly read: (permit: Permit) => Promise<Submission>;
  readonly wantsScores: boolean;
  /** undefined: no heat map. */
  readonly heatmap: HeatmapWish | undefined;
  readonly wantsSteps: boolean;
  /** undefined: no `top`. */
  readonly topK: number | undefined;
  /** Aborts when the caller has gone. */
  readonly caller: AbortSignal;
  /** Counts so many predictions more for the caller. @throws {ServeError} CLIENT_LIMIT. */
  readonly charge: (predictions: number) => void;
  /** For the model tier: request id and trace. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Filled while the request is worked on, so that a failed one has its times, too. */
  readonly times: StageTimes;
}

export interface ClassifyParts extends PredictPicturesParts {
  readonly permits: Permits;
  readonly fetchPicture: FetchPicture;
  readonly link: Pick<ModelLink, "current" | "ofVersion" | "refresh" | "lost">;
  /** From the last byte of the body to the answer. */
  readonly timeoutMs: number;
  /** Most predictions that one heat map may cost; 0: none is made by occlusion. */
  readonly maxPatches: number;
}

export type Classify = (request: ClassifyRequest) => Promise<Classified>;

/** Makes the function that answers one `POST /predict`. It throws ServeErrors only, as far as it can foresee. */
export function createClassify(parts: ClassifyParts): Classify {
  return async (request) => {
    const permit = parts.permits.take();
    try {
      // Asked before the body is read, too: without a model nobody has to wait for an upload.
      parts.link.current();
      const submission = await request.read(permit);
      const deadline = startDeadline(parts.timeoutMs, request.caller);
      try {
        const current = parts.link.current();
        checkWishes(request, submission);
        const methodFor = (model: FittedModel) =>
          request.heatmap && heatmapMethod(request.heatmap, model, parts.maxPatches);
        // The door counted one.
        const more = submission.pictures.length + predictionsFor(methodFor(current)) - 1;
        permit.addRequests(more);
        request.charge(more);
        const { metadata, times, wantsSteps } = request;
        const context = { ...deadline, metadata };
        const { predicted, verdict, explained } = await times.time("total", async () => {
          const pictures = await readPictures(submission, permit, context.signal, times);
          const outputs = (model: FittedModel) => outputsFor(model, methodFor(model));
          const predicted = await predictPictures({ pictures, outputs, context, times }, current, parts);
          const verdict = verdictOf(predicted);
          const method = methodFor(predicted.model);
          const explained = await explain(
            { method, wantsSteps, pictures, predicted, verdict, context, times },
            parts,
          );
          return { predicted, verdict, explained };
        });
        return answerOf(predicted, verdict, explained, request, submission.isItem);
      } finally {
        deadline.clear();
      }
    } finally {
      permit.release();
    }
  };

  async function readPictures(
    { pictures }: Submission,
    permit: Permit,
    signal: AbortSignal,
    times: StageTimes,
  ): Promise<Uint8Array[]> {
    const read = () =>
      eachPhoto(placed(pictures), signal, async (picture, either) =>
        picture.kind === "bytes" ? picture.bytes : await parts.fetchPicture(picture.url, either, permit.hold),
      );
    return pictures.some(({ kind }) => kind === "url") ? await times.time("fetch", read) : await read();
  }
}

function outputsFor({ scoresOutput }: FittedModel, method: HeatmapMethod | undefined): string[] {
  return method?.name === "activation" ? [scoresOutput, method.output] : [scoresOutput];
}

/** Refuses what cannot be answered before any work is done for it. */
function checkWishes({ wantsScores }: ClassifyRequest, { pictures }: Submission): void {
  if (wantsScores && pictures.length > 1) {
    throw new ServeError(
      "BODY_INVALID",
      `format=scores was asked for ${pictures.length} photos, expected one`,
    );
  }
}
