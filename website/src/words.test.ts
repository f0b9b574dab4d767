import { describe, expect, it } from "vitest";
import {
  certaintyOf,
  kindsOf,
  limitInMegabytes,
  listOf,
  percentOf,
  sizeInMegabytes,
  waitOf,
} from "./words.js";

describe("percentOf", () => {
  it("rounds to whole percent", () => {
    expect(percentOf(0.424)).toBe("42%");
    expect(percentOf(0.985)).toBe("99%");
  });

  it("does not call the almost certain certain, nor the unlikely impossible", () => {
    expect(percentOf(0.9999)).toBe("over 99%");
    expect(percentOf(0.0001)).toBe("under 1%");
    expect(percentOf(1)).toBe("100%");
    expect(percentOf(0)).toBe("0%");
  });
});

describe("certaintyOf", () => {
  it("grows more careful as the probability falls", () => {
    expect([0.95, 0.8, 0.6, 0.59].map(certaintyOf)).toEqual([
      "Almost certain",
      "Very likely",
      "Likely",
      "Possible",
    ]);
  });
});

describe("sizes", () => {
  it("a file one byte over the limit reads as larger than the limit", () => {
    const limit = 10 * 1024 * 1024;
    expect(limitInMegabytes(limit)).toBe("10 MB");
    expect(sizeInMegabytes(limit + 1)).toBe("10.1 MB");
  });

  it("a limit between tenths is rounded down", () => {
    expect(limitInMegabytes(10_000_000)).toBe("9.5 MB");
  });
});

describe("listOf", () => {
  it("joins with commas and one conjunction", () => {
    expect(listOf([], "or")).toBe("");
    expect(listOf(["a"], "or")).toBe("a");
    expect(listOf(["a", "b"], "or")).toBe("a or b");
    expect(listOf(["a", "b", "c"], "and")).toBe("a, b and c");
  });
});

describe("kindsOf", () => {
  it("names media types as people do", () => {
    expect(kindsOf(["image/jpeg", "image/png", "image/webp"])).toBe("JPEG, PNG or WebP");
  });
});

describe("waitOf", () => {
  it("says seconds up to a minute and a half, then minutes", () => {
    expect([0, 1, 2.2, 89, 90].map(waitOf)).toEqual([
      "about a second",
      "about a second",
      "about 3 seconds",
      "about 89 seconds",
      "about 2 minutes",
    ]);
  });
});
