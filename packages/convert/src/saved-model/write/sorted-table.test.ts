import { expect, test } from "vitest";
import { readSortedTable } from "../read/sorted-table.js";
import { encodeSortedTable } from "./sorted-table.js";

const entriesOf = (count: number, bytes: number) =>
  new Map(
    Array.from({ length: count }, (_, index): [string, Uint8Array] => [
      `layer_${(index * 7919) % count}/kernel`,
      new Uint8Array(bytes).fill(index % 251),
    ]),
  );

test.each([
  ["no entry", new Map<string, Uint8Array>()],
  ["the empty key", new Map([["", Uint8Array.of(1, 2, 3)]])],
  ["names that share their beginnings", entriesOf(100, 20)],
  ["more than one block holds", entriesOf(2000, 400)],
  ["a value larger than a block", entriesOf(3, 300_000)],
])("a table of %s is read back as it was", (_what, entries) => {
  const read = readSortedTable(encodeSortedTable(entries), "variables.index");
  // As texts: matchers take their time over each byte.
  const texts = (map: ReadonlyMap<string, Uint8Array>) =>
    [...map].map(([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`).sort();
  expect(texts(read)).toEqual(texts(entries));
});
