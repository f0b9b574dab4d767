import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import {
  heatmapOfTensor,
  indexOfGreatest,
  jointProbabilities,
  probabilitiesOfScores,
  ranked,
  scoresOfRows,
} from "./scores.js";

const floats = (shape: number[], data: number[]): Tensor => ({
  dtype: DataType.DT_FLOAT,
  shape,
  data: Float32Array.from(data),
});
const logits = { scoreKind: "logits", temperature: 1 } as const;
const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
const mismatch = expect.objectContaining({ reason: "MODEL_CONTRACT_MISMATCH" });

describe("probabilities of logits", () => {
  it("are the softmax", () => {
    const [a, b, c] = probabilitiesOfScores(Float64Array.of(1, 2, 3), logits);
    expect(a).toBeCloseTo(0.09003057317038046, 15);
    expect(b).toBeCloseTo(0.24472847105479764, 15);
    expect(c).toBeCloseTo(0.6652409557748218, 15);
  });

  it.each([[[-60, 30]], [[1000, 999, -1000]], [[-3e38, -3e38]], [[3e38, -3e38]], [[0]]])(
    "%j sum to 1 and stay finite",
    (scores) => {
      const probabilities = probabilitiesOfScores(Float64Array.from(scores), logits);
      expect(sum(probabilities)).toBeCloseTo(1, 12);
      expect(probabilities.every(Number.isFinite)).toBe(true);
    },
  );

  it("a lower temperature makes surer, a higher one less sure, neither changes the order", () => {
    const scores = Float64Array.of(1, 3, 2);
    const [cold, plain, hot] = [0.5, 1, 2].map((temperature) =>
      probabilitiesOfScores(scores, { scoreKind: "logits", temperature }),
    );
    expect(cold![1]).toBeGreaterThan(plain![1]!);
    expect(plain![1]).toBeGreaterThan(hot![1]!);
    for (const each of [cold!, plain!, hot!]) expect(indexOfGreatest(each)).toBe(1);
  });
});

describe("probabilities that the model made", () => {
  const rule = { scoreKind: "probabilities", temperature: 1 } as const;

  it("are kept, less the rounding error of their sum", () => {
    const rounded = Float64Array.of(Math.fround(0.1), Math.fround(0.2), Math.fround(0.7));
    const probabilities = probabilitiesOfScores(rounded, rule);
    expect(sum(probabilities)).toBeCloseTo(1, 15);
    expect(probabilities[2]).toBeCloseTo(0.7, 7);
  });

  it.each([[[0.5, 0.6]], [[3, -2]], [[0, 0]]])("%j are none, and the contract is to blame", (scores) => {
    expect(() => probabilitiesOfScores(Float64Array.from(scores), rule)).toThrow(mismatch);
  });
});

describe("the answer for an item of several photos", () => {
  it("is the mean of the log-probabilities, renormalised", () => {
    const joint = jointProbabilities([Float64Array.of(0.9, 0.1), Float64Array.of(0.4, 0.6)]);
    const unnormalised = [Math.sqrt(0.9 * 0.4), Math.sqrt(0.1 * 0.6)] as const;
    expect(joint[0]).toBeCloseTo(unnormalised[0] / (unnormalised[0] + unnormalised[1]), 12);
    expect(sum(joint)).toBeCloseTo(1, 12);
  });

  it("does not depend on the order of the photos", () => {
    const photos = [
      Float64Array.of(0.7, 0.2, 0.1),
      Float64Array.of(0.1, 0.8, 0.1),
      Float64Array.of(0.3, 0.3, 0.4),
    ];
    const forth = jointProbabilities(photos);
    const back = jointProbabilities([...photos].reverse());
    for (const [index, value] of forth.entries()) expect(value).toBeCloseTo(back[index]!, 12);
  });

  it("of one photo is that photo's own", () => {
    const photo = Float64Array.of(0.25, 0.75);
    expect(jointProbabilities([photo])).toBe(photo);
  });

  it("survives a photo that rules a label out with probability 0", () => {
    const joint = jointProbabilities([Float64Array.of(1, 0), Float64Array.of(0, 1)]);
    expect([...joint]).toEqual([0.5, 0.5]);
  });
});

describe("ranking", () => {
  it("puts the best first, and of equals the model's first", () => {
    const order = ranked(["a", "b", "c", "d"], Float64Array.of(0.1, 0.4, 0.4, 0.1)).map(({ label }) => label);
    expect(order).toEqual(["b", "c", "a", "d"]);
    expect(indexOfGreatest(Float64Array.of(0.1, 0.4, 0.4, 0.1))).toBe(1);
  });
});

describe("the model's output", () => {
  it("is read in float32 and in float64", () => {
    expect(scoresOfRows(floats([2, 2], [1.5, -2, 3, 4]), 2, 2).map((row) => [...row])).toEqual([
      [1.5, -2],
      [3, 4],
    ]);
    const doubles = { dtype: DataType.DT_DOUBLE, shape: [1, 1], data: Float64Array.of(0.1) };
    expect(scoresOfRows(doubles, 1, 1)).toEqual([Float64Array.of(0.1)]);
  });

  it.each([
    ["too many", floats([1, 3], [1, 2, 3])],
    ["two rows", floats([2, 2], [1, 2, 3, 4])],
    ["NaN", floats([1, 2], [Number.NaN, 1])],
    ["infinite", floats([1, 2], [Number.POSITIVE_INFINITY, 1])],
    ["integers", { dtype: DataType.DT_INT32, shape: [1, 2], data: Int32Array.of(1, 2) }],
  ])("is refused when it is %s", (_what, tensor) => {
    expect(() => scoresOfRows(tensor, 1, 2)).toThrow(mismatch);
  });
});

describe("the heat map", () => {
  it("is the label's own map: row-major, strongest evidence 1, evidence against it 0", () => {
    const maps = floats([1, 2, 2, 3], [9, 9, 9, 9, 9, 9, 0, 1, 2, -4, 4, 3]);
    expect(heatmapOfTensor(maps, 1, 2)).toEqual({ width: 3, height: 2, values: [0, 0.25, 0.5, 0, 1, 0.75] });
  });

  it("is all 0 where nothing speaks for the label", () => {
    expect(heatmapOfTensor(floats([1, 1, 1, 2], [-1, 0]), 0, 1).values).toEqual([0, 0]);
  });

  it.each([[[1, 3, 1, 2]], [[1, 1, 2, 3]], [[6]], [[1, 6]]])("shape %j for 2 labels is refused", (shape) => {
    expect(() => heatmapOfTensor(floats(shape, [1, 2, 3, 4, 5, 6]), 0, 2)).toThrow(mismatch);
  });
});
