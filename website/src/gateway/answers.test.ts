import { describe, expect, it } from "vitest";
import { answerWith } from "../testing/fixtures.js";
import { outcomeOf, retryAfterSecondsOf } from "./answers.js";

function reasonOf(status: number, body: string): string {
  const outcome = outcomeOf(status, body, undefined);
  return outcome.name === "failed" ? outcome.fault.reason : outcome.name;
}

describe("outcomeOf", () => {
  it("takes an answer with everything that the page shows", () => {
    const answer = answerWith({});
    expect(outcomeOf(200, JSON.stringify(answer), undefined)).toEqual({ name: "answered", answer });
  });

  it("does not take a 200 that is something else", () => {
    const { top: _top, ...withoutTop } = answerWith({});
    expect(reasonOf(200, JSON.stringify(withoutTop))).toBe("ANSWER_UNREADABLE");
    expect(reasonOf(200, "<html>a captive portal</html>")).toBe("ANSWER_UNREADABLE");
  });

  it("takes over reason, request and wait of the gateway's problem", () => {
    const body = JSON.stringify({ reason: "OVERLOADED", requestId: "r1" });
    expect(outcomeOf(429, body, 3)).toEqual({
      name: "failed",
      fault: { reason: "OVERLOADED", requestId: "r1", retryAfterSeconds: 3 },
    });
  });

  it("takes over which of several photos is at fault", () => {
    const body = JSON.stringify({ reason: "IMAGE_UNDECODABLE", requestId: "r1", photo: 2 });
    expect(outcomeOf(400, body, undefined)).toMatchObject({ fault: { photo: 2 } });
    const strange = JSON.stringify({ reason: "IMAGE_UNDECODABLE", requestId: "r1", photo: "all" });
    expect(outcomeOf(400, strange, undefined)).toMatchObject({ fault: { reason: "IMAGE_UNDECODABLE" } });
  });

  it("reads a reason that it does not know as a fault of the site", () => {
    expect(reasonOf(500, JSON.stringify({ reason: "NEWER_THAN_THIS_PAGE", requestId: "r1" }))).toBe(
      "INTERNAL",
    );
    expect(reasonOf(500, JSON.stringify({ reason: "toString", requestId: "r1" }))).toBe("INTERNAL");
  });

  it("understands what a proxy in front of the gateway answers by its status", () => {
    expect([413, 429, 502, 503, 504, 500, 404].map((status) => reasonOf(status, "<html></html>"))).toEqual([
      "IMAGE_TOO_LARGE",
      "OVERLOADED",
      "MODEL_UNAVAILABLE",
      "MODEL_UNAVAILABLE",
      "DEADLINE_EXCEEDED",
      "INTERNAL",
      "ANSWER_UNREADABLE",
    ]);
  });
});

describe("retryAfterSecondsOf", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");

  it("takes seconds and dates", () => {
    expect(retryAfterSecondsOf("3", now)).toBe(3);
    expect(retryAfterSecondsOf("Thu, 01 Jan 2026 00:00:10 GMT", now)).toBe(10);
  });

  it("is undefined without a header that it understands, and never negative", () => {
    expect(retryAfterSecondsOf(null, now)).toBeUndefined();
    expect(retryAfterSecondsOf("soon", now)).toBeUndefined();
    expect(retryAfterSecondsOf("Thu, 01 Jan 2015 00:00:00 GMT", now)).toBe(0);
  });
});
