import { describe, expect, it } from "vitest";
import { reportOf } from "./report.js";
import { bestOf, hopsOf, readTold, type Told } from "./steps.js";

const told: Told = {
  steps: {
    photo: 0,
    original: { format: "jpeg", bytes: 1234, width: 4000, height: 3000, orientation: 6 },
    upright: { width: 3000, height: 4000, used: true },
    input: {
      name: "pixels",
      dtype: "uint8",
      layout: "NHWC",
      width: 256,
      height: 256,
      area: { x: 0, y: 0, width: 1, height: 1 },
      channels: [{ colour: "red", min: 0, max: 255, mean: 101.5 }],
      picture: "data:image/png;base64,AA==",
      picture_is_exact: true,
    },
    scores: { dress: -1, pants: 4.5 },
    temperature: 0.43,
    probabilities: { dress: 0.01, pants: 0.99 },
  },
  model: { name: "clothing-model", version: "2" },
  contract: "sha256:0f",
  timings: { decode: 10, resize: 5, predict: 20, explain: 8, total: 45 },
};

describe("the hops", () => {
  it("add up to what the browser measured", () => {
    const hops = hopsOf(told.timings, 100);
    expect(hops).toEqual([
      ["network", 55],
      ["decode", 10],
      ["resize", 5],
      ["predict", 20],
      ["explain", 8],
      ["rest", 2],
    ]);
    expect(hops.reduce((sum, [, ms]) => sum + ms, 0)).toBe(100);
  });

  it("are never below zero: several photos' stages run side by side, and clocks are coarse", () => {
    const hops = hopsOf({ fetch: 3, decode: 40, resize: 20, predict: 20, total: 45 }, 44.9);
    expect(hops).toEqual([
      ["network", 0],
      ["fetch", 3],
      ["decode", 40],
      ["resize", 20],
      ["predict", 20],
      ["rest", 0],
    ]);
  });
});

it("an answer is read only when it holds what is shown", () => {
  expect(readTold(told)).toEqual(told);
  const { steps: _steps, ...without } = told;
  for (const other of [
    null,
    [],
    without,
    { ...told, steps: { ...told.steps, scores: { pants: "4.5" } } },
    { ...told, steps: { ...told.steps, input: { ...told.steps.input, channels: [{}] } } },
    { ...told, timings: { total: "45" } },
  ]) {
    expect(readTold(other)).toBeUndefined();
  }
});

it("labels stand in the order of their probability, at most so many", () => {
  expect(bestOf(told.steps, 12)).toEqual(["pants", "dress"]);
  expect(bestOf(told.steps, 1)).toEqual(["pants"]);
});

it("the report names everything that support asks for", () => {
  const at = new Date("2026-01-02T03:04:05Z");
  const report = reportOf(told, { requestId: "req-7", durationMs: 100, at });
  for (const part of [
    "request: req-7",
    "time: 2026-01-02T03:04:05.000Z",
    "model: clothing-model, version 2",
    "contract: sha256:0f",
    "photo 1: jpeg, 4000x3000, 1234 bytes, EXIF orientation 6",
    "input: pixels, uint8 NHWC 256x256",
    "pants: 0.9900 (score 4.5000)",
    "milliseconds: network 55.0, decode 10.0, resize 5.0, predict 20.0, explain 8.0, rest 2.0; 100.0 in all",
  ]) {
    expect(report).toContain(part);
  }
});
