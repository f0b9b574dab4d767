import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { HEALTH_CHECK, PREDICT } from "@vitrine/protocol/services";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";
import { afterEach, describe, expect, test } from "vitest";
import { serveSettings } from "./config.js";
import { startModelServer } from "./main.js";
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

async function fileWith(text: string): Promise<string> {
  const file = path.join(await mkdtemp(path.join(tmpdir(), "vitrine-monitoring-")), "monitoring.config");
  await writeFile(file, text);
  return file;
}

const double = {
  modelSpec: { name: "scalar", versionChoice: undefined, signatureName: "" },
  inputs: new Map([
    ["x", tensorToProto({ dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(1) }, "content")],
  ]),
  outputFilter: [],
};

async function get(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

describe("TensorFlow Serving's metrics", () => {
  test("are served where its configuration asks for them, under its names", async () => {
    const monitoringConfigFile = await fileWith("prometheus_config { enable: true }");
    const { rest, channel } = await start(fixture("scalar"), { monitoringConfigFile });
    await channel.unary(PREDICT, double);
    const [status, page] = await get(`${rest}/monitoring/prometheus/metrics`);
    expect(status).toBe(200);
    expect(page).toContain(':tensorflow:serving:request_count{model_name="scalar",status="OK"} 1\n');
    expect(page).toContain('API="Predict",entrypoint="GRPC"');
    expect((await get(`${rest}/monitoring/prometheus/metrics?x=1`))[0]).toBe(400);
  });

  test("may have another path, and are off unless they are enabled", async () => {
    const elsewhere = await fileWith('prometheus_config { enable: true path: "/numbers" }');
    const off = await fileWith('prometheus_config { enable: false path: "/numbers" }');
    const [enabled, disabled] = [
      await start(fixture("scalar"), { monitoringConfigFile: elsewhere }),
      await start(fixture("scalar"), { monitoringConfigFile: off }),
    ];
    expect((await get(`${enabled.rest}/numbers`))[0]).toBe(200);
    expect((await get(`${disabled.rest}/numbers`))[0]).toBe(404);
  });

  test("asked for in a file that is wrong fail the start with its line", async () => {
    const monitoringConfigFile = await fileWith("prometheus_config {\n  enabled: true }");
    await expect(start(fixture("scalar"), { monitoringConfigFile })).rejects.toThrow(
      'monitoring.config:2:3: PrometheusConfig has no field "enabled"',
    );
  });
});

describe("the admin port", () => {
  /** Starts a server whose model loads until the worker is let go, with a known admin port. */
  async function startLoading(flags: Record<string, string>) {
    const ports = { host: "127.0.0.1", port: "auto", restApiPort: "auto", adminPort: "auto", workers: "1" };
    const { config } = resolveSettings(serveSettings, { flags: { ...ports, ...flags }, env: {} });
    const stream = new PassThrough();
    const opened = new Promise<number>((resolve) => {
      stream.on("data", (chunk: Buffer) => {
        const port = /"adminPort":(\d+)/.exec(chunk.toString())?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    });
    const metrics = createMetrics("model-server", "test");
    const starting = startModelServer(config, {
      logger: createLogger({ name: "model-server", level: "info", stream }),
      metrics,
      workerUrl: new URL("slow-loading-worker.js", SCRIPTED_WORKER),
    });
    return { starting, admin: `http://127.0.0.1:${await opened}` };
  }

  test("is open while a model loads, and says which", async () => {
    const gate = new BroadcastChannel("slow-loading-worker");
    const loading = new Promise<void>((resolve) => {
      gate.onmessage = () => resolve();
    });
    const { starting, admin } = await startLoading({ modelBasePath: fixture("scalar") });
    await loading;
    expect(await get(`${admin}/livez`)).toEqual([200, "ok\n"]);
    const [status, why] = await get(`${admin}/readyz`);
    expect(status).toBe(503);
    expect(why).toContain("model scalar is not available: version 1 is LOADING");
    expect((await get(`${admin}/metrics`))[1]).toContain("nodejs_eventloop_delay_seconds");
    gate.postMessage("go on");
    const server = await starting;
    expect(await get(`${admin}/readyz`)).toEqual([200, "ok\n"]);
    gate.close();
    await server.drain(0);
    await expect(fetch(`${admin}/livez`)).rejects.toThrow();
  });

  test("is closed again when the start fails", async () => {
    const { starting, admin } = await startLoading({
      modelBasePath: "/nowhere/model",
      fileSystemPollWaitSeconds: "0",
    });
    await expect(starting).rejects.toThrow("/nowhere/model");
    await expect(fetch(`${admin}/livez`)).rejects.toThrow();
  });
});

test("before a drain with a wait the server says that it is not ready, and still answers", async () => {
  const { server, channel, rest } = await start(fixture("scalar"), { drainWaitMs: "200" });
  const drained = server.drain(1000);
  expect(await get(`${rest}/readyz`)).toEqual([503, "draining"]);
  expect((await channel.unary(HEALTH_CHECK, { service: "" })).status).toBe(2);
  await channel.unary(PREDICT, double);
  await drained;
  await expect(fetch(`${rest}/readyz`)).rejects.toThrow();
});
