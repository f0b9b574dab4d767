import { describe, expect, test } from "vitest";
import { scanNumbers } from "./rest-numbers.js";

function scan(text: string, start = 0) {
  return scanNumbers(Buffer.from(text), start);
}

function values(text: string): number[] {
  return Array.from(scan(text)?.numbers.values ?? []);
}

/** Numbers that look arbitrary and are the same each time. */
function* noise(): Generator<number> {
  let state = 1;
  for (;;) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

test("gives shape, values, and where it ended", () => {
  const text = '{"x": [[1, 2 ,3],\n[-4,5.5,6e1] ]}';
  const scanned = scan(text, 6);
  expect(scanned?.numbers.shape).toEqual([2, 3]);
  expect(Array.from(scanned?.numbers.values ?? [])).toEqual([1, 2, 3, -4, 5.5, 60]);
  expect(text.slice(scanned?.end)).toBe("}");
});

test.each([
  ["[0, -7, 255]", true],
  ["[999999999999999]", true],
  ["[9007199254740993]", false],
  ["[1.0]", false],
  ["[1e3]", false],
  ["[NaN]", false],
])("%s are exact integers: %s", (text, exact) => {
  expect(scan(text)?.numbers.exactIntegers).toBe(exact);
});

test("knows the words for what is no number", () => {
  expect(values("[NaN, Infinity, -Infinity, Inf, -Inf]")).toEqual([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
});

test.each([
  "[]",
  "[[]]",
  "[1, [2]]",
  "[[1], 2]",
  "[[1, 2], [3]]",
  "[1, true]",
  '[1, "2"]',
  "[1, {}]",
  "[01]",
  "[1.]",
  "[.5]",
  "[1e]",
  "[+1]",
  "[1,]",
  "[1 2]",
  "[1",
  "[-]",
  "[",
  `${"[".repeat(300)}1${"]".repeat(300)}`,
])("leaves %s to the slow way", (text) => {
  expect(scan(text)).toBeUndefined();
});

describe("each value is the nearest double, as Number() gives it:", () => {
  const source = noise();
  const next = () => source.next().value as number;
  test.each<[string, () => string]>([
    ["shortest texts of doubles", () => String(next())],
    ["float32 as Python writes them", () => String(Math.fround(next() * 2 - 1))],
    ["bytes divided by 255", () => String(Math.floor(next() * 256) / 255)],
    ["small ones", () => String(next() * 1e-5)],
    ["large ones", () => String((next() - 0.5) * 1e9)],
    ["up to 20 digits behind the point", () => next().toFixed(Math.floor(next() * 21))],
    ["up to 30 digits", () => next().toPrecision(1 + Math.floor(next() * 30))],
    ["exponents", () => (next() * 10 ** (next() * 600 - 300)).toExponential()],
    ["integers of up to 25 digits", () => (next() * 10 ** (next() * 25)).toFixed(0)],
  ])("%s", (_, text) => {
    const texts = Array.from({ length: 20_000 }, text);
    expect(values(`[${texts.join(",")}]`)).toEqual(texts.map(Number));
  });

  // Exactly between two doubles, and a digit above and below: ties go to the even one.
  test.each([
    "9007199254740993.0",
    "9007199254740992.9999999",
    "0.50000000000000011102230246251565404236316680908203125",
  ])("%s", (text) => {
    expect(values(`[${text}]`)).toEqual([Number(text)]);
  });
});
