import { describe, expect, test } from "vitest";
import { readRestExamples, writeClassifications, writeRegressions } from "./rest-examples.js";
import { parseRestBody } from "./rest-request.js";

function read(body: string) {
  return readRestExamples(parseRestBody(Buffer.from(body))).kind;
}

function featuresOf(example: string): Record<string, unknown> {
  const kind = read(`{"examples": [${example}]}`);
  const feature = kind?.$case === "exampleList" ? kind.value.examples[0]?.features?.feature : undefined;
  return Object.fromEntries([...(feature ?? [])].map(([name, value]) => [name, value.kind]));
}

const floats = (...value: number[]) => ({ $case: "floatList", value: { value } });
const integers = (...value: bigint[]) => ({ $case: "int64List", value: { value } });
const texts = (...value: string[]) => ({
  $case: "bytesList",
  value: { value: value.map((text) => new Uint8Array(Buffer.from(text))) },
});

describe("a feature", () => {
  test.each<[string, unknown]>([
    ["1.0", floats(1)],
    ["[1.0, 2.5, NaN]", floats(1, 2.5, Number.NaN)],
    ["1", integers(1n)],
    ["[1, -9223372036854775808]", integers(1n, -9223372036854775808n)],
    ["[true, false]", integers(1n, 0n)],
    ['"é"', texts("é")],
    ["[]", undefined],
  ])("%s", (value, expected) => {
    expect(featuresOf(`{"x": ${value}}`)).toEqual({ x: expected });
  });

  test("of base64 is bytes", () => {
    const { x } = featuresOf('{"x": {"b64": "/w=="}}');
    expect(x).toMatchObject({ $case: "bytesList", value: { value: [Buffer.from([255])] } });
  });
});

test("a context stands beside the examples", () => {
  expect(read('{"context": {"c": 1}, "examples": [{"x": 2}, {}]}')).toMatchObject({
    $case: "exampleListWithContext",
    value: { context: { features: {} }, examples: [{}, {}] },
  });
});

test.each([
  ["{}", "key 'examples' is expected"],
  ['{"examples": {}}', "to be a list/array"],
  ['{"examples": []}', "No values in 'examples' list"],
  ['{"examples": [1, 2]}', "to be a list/array"],
  ['{"examples": [{"x": [1, 2.5]}]}', "mix of kinds"],
  ['{"examples": [{"x": null}]}', "Unexpected JSON Null in feature: x"],
  ['{"examples": [{"x": [[1]]}]}', "Unexpected JSON Array in feature: x"],
  ['{"examples": [{"x": 9223372036854775808}]}', "out of range of int64"],
  ['{"examples": [{"x": {"b64": "%"}}]}', "Unable to base64 decode"],
  ['{"examples": [{}], "context": 1}', "Context must be JSON object but got JSON Number"],
])("%s is refused", (body, message) => {
  expect(() => read(body)).toThrow(message);
});

test("results are lists of pairs, and of values", () => {
  const classes = [
    { label: "", score: 0.1 },
    { label: 'a"b', score: 1 },
  ];
  expect(JSON.parse(writeClassifications({ classifications: [{ classes }] }))).toEqual({
    results: [
      [
        ["", 0.1],
        ['a"b', 1],
      ],
    ],
  });
  expect(writeRegressions({ regressions: [{ value: 1 }, { value: Number.NaN }] })).toContain("[1.0, NaN");
});
