/**
 * What a TensorFlow Serving client is answered. The requests are bytes of the real `tensorflow-serving-api`
 * (python-client/generate_requests.py) and travel through @grpc/grpc-js.
 */
import { readFileSync } from "node:fs";
import { TensorProto } from "@vitrine/protocol/gen/tensorflow/core/framework/tensor";
import { SignatureDefMap } from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import {
  CLASSIFY,
  GET_MODEL_METADATA,
  GET_MODEL_STATUS,
  MULTI_INFERENCE,
  PREDICT,
  REGRESS,
} from "@vitrine/protocol/services";
import { GRPC_STATUS } from "@vitrine/protocol/status";
import { DataType, type Tensor, tensorFromProto } from "@vitrine/protocol/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Answer, isOurs, Target } from "./target.js";

const goldenSchema = z.record(
  z.string(),
  z.object({
    model: z.string(),
    path: z.string(),
    bytes: z.base64(),
    /** TensorFlow's own: the outputs of a Predict, as TensorProtos by alias; */
    outputs: z.record(z.string(), z.base64()).optional(),
    /** the whole response of another method; */
    response: z.base64().optional(),
    /** or the code with which its run failed. */
    code: z.int().optional(),
  }),
);
const goldens = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("golden/requests.json", import.meta.url), "utf8")),
);

/** Where we are not as TensorFlow Serving, on purpose: docs/serving.md. */
const STRICTER = new Map([
  ["wrong size", "TensorFlow Serving leaves shapes to the graph, which may take others than it declares"],
]);

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterAll(() => target.stop());

async function send(name: string): Promise<Answer> {
  const golden = goldens[name];
  if (golden === undefined) throw new Error(`no golden request ${name}`);
  return target.call(golden.path, Buffer.from(golden.bytes, "base64"));
}

async function predict(name: string) {
  const answer = await send(name);
  expect(answer).toMatchObject({ code: 0, message: "" });
  const { outputs, modelSpec } = PREDICT.decodeResponse(answer.bytes);
  const tensors = [...outputs].map(([alias, proto]) => [alias, tensorFromProto(proto, alias)] as const);
  return { modelSpec, protos: outputs, tensors: new Map(tensors) };
}

/** Float32 arithmetic in another order differs in its last places. */
const RELATIVE_TOLERANCE = 1e-6;

function expectTensor(actual: Tensor | undefined, expected: Tensor): void {
  expect(actual).toMatchObject({ dtype: expected.dtype, shape: expected.shape });
  const values: readonly unknown[] = Array.from<unknown>(actual?.data ?? []);
  for (const [index, value] of Array.from<unknown>(expected.data).entries()) {
    const given = values[index];
    if (typeof value === "number" && Number.isFinite(value)) {
      expect(Math.abs(Number(given) - value)).toBeLessThanOrEqual(RELATIVE_TOLERANCE * Math.abs(value));
    } else if (value instanceof Uint8Array) {
      expect(given instanceof Uint8Array ? Buffer.from(given) : given).toEqual(Buffer.from(value));
    } else {
      expect(given).toEqual(value);
    }
  }
}

const named = (has: (golden: (typeof goldens)[string]) => boolean) =>
  Object.entries(goldens)
    .filter(([name, golden]) => has(golden) && !(isOurs && STRICTER.has(name)))
    .map(([name]) => name);

describe("Predict answers what TensorFlow computes:", () => {
  test.each(named(({ outputs }) => outputs !== undefined))("%s", async (name) => {
    const { tensors, protos } = await predict(name);
    const expected = Object.entries(goldens[name]?.outputs ?? {});
    expect([...tensors.keys()].sort()).toEqual(expected.map(([alias]) => alias).sort());
    for (const [alias, bytes] of expected) {
      const proto = TensorProto.decode(Buffer.from(bytes, "base64"));
      expectTensor(tensors.get(alias), tensorFromProto(proto, alias));
      expect(protos.get(alias)?.tensorContent).toHaveLength(0);
    }
  });

  test("and says who answered", async () => {
    expect((await predict("predict")).modelSpec).toEqual({
      name: "pixel-sum",
      versionChoice: { $case: "version", value: { value: 1 } },
      signatureName: "serving_default",
    });
    expect((await predict("signature by name")).modelSpec?.signatureName).toBe("negate");
  });
});

describe("Classify, Regress and MultiInference answer what TensorFlow computes:", () => {
  const METHODS = new Map([CLASSIFY, REGRESS, MULTI_INFERENCE].map((method) => [method.path, method]));
  test.each(named(({ response }) => response !== undefined))("%s", async (name) => {
    const golden = goldens[name];
    const answer = await send(name);
    expect(answer).toMatchObject({ code: 0, message: "" });
    const method = METHODS.get(golden?.path ?? "");
    const decode = (bytes: Uint8Array) => rounded(method?.decodeResponse(bytes));
    expect(decode(answer.bytes)).toEqual(decode(Buffer.from(golden?.response ?? "", "base64")));
  });

  /** Scores and values to 5 significant digits. */
  function rounded(value: unknown): unknown {
    if (typeof value === "number") return Number(value.toPrecision(5));
    if (Array.isArray(value)) return value.map(rounded);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, rounded(member)]));
  }

  test.each<[string, keyof typeof GRPC_STATUS, string]>([
    ["classify without input", "INVALID_ARGUMENT", "Input is empty."],
    ["classify unknown signature", "INVALID_ARGUMENT", "No signature was found with the name: nope"],
    ["classify unknown model", "NOT_FOUND", "Servable not found for request: Latest(nope)"],
    ["classify a regression", "INVALID_ARGUMENT", 'contain at least one of "classes" or "scores"'],
    [
      "classify a missing feature",
      "INVALID_ARGUMENT",
      "Feature: x (data type: float) is required but could not be found.",
    ],
    ["classify a feature of another kind", "INVALID_ARGUMENT", "Data types don't match."],
    [
      "classify too few values",
      "INVALID_ARGUMENT",
      "Number of float values != expected.  Values size: 1 but output shape: [2]",
    ],
    ["regress without input", "INVALID_ARGUMENT", "Input is empty."],
    ["regress unknown signature", "INVALID_ARGUMENT", "No signature was found with the name: nope"],
    ["regress a classification", "INVALID_ARGUMENT", "No regression outputs found in SignatureDef"],
    ["multi of different models", "INVALID_ARGUMENT", "must access the same model name"],
    [
      "multi of one signature twice",
      "INVALID_ARGUMENT",
      "Duplicate evaluation of signature: serving_default",
    ],
    [
      "multi with another method",
      "UNIMPLEMENTED",
      "Unsupported signature method_name: tensorflow/serving/predict",
    ],
    [
      "multi of an unknown signature",
      "INVALID_ARGUMENT",
      "Requested signature not found in model graph: nope",
    ],
  ])("%s is refused: %s %s", async (name, code, text) => {
    const answer = await send(name);
    expect(answer.code).toBe(GRPC_STATUS[code]);
    expect(answer.message).toContain(text);
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
    ["wrong rank", "INVALID_ARGUMENT", ""],
    ["fails in the run", "INVALID_ARGUMENT", ""],
    ["shape that only the graph refuses", "INVALID_ARGUMENT", ""],
    ...(isOurs
      ? [...STRICTER.keys()].map((name): [string, "INVALID_ARGUMENT", string] => [
          name,
          "INVALID_ARGUMENT",
          "",
        ])
      : []),
  ])("%s: %s %s", async (name, code, text) => {
    const answer = await send(name);
    expect(answer.code).toBe(GRPC_STATUS[code]);
    expect(answer.message).toContain(text);
  });

  test.each(named(({ code }) => code !== undefined))("with TensorFlow's own code: %s", async (name) => {
    expect((await send(name)).code).toBe(goldens[name]?.code);
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

test("methods that are not there are UNIMPLEMENTED", async () => {
  const answer = await target.call("/tensorflow.serving.SessionService/SessionRun", new Uint8Array(0));
  expect(answer.code).toBe(GRPC_STATUS.UNIMPLEMENTED);
});
