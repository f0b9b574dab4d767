import { describe, expect, it } from "vitest";
import { type Heatmap, placeOf, turnOf } from "./place.js";

const WHOLE = { x: 0, y: 0, width: 1, height: 1 };

function map(rows: readonly (readonly number[])[], changes: Partial<Heatmap> = {}): Heatmap {
  const values = rows.flat();
  const [first = []] = rows;
  const method = "activation" as const;
  const isFlat = values.every((value) => value === 0);
  return {
    width: first.length,
    height: rows.length,
    values,
    method,
    photo: 0,
    area: WHOLE,
    orientation: 1,
    flat: isFlat,
    ...changes,
  };
}

const corner = [
  [0, 0, 0],
  [0, 0, 0.2],
  [0, 0, 1],
];

describe("where the evidence lies, in words", () => {
  it("is a field that holds most of it", () => {
    expect(placeOf(map(corner))).toEqual({ name: "field", column: "end", row: "end" });
  });

  it("is a row or a column that holds most of it", () => {
    expect(
      placeOf(
        map([
          [0, 0, 0],
          [0, 0, 0],
          [1, 1, 0.9],
        ]),
      ),
    ).toEqual({ name: "row", row: "end" });
    expect(
      placeOf(
        map([
          [0, 1, 0],
          [0, 1, 0],
          [0, 0.9, 0],
        ]),
      ),
    ).toEqual({ name: "column", column: "middle" });
  });

  it("is where the row and the column cross that each hold most of it", () => {
    const cross = [
      [0.6, 0.7, 0.5],
      [0, 0.7, 0],
      [0, 0.5, 0],
    ];
    expect(placeOf(map(cross))).toEqual({ name: "field", column: "middle", row: "start" });
  });

  it("is everywhere when no part holds much more than another, with the strongest named", () => {
    expect(
      placeOf(
        map([
          [1, 0.8, 0.8],
          [0.8, 0.8, 0.8],
          [0.8, 0.8, 0.8],
        ]),
      ),
    ).toEqual({
      name: "everywhere",
      strongest: { column: "start", row: "start" },
    });
  });

  it("is nowhere when the map is flat", () => {
    expect(
      placeOf(
        map([
          [0, 0],
          [0, 0],
        ]),
      ),
    ).toEqual({ name: "nowhere" });
  });

  it("does not let faint evidence everywhere hide where it is strong", () => {
    const faint = corner.map((row) => row.map((value) => Math.max(0.2, value)));
    expect(placeOf(map(faint))).toEqual({ name: "field", column: "end", row: "end" });
  });

  it("is told of the upright picture where the model took it as it is stored", () => {
    // Orientation 6: what is stored at the lower right is to be seen at the lower left.
    expect(placeOf(map(corner, { orientation: 6 }))).toEqual({ name: "field", column: "start", row: "end" });
    expect(placeOf(map(corner, { orientation: 3 }))).toEqual({
      name: "field",
      column: "start",
      row: "start",
    });
    expect(placeOf(map(corner, { orientation: 8 }))).toEqual({ name: "field", column: "end", row: "start" });
  });

  it("is told of the whole picture where the model saw its middle", () => {
    const area = { x: 1 / 3, y: 1 / 3, width: 1 / 3, height: 1 / 3 };
    expect(placeOf(map(corner, { area }))).toEqual({ name: "field", column: "middle", row: "middle" });
  });

  it("leaves out what lies in the padding", () => {
    const area = { x: 0, y: -1, width: 1, height: 3 };
    const rows = [
      [1, 1, 1],
      [0, 0, 0.5],
      [1, 1, 1],
    ];
    expect(placeOf(map(rows, { area }))).toEqual({ name: "field", column: "end", row: "middle" });
  });
});

it("the turns bring each stored corner to its upright place", () => {
  const corners = Array.from({ length: 8 }, (_, index) => {
    const [a, b, c, d, e, f] = turnOf(index + 1);
    return [
      [0, 0],
      [1, 0],
      [0, 1],
    ].map(([x = 0, y = 0]) => [a * x + c * y + e, b * x + d * y + f].join());
  });
  // Of the stored picture's upper left, upper right and lower left: where they lie on the upright one.
  expect(corners).toEqual([
    ["0,0", "1,0", "0,1"],
    ["1,0", "0,0", "1,1"],
    ["1,1", "0,1", "1,0"],
    ["0,1", "1,1", "0,0"],
    ["0,0", "0,1", "1,0"],
    ["1,0", "1,1", "0,0"],
    ["1,1", "1,0", "0,1"],
    ["0,1", "0,0", "1,1"],
  ]);
});
