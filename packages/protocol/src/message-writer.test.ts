import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { PredictRequest } from "./gen/tensorflow_serving/apis/predict.js";
import { MessageWriter } from "./message-writer.js";
import { PREDICT } from "./services.js";
import { DataType, tensorToProto } from "./tensor.js";

function requestOf(elements: number): PredictRequest {
  const data = Uint8Array.from({ length: elements }, (_, index) => index);
  return {
    modelSpec: { name: "m", versionChoice: { $case: "version", value: { value: 7 } }, signatureName: "s" },
    inputs: new Map([
      ["a", tensorToProto({ dtype: DataType.DT_UINT8, shape: [elements], data }, "content")],
      ["b", tensorToProto({ dtype: DataType.DT_UINT8, shape: [3], data: Uint8Array.of(1, 2, 3) }, "values")],
    ]),
    outputFilter: ["x".repeat(300)],
  };
}

test.each([0, 1, 127, 128, 4095, 4096, 16_383, 16_384, 2_097_152, 3_000_000])(
  "a message with %i bytes of tensor is written as protobuf's own writer does",
  (elements) => {
    const request = requestOf(elements);
    const expected = PredictRequest.encode(request, new BinaryWriter()).finish();
    expect(Buffer.concat(PREDICT.encodeRequest(request)).equals(expected)).toBe(true);
    expect(Buffer.from(PredictRequest.encode(request, new MessageWriter()).finish()).equals(expected)).toBe(
      true,
    );
  },
);

test("a large tensor is passed on by reference, the rest is joined around it", () => {
  const request = requestOf(100_000);
  const parts = PREDICT.encodeRequest(request);
  expect(parts).toHaveLength(3);
  expect(parts[1]).toBe(request.inputs.get("a")?.tensorContent);
});

test("an empty message has no parts", () => {
  expect(PREDICT.encodeRequest({ modelSpec: undefined, inputs: new Map(), outputFilter: [] })).toEqual([]);
});

test("a fork left open is a bug that shows", () => {
  expect(() => new MessageWriter().fork().finishParts()).toThrow("fork() without join()");
  expect(() => new MessageWriter().join()).toThrow("join() without fork()");
});
