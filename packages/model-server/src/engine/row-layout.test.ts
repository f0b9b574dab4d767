import { expect, test } from "vitest";
import { forEachRun, largestRow } from "./row-layout.js";

function padded(rows: number, row: number[], target: number[]): number[] {
  const elements = rows * row.reduce((a, b) => a * b, 1);
  const result = new Array<number>(rows * target.reduce((a, b) => a * b, 1)).fill(0);
  forEachRun(rows, row, target, (from, to, count) => {
    for (let index = 0; index < count; index++) result[to + index] = from + index + 1;
  });
  expect(result.filter((value) => value > 0)).toHaveLength(elements);
  return result;
}

test("the largest row has the greatest size of each dimension", () => {
  expect(
    largestRow([
      [1, 2, 5],
      [4, 3, 1],
    ]),
  ).toEqual([3, 5]);
});

test.each([
  ["vectors", 2, [2], [3], [1, 2, 0, 3, 4, 0]],
  ["scalars per row", 3, [], [], [1, 2, 3]],
  ["a last dimension that is equal", 1, [1, 2], [2, 2], [1, 2, 0, 0]],
  ["a last dimension that grows", 1, [2, 1], [2, 2], [1, 0, 2, 0]],
  ["both", 2, [1, 1], [2, 2], [1, 0, 0, 0, 2, 0, 0, 0]],
  ["rows of equal size", 2, [2, 2], [2, 2], [1, 2, 3, 4, 5, 6, 7, 8]],
  ["empty rows", 2, [0], [1], [0, 0]],
])("rows keep their place in larger rows: %s", (_, rows, row, target, expected) => {
  expect(padded(rows, row, target)).toEqual(expected);
});
