import { ServeError } from "@vitrine/protocol/status";
import { DataType } from "@vitrine/protocol/tensor";
import { expect, it } from "vitest";
import { fitModel } from "../model-fit.js";
import type { Prediction } from "../prediction-client.js";
import { contract } from "../testing/gateway.js";
import { floats } from "../testing/model-tier.js";
import { type OcclusionQuestion, occlude } from "./occlusion.js";

const NO_FLAGS = {
  preprocess: undefined,
  size: undefined,
  resample: undefined,
  orientation: undefined,
  labels: undefined,
  scoreKind: undefined,
};

const model = fitModel(
  {
    name: "m",
    version: "1",
    signatureName: "serving_default",
    inputs: [{ alias: "image", dtype: DataType.DT_UINT8, shape: [-1, 8, 8, 3] }],
    outputs: [{ alias: "logits", dtype: DataType.DT_FLOAT, shape: [-1, 3] }],
    contract: contract(),
  },
  { folderContract: undefined, flags: NO_FLAGS },
);

const alike = (rows: number): Prediction => ({
  outputs: new Map([["logits", floats([rows, 3], Array(3 * rows).fill(0))]]),
  version: "1",
});

function question(signal: AbortSignal): OcclusionQuestion {
  return {
    tensor: { dtype: DataType.DT_UINT8, shape: [1, 8, 8, 3], data: new Uint8Array(192) },
    model,
    version: "1",
    labelIndex: 0,
    probability: 1 / 3,
    grid: 7,
    context: { signal, remainingMs: () => 1000 },
  };
}

it("has two calls under way at a time, and gives both up when the time is over", async () => {
  const time = new AbortController();
  const signals: AbortSignal[] = [];
  let calls = 0;
  const map = occlude(question(time.signal), {
    predict(_alias, { shape }, _outputs, { signal }) {
      calls += 1;
      if (calls === 1) return Promise.resolve(alike(shape[0] ?? 0));
      signals.push(signal);
      if (calls === 3) time.abort(new ServeError("DEADLINE_EXCEEDED", "late"));
      return new Promise((_resolve, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });
  await expect(map).rejects.toThrow(expect.objectContaining({ reason: "DEADLINE_EXCEEDED" }));
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(calls).toBe(3);
});

it("asks for every patch once, whatever order the answers come in", async () => {
  const held: (() => void)[] = [];
  let rows = 0;
  const map = occlude(question(new AbortController().signal), {
    async predict(_alias, { shape }) {
      const count = shape[0] ?? 0;
      rows += count;
      // Every other answer waits for the next call.
      if (held.length === 0 && rows > 8 && rows < 50)
        await new Promise<void>((resolve) => held.push(resolve));
      else held.pop()?.();
      return alike(count);
    },
  });
  expect(await map).toEqual({ width: 7, height: 7, values: Array(49).fill(0), drop: 0 });
  expect(rows).toBe(50);
});
