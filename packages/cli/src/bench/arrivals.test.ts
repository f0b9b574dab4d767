import { expect, test } from "vitest";
import { arrivalGaps } from "./arrivals.js";

test("constant arrivals come after the same time each", () => {
  const gapMs = arrivalGaps(50, "constant");
  expect([gapMs(), gapMs()]).toEqual([20, 20]);
});

test("Poisson arrivals have the wanted mean, and their spread is as large as it", () => {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const gapMs = arrivalGaps(50, "poisson", random);
  const gaps = Array.from({ length: 20_000 }, gapMs);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  expect(mean).toBeGreaterThan(19.5);
  expect(mean).toBeLessThan(20.5);
  expect(deviation / mean).toBeGreaterThan(0.95);
  expect(deviation / mean).toBeLessThan(1.05);
});
