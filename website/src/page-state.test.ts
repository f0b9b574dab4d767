import { describe, expect, it } from "vitest";
import type { PageEvent, PageState } from "./page-state.js";
import { itemOf, START, step } from "./page-state.js";
import { answerWith, filePhoto, itemWith } from "./testing/fixtures.js";

const photo = filePhoto();
const second = filePhoto("b.jpg");
const answer = answerWith({});
const given: PageEvent = { name: "given", itemId: "item-1", photos: [photo], isTrial: false };
const answered: PageEvent = { name: "answered", attempt: 1, answer };
const busy = { reason: "OVERLOADED", retryAfterSeconds: 2 } as const;

function after(...events: PageEvent[]): PageState {
  return events.reduce(step, START);
}

describe("step", () => {
  it("leads from a photo to its answer", () => {
    const state = after(given, { name: "sent", attempt: 1, share: 0.5 }, answered);
    expect(state).toEqual({ name: "item", item: itemWith(), phase: { name: "answered" }, attempt: 1 });
  });

  it("makes a tried drawing an item of one's own once there is a word or a photo of the person's in it", () => {
    const tried: PageEvent = { ...given, isTrial: true };
    const chosen: PageEvent = { name: "chosen", label: "dress" };
    const drafted: PageEvent = { name: "drafted", draft: { words: "blue", title: undefined } };
    const isTrial = (...events: PageEvent[]) => itemOf(after(tried, answered, ...events))?.isTrial;
    expect(isTrial(chosen)).toBe(true);
    expect(isTrial(drafted)).toBe(false);
    expect(isTrial({ name: "added", photos: [second] })).toBe(false);
  });

  it("ignores the answer to an item that another one has replaced", () => {
    const state = after(
      given,
      { name: "given", itemId: "item-2", photos: [second], isTrial: false },
      answered,
    );
    expect(state).toMatchObject({ item: { id: "item-2", answer: undefined }, phase: { name: "reading" } });
  });

  it("ignores an answer that comes after Cancel, and keeps the photo", () => {
    const state = after(given, { name: "cancelled" }, answered);
    expect(state).toMatchObject({
      item: { photos: [photo] },
      phase: { name: "failed", fault: { reason: "CANCELLED" } },
    });
  });

  it("reads all photos of an item anew when one is added or removed, and shows the added one", () => {
    const added = after(given, answered, { name: "added", photos: [second] });
    expect(added).toMatchObject({
      item: { photos: [photo, second], shownId: second.id, answer: undefined },
      phase: { name: "reading" },
      attempt: 2,
    });
    expect(step(added, { name: "removed", photoId: second.id })).toMatchObject({
      item: { photos: [photo], shownId: photo.id },
      attempt: 3,
    });
  });

  it("keeps the last photo of an item", () => {
    const one = after(given, answered);
    expect(step(one, { name: "removed", photoId: photo.id })).toBe(one);
  });

  it("keeps draft and choice when the photos change", () => {
    const draft = { words: "blue", title: "Mine" };
    const state = after(
      given,
      answered,
      { name: "chosen", label: "dress" },
      { name: "drafted", draft },
      { name: "added", photos: [second] },
    );
    expect(itemOf(state)).toMatchObject({ chosenLabel: "dress", draft });
  });

  it("takes a choice back, also by choosing what the model said", () => {
    const chosen = after(given, answered, { name: "chosen", label: "dress" });
    expect(itemOf(chosen)?.chosenLabel).toBe("dress");
    expect(itemOf(step(chosen, { name: "chosen", label: undefined }))?.chosenLabel).toBeUndefined();
    expect(itemOf(step(chosen, { name: "chosen", label: "pants" }))?.chosenLabel).toBeUndefined();
  });

  it("takes the first of an unsure answer as a choice", () => {
    const unsure = { ...answered, answer: answerWith({ unsure: true }) };
    const state = after(given, unsure, { name: "chosen", label: "pants" });
    expect(itemOf(state)?.chosenLabel).toBe("pants");
  });

  it("tries the same photos again under a new attempt", () => {
    const state = after(given, { name: "failed", attempt: 1, fault: busy }, { name: "retried" });
    expect(state).toMatchObject({ item: { photos: [photo] }, phase: { name: "reading" }, attempt: 2 });
  });

  it("counts a wait down, and marks when it is over", () => {
    const failed = after(given, { name: "failed", attempt: 1, fault: busy });
    expect(failed).toMatchObject({ phase: { secondsLeft: 2, isOver: false } });
    const counted = step(failed, { name: "counted", attempt: 1, secondsLeft: 1 });
    expect(counted).toMatchObject({ phase: { secondsLeft: 1 } });
    expect(step(counted, { name: "waited", attempt: 1 })).toMatchObject({ phase: { isOver: true } });
  });

  it("shows the photo that is the cause of a failure", () => {
    const both: PageEvent = { name: "given", itemId: "item-1", photos: [photo, second], isTrial: false };
    const fault = { reason: "IMAGE_TOO_LARGE" } as const;
    const state = after(both, { name: "failed", attempt: 1, fault, photoId: second.id });
    expect(itemOf(state)?.shownId).toBe(second.id);
  });

  it("names the cause of a failure only where there are other photos to tell it from", () => {
    const failure = (photos: PageEvent & { name: "given" }) =>
      after(photos, {
        name: "failed",
        attempt: 1,
        fault: { reason: "IMAGE_UNDECODABLE" },
        photoId: photo.id,
      });
    expect(failure({ name: "given", itemId: "item-1", photos: [photo], isTrial: false })).toMatchObject({
      phase: { photoId: undefined },
    });
    const several = failure({ name: "given", itemId: "item-1", photos: [second, photo], isTrial: false });
    expect(several).toMatchObject({ item: { shownId: photo.id }, phase: { photoId: photo.id } });
    expect(step(several, { name: "removed", photoId: photo.id })).toMatchObject({
      item: { photos: [second] },
      phase: { name: "reading" },
    });
  });

  it("takes up an item with its answer, and reads one again that was left without", () => {
    expect(after({ name: "returned", item: itemWith() })).toMatchObject({ phase: { name: "answered" } });
    expect(after({ name: "returned", item: itemWith({ answer: undefined }) })).toMatchObject({
      phase: { name: "reading", isAgain: true },
    });
    expect(after(given, { name: "returned", item: undefined }).name).toBe("start");
  });

  it("stays as it is when there is nothing to cancel, to retry or to choose for", () => {
    for (const event of [
      { name: "cancelled" },
      { name: "retried" },
      { name: "chosen", label: "dress" },
    ] as const) {
      expect(step(START, event)).toBe(START);
    }
  });
});
