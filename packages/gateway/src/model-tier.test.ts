import { Writable } from "node:stream";
import { contractToJson } from "@vitrine/protocol/contract";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import { MODEL_INFER, MODEL_METADATA } from "@vitrine/protocol/inference-services";
import { ServeError } from "@vitrine/protocol/status";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";
import { afterEach, describe, expect, it } from "vitest";
import { predictResponseSchema } from "./api.js";
import { gatewaySettings } from "./config.js";
import { openModelTier } from "./model-tier.js";
import { contract, jpeg, model, startTestGateway } from "./testing/gateway.js";

const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server of the Open Inference Protocol that answers as Triton (raw) or as KServe's Python server (typed) does. */
async function startInferenceServer(
  form: "raw" | "typed",
  datatype = "FP32",
  properties = new Map<string, string>(),
) {
  const server = new GrpcServer();
  const seen: { datatype: string; shape: bigint[]; bytes: number; outputs: string[] }[] = [];
  server.unary(MODEL_METADATA, ({ name }) => {
    if (name !== "clothing-model") throw new ServeError("MODEL_NOT_FOUND", `unknown model: '${name}'`);
    return {
      name,
      versions: ["2", "10"],
      platform: "onnxruntime_onnx",
      inputs: [{ name: "image", datatype: "FP32", shape: [-1n, 3n, 8n, 8n] }],
      outputs: [{ name: "scores", datatype, shape: [-1n, 3n] }],
      properties,
    };
  });
  server.unary(MODEL_INFER, ({ inputs, rawInputContents, outputs }) => {
    const [input] = inputs;
    seen.push({
      datatype: input?.datatype ?? "",
      shape: input?.shape ?? [],
      bytes: rawInputContents[0]?.byteLength ?? 0,
      outputs: outputs.map(({ name }) => name),
    });
    const scores = Float32Array.of(0, 1, 3);
    const contents = {
      boolContents: [],
      intContents: [],
      int64Contents: [],
      uintContents: [],
      uint64Contents: [],
      fp32Contents: [...scores],
      fp64Contents: [],
      bytesContents: [],
    };
    return {
      modelName: "clothing-model",
      modelVersion: "10",
      id: "",
      parameters: new Map(),
      outputs: [
        {
          name: "scores",
          datatype,
          shape: [1n, 3n],
          parameters: new Map(),
          contents: form === "typed" ? contents : undefined,
        },
      ],
      rawOutputContents: form === "raw" ? [new Uint8Array(scores.buffer)] : [],
    };
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  closers.push(() => server.close());
  return { port, seen };
}

const CONTRACT_FLAGS = {
  engine: "open-inference",
  preprocess: "mobilenet",
  labels: "dress,hat,pants",
  scoreKind: "logits",
};

async function predict(url: string) {
  const body = new Uint8Array(await jpeg());
  return await fetch(`${url}/predict`, { method: "POST", headers: { "content-type": "image/jpeg" }, body });
}

describe("an Open Inference Protocol server", () => {
  it.each(["raw", "typed"] as const)("is asked with raw NCHW floats and answers in %s form", async (form) => {
    const { port, seen } = await startInferenceServer(form);
    const setup = await startTestGateway(model(), { ...CONTRACT_FLAGS, tfServingHost: `127.0.0.1:${port}` });
    closers.push(() => setup.close());
    const answer = predictResponseSchema.parse(await (await predict(setup.gateway.url)).json());
    expect(answer).toMatchObject({ top_class: "pants", model: { name: "clothing-model", version: "10" } });
    expect(seen).toEqual([
      { datatype: "FP32", shape: [1n, 3n, 8n, 8n], bytes: 4 * 3 * 8 * 8, outputs: ["scores"] },
    ]);
  });

  it("that tells the model's contract among its properties, as a Vitrine does, needs no flags", async () => {
    const told = contract({
      preprocessor: { vitrine: { layout: "NCHW" } },
      config: { vitrine: { score_kind: "logits" } },
    });
    const properties = new Map([["vitrine.contract", contractToJson(told)]]);
    const { port } = await startInferenceServer("raw", "FP32", properties);
    const setup = await startTestGateway(model(), {
      engine: "open-inference",
      tfServingHost: `127.0.0.1:${port}`,
    });
    closers.push(() => setup.close());
    const answer = predictResponseSchema.parse(await (await predict(setup.gateway.url)).json());
    expect(answer).toMatchObject({ top_class: "pants", contract: told.digest });
  });

  it("whose datatype nobody knows keeps the gateway from being ready, and /readyz names it", async () => {
    const { port } = await startInferenceServer("raw", "FP8");
    const setup = await startTestGateway(
      model(),
      { ...CONTRACT_FLAGS, tfServingHost: `127.0.0.1:${port}` },
      { await: false },
    );
    closers.push(() => setup.close());
    const response = await fetch(setup.url("/readyz"));
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      detail: expect.stringContaining('"scores" of the model was FP8'),
    });
  });

  it("asked in TensorFlow Serving's protocol is a mismatch that names the flag", async () => {
    const { port } = await startInferenceServer("raw");
    const setup = await startTestGateway(model(), { tfServingHost: `127.0.0.1:${port}` }, { await: false });
    closers.push(() => setup.close());
    const response = await fetch(setup.url("/readyz"));
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining("--engine") });
  });
});

describe("several model servers", () => {
  it("share the pictures, and the loss of one costs no answer", async () => {
    const setups = [await startTestGateway(model()), await startTestGateway(model())];
    for (const { close } of setups) closers.push(close);
    const hosts = setups.map(({ tier }) => `127.0.0.1:${tier.port}`);
    const setup = await startTestGateway(model(), { tfServingHost: hosts.join(",") });
    closers.push(() => setup.close());
    for (const { tier } of setups) tier.calls.length = 0;
    // Both are connected once both were asked.
    await expect
      .poll(async () => {
        await predict(setup.gateway.url);
        return setups.every(({ tier }) => tier.calls.length > 0);
      })
      .toBe(true);
    for (const { tier } of setups) tier.calls.length = 0;
    for (let index = 0; index < 10; index++) expect((await predict(setup.gateway.url)).status).toBe(200);
    expect(setups.map(({ tier }) => tier.calls.length)).toEqual([5, 5]);

    setups[0]?.tier.stop();
    for (let index = 0; index < 10; index++) expect((await predict(setup.gateway.url)).status).toBe(200);
    const metrics = await (await fetch(setup.url("/metrics"))).text();
    expect(metrics).toMatch(/^vitrine_gateway_model_servers\{state="out"\} 1$/m);
    expect(metrics).toMatch(/^vitrine_gateway_model_servers\{state="ready"\} 1$/m);
    expect(setup.log).toContainEqual(
      expect.objectContaining({ level: "warn", msg: "model server is out of turn" }),
    );
  });

  it("that come after the gateway are waited for without a warning", async () => {
    const setup = await startTestGateway(model(), {}, { start: false });
    closers.push(() => setup.close());
    await expect
      .poll(() => setup.log.map(({ msg }) => msg), { timeout: 10_000 })
      .toContain("waiting for the model tier");
    await setup.tier.start();
    await setup.gateway.ready;
    expect(setup.log.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  });
});

describe("TLS to the model tier", () => {
  const open = async (flags: Record<string, string>) => {
    const { config } = resolveSettings(gatewaySettings, { flags, env: {} });
    const metrics = createMetrics("gateway", "0");
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    const tier = await openModelTier(config, {
      logger: createLogger({ name: "gateway", level: "info", stream }),
      registry: metrics.registry,
    });
    metrics.close();
    return tier;
  };

  it("refuses a certificate without its key, and a file that is not there, by name", async () => {
    await expect(open({ tfServingCert: "client.pem" })).rejects.toThrow(
      /--tf-serving-key were not both given/,
    );
    await expect(open({ tfServingCa: "/nowhere/ca.pem" })).rejects.toThrow(
      /--tf-serving-ca was \/nowhere\/ca\.pem, which could not be read \(ENOENT\)/,
    );
  });
});
