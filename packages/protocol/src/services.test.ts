import { expect, test } from "vitest";
import type { Any } from "./gen/google/protobuf/any.js";
import { StringValue } from "./gen/google/protobuf/wrappers.js";
import { DataType } from "./gen/tensorflow/core/framework/types.js";
import { SignatureDefMap } from "./gen/tensorflow_serving/apis/get_model_metadata.js";
import {
  GET_MODEL_METADATA,
  GET_MODEL_STATUS,
  HEALTH_CHECK,
  type MethodDefinition,
  PREDICT,
} from "./services.js";
import { tensorFromProto, tensorToProto } from "./tensor.js";
import { goldenMessage } from "./testing/golden.js";

function decodeRequest<Request, Response>(
  method: MethodDefinition<Request, Response>,
  name: string,
): Request {
  const bytes = goldenMessage(name);
  const request = method.decodeRequest(bytes);
  expect(Buffer.concat(method.encodeRequest(request)).equals(bytes), "written again").toBe(true);
  return request;
}

function decodeResponse<Request, Response>(
  method: MethodDefinition<Request, Response>,
  name: string,
): Response {
  const bytes = goldenMessage(name);
  const response = method.decodeResponse(bytes);
  expect(Buffer.concat(method.encodeResponse(response)).equals(bytes), "written again").toBe(true);
  return response;
}

test("a PredictRequest of a picture is read and written as TensorFlow Serving's client does", () => {
  const request = decodeRequest(PREDICT, "PredictRequest");
  expect(request.modelSpec).toEqual({
    name: "clothing-model",
    versionChoice: undefined,
    signatureName: "serving_default",
  });
  const image = request.inputs.get("image");
  expect(image && tensorFromProto(image, "image")).toMatchObject({
    dtype: DataType.DT_UINT8,
    shape: [1, 4, 5, 3],
    data: { length: 60 },
  });
});

test("the greatest safe version, several inputs and an output filter survive", () => {
  const request = decodeRequest(PREDICT, "PredictRequest of a version, two inputs, a filter");
  expect(request.modelSpec?.versionChoice).toEqual({
    $case: "version",
    value: { value: Number.MAX_SAFE_INTEGER },
  });
  expect([...request.inputs.keys()].sort()).toEqual(["größe", "x"]);
  expect(request.outputFilter).toEqual(["scores", "classes"]);
});

test("version 0 is not the absence of a version", () => {
  const request = decodeRequest(PREDICT, "PredictRequest of version 0");
  expect(request.modelSpec?.versionChoice).toEqual({ $case: "version", value: { value: 0 } });
});

test("of a version and a label the last on the wire counts", () => {
  const label = decodeRequest(PREDICT, "PredictRequest of a label");
  expect(label.modelSpec?.versionChoice).toEqual({ $case: "versionLabel", value: "stable" });
  const merged = PREDICT.decodeRequest(Uint8Array.of(0x0a, 5, 0x22, 1, 0x61, 0x12, 0));
  expect(merged.modelSpec?.versionChoice).toEqual({ $case: "version", value: { value: 0 } });
});

test("a version beyond 2^53 is refused, not rounded", () => {
  const bytes = goldenMessage("PredictRequest of a version beyond 2^53");
  expect(() => PREDICT.decodeRequest(bytes)).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringContaining("MAX_SAFE_INTEGER"),
    }),
  );
});

test("fields that TensorFlow Serving ignores are ignored", () => {
  const bytes = goldenMessage("PredictRequest with options that are ignored");
  expect(PREDICT.decodeRequest(bytes).modelSpec?.name).toBe("m");
});

test("a PredictResponse is read and written as TensorFlow Serving writes it", () => {
  const response = decodeResponse(PREDICT, "PredictResponse");
  const scores = response.outputs.get("scores");
  expect(scores && tensorFromProto(scores, "scores").data).toEqual(Float32Array.of(0.25, -1.5, 2));
  expect(response.modelSpec?.versionChoice).toEqual({ $case: "version", value: { value: 3 } });
});

test("the signatures of GetModelMetadata are read and written", () => {
  expect(decodeRequest(GET_MODEL_METADATA, "GetModelMetadataRequest").metadataField).toEqual([
    "signature_def",
    "vitrine.contract",
  ]);
  const response = decodeResponse(GET_MODEL_METADATA, "GetModelMetadataResponse");
  const any = response.metadata.get("signature_def");
  expect(any?.typeUrl).toBe("type.googleapis.com/tensorflow.serving.SignatureDefMap");
  const signatures = SignatureDefMap.decode(any?.value ?? new Uint8Array());
  const signature = signatures.signatureDef.get("serving_default");
  expect(signature?.methodName).toBe("tensorflow/serving/predict");
  expect(signature?.inputs.get("image")).toEqual({
    name: "image:0",
    dtype: DataType.DT_UINT8,
    tensorShape: { dim: [-1, 224, 224, 3].map((size) => ({ size, name: "" })), unknownRank: false },
  });
  expect(Buffer.from(SignatureDefMap.encode(signatures).finish()).equals(any?.value ?? Buffer.alloc(0))).toBe(
    true,
  );
});

test("the contract travels as an Any of StringValue", () => {
  const response = decodeResponse(GET_MODEL_METADATA, "GetModelMetadataResponse of a StringValue");
  const any: Any | undefined = response.metadata.get("vitrine.contract");
  expect(any?.typeUrl).toBe("type.googleapis.com/google.protobuf.StringValue");
  expect(StringValue.decode(any?.value ?? new Uint8Array()).value).toBe('{"schema":1}');
});

test("GetModelStatus is read and written as the official classes do", () => {
  expect(decodeRequest(GET_MODEL_STATUS, "GetModelStatusRequest").modelSpec?.name).toBe("m");
  expect(decodeResponse(GET_MODEL_STATUS, "GetModelStatusResponse").modelVersionStatus).toEqual([
    { version: 4, state: 30, status: { errorCode: 0, errorMessage: "" } },
    { version: 3, state: 50, status: { errorCode: 3, errorMessage: "no such op" } },
  ]);
});

test("health checks are read and written as the official classes do", () => {
  expect(decodeRequest(HEALTH_CHECK, "HealthCheckRequest").service).toBe("ModelService");
  expect(decodeResponse(HEALTH_CHECK, "HealthCheckResponse").status).toBe(1);
});

test("a model and an input may be called __proto__", () => {
  const x = tensorToProto({ dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(1) }, "values");
  const [bytes] = PREDICT.encodeRequest({
    modelSpec: { name: "__proto__", versionChoice: undefined, signatureName: "" },
    inputs: new Map([["__proto__", x]]),
    outputFilter: [],
  });
  const request = PREDICT.decodeRequest(bytes ?? new Uint8Array());
  expect(request.modelSpec?.name).toBe("__proto__");
  expect([...request.inputs.keys()]).toEqual(["__proto__"]);
});

test.each([
  ["a cut message", goldenMessage("PredictRequest").subarray(0, 60)],
  ["a length beyond the end", Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0x7f, 1)],
  ["an endless varint", new Uint8Array(20).fill(0xff)],
  ["messages nested too deeply", nested(200)],
])("%s is refused as the caller's fault", (_, bytes) => {
  expect(() => PREDICT.decodeRequest(bytes)).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringMatching(
        /^the request of \/tensorflow\.serving\.PredictionService\/Predict was not/,
      ),
    }),
  );
  expect(() => PREDICT.decodeResponse(bytes)).toThrow(expect.objectContaining({ reason: "INTERNAL" }));
});

/** Groups are the only nesting that a reader follows without knowing the field. */
function nested(depth: number): Uint8Array {
  return new Uint8Array([...Array(depth).fill(0xfb), ...Array(depth).fill(0xfc)].flatMap((tag) => [tag, 1]));
}
