import { expect, test } from "vitest";
import { codeOfNumber, GRPC_STATUS, HTTP_STATUS, httpStatusOf, REASONS, ServeError } from "./status.js";

test("a reason brings its code, which may be said otherwise", () => {
  expect(new ServeError("QUEUE_FULL", "x").code).toBe("UNAVAILABLE");
  expect(new ServeError("INTERNAL", "x", { code: "UNKNOWN" })).toMatchObject({
    reason: "INTERNAL",
    code: "UNKNOWN",
  });
});

test("a ServeError passes through from(), anything else becomes INTERNAL and hides its message", () => {
  const error = new ServeError("OVERLOADED", "x", { retryAfterSeconds: 2 });
  expect(ServeError.from(error)).toBe(error);
  const bug = new TypeError("/etc/secret");
  expect(ServeError.from(bug)).toMatchObject({ reason: "INTERNAL", message: "internal error", cause: bug });
  expect(ServeError.from(undefined)).toMatchObject({ reason: "INTERNAL", message: "internal error" });
});

test("each number of gRPC has its name, others are UNKNOWN", () => {
  for (const [code, number] of Object.entries(GRPC_STATUS)) expect(codeOfNumber(number)).toBe(code);
  expect([17, -1, Number.NaN].map(codeOfNumber)).toEqual(["UNKNOWN", "UNKNOWN", "UNKNOWN"]);
});

test("each reason has an HTTP status of errors", () => {
  for (const reason of Object.keys(REASONS) as (keyof typeof REASONS)[]) {
    const status = httpStatusOf(new ServeError(reason, "x"));
    expect(status, reason).toBeGreaterThanOrEqual(400);
    expect(status, reason).toBeLessThan(600);
  }
});

test("a reason may say more than its code does", () => {
  expect(httpStatusOf(new ServeError("IMAGE_TOO_LARGE", "x"))).toBe(413);
  expect(httpStatusOf(new ServeError("IMAGE_TYPE_UNSUPPORTED", "x"))).toBe(415);
  expect(httpStatusOf(new ServeError("MODEL_NOT_FOUND", "x"))).toBe(HTTP_STATUS.NOT_FOUND);
});
