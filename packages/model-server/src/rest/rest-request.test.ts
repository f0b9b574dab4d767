import { DataType } from "@vitrine/protocol/tensor";
import { describe, expect, test } from "vitest";
import type { ElementType } from "../engine/worker-messages.js";
import { signatureOf } from "../signature.js";
import { parseRestBody, readRestInputs } from "./rest-request.js";

function read(body: string, inputs: Record<string, ElementType>) {
  const signature = signatureOf({
    inputs: Object.entries(inputs).map(([name, type]) => ({ name, type, shape: ["n"] })),
    outputs: [],
  });
  return readRestInputs(parseRestBody(Buffer.from(body)), signature).inputs;
}

const ONE = { x: "float32" } as const;
const TWO = { a: "float32", b: "int32" } as const;

describe("row form", () => {
  test("bare values of a single input are its rows", () => {
    const tensor = read('{"instances": [[1, 2.5], [3, NaN]]}', ONE).get("x");
    expect(tensor).toEqual({
      dtype: DataType.DT_FLOAT,
      shape: [2, 2],
      data: Float32Array.of(1, 2.5, 3, Number.NaN),
    });
  });

  test("scalars give rank 1", () => {
    expect(read('{"instances": [1, 2]}', ONE).get("x")?.shape).toEqual([2]);
  });

  test("objects name the inputs, one or several", () => {
    expect(read('{"instances": [{"x": [1]}]}', ONE).get("x")?.shape).toEqual([1, 1]);
    const inputs = read('{"instances": [{"a": 1, "b": [2]}, {"b": [3], "a": 4}]}', TWO);
    expect(inputs.get("a")?.data).toEqual(Float32Array.of(1, 4));
    expect(inputs.get("b")).toEqual({ dtype: DataType.DT_INT32, shape: [2, 1], data: Int32Array.of(2, 3) });
  });

  test.each<[string, Record<string, ElementType>, string]>([
    ['{"instances": 1}', ONE, "Expecting 'instances' value to be a list/array"],
    ['{"instances": []}', ONE, "No values in 'instances' list"],
    ['{"instances": [1]}', TWO, "instances is a plain list, but expecting list of objects"],
    ['{"instances": [{"x": 1}, 2]}', ONE, "Expecting object but got list at item 1 of input list"],
    ['{"instances": [1, {"x": 2}]}', ONE, "Expecting value/list but got object at item 1 of input list"],
    ['{"instances": [{"y": 1}]}', ONE, "JSON object: does not have named input: y"],
    ['{"instances": [{"a": 1}]}', TWO, "JSON object keys must be equal to: a,b"],
    [
      '{"instances": [[1], [1, 2]]}',
      ONE,
      "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting shape [1] but got: [2]",
    ],
    [
      '{"instances": [{"a": 1, "b": "2"}]}',
      TWO,
      "Failed to process element: 0 key: b of 'instances' list. Error: INVALID_ARGUMENT: " +
        'JSON Value: "2" Type: String is not of expected type: int32',
    ],
  ])("%s is refused", (body, inputs, message) => {
    expect(() => read(body, inputs)).toThrow(message);
  });
});

describe("column form", () => {
  test("a plain value is the whole tensor of a single input, a scalar included", () => {
    expect(read('{"inputs": [[1], [2]]}', ONE).get("x")?.shape).toEqual([2, 1]);
    expect(read('{"inputs": 5}', ONE).get("x")?.shape).toEqual([]);
    expect(read('{"inputs": []}', ONE).get("x")?.shape).toEqual([0]);
  });

  test("an object names the inputs; their rows may differ and extra members do not matter", () => {
    const inputs = read('{"inputs": {"a": [1], "b": [2, 3], "c": "?"}}', TWO);
    expect([...inputs.keys()]).toEqual(["a", "b"]);
    expect(inputs.get("b")?.data).toEqual(Int32Array.of(2, 3));
  });

  test.each<[string, Record<string, ElementType>, string]>([
    ['{"inputs": [1]}', TWO, "inputs is a plain value/list, but expecting an object"],
    ['{"inputs": {"a": 1}}', TWO, "Missing named input: b in 'inputs' object."],
    ['{"inputs": [[1, 2], [3]]}', ONE, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"],
    ['{"inputs": [[1], 2]}', ONE, "Encountered value at incorrect level: 1"],
    ['{"inputs": [1, [2]]}', ONE, "Encountered list at incorrect level: 1"],
  ])("%s is refused", (body, inputs, message) => {
    expect(() => read(body, inputs)).toThrow(message);
  });
});

describe("the body", () => {
  test.each([
    ["", "JSON Parse error: The document is empty."],
    ["[1]", "Request body was no JSON object, expected one"],
    ["{}", "Missing 'inputs' or 'instances' key"],
    ['{"inputs": 1, "instances": [1]}', "Not supported to have both 'instances' and 'inputs' keys"],
    ['{"signature_name": 1, "inputs": 1}', "'signature_name' key must be a string value."],
  ])("%s is refused", (body, message) => {
    expect(() => read(body, ONE)).toThrow(message);
  });
});

describe("elements by dtype", () => {
  test.each<[ElementType, string, unknown]>([
    ["float32", "[1, 1.5, 1e2, Infinity]", Float32Array.of(1, 1.5, 100, Infinity)],
    ["float64", "[0.1]", Float64Array.of(0.1)],
    ["uint8", "[255, 256, -1]", Uint8Array.of(255, 0, 255)],
    ["int8", "[-128]", Int8Array.of(-128)],
    ["int16", "[70000]", Int16Array.of(4464)],
    ["int32", "[-2147483648]", Int32Array.of(-2147483648)],
    ["uint32", "[4294967295]", Uint32Array.of(4294967295)],
    ["int64", "[9223372036854775807]", BigInt64Array.of(9223372036854775807n)],
    ["uint64", "[18446744073709551615]", BigUint64Array.of(18446744073709551615n)],
    ["bool", "[true, false]", Uint8Array.of(1, 0)],
  ])("%s takes %s", (type, values, data) => {
    expect(read(`{"inputs": ${values}}`, { x: type }).get("x")?.data).toEqual(data);
  });

  test("string takes text and base64, padded or not", () => {
    const data = read('{"instances": ["é", {"b64": "w6k="}, {"b64": "w6k"}]}', { x: "string" }).get(
      "x",
    )?.data;
    const texts = (data as readonly Uint8Array[]).map((bytes) => Buffer.from(bytes).toString());
    expect(texts).toEqual(["é", "é", "é"]);
  });

  test.each<[ElementType, string, string]>([
    ["float32", '"1.0"', 'JSON Value: "1.0" Type: String is not of expected type: float'],
    ["float32", "null", "JSON Value: null Type: Null is not of expected type: float"],
    ["int32", "1.0", "JSON Value: 1 Type: Number is not of expected type: int32"],
    ["int32", "2147483648", "is not of expected type: int32"],
    ["uint32", "-1", "is not of expected type: uint32"],
    ["int64", "9223372036854775808", "is not of expected type: int64"],
    ["bool", "1", "JSON Value: 1 Type: Number is not of expected type: bool"],
    ["bool", "{}", "is not of expected type: bool"],
    ["string", "1", "is not of expected type: string"],
    ["string", '{"b64": "%%%"}', "Unable to base64 decode"],
    ["float16", "1", "Conversion of JSON Value: 1 to type: half"],
  ])("%s refuses %s", (type, value, message) => {
    expect(() => read(`{"inputs": {"x": ${value}}}`, { x: type })).toThrow(message);
  });
});
