import { expect, test } from "vitest";
import { expandSnappy } from "./snappy.js";

/** Made by cramjam 2.14 of a sentence 40 times, all bytes once, and 3000 zeros. */
const COMPRESSED = Buffer.from(
  "gCBQdGhlIHF1aWNrIGJyb3duIGZveC4g/hUA/hUA/hUA/hUA/hUA/hUA/hUA/hUA/hUA/hUA/hUA/hUAyhUA9A4BAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/wAAAAAAAAAAAAAAAAAAAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAP4JAKIJAA==",
  "base64",
);

const EXPANDED = Buffer.concat([
  Buffer.from("the quick brown fox. ".repeat(40)),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  Buffer.alloc(3000),
]);

test("a block expands to what was compressed", () => {
  expect(Buffer.from(expandSnappy(COMPRESSED)).equals(EXPANDED)).toBe(true);
});

test("literals with lengths of two bytes and copies with distances of four are read", () => {
  const literal = Buffer.from("abcd".repeat(50));
  const block = Buffer.concat([
    Buffer.from([204, 1, (61 << 2) | 0, 199, 0]),
    literal,
    Buffer.from([(3 << 2) | 3, 200, 0, 0, 0]),
  ]);
  expect(Buffer.from(expandSnappy(block)).toString()).toBe(`${literal}abcd`);
});

test.each([
  ["ends early", COMPRESSED.subarray(0, 200)],
  ["is empty", Buffer.alloc(0)],
  ["has a length without end", Buffer.alloc(20, 0xff)],
  ["says that it is enormous", Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])],
  ["copies from before its start", Buffer.from([4, 1, 0xff])],
  ["copies from nowhere", Buffer.from([5, 0, 65, 1, 0])],
  ["expands to more than it says", Buffer.from([1, 4, 65, 66])],
  ["expands to less than it says", Buffer.from([3, 0, 65])],
])("a block that %s is refused", (_, block) => {
  expect(() => expandSnappy(block)).toThrow(expect.objectContaining({ reason: "MODEL_INVALID" }));
});
