import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { tensorOf } from "../pixels/normalize.js";
import { evidenceOf, hiddenRows, patchesOf } from "./patches.js";

const picture = { width: 2, height: 2, pixels: Uint8Array.of(0, 10, 20, 40, 50, 60, 0, 10, 20, 40, 50, 60) };

describe("patches", () => {
  it("lie around the middle of each cell, row by row, and are cut off at the edges", () => {
    const patches = patchesOf(7, { width: 70, height: 140 });
    expect(patches).toHaveLength(49);
    expect(patches[0]).toEqual({ left: 0, top: 0, right: 20, bottom: 40 });
    expect(patches[24]).toEqual({ left: 20, top: 40, right: 50, bottom: 100 });
    expect(patches[48]).toEqual({ left: 50, top: 100, right: 70, bottom: 140 });
  });

  it("cover the whole picture, however coarse the grid", () => {
    const size = { width: 11, height: 5 };
    for (const grid of [2, 3, 4, 8]) {
      const patches = patchesOf(grid, size);
      for (let y = 0; y < size.height; y += 1) {
        for (let x = 0; x < size.width; x += 1) {
          const isCovered = patches.some((p) => x >= p.left && x < p.right && y >= p.top && y < p.bottom);
          expect(isCovered).toBe(true);
        }
      }
    }
  });
});

describe("a hidden part", () => {
  it.each(["NHWC", "NCHW"] as const)(
    "has the picture's mean colour in %s, and the rest is as it was",
    (layout) => {
      const tensor = tensorOf(picture, { kind: "pixels" }, false, layout, DataType.DT_UINT8);
      const rows = hiddenRows(tensor, layout, [undefined, { left: 0, top: 1, right: 1, bottom: 2 }]);
      const hidden = { ...picture, pixels: Uint8Array.of(0, 10, 20, 40, 50, 60, 20, 30, 40, 40, 50, 60) };
      const expected = tensorOf(hidden, { kind: "pixels" }, false, layout, DataType.DT_UINT8);
      expect(rows.shape).toEqual([2, ...tensor.shape.slice(1)]);
      expect([...rows.data]).toEqual([...tensor.data, ...expected.data]);
    },
  );

  it("is in the tensor's own numbers", () => {
    const arithmetic = { kind: "keras", preset: "tf" } as const;
    const tensor = tensorOf(picture, arithmetic, false, "NHWC", DataType.DT_FLOAT);
    const rows = hiddenRows(tensor, "NHWC", [{ left: 0, top: 0, right: 2, bottom: 2 }]);
    expect(rows.data[0]).toBeCloseTo(20 / 127.5 - 1, 5);
    expect(new Set(rows.data).size).toBe(3);
  });
});

describe("the evidence", () => {
  const size = { width: 70, height: 70 };
  const patches = patchesOf(7, size);

  it("is strongest where the patches that hurt overlap", () => {
    // The object is one pixel: whatever hides it takes the answer away.
    const drops = patches.map(({ left, top, right, bottom }) =>
      45 >= left && 45 < right && 25 >= top && 25 < bottom ? 0.8 : 0,
    );
    const values = evidenceOf(drops, patches, 7, size);
    expect(values.indexOf(1)).toBe(2 * 7 + 4);
    expect(values[0]).toBe(0);
  });

  it("is 0 where hiding helps", () => {
    const values = evidenceOf(
      patches.map((_, index) => (index < 10 ? -0.5 : 0.1)),
      patches,
      7,
      size,
    );
    expect(values[0]).toBe(0);
    expect(Math.max(...values)).toBe(1);
  });

  it("is all 0 where nothing fell", () => {
    const drops = patches.map(() => -0.1);
    expect(new Set(evidenceOf(drops, patches, 7, size))).toEqual(new Set([0]));
  });
});
