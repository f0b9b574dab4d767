import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { describe, expect, test } from "vitest";
import { writeRestOutputs } from "./rest-response.js";

const float = (shape: number[], values: number[]): Tensor => ({
  dtype: DataType.DT_FLOAT,
  shape,
  data: Float32Array.from(values),
});

const compact = (text: string) => text.replaceAll(/\s+/g, "");

describe("row form", () => {
  test("a single output is the bare value of each row", () => {
    const outputs = new Map([["scores", float([2, 2], [1, 2, 3, 4])]]);
    expect(compact(writeRestOutputs("row", outputs))).toBe('{"predictions":[[1.0,2.0],[3.0,4.0]]}');
  });

  test("several outputs are an object for each row", () => {
    const outputs = new Map([
      ["a", float([2], [1, 2])],
      ["b", float([2, 1], [3, 4])],
    ]);
    expect(JSON.parse(writeRestOutputs("row", outputs))).toEqual({
      predictions: [
        { a: 1, b: [3] },
        { a: 2, b: [4] },
      ],
    });
  });

  test("outputs without rows, or with other numbers of rows, are refused", () => {
    expect(() => writeRestOutputs("row", new Map([["a", float([], [1])]]))).toThrow(
      "Tensor name: a has no shape information",
    );
    const uneven = new Map([
      ["a", float([2], [1, 2])],
      ["b", float([1], [3])],
    ]);
    expect(() => writeRestOutputs("row", uneven)).toThrow(
      "Tensor name: b has inconsistent batch size: 1 expecting: 2",
    );
  });
});

describe("column form", () => {
  test("a single output is the tensor, a scalar included", () => {
    expect(compact(writeRestOutputs("column", new Map([["a", float([], [1.5])]])))).toBe('{"outputs":1.5}');
  });

  test("several outputs are one object", () => {
    const outputs = new Map([
      ["a", float([2], [1, 2])],
      ["b", float([1, 1], [3])],
    ]);
    expect(JSON.parse(writeRestOutputs("column", outputs))).toEqual({ outputs: { a: [1, 2], b: [[3]] } });
  });
});

/** The text of one element. Expected texts are what C prints for %g and %.9g or %.17g. */
function elementText(dtype: DataType, data: Tensor["data"], alias = "x"): string {
  const text = compact(writeRestOutputs("column", new Map([[alias, { dtype, shape: [], data }]])));
  return text.slice('{"outputs":'.length, -1);
}

describe("elements", () => {
  test.each([
    [1, "1.0"],
    [-0, "-0.0"],
    [0.5, "0.5"],
    [0.1, "0.1"],
    [1 / 3, "0.333333343"],
    [16777216, "16777216.0"],
    [9e6, "9e+06"],
    [1e-5, "1e-05"],
    [0.0001, "0.0001"],
    [1.1754943508222875e-38, "1.17549435e-38"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
  ])("float32 %d is written %s", (value, text) => {
    expect(elementText(DataType.DT_FLOAT, Float32Array.of(value))).toBe(text);
  });

  test.each([
    [0.1, "0.1"],
    [1 / 3, "0.33333333333333331"],
    [1e300, "1e+300"],
  ])("float64 %d is written %s", (value, text) => {
    expect(elementText(DataType.DT_DOUBLE, Float64Array.of(value))).toBe(text);
  });

  test("integers are exact, bools are words", () => {
    expect(elementText(DataType.DT_INT64, BigInt64Array.of(-9223372036854775808n))).toBe(
      "-9223372036854775808",
    );
    expect(elementText(DataType.DT_UINT8, Uint8Array.of(255))).toBe("255");
    expect(elementText(DataType.DT_BOOL, Uint8Array.of(1))).toBe("true");
  });

  test("texts are JSON strings, and base64 under an alias that ends in _bytes", () => {
    const data = [Buffer.from('é"')];
    expect(elementText(DataType.DT_STRING, data)).toBe('"é\\""');
    expect(elementText(DataType.DT_STRING, data, "x_bytes")).toBe('{"b64":"w6ki"}');
  });

  test("types that JSON has no form for are refused by name", () => {
    expect(() => elementText(DataType.DT_HALF, Uint16Array.of(1))).toThrow(
      "Failed to write JSON value for tensor type: half",
    );
  });
});
