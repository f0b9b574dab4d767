import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Tensor } from "@vitrine/protocol/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runGraph } from "../../run-graph.js";
import { CASES } from "./testing/cases.js";
import { PYTHON, runInTensorFlow } from "./testing/tensorflow.js";
import { writeSavedModel } from "./write-saved-model.js";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "vitrine-write-"));
});
afterAll(async () => rm(scratch, { recursive: true }));

describe.skipIf(PYTHON === undefined)(
  "TensorFlow (VITRINE_PYTHON) computes what ONNX Runtime computes",
  () => {
    let results: (ReadonlyMap<string, Tensor> | string)[] = [];

    beforeAll(async () => {
      const runs = [];
      for (const [index, { graph, feeds }] of CASES.entries()) {
        const folder = path.join(scratch, String(index));
        await mkdir(folder);
        await writeSavedModel(graph, folder);
        runs.push({ folder, feeds });
      }
      results = await runInTensorFlow(runs, scratch);
    }, 600_000);

    test.each(CASES.map(({ name }, index) => [name, index] as const))("%s", async (_name, index) => {
      const { graph, feeds } = CASES[index] ?? expect.unreachable();
      const expected = await runGraph(graph, feeds);
      const actual = results[index];
      if (typeof actual === "string" || actual === undefined) expect.unreachable(actual);
      expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [alias, tensor] of expected) expectSame(actual.get(alias), tensor);
    });
  },
);

/** Within 1e-4 of the range of the expected values. */
function expectSame(actual: Tensor | undefined, expected: Tensor): void {
  expect(actual?.dtype).toBe(expected.dtype);
  expect(actual?.shape).toEqual([...expected.shape]);
  const [left, right] = [numbersOf(actual), numbersOf(expected)];
  const range = Math.max(...right) - Math.min(...right) || 1;
  const worst = left.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (right[index] ?? Number.NaN))),
    0,
  );
  expect(worst / range).toBeLessThan(1e-5);
}

function numbersOf(tensor: Tensor | undefined): number[] {
  return ArrayBuffer.isView(tensor?.data) ? Array.from(tensor.data, Number) : [];
}
