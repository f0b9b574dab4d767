import { describe, expect, it } from "vitest";
import type { PageEvent, PageState } from "./page-state.js";
import { attemptOf, photoOf, step } from "./page-state.js";
import { answerWith, filePhoto, linkPhoto } from "./testing/fixtures.js";

const photo = filePhoto();
const answer = answerWith({});

function after(...events: PageEvent[]): PageState {
  return events.reduce(step, { name: "empty" });
}

describe("step", () => {
  it("leads from a photo to its answer", () => {
    const state = after(
      { name: "given", photo },
      { name: "sent", attempt: 1, share: 0.5 },
      { name: "answered", attempt: 1, answer },
    );
    expect(state).toEqual({ name: "answered", photo, attempt: 1, answer });
  });

  it("measures the upload of a file, and of a link nothing", () => {
    expect(after({ name: "given", photo })).toMatchObject({ sentShare: 0 });
    expect(after({ name: "given", photo: linkPhoto })).toMatchObject({ sentShare: undefined });
  });

  it("ignores the answer to a photo that another one has replaced", () => {
    const second = filePhoto("b.jpg");
    const state = after(
      { name: "given", photo },
      { name: "given", photo: second },
      { name: "answered", attempt: 1, answer },
    );
    expect(state).toMatchObject({ name: "reading", photo: second, attempt: 2 });
  });

  it("ignores an answer that comes after Cancel, and keeps the photo", () => {
    const state = after(
      { name: "given", photo },
      { name: "cancelled" },
      { name: "answered", attempt: 1, answer },
    );
    expect(state).toMatchObject({ name: "failed", photo, fault: { reason: "CANCELLED" } });
  });

  it("tries the same photo again under a new attempt", () => {
    const state = after(
      { name: "given", photo },
      { name: "failed", attempt: 1, fault: { reason: "OVERLOADED", retryAfterSeconds: 2 } },
      { name: "retried" },
    );
    expect(state).toMatchObject({ name: "reading", photo, attempt: 2 });
  });

  it("marks a failure whose cause has passed", () => {
    const state = after(
      { name: "given", photo },
      { name: "failed", attempt: 1, fault: { reason: "OVERLOADED", retryAfterSeconds: 2 } },
      { name: "waited", attempt: 1 },
    );
    expect(state).toMatchObject({ name: "failed", isOver: true });
  });

  it("refuses a photo without reading it", () => {
    const state = after({ name: "refused", photo, fault: { reason: "IMAGE_TOO_LARGE" } });
    expect(state).toMatchObject({ name: "failed", photo, attempt: 1 });
  });

  it("stays as it is when there is nothing to cancel or to retry", () => {
    const empty = after();
    expect(step(empty, { name: "cancelled" })).toBe(empty);
    expect(step(empty, { name: "retried" })).toBe(empty);
    expect(attemptOf(empty)).toBe(0);
    expect(photoOf(empty)).toBeUndefined();
  });
});
