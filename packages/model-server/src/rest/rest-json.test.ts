import { describe, expect, test } from "vitest";
import {
  JsonDecimal,
  JsonNumbers,
  type JsonValue,
  parseJson as parseBytes,
  plainArray,
} from "./rest-json.js";

/** Lists of numbers are read the slow way too, which must agree. */
function parseJson(text: string): JsonValue {
  const bytes = Buffer.from(text);
  const value = parseBytes(bytes);
  return value instanceof JsonNumbers ? plainArray(bytes, value) : value;
}

describe("numbers", () => {
  test("integers are exact at any size", () => {
    expect(parseJson("[0, -7, 9007199254740991, 9007199254740993, -9223372036854775808]")).toEqual([
      0,
      -7,
      9007199254740991,
      9007199254740993n,
      -9223372036854775808n,
    ]);
  });

  test("a decimal whose value is whole is told from an integer", () => {
    expect(parseJson("[1.5, 1.0, 1e3, -0.0]")).toEqual([
      1.5,
      new JsonDecimal(1),
      new JsonDecimal(1000),
      new JsonDecimal(-0),
    ]);
  });

  test("the words for non-finite numbers are read bare", () => {
    expect(parseJson("[NaN, Infinity, -Infinity, Inf, -Inf]")).toEqual(
      [Number.NaN, Infinity, -Infinity, Infinity, -Infinity].map((value) => new JsonDecimal(value)),
    );
  });

  test.each(["-", "1.", "1e", "1e+", "[01]", "+1", ".5"])("%s is refused", (text) => {
    expect(() => parseJson(text)).toThrow(/^JSON Parse error: /);
  });
});

describe("texts", () => {
  test("escapes are read, of which an escaped quote does not end the text", () => {
    expect(parseJson('"a\\"b\\\\"')).toBe('a"b\\');
    expect(parseJson('"\\u00e9\\n"')).toBe("é\n");
  });

  test.each(['"open', '"\\x"', '"a\nb"'])("%j is refused", (text) => {
    expect(() => parseJson(text)).toThrow(/^JSON Parse error: /);
  });
});

describe("structure", () => {
  test("objects keep the first of equal names, and every name is only a name", () => {
    expect(parseJson('{"a": 1, "a": 2, "__proto__": [true, null]}')).toEqual(
      new Map<string, unknown>([
        ["a", 1],
        ["__proto__", [true, null]],
      ]),
    );
  });

  test("what follows the first value is ignored", () => {
    expect(parseJson(' {"a": []} trailing')).toEqual(new Map([["a", []]]));
  });

  test("errors say what and where", () => {
    expect(() => parseJson("")).toThrow("JSON Parse error: The document is empty. at offset: 0");
    expect(() => parseJson("[1 2]")).toThrow(
      "JSON Parse error: Missing a comma or ] after an array element. at offset: 3",
    );
    expect(() => parseJson('{"a" 1}')).toThrow("JSON Parse error: Missing a colon");
    expect(() => parseJson("{a: 1}")).toThrow("JSON Parse error: Missing a name");
    expect(() => parseJson("[nope]")).toThrow("JSON Parse error: Invalid value. at offset: 1");
  });

  test("nesting without end is refused before the stack is", () => {
    expect(() => parseJson("[".repeat(100_000))).toThrow("Nesting is deeper than 256");
  });
});
