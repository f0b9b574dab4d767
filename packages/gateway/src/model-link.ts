/** What the gateway knows about its model, kept true while the model tier comes, goes and changes. */
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import { startDeadline } from "./deadline.js";
import type { FittedModel } from "./model-fit.js";
import type { CallContext, ModelDescription, PredictionClient } from "./prediction-client.js";

export interface ModelLinkOptions {
  readonly client: Pick<PredictionClient, "describe">;
  /** Throws MODEL_CONTRACT_MISMATCH when the model and its contract do not fit. */
  readonly fit: (description: ModelDescription) => FittedModel;
  /** Longest that one question to the model tier may take. */
  readonly describeTimeoutMs: number;
  /** First and greatest pause between two questions while there is no good answer. */
  readonly retryMs: { readonly first: number; readonly greatest: number };
  readonly logger: Logger;
}

export interface ModelLink {
  /**
   * The model as last seen. Throws while the last question found the tier away, so that nothing is fetched and
   * decoded in vain; a question that merely took too long does not count, the tier may be busy.
   *
   * @throws {ServeError} MODEL_UNAVAILABLE, or MODEL_CONTRACT_MISMATCH when the model does not fit its contract.
   */
  current(): FittedModel;
  /** One version, from memory or by asking; it is the current one from here on. @throws {ServeError} as `current`. */
  ofVersion(version: string, context: CallContext): Promise<FittedModel>;
  /** Asks the model tier; calls at the same time share one question. @throws {ServeError} as `current`. */
  refresh(): Promise<FittedModel>;
  /** A request found the model tier away: ask at once, then until it is back. */
  lost(): void;
  /** Resolves when the model was seen and fits, for the first time. */
  readonly ready: Promise<void>;
  close(): void;
}

/** Versions remembered: while replicas are being replaced, answers of two or three versions alternate. */
const VERSIONS_REMEMBERED = 4;

const NOT_ASKED = {
  reason: "MODEL_UNAVAILABLE",
  message: "model tier has not answered yet, expected it to soon",
} as const;

/** Begins to ask at once. */
export function createModelLink(options: ModelLinkOptions): ModelLink {
  const { logger } = options;
  const versions = new Map<string, FittedModel>();
  let known: FittedModel | undefined;
  let problem: ServeError | undefined;
  let question: Promise<FittedModel> | undefined;
  let pauseMs = options.retryMs.first;
  let timer: NodeJS.Timeout | undefined;
  let toldAs: "info" | "warn" | undefined;
  let isAway = false;
  let isClosed = false;
  let announceReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    announceReady = resolve;
  });

  function remember(model: FittedModel): FittedModel {
    const { version } = model.description;
    const isNews = known?.description.version !== version || known.contract.digest !== model.contract.digest;
    if (isNews)
      logger.info({ model: model.description.name, version, contract: model.contract.digest }, "model seen");
    versions.delete(version);
    versions.set(version, model);
    const [oldest] = versions.keys();
    if (versions.size > VERSIONS_REMEMBERED && oldest !== undefined) versions.delete(oldest);
    known = model;
    isAway = false;
    announceReady();
    return model;
  }

  async function ask(): Promise<FittedModel> {
    const deadline = startDeadline(options.describeTimeoutMs);
    try {
      const model = remember(options.fit(await options.client.describe(deadline)));
      pauseMs = options.retryMs.first;
      problem = undefined;
      clearTimeout(timer);
      timer = undefined;
      return model;
    } catch (error) {
      throw noteProblem(asLinkError(ServeError.from(error)));
    } finally {
      deadline.clear();
      question = undefined;
    }
  }

  function noteProblem(error: ServeError): ServeError {
    const level = mayBeStarting(error) ? "info" : "warn";
    if (error.message !== problem?.message || level !== toldAs) {
      if (level === "warn") logger.warn(inLog(error), "model tier cannot be used");
      else logger.info("waiting for the model tier");
      toldAs = level;
    }
    problem = error;
    if (error.reason === "MODEL_CONTRACT_MISMATCH") known = undefined;
    isAway = !isTimeout(error);
    askLater();
    return error;
  }

  /** A tier that never answered is still starting, until the pauses have grown to their greatest. */
  function mayBeStarting(error: ServeError): boolean {
    const isPatient = versions.size === 0 && pauseMs < options.retryMs.greatest;
    return isPatient && error.reason === "MODEL_UNAVAILABLE";
  }

  function askLater(): void {
    if (timer !== undefined || isClosed) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        refreshUnheard();
      },
      pauseMs * (0.8 + 0.4 * Math.random()),
    );
    timer.unref();
    pauseMs = Math.min(pauseMs * 2, options.retryMs.greatest);
  }

  function refresh(): Promise<FittedModel> {
    question ??= ask();
    return question;
  }

  /** A failure is noted, logged and asked about again in noteProblem; nobody else waits for it. */
  function refreshUnheard(): void {
    refresh().catch(() => undefined);
  }

  refreshUnheard();

  return {
    ready,
    refresh,
    current() {
      if (known !== undefined && !isAway) return known;
      const { reason, message } = problem ?? NOT_ASKED;
      throw new ServeError(reason, message, { cause: problem, retryAfterSeconds: 1 });
    },
    async ofVersion(version, context) {
      const seen = versions.get(version);
      return remember(seen ?? options.fit(await options.client.describe(context, version)));
    },
    lost() {
      if (timer === undefined) refreshUnheard();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** A model and flags that do not fit are nobody's bug: where in the code that was seen helps nobody. */
function inLog(error: ServeError): Record<string, unknown> {
  const { reason, message } = error;
  return reason === "MODEL_CONTRACT_MISMATCH" ? { reason, detail: message } : { err: error };
}

function isTimeout(error: ServeError): boolean {
  return error.cause instanceof ServeError && error.cause.reason === "DEADLINE_EXCEEDED";
}

/**
 * What an error of describing or fitting means to a request. The question's own time limit is not the caller's;
 * a contract that is not valid is no fault of the caller's, either.
 */
function asLinkError(error: ServeError): ServeError {
  if (error.reason === "DEADLINE_EXCEEDED") {
    return new ServeError(
      "MODEL_UNAVAILABLE",
      "model tier did not answer in time, expected it to; try again",
      {
        cause: error,
        retryAfterSeconds: 1,
      },
    );
  }
  if (error.code === "INVALID_ARGUMENT") {
    return new ServeError("MODEL_CONTRACT_MISMATCH", error.message, { cause: error });
  }
  return error;
}
