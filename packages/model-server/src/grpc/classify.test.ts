import { contractFromFiles } from "@vitrine/protocol/contract";
import type { Feature } from "@vitrine/protocol/gen/tensorflow/core/example/feature";
import type { Input } from "@vitrine/protocol/gen/tensorflow_serving/apis/input";
import { DataType } from "@vitrine/protocol/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Servable } from "../servable.js";
import {
  CLASSIFY_METHOD_NAME,
  type ExampleFeature,
  REGRESS_METHOD_NAME,
  type Signature,
  type Signatures,
  type TensorSpec,
} from "../signature.js";
import { loadTestServable } from "../testing/servable.js";
import { fixture, REAL_WORKER } from "../testing/start.js";
import { classify, type ExampleCall, regress } from "./classify.js";

const tensor = (
  alias: string,
  graphName: string,
  shape: readonly number[],
  dtype: DataType = DataType.DT_FLOAT,
): TensorSpec => ({
  alias,
  graphName,
  tensorName: `${graphName}:0`,
  type: dtype === DataType.DT_STRING ? "string" : "float32",
  dtype,
  shape,
  unknownRank: false,
});

function signature(
  name: string,
  methodName: string,
  outputs: readonly TensorSpec[],
  exampleFeatures: readonly ExampleFeature[],
): [string, Signature] {
  return [
    name,
    {
      name,
      methodName,
      inputs: new Map([["inputs", tensor("inputs", "examples", [-1], DataType.DT_STRING)]]),
      outputs: new Map(outputs.map((output) => [output.alias, output])),
      joinable: true,
      exampleFeatures,
    },
  ];
}

const floats = (...value: number[]): Feature => ({ kind: { $case: "floatList", value: { value } } });
const integers = (...value: bigint[]): Feature => ({ kind: { $case: "int64List", value: { value } } });
const example = (features: Record<string, Feature>) => ({
  features: { feature: new Map(Object.entries(features)) },
});
const list = (...examples: ReturnType<typeof example>[]): Input => ({
  kind: { $case: "exampleList", value: { examples } },
});

function call(signatureName: string, input: Input | undefined): ExampleCall {
  return { signatureName, input, signal: new AbortController().signal, details: {} };
}

/** Features x (required) and y (1 by default) of the model that adds them. */
const ADD_FEATURES: readonly ExampleFeature[] = [
  { name: "x", type: DataType.DT_FLOAT, shape: [2], graphName: "x" },
  { name: "y", type: DataType.DT_FLOAT, shape: [2], defaultValue: [1], graphName: "y" },
];

let add: Servable;
let types: Servable;
beforeAll(async () => {
  const sum = (alias: string) => tensor(alias, "sum", [-1, 2]);
  const addSignatures = (): Signatures =>
    new Map([
      signature("serving_default", CLASSIFY_METHOD_NAME, [sum("scores")], ADD_FEATURES),
      signature("named otherwise", CLASSIFY_METHOD_NAME, [sum("logits")], ADD_FEATURES),
      signature("wide", REGRESS_METHOD_NAME, [sum("outputs")], ADD_FEATURES),
    ]);
  const contract = contractFromFiles({ id2label: { "0": "dress", "1": "hat" } }, { size: 2 });
  add = await loadTestServable(fixture("add/1/model.onnx"), 1, REAL_WORKER, {
    signatures: addSignatures,
    contract,
  });
  const typeSignatures = (): Signatures =>
    new Map([
      signature(
        "serving_default",
        REGRESS_METHOD_NAME,
        [tensor("outputs", "float_out", [-1])],
        [{ name: "value", type: DataType.DT_FLOAT, shape: [], graphName: "float" }],
      ),
    ]);
  types = await loadTestServable(fixture("types/1/model.onnx"), 1, REAL_WORKER, {
    signatures: typeSignatures,
  });
});
afterAll(async () => {
  await Promise.all([add.unload(), types.unload()]);
});

test("Classify gives each example its scores, under the labels of the contract", async () => {
  const input = list(example({ x: floats(1, 2), y: floats(10, 20) }), example({ x: floats(3, 4) }));
  expect(await classify(add, call("serving_default", input))).toEqual({
    classifications: [
      {
        classes: [
          { label: "dress", score: 11 },
          { label: "hat", score: 22 },
        ],
      },
      {
        classes: [
          { label: "dress", score: 4 },
          { label: "hat", score: 5 },
        ],
      },
    ],
  });
});

test("the context is part of every example, which wins", async () => {
  const input: Input = {
    kind: {
      $case: "exampleListWithContext",
      value: {
        context: example({ x: floats(1, 1), y: floats(5, 5) }),
        examples: [example({}), example({ x: floats(2, 2) })],
      },
    },
  };
  const { classifications } = await classify(add, call("serving_default", input));
  expect(classifications.map(({ classes }) => classes[0]?.score)).toEqual([6, 7]);
});

test("Regress gives one value for each example", async () => {
  const input = list(example({ value: floats(1.5) }), example({ value: floats(-2) }));
  expect(await regress(types, call("serving_default", input))).toEqual({
    regressions: [{ value: 1.5 }, { value: -2 }],
  });
});

describe("refused in TensorFlow's words:", () => {
  const good = list(example({ x: floats(1, 2) }));
  test.each<[string, () => Promise<unknown>, string]>([
    ["no input", () => classify(add, call("serving_default", undefined)), "Input is empty."],
    ["no examples", () => classify(add, call("serving_default", list())), "Input is empty."],
    [
      "an unknown signature",
      () => classify(add, call("nope", good)),
      "No signature was found with the name: nope",
    ],
    [
      "outputs of other names",
      () => classify(add, call("named otherwise", good)),
      'Expected classification signature outputs to contain at least one of "classes" or "scores".',
    ],
    ["Regress of scores", () => regress(add, call("serving_default", good)), "No regression outputs found"],
    [
      "Regress of several values",
      () => regress(add, call("wide", good)),
      "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
    ],
    [
      "a missing feature",
      () => classify(add, call("serving_default", list(example({ y: floats(1, 2) })))),
      "Name: <unknown>, Feature: x (data type: float) is required but could not be found.",
    ],
    [
      "a feature of another kind",
      () => classify(add, call("serving_default", list(example({ x: integers(1n, 2n) })))),
      "Name: <unknown>, Key: x, Index: 0.  Data types don't match. Data type: int64 but expected type: float",
    ],
    [
      "too few values",
      () =>
        classify(add, call("serving_default", list(example({ x: floats(1, 2) }), example({ x: floats(1) })))),
      "Name: <unknown>, Key: x, Index: 1.  Number of float values != expected.  Values size: 1 but output shape: [2]",
    ],
  ])("%s", async (_, use, message) => {
    await expect(use()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    });
  });
});

test("Predict of the same signature takes serialised examples, and refuses what is none", async () => {
  const predict = (bytes: Uint8Array) =>
    add.predict({
      signatureName: "serving_default",
      inputs: new Map([["inputs", bytes]]),
      read: (data) => ({ dtype: DataType.DT_STRING, shape: [1], data: [data] }),
      outputFilter: [],
      signal: new AbortController().signal,
    });
  // Feature x of 1 and 2, as protoc writes it.
  const serialised = Buffer.from("0a130a110a0178120c120a0a080000803f00000040", "hex");
  expect((await predict(serialised)).output.get("scores")?.data).toEqual(Float32Array.of(2, 3));
  await expect(predict(Buffer.from([0xff]))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
