import { type Code, type Reason, ServeError } from "@vitrine/protocol/status";
import { describe, expect, it } from "vitest";
import { describeError, predictError } from "./model-tier-errors.js";

const never = new AbortController().signal;
const from = (code: Code, reason: Reason = "INTERNAL") =>
  new ServeError(reason, "connect ECONNREFUSED 10.1.2.3:8500", { code });

describe("what the caller of Predict sees of", () => {
  it.each<[Code, Code, Reason]>([
    ["INVALID_ARGUMENT", "INTERNAL", "MODEL_CONTRACT_MISMATCH"],
    ["NOT_FOUND", "INTERNAL", "MODEL_CONTRACT_MISMATCH"],
    ["FAILED_PRECONDITION", "INTERNAL", "MODEL_CONTRACT_MISMATCH"],
    ["OUT_OF_RANGE", "INTERNAL", "MODEL_CONTRACT_MISMATCH"],
    ["UNIMPLEMENTED", "INTERNAL", "MODEL_CONTRACT_MISMATCH"],
    ["UNAVAILABLE", "UNAVAILABLE", "MODEL_UNAVAILABLE"],
    ["CANCELLED", "UNAVAILABLE", "MODEL_UNAVAILABLE"],
    ["ABORTED", "UNAVAILABLE", "MODEL_UNAVAILABLE"],
    ["DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"],
    ["RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "OVERLOADED"],
    ["INTERNAL", "INTERNAL", "INTERNAL"],
    ["UNKNOWN", "INTERNAL", "INTERNAL"],
    ["DATA_LOSS", "INTERNAL", "INTERNAL"],
    ["UNAUTHENTICATED", "INTERNAL", "INTERNAL"],
  ])("%s is %s, %s, with the server's words in the cause alone", (given, code, reason) => {
    const seen = predictError(from(given), never);
    expect(seen).toMatchObject({ code, reason });
    expect(seen.message).not.toContain("10.1.2.3");
    expect(seen.cause).toMatchObject({ code: given });
  });

  it.each<Reason>(["QUEUE_FULL", "WORKER_LOST", "DRAINING"])(
    "%s is passed on, to be tried again",
    (reason) => {
      expect(predictError(from("UNAVAILABLE", reason), never)).toMatchObject({
        reason,
        retryAfterSeconds: 1,
      });
    },
  );

  it.each<[Code, Reason]>([
    ["INVALID_ARGUMENT", "LABEL_NOT_FOUND"],
    ["FAILED_PRECONDITION", "LABEL_UNAVAILABLE"],
  ])("%s for %s is a model that is not there yet", (code, reason) => {
    expect(predictError(from(code, reason), never).reason).toBe("MODEL_UNAVAILABLE");
  });

  it("an error after the deadline is the deadline, whatever the socket said", () => {
    const late = AbortSignal.abort(new ServeError("DEADLINE_EXCEEDED", "too late"));
    expect(predictError(from("CANCELLED"), late).reason).toBe("DEADLINE_EXCEEDED");
  });

  it("a bug of ours is an internal error", () => {
    expect(predictError(new TypeError("x is undefined"), never)).toMatchObject({
      code: "INTERNAL",
      reason: "INTERNAL",
    });
  });
});

describe("what GetModelMetadata answers", () => {
  it.each<Code>(["INVALID_ARGUMENT", "FAILED_PRECONDITION"])(
    "%s to a label, as TensorFlow Serving does, is a model that is not there yet",
    (code) => {
      expect(describeError(from(code), never, "m", "stable")).toMatchObject({
        reason: "MODEL_UNAVAILABLE",
        message: 'model tier had no version of "m" under "stable", expected one',
      });
    },
  );

  it.each<[Code, Reason]>([
    ["NOT_FOUND", "MODEL_UNAVAILABLE"],
    ["UNAVAILABLE", "MODEL_UNAVAILABLE"],
    ["UNIMPLEMENTED", "MODEL_CONTRACT_MISMATCH"],
    ["INVALID_ARGUMENT", "MODEL_CONTRACT_MISMATCH"],
  ])("%s is %s: a model that is not there yet may come", (given, reason) => {
    expect(describeError(from(given), never, "m").reason).toBe(reason);
  });
});
