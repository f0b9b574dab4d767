import { Counter, Registry } from "prom-client";
import { afterEach, expect, test } from "vitest";
import { type AdminServer, startAdminServer } from "./admin-server.js";

const started: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.close()));
});

async function start(whyNotReady: () => string | undefined = () => undefined) {
  const registry = new Registry();
  new Counter({ name: "answers_total", help: "Answers", registers: [registry] }).inc();
  const server = await startAdminServer({ host: "127.0.0.1", port: 0, registry, whyNotReady });
  started.push(server);
  return async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return [response.status, await response.text()];
  };
}

test("a process is live as soon as the port is open, and ready when nothing is in its way", async () => {
  let problem: string | undefined = "model birds version 2 is loading";
  const get = await start(() => problem);
  expect(await get("/livez")).toEqual([200, "ok\n"]);
  expect(await get("/readyz")).toEqual([503, "model birds version 2 is loading\n"]);
  problem = undefined;
  expect(await get("/readyz?verbose")).toEqual([200, "ok\n"]);
});

test("metrics are Prometheus' text", async () => {
  const get = await start();
  const [status, body] = await get("/metrics");
  expect(status).toBe(200);
  expect(body).toContain("answers_total 1");
});

test("anything else is refused in plain words", async () => {
  const get = await start();
  expect(await get("/v1/models")).toEqual([404, "expected /livez, /readyz or /metrics\n"]);
  expect(await get("/metrics", { method: "DELETE" })).toEqual([405, "expected GET\n"]);
});

test("a taken port fails the start", async () => {
  await start();
  const port = started[0]?.port ?? 0;
  await expect(
    startAdminServer({ host: "127.0.0.1", port, registry: new Registry(), whyNotReady: () => undefined }),
  ).rejects.toThrow("EADDRINUSE");
});

test("closing does not wait for a watcher that keeps its connection", async () => {
  const get = await start();
  await get("/livez");
  await started[0]?.close();
  await expect(get("/livez")).rejects.toThrow();
});
