import { describe, expect, it } from "vitest";
import { ar } from "./ar.js";
import { de } from "./de.js";
import { en } from "./en.js";
import { formatsOf } from "./formats.js";

const formats = formatsOf("en", en);

describe("formatsOf", () => {
  it("rounds probabilities to whole percent", () => {
    expect(formats.percent(0.424)).toBe("42%");
    expect(formats.percent(0.985)).toBe("99%");
  });

  it("does not call the almost certain certain, nor the unlikely impossible", () => {
    expect(formats.percent(0.9999)).toBe("over 99%");
    expect(formats.percent(0.0001)).toBe("under 1%");
    expect(formats.percent(1)).toBe("100%");
    expect(formats.percent(0)).toBe("0%");
  });

  it("grows more careful in words as the probability falls", () => {
    expect([0.95, 0.8, 0.6, 0.59].map(formats.certainty)).toEqual([
      "Almost certain",
      "Very likely",
      "Likely",
      "Possible",
    ]);
  });

  it("a file one byte over the limit reads as larger than the limit", () => {
    const limit = 10 * 1024 * 1024;
    expect(formats.limit(limit)).toBe("10 MB");
    expect(formats.size(limit + 1)).toBe("10.1 MB");
    expect(formats.limit(limit - 1)).toBe("9.9 MB");
  });

  it("says waits in the unit that fits", () => {
    expect([0.2, 1, 2.1, 89, 90, 300].map(formats.wait)).toEqual([
      "about 1 second",
      "about 1 second",
      "about 3 seconds",
      "about 89 seconds",
      "about 2 minutes",
      "about 5 minutes",
    ]);
  });

  it("gives times of less than 10 ms one digit more", () => {
    expect([0.04, 2.34, 54.6].map(formats.milliseconds)).toEqual(["0 ms", "2.3 ms", "55 ms"]);
  });

  it("lists kinds by the names that people know", () => {
    expect(formats.kinds(["image/jpeg", "image/png", "image/webp"])).toBe("JPEG, PNG or WebP");
  });

  it("speaks other languages by their own rules", () => {
    expect(formatsOf("de", de).wait(3)).toBe("etwa 3 Sekunden");
    expect(formatsOf("de", de).or(["Kleid", "Rock"])).toBe("Kleid oder Rock");
    expect(formatsOf("de", de).size(1.5 * 1024 * 1024)).toBe("1,5 MB");
    expect(formatsOf("ar", ar).percent(0.84)).toMatch(/^\u2068.*84.*%.*\u2069$/u);
    expect(formatsOf("ar", ar).and(["فستان", "قبعة"])).toContain("و");
  });
});
