import { describe, expect, it } from "vitest";
import { shrunkSize, stepsBetween } from "./shrink.js";

describe("shrunkSize", () => {
  it("brings the shorter edge to the limit and keeps the proportions", () => {
    expect(shrunkSize({ width: 4000, height: 3000 }, 768)).toEqual({ width: 1024, height: 768 });
    expect(shrunkSize({ width: 3000, height: 4000 }, 768)).toEqual({ width: 768, height: 1024 });
  });

  it("never enlarges", () => {
    expect(shrunkSize({ width: 4000, height: 768 }, 768)).toBeUndefined();
    expect(shrunkSize({ width: 100, height: 90 }, 768)).toBeUndefined();
  });
});

describe("stepsBetween", () => {
  it("halves until the next half would be too small, then goes to the goal", () => {
    expect(stepsBetween({ width: 4000, height: 3000 }, { width: 1024, height: 768 })).toEqual([
      { width: 2000, height: 1500 },
      { width: 1024, height: 768 },
    ]);
  });

  it("ends exactly at the goal, also where halves lead there, and takes no step of more than two", () => {
    for (let width = 769; width < 9000; width += 61) {
      const from = { width, height: Math.round(width * 0.77) };
      const to = { width: 640, height: Math.round(640 * 0.77) };
      const steps = stepsBetween(from, to);
      expect(steps.at(-1)).toEqual(to);
      [from, ...steps].reduce((before, step) => {
        expect(before.width / step.width).toBeLessThanOrEqual(2.01);
        expect(step.width).toBeLessThanOrEqual(before.width);
        return step;
      });
    }
  });
});
