/**
 * What clients of the Open Inference Protocol are answered, over gRPC and HTTP. The requests are bytes of Triton's own
 * client (python-client/generate_inference_requests.py). TensorFlow Serving does not speak it.
 */
import { readFileSync } from "node:fs";
import {
  MODEL_INFER,
  MODEL_METADATA,
  MODEL_READY,
  MODEL_STREAM_INFER,
  REPOSITORY_INDEX,
  SERVER_LIVE,
  SERVER_METADATA,
  SERVER_READY,
} from "@vitrine/protocol/inference-services";
import { GRPC_STATUS } from "@vitrine/protocol/status";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { isOurs, Target } from "./target.js";

const goldenSchema = z.record(
  z.string(),
  z.union([
    z.object({ grpc: z.base64() }),
    z.object({ path: z.string(), headers: z.record(z.string(), z.string()), body: z.base64() }),
  ]),
);
const goldens = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("golden/inference-requests.json", import.meta.url), "utf8")),
);

let target: Target;
beforeAll(async () => {
  target = await Target.start();
});
afterAll(() => target.stop());

function floats(bytes: Uint8Array | undefined): number[] {
  const copy = new Uint8Array(bytes ?? []);
  return [...new Float32Array(copy.buffer)];
}

describe.runIf(isOurs)("over gRPC", () => {
  async function send(name: string) {
    const golden = goldens[name];
    if (golden === undefined || !("grpc" in golden)) throw new Error(`no golden request ${name}`);
    return target.call(MODEL_INFER.path, Buffer.from(golden.grpc, "base64"));
  }

  async function infer(name: string) {
    const answer = await send(name);
    expect(answer).toMatchObject({ code: 0, message: "" });
    return MODEL_INFER.decodeResponse(answer.bytes);
  }

  test("raw bytes are answered with raw bytes, under the request's id", async () => {
    const response = await infer("infer");
    expect(response).toMatchObject({ modelName: "pixel-sum", modelVersion: "1", id: "request 1" });
    const total = response.outputs.findIndex(({ name }) => name === "total");
    expect(response.outputs[total]).toMatchObject({ datatype: "FP32", shape: [2n], contents: undefined });
    expect(floats(response.rawOutputContents[total])).toEqual([66, 210]);
    expect(response.outputs).toHaveLength(2);
  });

  test("typed contents are answered with typed contents", async () => {
    const { outputs, rawOutputContents } = await infer("infer typed contents");
    expect(rawOutputContents).toEqual([]);
    expect(outputs).toMatchObject([
      { name: "sum", datatype: "FP32", shape: [2n, 2n], contents: { fp32Contents: [11, 22, 33, 44] } },
    ]);
  });

  test.each(["infer one output", "infer a version"])("%s", async (name) => {
    const { outputs, rawOutputContents } = await infer(name);
    const total = outputs.findIndex((output) => output.name === "total");
    expect(floats(rawOutputContents[total])).toEqual([66, 210]);
  });

  test("classes are values with their index", async () => {
    const { outputs, rawOutputContents } = await infer("infer classes");
    expect(outputs).toMatchObject([{ datatype: "BYTES", shape: [2n, 1n] }]);
    expect(Buffer.from(rawOutputContents[0] ?? []).toString()).toMatch(/22\.000000:1.*44\.000000:1/s);
  });

  test("a parameter names the signature", async () => {
    expect(floats((await infer("infer with a signature")).rawOutputContents[0])).toEqual([-1, -2]);
  });

  test("every dtype comes back as it went", async () => {
    const golden = goldens["infer every dtype"];
    const request = MODEL_INFER.decodeRequest(
      Buffer.from(golden !== undefined && "grpc" in golden ? golden.grpc : "", "base64"),
    );
    const { outputs, rawOutputContents } = await infer("infer every dtype");
    expect(request.inputs).toHaveLength(13);
    for (const [index, { name, datatype }] of request.inputs.entries()) {
      const answered = outputs.findIndex((output) => output.name === `${name}_out`);
      expect(outputs[answered]).toMatchObject({ datatype, shape: [2n] });
      expect(Buffer.from(rawOutputContents[answered] ?? [])).toEqual(
        Buffer.from(request.rawInputContents[index] ?? []),
      );
    }
  });

  test.each<[string, keyof typeof GRPC_STATUS, string]>([
    ["unknown model", "NOT_FOUND", "Request for unknown model: 'nope' is not found"],
    ["unknown version", "NOT_FOUND", "Request for unknown model: 'pixel-sum' version 9 is not found"],
    ["unknown output", "INVALID_ARGUMENT", "unexpected inference output 'nope' for model 'pixel-sum'"],
    ["wrong input name", "INVALID_ARGUMENT", "unexpected inference input 'picture' for model 'pixel-sum'"],
    ["missing input", "INVALID_ARGUMENT", "expected 2 inputs but got 1 inputs for model 'add'"],
    ["wrong datatype", "INVALID_ARGUMENT", "data-type is 'FP32', but model 'pixel-sum' expects 'UINT8'"],
    ["wrong shape", "INVALID_ARGUMENT", "Expected [-1,2,2,3], got [1,2,2,4]"],
    [
      "short raw bytes",
      "INVALID_ARGUMENT",
      "input byte size mismatch for input 'pixels'. Expected 12, got 2",
    ],
    [
      "raw and typed contents",
      "INVALID_ARGUMENT",
      "contents field must not be specified when using raw_input_contents",
    ],
  ])("%s is refused: %s %s", async (name, code, text) => {
    const answer = await send(name);
    expect(answer.code).toBe(GRPC_STATUS[code]);
    expect(answer.message).toContain(text);
  });

  test("the server and its models describe themselves", async () => {
    const ask = async <Request, Response>(
      method: {
        path: string;
        encodeRequest(request: Request): Uint8Array[];
        decodeResponse(bytes: Uint8Array): Response;
      },
      request: Request,
    ) =>
      method.decodeResponse(
        (await target.call(method.path, Buffer.concat(method.encodeRequest(request)))).bytes,
      );
    expect(await ask(SERVER_LIVE, {})).toEqual({ live: true });
    expect(await ask(SERVER_READY, {})).toEqual({ ready: true });
    expect(await ask(MODEL_READY, { name: "add", version: "" })).toEqual({ ready: true });
    expect(await ask(MODEL_READY, { name: "add", version: "2" })).toEqual({ ready: false });
    expect(await ask(SERVER_METADATA, {})).toMatchObject({ name: "vitrine" });
    expect(await ask(MODEL_METADATA, { name: "pixel-sum", version: "" })).toMatchObject({
      versions: ["1"],
      inputs: [{ name: "pixels", datatype: "UINT8", shape: [-1n, 2n, 2n, 3n] }],
    });
    const { models } = await ask(REPOSITORY_INDEX, { repositoryName: "", ready: true });
    expect(models).toContainEqual({ name: "add", version: "1", state: "READY", reason: "" });
  });
});

describe.runIf(isOurs)("over HTTP", () => {
  async function send(name: string) {
    const golden = goldens[name];
    if (golden === undefined || !("path" in golden)) throw new Error(`no golden request ${name}`);
    const { path, headers, body } = golden;
    const response = await fetch(target.rest + path, {
      method: "POST",
      headers,
      body: Buffer.from(body, "base64"),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const jsonBytes = Number(response.headers.get("inference-header-content-length") ?? bytes.byteLength);
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      json: JSON.parse(bytes.toString("utf8", 0, jsonBytes)),
      binary: bytes.subarray(jsonBytes),
    };
  }

  const head = { model_name: "add", model_version: "1" };

  test("JSON is answered with JSON, under the request's id", async () => {
    const { status, type, json } = await send("infer as JSON");
    expect({ status, type }).toEqual({ status: 200, type: "application/json" });
    expect(json).toEqual({
      ...head,
      id: "request 2",
      outputs: [{ name: "sum", datatype: "FP32", shape: [2, 2], data: [11, 22, 33, 44] }],
    });
  });

  test.each(["infer as binary", "infer a version over HTTP"])(
    "%s: tensors stand behind the JSON",
    async (name) => {
      const { type, json, binary } = await send(name);
      expect(type).toBe("application/octet-stream");
      expect(json).toEqual({
        ...head,
        outputs: [{ name: "sum", datatype: "FP32", shape: [2, 2], parameters: { binary_data_size: 16 } }],
      });
      expect(floats(binary)).toEqual([11, 22, 33, 44]);
    },
  );

  test("each output travels as it was asked for", async () => {
    expect((await send("infer binary in, JSON out")).json.outputs).toMatchObject([{ data: [66, 210] }]);
    expect(floats((await send("infer JSON in, binary out")).binary)).toEqual([66, 210]);
    expect((await send("infer all outputs")).json.outputs).toHaveLength(2);
    const { outputs } = (await send("infer classes over HTTP")).json;
    expect(outputs).toMatchObject([
      {
        datatype: "BYTES",
        shape: [2, 2],
        data: ["22.000000:1", "11.000000:0", "44.000000:1", "33.000000:0"],
      },
    ]);
  });

  test("every dtype comes back as it went", async () => {
    const golden = goldens["infer every dtype as binary"];
    if (golden === undefined || !("path" in golden)) throw new Error("no golden request");
    const sent = Buffer.from(golden.body, "base64").subarray(
      Number(golden.headers["Inference-Header-Content-Length"]),
    );
    const request = JSON.parse(
      Buffer.from(golden.body, "base64").toString(
        "utf8",
        0,
        Number(golden.headers["Inference-Header-Content-Length"]),
      ),
    );
    const { json, binary } = await send("infer every dtype as binary");
    const parts = (tensors: { name: string; parameters: { binary_data_size: number } }[], bytes: Buffer) => {
      let offset = 0;
      return new Map(
        tensors.map(({ name, parameters }) => {
          offset += parameters.binary_data_size;
          return [name, bytes.subarray(offset - parameters.binary_data_size, offset).toString("hex")];
        }),
      );
    };
    const answered = parts(json.outputs, binary);
    for (const [name, hex] of parts(request.inputs, sent)) expect(answered.get(`${name}_out`)).toBe(hex);
  });

  test.each<[string, number, string]>([
    ["unknown model over HTTP", 404, "Request for unknown model: 'nope' is not found"],
    ["unknown version over HTTP", 404, "Request for unknown model: 'add' version 9 is not found"],
    ["wrong datatype over HTTP", 400, "data-type is 'INT32', but model 'add' expects 'FP32'"],
    ["wrong shape over HTTP", 400, "Expected [-1,2], got [2,3]"],
  ])("%s is refused: %i %s", async (name, status, message) => {
    const reply = await send(name);
    expect(reply.status).toBe(status);
    expect(reply.json).toEqual({ error: expect.stringContaining(message) });
  });

  test.each<[string, string, number]>([
    ["no inputs", "{}", 400],
    [
      "data of another size",
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1]}]}',
      400,
    ],
    ["no data", '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2]}]}', 400],
    [
      "text for numbers",
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": ["a", "b"]}]}',
      400,
    ],
    [
      "an unknown datatype",
      '{"inputs": [{"name": "x", "datatype": "FP8", "shape": [1, 2], "data": [1, 2]}]}',
      400,
    ],
    [
      "a huge shape",
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [9e9, 9e9], "data": [1]}]}',
      400,
    ],
    [
      "a negative size",
      '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2], "data": [1]}]}',
      400,
    ],
    ["what is no JSON", "nope", 400],
  ])("%s is refused", async (_, body, status) => {
    const response = await fetch(`${target.rest}/v2/models/add/infer`, { method: "POST", body });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  test.each<[string, number, unknown]>([
    ["", 200, { name: "add", version: "1", state: "READY", reason: "" }],
    ['{"ready": true}', 200, { name: "add", version: "1", state: "READY", reason: "" }],
  ])("the repository's index for %j is %i", async (body, status, model) => {
    const response = await fetch(`${target.rest}/v2/repository/index`, { method: "POST", body });
    expect(response.status).toBe(status);
    expect(await response.json()).toContainEqual(model);
  });

  test.each<[string, number, unknown]>([
    ["/v2", 200, { name: "vitrine" }],
    ["/v2/health/live", 200, { live: true }],
    ["/v2/health/ready", 200, { ready: true }],
    [
      "/v2/models/add",
      200,
      { name: "add", versions: ["1"], inputs: [{ shape: [-1, 2] }, { datatype: "FP32" }] },
    ],
    ["/v2/models/add/ready", 200, { name: "add", ready: true }],
    ["/v2/models/add/versions/1/ready", 200, { ready: true }],
    ["/v2/models/nope/ready", 404, { ready: false }],
    ["/v2/models/nope", 404, { error: "Request for unknown model: 'nope' is not found" }],
  ])("GET %s is %i", async (path, status, body) => {
    const response = await fetch(target.rest + path);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(body as object);
  });
});

test.runIf(isOurs)("a stream answers each request in turn, and a refused one does not end it", async () => {
  const golden = (name: string) => {
    const found = goldens[name];
    if (found === undefined || !("grpc" in found)) throw new Error(`no golden request ${name}`);
    return Buffer.from(found.grpc, "base64");
  };
  const answers = await target.stream(MODEL_STREAM_INFER.path, [
    golden("infer"),
    golden("unknown model"),
    golden("infer typed contents"),
  ]);
  expect(answers.map((bytes) => MODEL_STREAM_INFER.decodeResponse(bytes))).toMatchObject([
    { errorMessage: "", inferResponse: { id: "request 1", modelName: "pixel-sum" } },
    { errorMessage: "Request for unknown model: 'nope' is not found" },
    { errorMessage: "", inferResponse: { id: "typed", modelName: "add" } },
  ]);
});
