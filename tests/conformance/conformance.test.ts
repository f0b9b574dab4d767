/**
 * What a TensorFlow Serving client is answered. The requests are bytes of the real `tensorflow-serving-api`
 * (python-client/generate_requests.py) and travel through @grpc/grpc-js.
 */
import { readFileSync } from "node:fs";
import { SignatureDefMap } from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import { GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT } from "@vitrine/protocol/services";
import { GRPC_STATUS } from "@vitrine/protocol/status";
import { DataType, tensorFromProto } from "@vitrine/protocol/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Answer, Targets } from "./target.js";

const goldenSchema = z.record(
  z.string(),
  z.object({ model: z.string(), path: z.string(), bytes: z.base64() }),
);
const goldens = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("golden/requests.json", import.meta.url), "utf8")),
);

const targets = new Targets();
afterAll(() => targets.close());

async function send(name: string): Promise<Answer> {
  const golden = goldens[name];
  if (golden === undefined) throw new Error(`no golden request ${name}`);
  return targets.call(golden.model, golden.path, Buffer.from(golden.bytes, "base64"));
}

async function predict(name: string) {
  const answer = await send(name);
  expect(answer).toMatchObject({ code: 0, message: "" });
  const { outputs, modelSpec } = PREDICT.decodeResponse(answer.bytes);
  const tensors = [...outputs].map(([alias, proto]) => [alias, tensorFromProto(proto, alias)] as const);
  return { modelSpec, protos: outputs, tensors: new Map(tensors) };
}

const float = (shape: number[], values: number[]) => ({
  dtype: DataType.DT_FLOAT,
  shape,
  data: Float32Array.from(values),
});

const BYTES = Array.from({ length: 24 }, (_, index) => index);

describe("Predict", () => {
  test("answers every output, in typed values, and says who answered", async () => {
    const { modelSpec, protos, tensors } = await predict("predict");
    expect(modelSpec).toEqual({
      name: "pixel-sum",
      versionChoice: { $case: "version", value: { value: 1 } },
      signatureName: "serving_default",
    });
    expect(tensors).toEqual(
      new Map([
        ["total", float([2], [66, 210])],
        ["floats", float([2, 2, 2, 3], BYTES)],
      ]),
    );
    expect(protos.get("total")?.tensorContent).toHaveLength(0);
    expect(protos.get("total")?.floatVal).toEqual([66, 210]);
  });

  test("takes a version and the signature by name", async () => {
    expect((await predict("predict by version and signature")).modelSpec?.signatureName).toBe(
      "serving_default",
    );
  });

  test("answers only the outputs asked for", async () => {
    expect([...(await predict("predict one output")).tensors.keys()]).toEqual(["total"]);
  });

  test.each([
    ["predict typed values", float([2], [66, 210])],
    ["predict one repeated value", float([1], [84])],
    ["predict no rows", float([0], [])],
  ])("%s", async (name, total) => {
    expect((await predict(name)).tensors.get("total")).toEqual(total);
  });

  test("takes several inputs", async () => {
    expect((await predict("two inputs")).tensors.get("sum")).toEqual(float([2, 2], [11, 22, 33, 44]));
  });

  test("carries every dtype unchanged", async () => {
    const { tensors } = await predict("every dtype");
    const golden = goldens["every dtype"];
    const request = PREDICT.decodeRequest(Buffer.from(golden?.bytes ?? "", "base64"));
    expect(request.inputs.size).toBe(13);
    for (const [alias, proto] of request.inputs) {
      const sent = tensorFromProto(proto, alias);
      const received = tensors.get(`${alias}_out`);
      expect(received?.dtype).toBe(sent.dtype);
      expect(received?.shape).toEqual([2]);
      expect(Array.from(received?.data ?? [], String)).toEqual(Array.from(sent.data, String));
    }
  });
});

describe("a bad Predict is refused:", () => {
  test.each<[string, keyof typeof GRPC_STATUS, string]>([
    ["no model spec", "INVALID_ARGUMENT", "Missing ModelSpec"],
    ["empty model name", "INVALID_ARGUMENT", "ModelSpec has no name"],
    ["unknown model", "NOT_FOUND", "Servable not found for request: Latest(nope)"],
    ["unknown version", "NOT_FOUND", "Servable not found for request: Specific(pixel-sum, 9)"],
    ["unknown label", "INVALID_ARGUMENT", "Unrecognized servable version label: stable"],
    ["unknown signature", "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'],
    ["extra input", "INVALID_ARGUMENT", "input size does not match signature: 2!=1"],
    ["extra input", "INVALID_ARGUMENT", "Sent extra: {more}"],
    ["no input", "INVALID_ARGUMENT", "Missing but required: {pixels}"],
    ["wrong input name", "INVALID_ARGUMENT", "Signature input alias: pixels(feed name: "],
    ["unknown output", "INVALID_ARGUMENT", "output tensor alias not found in signature: nope"],
    ["output twice", "INVALID_ARGUMENT", "duplicate output tensor alias: total"],
    ["short content", "INVALID_ARGUMENT", "tensor parsing error: pixels"],
    ["wrong dtype", "INVALID_ARGUMENT", "Expects arg[0] to be uint8 but float is provided"],
    [
      "wrong dtype of the second input",
      "INVALID_ARGUMENT",
      "Expects arg[1] to be float but double is provided",
    ],
    ["wrong size", "INVALID_ARGUMENT", ""],
    ["wrong rank", "INVALID_ARGUMENT", ""],
    ["fails in the run", "INVALID_ARGUMENT", ""],
    ["shape that only the graph refuses", "INVALID_ARGUMENT", ""],
  ])("%s: %s %s", async (name, code, text) => {
    const answer = await send(name);
    expect(answer.code).toBe(GRPC_STATUS[code]);
    expect(answer.message).toContain(text);
  });

  test("a failure leaves the server as it was", async () => {
    await send("fails in the run");
    expect((await predict("predict")).tensors.size).toBe(2);
  });
});

describe("GetModelMetadata", () => {
  test("answers the signature as an Any", async () => {
    const answer = await send("metadata");
    const { modelSpec, metadata } = GET_MODEL_METADATA.decodeResponse(answer.bytes);
    expect(modelSpec).toMatchObject({ name: "pixel-sum", signatureName: "" });
    const any = metadata.get("signature_def");
    expect(any?.typeUrl).toBe("type.googleapis.com/tensorflow.serving.SignatureDefMap");
    const signature = SignatureDefMap.decode(any?.value ?? new Uint8Array(0)).signatureDef.get(
      "serving_default",
    );
    expect(signature?.methodName).toBe("tensorflow/serving/predict");
    expect([...(signature?.outputs.keys() ?? [])].sort()).toEqual(["floats", "total"]);
    const pixels = signature?.inputs.get("pixels");
    expect(pixels?.dtype).toBe(DataType.DT_UINT8);
    expect(pixels?.tensorShape?.dim.map(({ size }) => size)).toEqual([-1, 2, 2, 3]);
  });

  test.each<[string, keyof typeof GRPC_STATUS, string]>([
    ["metadata without fields", "INVALID_ARGUMENT", "must specify at least one metadata_field"],
    ["metadata of an unknown field", "INVALID_ARGUMENT", "Metadata field nope is not supported"],
    ["metadata of an unknown model", "NOT_FOUND", "Servable not found for request: Latest(nope)"],
    [
      "contract of a model without one",
      "INVALID_ARGUMENT",
      "Metadata field vitrine.contract is not supported",
    ],
  ])("%s is refused: %s %s", async (name, code, text) => {
    const answer = await send(name);
    expect(answer.code).toBe(GRPC_STATUS[code]);
    expect(answer.message).toContain(text);
  });
});

describe("GetModelStatus", () => {
  test.each(["status", "status of one version", "status by label"])("%s", async (name) => {
    const { modelVersionStatus } = GET_MODEL_STATUS.decodeResponse((await send(name)).bytes);
    expect(modelVersionStatus).toEqual([
      { version: 1, state: 30, status: { errorCode: 0, errorMessage: "" } },
    ]);
  });

  test.each([
    ["status of an unknown model", "Could not find any versions of model nope"],
    ["status of an unknown version", "Could not find version 9 of model pixel-sum"],
  ])("%s is NOT_FOUND", async (name, text) => {
    expect(await send(name)).toMatchObject({ code: GRPC_STATUS.NOT_FOUND, message: text });
  });
});

test("methods that are not served are UNIMPLEMENTED", async () => {
  const answer = await targets.call(
    "pixel-sum",
    "/tensorflow.serving.PredictionService/Classify",
    new Uint8Array(0),
  );
  expect(answer.code).toBe(GRPC_STATUS.UNIMPLEMENTED);
});
