import { expect, test } from "vitest";
import { sumOf } from "./tier-usage.js";

const PAGE = `# HELP a_seconds_sum is no sample
# TYPE a_seconds histogram
a_seconds_sum{stage="queue",model="m",version="1"} 1.5
a_seconds_sum{stage="queue",model="m",version="2"} 0.25
a_seconds_sum{stage="total",model="m",version="1"} 9
a_seconds_summary 100
b_bytes 1.2e+08
`;

test("samples of a name and a label are added up, others are not", () => {
  expect(sumOf(PAGE, "a_seconds_sum", new Map([["stage", "queue"]]))).toBe(1.75);
  expect(sumOf(PAGE, "a_seconds_sum")).toBe(10.75);
  expect(sumOf(PAGE, "b_bytes")).toBe(120_000_000);
  expect(sumOf(PAGE, "c_total")).toBe(0);
});
