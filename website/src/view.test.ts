import { describe, expect, it } from "vitest";
import type { PageState } from "./page-state.js";
import { answerWith, filePhoto, info, linkPhoto } from "./testing/fixtures.js";
import { limitsText, viewOf } from "./view.js";

const photo = filePhoto();

function reading(changes: Partial<PageState & { name: "reading" }>): PageState {
  return { name: "reading", photo, attempt: 1, sentShare: 0, isSlow: false, ...changes };
}

describe("viewOf", () => {
  it("says what the model knows before anything is chosen", () => {
    expect(viewOf({ name: "empty" }, info).fine).toBe("Knows dress, pants and shirt.");
    expect(viewOf({ name: "empty" }, undefined).fine).toBe("");
  });

  it("counts the categories where they are too many to list", () => {
    const labels = Array.from({ length: 1000 }, (_, index) => `label ${index}`);
    expect(viewOf({ name: "empty" }, { ...info, labels }).fine).toBe("Knows 1000 categories.");
  });

  it("shows how much has been sent, then that it is being read", () => {
    expect(viewOf(reading({ sentShare: 0.4 }), info)).toMatchObject({
      heading: "Sending the photo",
      progress: 0.4,
      canCancel: true,
    });
    expect(viewOf(reading({ sentShare: 1 }), info)).toMatchObject({
      heading: "Reading the photo",
      progress: "unknown",
    });
  });

  it("announces the start and the slowness, but not each step of the upload", () => {
    const announcements = [0, 0.3, 1].map((sentShare) => viewOf(reading({ sentShare }), info).announcement);
    expect(new Set(announcements).size).toBe(1);
    expect(viewOf(reading({ isSlow: true }), info).announcement).toContain("slower than usual");
  });

  it("says that only the first of several photos is read", () => {
    const several = filePhoto("a.jpg", "image/jpeg", 3);
    expect(viewOf(reading({ photo: several }), info).lead).toBe("Reading the first of 3 photos.");
  });

  it("says from where a linked photo comes", () => {
    expect(viewOf(reading({ photo: linkPhoto, sentShare: undefined }), info)).toMatchObject({
      lead: "Fetching it from shop.example.",
      progress: "unknown",
    });
  });

  it("asserts a sure answer in words and number, with the next two beside it", () => {
    const view = viewOf({ name: "answered", photo, attempt: 1, answer: answerWith({}) }, info);
    expect(view).toMatchObject({
      tone: "sure",
      eyebrow: "Category",
      heading: "pants",
      certainty: "Almost certain",
      percent: "97%",
      photoAlt: "Your photo: pants",
      announcement: "pants. Almost certain, 97%.",
      fine: "clothing-model, version 2, 55 ms",
    });
    expect(view.others.map(({ label, percent }) => [label, percent])).toEqual([
      ["dress", "2%"],
      ["shirt", "1%"],
    ]);
  });

  it("asks instead of asserting when the answer is unsure", () => {
    const answer = answerWith({
      unsure: true,
      top_probability: 0.4,
      top: [
        { label: "pants", probability: 0.4 },
        { label: "dress", probability: 0.35 },
      ],
    });
    const view = viewOf({ name: "answered", photo, attempt: 1, answer }, info);
    expect(view).toMatchObject({
      tone: "unsure",
      eyebrow: "Not sure",
      heading: "pants?",
      certainty: "",
      photoAlt: "Your photo",
      announcement: "Not sure. It could be pants, 40% or dress, 35%.",
    });
    expect(view.others.map(({ label }) => label)).toEqual(["pants", "dress"]);
  });

  it("shows a failure in words, with the request's name for whoever runs the site", () => {
    const fault = { reason: "INTERNAL", requestId: "r1" } as const;
    const view = viewOf({ name: "failed", photo, attempt: 1, fault, isOver: false }, info);
    expect(view).toMatchObject({ tone: "fault", photo, canRetry: true, fine: "Request r1" });
  });

  it("does not dress up Cancel as an error", () => {
    const fault = { reason: "CANCELLED" } as const;
    const view = viewOf({ name: "failed", photo, attempt: 1, fault, isOver: false }, info);
    expect(view).toMatchObject({ tone: "plain", heading: "Stopped", canRetry: true });
  });
});

describe("limitsText", () => {
  it("says kinds and size", () => {
    expect(limitsText(info)).toBe("JPEG or PNG, up to 10 MB.");
  });
});
