import { REASONS } from "@vitrine/protocol/status";
import { describe, expect, it } from "vitest";
import type { Fault } from "./fault.js";
import { type FaultCircumstances, isKnownReason, wordsOfFault } from "./fault-words.js";
import { sayIn } from "./say.js";
import { say as english, filePhoto, info, linkPhoto } from "./testing/fixtures.js";
import { LANGUAGES } from "./words/choice.js";

const around = { ...english, limits: info.limits };

function say(fault: Fault, photo = filePhoto(), changes: Partial<FaultCircumstances> = {}): string {
  const { title, text } = wordsOfFault(fault, { ...around, photo, ...changes });
  return `${title}. ${text}`;
}

describe("wordsOfFault", () => {
  it.each(LANGUAGES)(
    "has words in %s for every reason of the catalogue, and shows none of its codes",
    async (language) => {
      const said = { ...(await sayIn(language)), limits: info.limits };
      for (const reason of Object.keys(REASONS)) {
        expect(isKnownReason(reason), reason).toBe(true);
        if (isKnownReason(reason)) {
          const { title, text } = wordsOfFault({ reason }, { ...said, photo: filePhoto() });
          expect(title, reason).toMatch(/^[\p{Lu}\p{Lo}]/u);
          expect(text, reason).toMatch(/\.$/);
          expect(`${title} ${text}`, reason).not.toMatch(/[A-Z]_[A-Z]|undefined|NaN/);
        }
      }
    },
  );

  it("says the size and the limit of a photo that is too large", () => {
    const photo = filePhoto();
    expect(say({ reason: "IMAGE_TOO_LARGE" }, photo)).toContain("It has 0.1 MB.");
    expect(say({ reason: "IMAGE_TOO_LARGE" }, photo)).toContain("up to 10 MB");
    expect(say({ reason: "IMAGE_TOO_LARGE" }, linkPhoto)).not.toContain("It has");
  });

  it("tells owners of HEIC photos what to do, by bytes, type or name, and by the name of a link", () => {
    const unsupported: Fault = { reason: "IMAGE_TYPE_UNSUPPORTED" };
    expect(say(unsupported, filePhoto("a", "image/heic"))).toContain("Most Compatible");
    expect(say(unsupported, filePhoto("IMG_1.HEIC", ""))).toContain("Most Compatible");
    expect(say({ ...unsupported, isHeic: true }, filePhoto("a.jpg"))).toContain("HEIC photos cannot be read");
    const link = { kind: "link", id: "1", url: "https://shop.example/IMG_1.heic?size=1" } as const;
    expect(say(unsupported, link)).toContain("Export the photo as a JPEG");
    expect(say(unsupported, linkPhoto)).toContain("Photos can be JPEG or PNG.");
    expect(say(unsupported, filePhoto("a.pdf", "application/pdf"))).toContain("Photos can be JPEG or PNG.");
  });

  it("names the website behind a link that failed, without the rest of the address", () => {
    const text = say({ reason: "IMAGE_URL_FAILED" }, linkPhoto);
    expect(text).toContain("shop.example did not hand it over");
    expect(text).not.toContain("token");
  });

  it("says when to try again, and later that it is time", () => {
    const busy: Fault = { reason: "OVERLOADED", retryAfterSeconds: 3 };
    expect(say(busy)).toContain("Try again in about 3 seconds.");
    expect(say(busy, filePhoto(), { secondsLeft: 2 })).toContain("Try again in 2 seconds.");
    expect(say(busy, filePhoto(), { isOver: true })).toContain("You can try again now.");
  });

  it("offers another try where one may help, and none where the photo is at fault", () => {
    const canRetry = (reason: Fault["reason"]) =>
      wordsOfFault({ reason }, { ...around, photo: filePhoto() }).canRetry;
    expect(
      ["OVERLOADED", "OFFLINE", "STALLED", "CANCELLED", "DEADLINE_EXCEEDED"].every(
        (reason) => isKnownReason(reason) && canRetry(reason),
      ),
    ).toBe(true);
    expect(canRetry("IMAGE_UNDECODABLE")).toBe(false);
    expect(canRetry("FILE_EMPTY")).toBe(false);
    expect(canRetry("FILE_CHANGED")).toBe(false);
  });

  it("tells a key that is missing from one that is wrong", () => {
    const fault: Fault = { reason: "UNAUTHENTICATED" };
    expect(say(fault)).toContain("asks for a key");
    expect(say(fault, filePhoto(), { isKeyRefused: true })).toContain("not known here");
  });
});
