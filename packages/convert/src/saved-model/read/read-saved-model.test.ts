import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runGraph } from "../../run-graph.js";
import { readSavedModel } from "./read-saved-model.js";
import { readCases, relativeDifference, unpackGolden } from "./testing/tensorflow-golden.js";

const TOLERANCE = 1e-4;
/** TensorFlow looks cubic weights up in a table of 1024 positions between two pixels; ONNX Runtime computes them. */
const CUBIC_TOLERANCE = 1e-3;

describe("each operator gives TensorFlow's answer", async () => {
  const names = Object.keys(await readCases("operators"));
  let golden: Awaited<ReturnType<typeof unpackGolden>>;
  beforeAll(async () => {
    golden = await unpackGolden("operators");
  });
  afterAll(() => rm(golden.folder, { recursive: true }));

  test.each(names)("%s", async (signature) => {
    const graph = await readSavedModel(golden.folder, { signature });
    for (const { inputs, outputs } of golden.cases[signature] ?? []) {
      const results = await runGraph(graph, new Map(Object.entries(inputs)));
      for (const [alias, expected] of Object.entries(outputs)) {
        const tolerance = signature.startsWith("resize_bicubic") ? CUBIC_TOLERANCE : TOLERANCE;
        expect(relativeDifference(results.get(alias), expected)).toBeLessThanOrEqual(tolerance);
      }
    }
  });
});
