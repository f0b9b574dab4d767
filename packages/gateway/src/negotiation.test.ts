import { describe, expect, it } from "vitest";
import { bestOf, languageOf, parseWishes } from "./negotiation.js";

const SPOKEN = ["en", "ar", "de"];

describe("languageOf", () => {
  it.each([
    ["de-CH,de;q=0.9,en;q=0.8", "de"],
    ["en;q=0.5, ar", "ar"],
    ["fr, ar-EG;q=0.4, de;q=0.3", "ar"],
    ["DE", "de"],
    ["de;q=0, en;q=0.1", "en"],
    ["de;q=0", undefined],
    ["fr, *;q=0.5", undefined],
    ["", undefined],
    [undefined, undefined],
    [";;q=,=,de;q=7,ar;level=1, en ; q=0.2", "en"],
  ])("of %j is %j", (header, language) => {
    expect(languageOf(header, SPOKEN)).toBe(language);
  });

  it("reads no more of a header than a browser would send", () => {
    const long = `${"fr,".repeat(1_000_000)}de`;
    expect(languageOf(long, SPOKEN)).toBeUndefined();
  });
});

describe("bestOf", () => {
  const offers = ["br", "gzip", "identity"];

  it.each([
    ["gzip, deflate, br, zstd", "br"],
    ["gzip;q=1.0, br;q=0", "gzip"],
    ["*", "br"],
    ["br;q=0, *;q=0.1", "gzip"],
    ["zstd", undefined],
    [undefined, undefined],
  ])("of the codings in %j is %j", (header, coding) => {
    expect(bestOf(parseWishes(header), offers)).toBe(coding);
  });
});
