import { contractFromFiles } from "@vitrine/protocol/contract";
import { expect, test } from "vitest";
import { warmUpJobs } from "./warm-up.js";

const LABELS = { id2label: { 0: "a" } };
const VIT = { image_processor_type: "ViTImageProcessor" };

function dimsOf(shape: (number | string)[], preprocessor: object | undefined, rows = [1, 4]) {
  const contract = preprocessor === undefined ? undefined : contractFromFiles(LABELS, preprocessor);
  const graph = { inputs: [{ name: "x", type: "float32", shape } as const], outputs: [] };
  return warmUpJobs(graph, rows, contract).map(
    ({ feeds }) => feeds((bytes) => new ArrayBuffer(bytes)).x?.dims,
  );
}

test.each<[string, (number | string)[], object | undefined, number[][]]>([
  [
    "the graph's",
    ["n", 8, 8, 3],
    { size: 32 },
    [
      [1, 8, 8, 3],
      [4, 8, 8, 3],
    ],
  ],
  ["one run where the rows are fixed", [2, 8, 8, 3], undefined, [[2, 8, 8, 3]]],
  [
    "the contract's where an export leaves all open",
    ["n", "c", "h", "w"],
    VIT,
    [
      [1, 3, 224, 224],
      [4, 3, 224, 224],
    ],
  ],
  [
    "those of the crop",
    ["n", 3, "h", "w"],
    { size: { shortest_edge: 8 }, do_center_crop: true, crop_size: 6 },
    [
      [1, 3, 6, 6],
      [4, 3, 6, 6],
    ],
  ],
  [
    "channels last where the input has them there",
    ["n", "h", "w", 3],
    { ...VIT, size: 4 },
    [
      [1, 4, 4, 3],
      [4, 4, 4, 3],
    ],
  ],
  [
    "1 where nobody knows",
    ["n", "h", "w", 3],
    undefined,
    [
      [1, 1, 1, 3],
      [4, 1, 1, 3],
    ],
  ],
])("zeros have the sizes of %s", (_, shape, preprocessor, expected) => {
  expect(dimsOf(shape, preprocessor)).toEqual(expected);
});
