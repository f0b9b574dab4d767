import { describe, expect, it } from "vitest";
import type { Item } from "./item.js";
import type { PageState, Phase } from "./page-state.js";
import { START } from "./page-state.js";
import { sayIn } from "./say.js";
import { knowsText, limitsText, type Site, tagViewOf } from "./tag-view.js";
import { answerWith, filePhoto, info, itemWith, linkPhoto, say } from "./testing/fixtures.js";

const site: Site = { info, keyFault: undefined, isKeyRefused: false };

function stateOf(phase: Phase, item: Item = itemWith()): PageState {
  return { name: "item", item, phase, attempt: 1 };
}

function reading(changes: Partial<Extract<Phase, { name: "reading" }>>, item?: Item) {
  return tagViewOf(
    stateOf({ name: "reading", sentShare: 0, isSlow: false, isAgain: false, ...changes }, item),
    site,
    say,
  );
}

function answered(item: Item) {
  return tagViewOf(stateOf({ name: "answered" }, item), site, say);
}

describe("tagViewOf", () => {
  it("says what the model knows before anything is chosen", () => {
    expect(knowsText(info, say)).toBe("Knows dress, pants and shirt.");
  });

  it("counts the categories where they are too many to list", () => {
    const labels = Array.from({ length: 1000 }, (_, index) => `label ${index}`);
    expect(knowsText({ ...info, labels }, say)).toBe("Knows 1,000 categories.");
  });

  it("asks for the key of a site that wants one", () => {
    const locked = { ...site, info: undefined, keyFault: { reason: "UNAUTHENTICATED" } as const };
    expect(tagViewOf(START, locked, say)).toMatchObject({
      heading: "This site asks for a key",
      asksKey: true,
    });
  });

  it("shows what is done to a photo: made ready, sent, read", () => {
    expect(reading({ sentShare: undefined })).toMatchObject({ heading: "Making the photo ready" });
    expect(reading({ sentShare: 0.4 })).toMatchObject({ heading: "Sending the photo", progress: 0.4 });
    expect(reading({ sentShare: 1 })).toMatchObject({ heading: "Reading the photo", progress: "unknown" });
    const two = itemWith({ photos: [filePhoto("a.jpg"), filePhoto("b.jpg")] });
    expect(reading({ sentShare: 1 }, two).heading).toBe("Reading the photos");
  });

  it("announces the start and the slowness, but not each step of the upload", () => {
    const announcements = [undefined, 0, 0.3, 1].map((sentShare) => reading({ sentShare }).announcement);
    expect(new Set(announcements).size).toBe(1);
    expect(reading({ isSlow: true }).announcement).toContain("slower than usual");
  });

  it("says why a photo is read again after a reload", () => {
    expect(reading({ isAgain: true }).lead).toContain("left before its answer");
  });

  it("says from where a linked photo comes", () => {
    expect(reading({ sentShare: undefined }, itemWith({ photos: [linkPhoto] }))).toMatchObject({
      heading: "Reading the photo",
      lead: "Fetching it from shop.example.",
      progress: "unknown",
    });
  });

  it("says of files and a link together that they are sent, and from where the link comes", () => {
    const both = itemWith({ photos: [filePhoto("a.jpg"), linkPhoto] });
    expect(reading({ sentShare: undefined }, both)).toMatchObject({
      heading: "Making the photo ready",
      lead: "",
    });
    expect(reading({ sentShare: 0.5 }, both)).toMatchObject({
      heading: "Sending the photos",
      lead: "Fetching the photo from shop.example.",
      progress: 0.5,
    });
  });

  it("asserts a sure answer in words and number, with the next two beside it", () => {
    const view = answered(itemWith());
    expect(view).toMatchObject({
      tone: "sure",
      eyebrow: "Category",
      heading: "pants",
      certainty: "Almost certain",
      percent: "97%",
      photoAlt: "Your photo: pants",
      announcement: "pants, 97%. Almost certain.",
      fine: "The model knows only 3 categories, and names one of them for any picture. clothing-model, version 2, 55 ms",
      canSearch: true,
    });
    expect(view.choices.map(({ label, percent }) => [label, percent])).toEqual([
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
    const view = answered(itemWith({ answer }));
    expect(view).toMatchObject({
      tone: "unsure",
      eyebrow: "Not sure",
      heading: "pants?",
      certainty: "",
      photoAlt: "Your photo",
      announcement: "Not sure. It could be pants, 40% or dress, 35%.",
    });
    expect(view.choices.map(({ label }) => label)).toEqual(["pants", "dress"]);
  });

  it("shows the person's choice as theirs, with what the model said, and offers to undo it", () => {
    expect(answered(itemWith({ chosenLabel: "dress" }))).toMatchObject({
      tone: "chosen",
      eyebrow: "Your choice",
      heading: "dress",
      certainty: "",
      lead: "The model said pants, 97%.",
      canUndo: true,
      choices: [],
    });
  });

  it("says of how many photos an answer is", () => {
    const photos = [filePhoto("a.jpg"), filePhoto("b.jpg")];
    expect(answered(itemWith({ photos })).fine).toMatch(/^From 2 photos\. /);
  });

  it("shows a failure in words, with the request's name for whoever runs the site", () => {
    const fault = { reason: "INTERNAL", requestId: "r1" } as const;
    const state = stateOf({
      name: "failed",
      fault,
      photoId: undefined,
      secondsLeft: undefined,
      isOver: false,
    });
    expect(tagViewOf(state, site, say)).toMatchObject({ tone: "fault", canRetry: true, fine: "Request r1" });
  });

  it("counts a wait down for the eye, and does not tell a screen reader each second", () => {
    const fault = { reason: "OVERLOADED", retryAfterSeconds: 30 } as const;
    const views = [30, 12].map((secondsLeft) =>
      tagViewOf(
        stateOf({ name: "failed", fault, photoId: undefined, secondsLeft, isOver: false }),
        site,
        say,
      ),
    );
    expect(views[1]?.lead).toContain("Try again in 12 seconds.");
    expect(views[1]?.announcement).toBe(views[0]?.announcement);
  });

  it("does not dress up Cancel as an error", () => {
    const fault = { reason: "CANCELLED" } as const;
    const state = stateOf({
      name: "failed",
      fault,
      photoId: undefined,
      secondsLeft: undefined,
      isOver: false,
    });
    expect(tagViewOf(state, site, say)).toMatchObject({ tone: "plain", heading: "Stopped", canRetry: true });
  });

  it("names the photo at fault among several, and offers to go on without it", () => {
    const item = itemWith({ photos: [filePhoto("a.jpg"), filePhoto("b.jpg"), filePhoto("c.jpg")] });
    const fault = { reason: "IMAGE_UNDECODABLE" } as const;
    const phase: Phase = { name: "failed", fault, photoId: "b.jpg", secondsLeft: undefined, isOver: false };
    expect(tagViewOf(stateOf(phase, item), site, say)).toMatchObject({
      eyebrow: "Photo 2",
      heading: "This picture is damaged",
      removal: "Remove it and read the others",
      announcement: expect.stringMatching(/^Photo 2: This picture is damaged\./),
    });
  });

  it("names categories in the language of the page, and keeps the model's label as the value", async () => {
    const view = tagViewOf(stateOf({ name: "answered" }), site, await sayIn("de"));
    expect(view.heading).toBe("Hose");
    expect(view.choices[0]).toMatchObject({ label: "dress", name: "Kleid" });
  });
});

describe("limitsText", () => {
  it("says kinds, size and number", () => {
    expect(limitsText(info, say)).toBe("JPEG or PNG, up to 10 MB each. Up to 8 photos of one item.");
  });
});
