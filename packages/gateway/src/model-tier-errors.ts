/** Errors of the model tier as the caller sees them. Their texts may hold inner addresses: they stay in `cause`. */
import { type Reason, ServeError } from "@vitrine/protocol/status";
import { abortError } from "./deadline.js";

/**
 * Of GetModelMetadata.
 *
 * @param label of the version that was asked for. TensorFlow Serving says INVALID_ARGUMENT where it has no such label,
 *   and FAILED_PRECONDITION where its version is not loaded.
 */
export function describeError(
  error: unknown,
  signal: AbortSignal,
  modelName: string,
  label?: string,
): ServeError {
  if (signal.aborted) return abortError(signal);
  const cause = ServeError.from(error);
  if (label !== undefined && (cause.code === "INVALID_ARGUMENT" || cause.code === "FAILED_PRECONDITION")) {
    return unavailable(`model tier had no version of "${modelName}" under "${label}", expected one`, cause);
  }
  if (cause.code === "NOT_FOUND") {
    return unavailable(`model tier did not serve a model "${modelName}", expected it to`, cause);
  }
  if (cause.code === "UNIMPLEMENTED" || cause.code === "INVALID_ARGUMENT") {
    return new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      "model tier did not understand the question about the model, expected the protocol of --engine",
      { cause },
    );
  }
  return predictError(error, signal);
}

/** What a model server of ours says of itself and a caller may know; TensorFlow Serving gives no reasons. */
const PASSED_ON: ReadonlySet<Reason> = new Set<Reason>(["QUEUE_FULL", "WORKER_LOST", "DRAINING"]);

/** Of Predict. The blame rule: what the model tier refuses about the gateway's own choices is no fault of the caller. */
export function predictError(error: unknown, signal: AbortSignal): ServeError {
  if (signal.aborted) return abortError(signal);
  const cause = ServeError.from(error);
  if (cause.reason === "LABEL_NOT_FOUND" || cause.reason === "LABEL_UNAVAILABLE") {
    return unavailable("model tier had no version under the gateway's label, expected one", cause);
  }
  switch (cause.code) {
    case "UNAVAILABLE":
    case "CANCELLED":
    case "ABORTED":
      return unavailable("model tier was not reachable or too busy, expected an answer; try again", cause);
    case "DEADLINE_EXCEEDED":
      return new ServeError("DEADLINE_EXCEEDED", "model tier did not answer within the time that was left", {
        cause,
      });
    case "RESOURCE_EXHAUSTED":
      return new ServeError("OVERLOADED", "model tier had more work than it takes; try again later", {
        cause,
        retryAfterSeconds: 1,
      });
    case "INVALID_ARGUMENT":
    case "NOT_FOUND":
    case "FAILED_PRECONDITION":
    case "OUT_OF_RANGE":
    case "UNIMPLEMENTED":
      return new ServeError(
        "MODEL_CONTRACT_MISMATCH",
        "model tier refused the gateway's request, expected it to fit the model",
        { cause },
      );
    default:
      return new ServeError("INTERNAL", "model tier failed", { cause });
  }
}

function unavailable(message: string, cause: ServeError): ServeError {
  const reason = PASSED_ON.has(cause.reason) ? cause.reason : "MODEL_UNAVAILABLE";
  return new ServeError(reason, message, {
    cause,
    retryAfterSeconds: cause.retryAfterSeconds ?? 1,
  });
}
