import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { GET_MODEL_METADATA, GET_MODEL_STATUS, HEALTH_CHECK, PREDICT } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor, tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";
import { afterEach, describe, expect, test } from "vitest";
import { fixture, SCRIPTED_WORKER, type StartedServer, startServer } from "./testing/start.js";

const started: StartedServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function start(...args: Parameters<typeof startServer>): Promise<StartedServer> {
  const server = await startServer(...args);
  started.push(server);
  return server;
}

/** A server whose sessions do what the input `command` says; see fixtures/scripted-worker.js. */
function startScripted(flags: Record<string, string> = {}): Promise<StartedServer> {
  return start(fixture("scalar"), flags, { workerUrl: SCRIPTED_WORKER });
}

function request(inputs: Record<string, Tensor>, outputFilter: string[] = []) {
  return {
    modelSpec: { name: "scalar", versionChoice: undefined, signatureName: "" },
    inputs: new Map(
      Object.entries(inputs).map(([alias, tensor]) => [alias, tensorToProto(tensor, "content")]),
    ),
    outputFilter,
  };
}

function command(word: string) {
  const data = [Buffer.from(word)];
  return request({ command: { dtype: DataType.DT_STRING, shape: [1], data } });
}

/** Sends a request that holds its session, and resolves when it does. */
async function holdSession({ channel }: StartedServer) {
  const gate = new BroadcastChannel("scripted-worker");
  const holding = new Promise<void>((resolve) => {
    gate.onmessage = () => resolve();
  });
  const outcome = outcomeOf(channel.unary(PREDICT, command("hold")));
  await holding;
  return {
    outcome,
    release: () => {
      gate.postMessage("release");
      gate.close();
    },
  };
}

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    () => "OK",
    (error: unknown) => (error instanceof ServeError ? error.code : String(error)),
  );

const statusRequest = (name: string) => ({
  modelSpec: { name, versionChoice: undefined, signatureName: "" },
});

async function versionFolder(files: Record<string, string | URL>): Promise<string> {
  const base = await mkdtemp(path.join(tmpdir(), "vitrine-model-"));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(base, name);
    await mkdir(path.dirname(file), { recursive: true });
    if (content instanceof URL) await copyFile(content, file);
    else await writeFile(file, content);
  }
  return base;
}

const MODEL_FILE = new URL(`file://${fixture("pixel-sum/1/model.onnx")}`);
const CONFIG = JSON.stringify({ id2label: { 0: "shirt" } });
const PREPROCESSOR = JSON.stringify({ size: { height: 2, width: 2 } });

describe("a model folder", () => {
  test("is served in its highest version, under its own name", async () => {
    const folder = await versionFolder({
      "2/model.onnx": "not looked at",
      "0010/model.onnx": MODEL_FILE,
      "backup/model.onnx": "not looked at",
    });
    const { rest } = await start(folder);
    const response = await fetch(`${rest}/v1/models/${path.basename(folder)}`);
    expect(await response.json()).toEqual({
      model_version_status: [
        { version: "10", state: "AVAILABLE", status: { error_code: "OK", error_message: "" } },
      ],
    });
  });

  test("of a Hugging Face export is version 1, and its contract travels", async () => {
    const folder = await versionFolder({
      "onnx/model.onnx": MODEL_FILE,
      "config.json": CONFIG,
      "preprocessor_config.json": PREPROCESSOR,
    });
    const { channel } = await start(folder, { modelName: "hf" });
    const { metadata, modelSpec } = await channel.unary(GET_MODEL_METADATA, {
      ...statusRequest("hf"),
      metadataField: ["vitrine.contract"],
    });
    expect(modelSpec?.versionChoice?.value).toEqual({ value: 1 });
    const any = metadata.get("vitrine.contract");
    expect(any?.typeUrl).toBe("type.googleapis.com/google.protobuf.StringValue");
    expect(Buffer.from(any?.value ?? []).toString()).toContain('"config":{"id2label":{"0":"shirt"}}');
  });

  test.each<[string, Record<string, string>, string]>([
    ["nothing", {}, "had neither version folders nor config.json with a model"],
    ["an empty version", { "1/README": "" }, "held no model, expected "],
    ["a damaged SavedModel", { "1/saved_model.pb": "nonsense" }, "saved_model.pb was damaged"],
    ["a file that is no model", { "1/model.onnx": "nonsense" }, "Protobuf parsing failed"],
    [
      "half a contract",
      { "1/model.onnx": "", "1/config.json": CONFIG },
      "preprocessor_config.json was missing",
    ],
  ])("with %s fails the start and says why", async (_, files, message) => {
    await expect(start(await versionFolder(files))).rejects.toThrow(message);
  });

  test("that is not there fails the start and says why", async () => {
    await expect(start("/nowhere/model")).rejects.toThrow("/nowhere/model could not be read (ENOENT)");
  });
});

describe("REST", () => {
  test("predicts in row and column form", async () => {
    const { rest } = await start(fixture("add"));
    const post = async (body: unknown) => {
      const response = await fetch(`${rest}/v1/models/add:predict`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      return [response.status, await response.json()];
    };
    expect(await post({ instances: [{ x: [1, 2], y: [3, 4] }] })).toEqual([200, { predictions: [[4, 6]] }]);
    expect(await post({ inputs: { x: [[1, 2]], y: [[3, 4]] } })).toEqual([200, { outputs: [[4, 6]] }]);
    expect(await post({ inputs: { x: [[1, 2]], y: [["3", 4]] } })).toEqual([
      400,
      { error: 'JSON Value: "3" Type: String is not of expected type: float' },
    ]);
  });

  test("inflates gzip bodies and refuses bombs", async () => {
    const { gzipSync } = await import("node:zlib");
    const { rest } = await start(fixture("dynamic"), { maxMessageBytes: "4096" });
    const post = async (text: string) => {
      const response = await fetch(`${rest}/v1/models/dynamic:predict`, {
        method: "POST",
        headers: { "content-encoding": "gzip" },
        body: gzipSync(text),
      });
      return response.status;
    };
    expect(await post('{"instances": [[1, 2, 3]]}')).toBe(200);
    expect(await post(" ".repeat(100_000))).toBe(400);
  });

  test("a body over the limit is refused", async () => {
    const { rest } = await start(fixture("dynamic"), { maxMessageBytes: "1024" });
    const response = await fetch(`${rest}/v1/models/dynamic:predict`, {
      method: "POST",
      body: " ".repeat(2000),
    });
    expect(response.status).toBe(413);
  });

  test.each([
    ["GET", "/v1/models/add/versions/1", 200],
    ["GET", "/V1/Models/add", 200],
    ["GET", "/v1/models/add/labels/stable", 200],
    ["GET", "/v1/models/add/metadata", 200],
    ["GET", "/v1/models/add/labels/stable/metadata", 400],
    ["GET", "/v1/models/nope", 404],
    ["GET", "/v1/models/nope/metadata", 404],
    ["GET", "/v1/models/add/versions/9", 404],
    ["GET", "/v1/models/add/versions/99999999999999999999", 400],
    ["GET", "/v1/models/add/", 400],
    ["GET", "/v1/models/add?verbose=1", 400],
    ["GET", "/v1/models/add:predict", 400],
    ["POST", "/v1/models/add", 400],
    ["POST", "/v1/models/add:predict", 400],
    ["POST", "/v1/models/add:classify", 400],
    ["GET", "/v1/models", 400],
    ["GET", "/elsewhere", 404],
    ["GET", "/livez", 200],
    ["GET", "/readyz", 200],
    ["GET", "/metrics", 200],
  ])("%s %s is answered with %d", async (method, route, status) => {
    const { rest } = await start(fixture("add"));
    const response = await fetch(rest + route, { method });
    expect(response.status).toBe(status);
    const text = await response.text();
    if (status >= 400) expect(JSON.parse(text)).toEqual({ error: expect.any(String) });
  });

  test("metadata has the signature twice nested, with sizes as texts", async () => {
    const { rest } = await start(fixture("add"));
    const { model_spec, metadata } = await (await fetch(`${rest}/v1/models/add/metadata`)).json();
    expect(model_spec).toEqual({ name: "add", signature_name: "", version: "1" });
    const { serving_default } = metadata.signature_def.signature_def;
    expect(serving_default.method_name).toBe("tensorflow/serving/predict");
    expect(serving_default.inputs.x).toEqual({
      dtype: "DT_FLOAT",
      tensor_shape: {
        dim: [
          { size: "-1", name: "" },
          { size: "2", name: "" },
        ],
        unknown_rank: false,
      },
      name: "x:0",
    });
  });
});

describe("gRPC", () => {
  test("answers raw bytes where the flag says so", async () => {
    const { channel } = await start(fixture("scalar"), { enableSerializationAsTensorContent: "true" });
    const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(21) };
    const { outputs } = await channel.unary(PREDICT, request({ x }));
    const proto = outputs.get("y");
    expect(proto?.tensorContent).toHaveLength(4);
    expect(proto && tensorFromProto(proto, "y").data).toEqual(Float32Array.of(42));
  });

  test("health knows the server's names and the model's", async () => {
    const { channel } = await start(fixture("scalar"));
    const check = async (service: string) => (await channel.unary(HEALTH_CHECK, { service })).status;
    for (const service of ["", "ModelService", "tensorflow.serving.PredictionService", "scalar"]) {
      expect(await check(service)).toBe(1);
    }
    expect(await outcomeOf(check("nope"))).toBe("NOT_FOUND");
  });

  test("a text that is not UTF-8 is refused by name: ONNX Runtime for Node cannot take it", async () => {
    const { channel } = await startScripted();
    const call = channel.unary(
      PREDICT,
      request({ command: { dtype: DataType.DT_STRING, shape: [1], data: [Buffer.of(255)] } }),
    );
    await expect(call).rejects.toThrow("Input command had a string that is not UTF-8");
  });

  test("one line is logged for each request, with stage times", async () => {
    const { channel, logLines } = await start(fixture("scalar"));
    const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(1) };
    await channel.unary(PREDICT, request({ x }), { metadata: { "x-request-id": "abc" } });
    await outcomeOf(channel.unary(PREDICT, request({})));
    const lines = logLines().filter(({ msg }) => msg === "request");
    expect(lines).toMatchObject([
      {
        protocol: "grpc",
        method: "Predict",
        requestId: "abc",
        model: "scalar",
        version: 1,
        code: "OK",
        batchRows: 1,
      },
      { method: "Predict", code: "INVALID_ARGUMENT", reason: "REQUEST_INVALID" },
    ]);
    expect(lines[0]).toHaveProperty("inferenceMs");
  });
});

describe("batching", () => {
  test("gives each of many concurrent requests its own rows", async () => {
    const { channel } = await start(fixture("lookup"), { enableBatching: "true", modelName: "scalar" });
    const answers = Array.from({ length: 40 }, async (_, index) => {
      const rows = BigInt64Array.of(BigInt(index % 3), BigInt((index + 1) % 3));
      const tensor: Tensor = { dtype: DataType.DT_INT64, shape: [2], data: rows };
      const { outputs } = await channel.unary(PREDICT, request({ index: tensor }));
      return outputs.get("row")?.floatVal;
    });
    const table = [10, 20, 30];
    const first = (row: number) => [table[row % 3] ?? 0, (table[row % 3] ?? 0) + 1];
    expect(await Promise.all(answers)).toEqual(
      answers.map((_, index) => [...first(index), ...first(index + 1)]),
    );
  });

  test("a request that the graph refuses fails alone", async () => {
    const { channel } = await start(fixture("lookup"), { enableBatching: "true", modelName: "scalar" });
    const ask = (row: bigint) => {
      const index: Tensor = { dtype: DataType.DT_INT64, shape: [1], data: BigInt64Array.of(row) };
      return outcomeOf(channel.unary(PREDICT, request({ index })));
    };
    const rows = Array.from({ length: 20 }, (_, index) => (index % 5 === 3 ? 99n : 1n));
    expect(await Promise.all(rows.map(ask))).toEqual(
      rows.map((row) => (row === 99n ? "INVALID_ARGUMENT" : "OK")),
    );
  });

  test("a model of fixed rows is never given more", async () => {
    const { channel } = await start(fixture("one-row"), { enableBatching: "true", modelName: "scalar" });
    const ask = async (value: number) => {
      const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [1, 2], data: Float32Array.of(value, value) };
      return (await channel.unary(PREDICT, request({ x }))).outputs.get("y")?.floatVal;
    };
    const values = Array.from({ length: 10 }, (_, index) => index);
    expect(await Promise.all(values.map(ask))).toEqual(values.map((value) => [2 * value, 2 * value]));
  });
});

describe("while every session is busy", () => {
  test("a request beyond the queue is refused, and the health stays", async () => {
    const server = await startScripted({ maxEnqueuedBatches: "0" });
    const held = await holdSession(server);
    expect(await outcomeOf(server.channel.unary(PREDICT, command("echo")))).toBe("UNAVAILABLE");
    expect((await server.channel.unary(HEALTH_CHECK, { service: "" })).status).toBe(1);
    held.release();
    expect(await held.outcome).toBe("OK");
  });

  test("a deadline that passes in the queue is answered in time, and the request never runs", async () => {
    const server = await startScripted();
    const held = await holdSession(server);
    const late = server.channel.unary(PREDICT, command("exit"), { timeoutMs: 20 });
    expect(await outcomeOf(late)).toBe("DEADLINE_EXCEEDED");
    // Comes to the server after the end of the other call.
    await server.channel.unary(HEALTH_CHECK, { service: "" });
    held.release();
    expect(await held.outcome).toBe("OK");
    const metrics = await (await fetch(`${server.rest}/metrics`)).text();
    expect(metrics).toContain("vitrine_model_server_worker_restarts_total 0");
  });
});

describe("a session worker that dies", () => {
  test("is replaced, and what it ran is answered by another", async () => {
    const { channel, rest } = await startScripted({ workers: "2" });
    expect(await outcomeOf(channel.unary(PREDICT, command("exit")))).toBe("UNAVAILABLE");
    expect(await outcomeOf(channel.unary(PREDICT, command("echo")))).toBe("OK");
    const metrics = await (await fetch(`${rest}/metrics`)).text();
    expect(metrics).toContain("vitrine_model_server_worker_restarts_total 2");
  });

  test("again and again ends the server, with a clear word and the state END", async () => {
    const { channel, server } = await startScripted();
    const failure = server.failed?.catch((error: unknown) => error);
    for (let round = 0; round < 3; round++) await outcomeOf(channel.unary(PREDICT, command("exit")));
    expect(String(await failure)).toContain("session workers died 5 times without an answered run between");
    const { modelVersionStatus } = await channel.unary(GET_MODEL_STATUS, statusRequest("scalar"));
    expect(modelVersionStatus[0]).toMatchObject({ state: 50, status: { errorCode: 14 } });
    expect((await channel.unary(HEALTH_CHECK, { service: "" })).status).toBe(2);
    expect(await outcomeOf(channel.unary(PREDICT, command("echo")))).toBe("NOT_FOUND");
  });
});

describe("draining", () => {
  test("finishes what was accepted, says so to probes, and takes nothing new", async () => {
    const started = await startScripted();
    const { channel, server, rest } = started;
    const held = await holdSession(started);
    const queued = outcomeOf(channel.unary(PREDICT, command("echo")));
    // A later call on the same connection was answered, so the queued one has arrived.
    await channel.unary(HEALTH_CHECK, { service: "" });
    const drained = server.drain(10_000);
    held.release();
    expect([await held.outcome, await queued]).toEqual(["OK", "OK"]);
    await drained;
    await expect(fetch(`${rest}/livez`)).rejects.toThrow();
    expect(await outcomeOf(channel.unary(PREDICT, command("echo")))).toBe("UNAVAILABLE");
  });

  test("does not wait longer than its grace", async () => {
    const { channel, server } = await startScripted();
    const parked = outcomeOf(channel.unary(PREDICT, command("park")));
    await channel.unary(HEALTH_CHECK, { service: "" });
    await server.drain(10);
    expect(["UNAVAILABLE", "CANCELLED"]).toContain(await parked);
  });
});

test("a start that is called off while it loads ends its workers and fails", async () => {
  const controller = new AbortController();
  const starting = start(fixture("add"), {}, { signal: controller.signal });
  controller.abort(new Error("called off"));
  await expect(starting).rejects.toThrow("called off");
});

test("a taken port fails the start and ends the sessions", async () => {
  const { server } = await start(fixture("add"));
  await expect(start(fixture("add"), { port: String(server.grpcPort) })).rejects.toThrow("EADDRINUSE");
});
