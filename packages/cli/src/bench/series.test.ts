import { expect, test } from "vitest";
import { createSeries } from "./series.js";

test("percentiles are values that were seen, whatever the order they came in", () => {
  const series = createSeries();
  for (let value = 2000; value >= 1; value--) series.add(value);
  expect(series.count).toBe(2000);
  expect(series.summary()).toEqual({ mean: 1000.5, p50: 1000, p90: 1800, p95: 1900, p99: 1980, max: 2000 });
});

test("one value is all of its percentiles, and none has none", () => {
  const series = createSeries();
  expect(series.summary()).toBeUndefined();
  series.add(7);
  expect(series.summary()).toEqual({ mean: 7, p50: 7, p90: 7, p95: 7, p99: 7, max: 7 });
});
