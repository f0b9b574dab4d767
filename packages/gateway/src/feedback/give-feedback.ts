/** The story of one `POST /feedback`: photos without metadata under the label that the person gave. */
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import { abortError, orAborted, startDeadline } from "../deadline.js";
import { eachPhoto, placed } from "../each-photo.js";
import type { ModelLink } from "../model-link.js";
import type { Permit, Permits } from "../permits.js";
import type { FetchPicture } from "../picture-cache.js";
import type { Preprocessor } from "../preprocess.js";
import type { StageTimes } from "../stage-times.js";
import type { SentCorrection } from "./feedback-body.js";
import type { FeedbackRecord } from "./feedback-record.js";
import type { Correction, FeedbackStore } from "./feedback-store.js";

export interface GiveFeedbackRequest {
  /** Reads the body. Called with a permit, which it tells of every byte that it keeps. */
  readonly read: (permit: Permit) => Promise<SentCorrection>;
  /** Aborts when the caller has gone. */
  readonly caller: AbortSignal;
  readonly times: StageTimes;
}

export interface GiveFeedbackParts {
  readonly permits: Permits;
  readonly fetchPicture: FetchPicture;
  readonly preprocessor: Pick<Preprocessor, "makeFile">;
  readonly link: Pick<ModelLink, "current">;
  readonly store: Pick<FeedbackStore, "add" | "withdraw">;
  readonly timeoutMs: number;
  /** Most bytes of one picture, also as it is kept. */
  readonly maxImageBytes: number;
  readonly logger: Pick<Logger, "error">;
  /** Told of each correction that is kept: whether the person agrees with the model, undefined where that is not known. */
  counted(agrees: boolean | undefined): void;
}

export type GiveFeedback = (request: GiveFeedbackRequest) => Promise<FeedbackRecord>;

/** What may be a label of a model that is not served: a line of text. */
const FOREIGN_LABEL = /^\P{Cc}{1,300}$/u;

/** A disk that hangs must not take the permits of the predictions with it. */
const MOST_AT_WORK = 8;

/** Makes the function that answers one `POST /feedback`. */
export function createGiveFeedback(parts: GiveFeedbackParts): GiveFeedback {
  let atWork = 0;

  function checkPlace(): void {
    if (atWork < MOST_AT_WORK) return;
    throw new ServeError(
      "OVERLOADED",
      `gateway was at work on ${atWork} corrections, expected fewer; try again later`,
    );
  }

  return async (request) => {
    checkPlace();
    const permit = parts.permits.take();
    let hasPlace = false;
    let onDisk: Promise<unknown> = Promise.resolve();
    try {
      // Asked before the body is read, too: without a model nobody knows its labels.
      parts.link.current();
      const sent = await request.read(permit);
      // Only now: who sends slowly takes no place from those who have sent.
      checkPlace();
      hasPlace = true;
      atWork += 1;
      const deadline = startDeadline(parts.timeoutMs, request.caller);
      try {
        const correction = await prepare(sent, permit, request, deadline.signal);
        const storing = store(correction, deadline.signal);
        onDisk = storing.catch(() => {});
        const record = await orAborted(storing, deadline.signal);
        parts.counted(sent.predicted === undefined ? undefined : sent.predicted === sent.label);
        return record;
      } finally {
        deadline.clear();
      }
    } finally {
      // A disk that hangs holds what it was given beyond the answer, and its place among those at work.
      void onDisk.then(() => {
        if (hasPlace) atWork -= 1;
        permit.release();
      });
    }
  };

  async function prepare(
    sent: SentCorrection,
    permit: Permit,
    { times }: GiveFeedbackRequest,
    signal: AbortSignal,
  ): Promise<Correction> {
    const { description, contract } = parts.link.current();
    const { label, predicted } = sent;
    const isOfThisModel = sent.contract === undefined || sent.contract === contract.digest;
    checkLabel("label", label, contract.labels, isOfThisModel);
    // Another model may have said it, before this one came, and its labels are not known here.
    const isLabelOfOther = !isOfThisModel && FOREIGN_LABEL.test(predicted ?? "");
    if (predicted !== undefined && !isLabelOfOther)
      checkLabel("predicted", predicted, contract.labels, isOfThisModel);
    const read = () =>
      eachPhoto(placed(sent.pictures), signal, async (picture, either) =>
        picture.kind === "bytes" ? picture.bytes : await parts.fetchPicture(picture.url, either, permit.hold),
      );
    const isLinked = sent.pictures.some(({ kind }) => kind === "url");
    const pictures = isLinked ? await times.time("fetch", read) : await read();
    const files = await eachPhoto(placed(pictures), signal, async (bytes, either) => {
      const file = await parts.preprocessor.makeFile(bytes, { purpose: "keep" }, either);
      const size = file.bytes.byteLength;
      // A WebP with an alpha channel may be twenty times as large as a PNG.
      if (size > parts.maxImageBytes) {
        throw new ServeError(
          "IMAGE_TOO_LARGE",
          `picture to keep was ${size} bytes as ${file.mediaType}, expected at most ${parts.maxImageBytes}`,
        );
      }
      permit.hold(size);
      return file;
    });
    return {
      files,
      label,
      predicted: predicted ?? null,
      model: { name: description.name, version: sent.modelVersion ?? null },
      contract: sent.contract ?? null,
      request_id: sent.requestId ?? null,
    };
  }

  /** Ends when the disk has ended, perhaps long after `signal` aborted. */
  async function store(correction: Correction, signal: AbortSignal): Promise<FeedbackRecord> {
    const record = await parts.store.add(correction, signal);
    if (!signal.aborted) return record;
    // The id never reached the person, who could not take the photo back.
    try {
      await parts.store.withdraw(record.id);
    } catch (error) {
      parts.logger.error({ err: error, id: record.id }, "correction could not be taken back");
    }
    throw abortError(signal);
  }
}

/** @throws {ServeError} FEEDBACK_LABEL_UNKNOWN. */
function checkLabel(name: string, given: string, labels: readonly string[], isOfThisModel: boolean): void {
  if (labels.includes(given)) return;
  const since = isOfThisModel ? "" : ", which is of another model than the answer was";
  throw new ServeError(
    "FEEDBACK_LABEL_UNKNOWN",
    `${name} was "${given.slice(0, 100)}", expected one of the labels of GET /info${since}`,
  );
}
