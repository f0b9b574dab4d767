import { createMetrics } from "@vitrine/runtime/metrics";
import { afterEach, expect, test } from "vitest";
import { createServerMetrics, type FinishedRequest } from "./server-metrics.js";

const made: { close(): void }[] = [];
afterEach(() => {
  for (const metrics of made.splice(0)) metrics.close();
});

function make() {
  const metrics = createMetrics("model-server", "test");
  made.push(metrics);
  const { registry } = metrics;
  return {
    metrics: createServerMetrics(registry, undefined),
    page: async (name: string) => {
      const page = await registry.metrics();
      return page.split("\n").filter((line) => line.startsWith(name));
    },
  };
}

const gauges = {
  waitingRequests: () => 3,
  requestsInFlight: () => 5,
  busySessions: () => 2,
  sessions: () => 4,
};

const answered: FinishedRequest = {
  protocol: "grpc",
  method: "Predict",
  model: "birds",
  version: 1,
  code: "OK",
  durationMs: 5,
  run: { queueMs: 1, runMs: 3 },
  examples: undefined,
};

test("callers cannot make series with names of their own", async () => {
  const { metrics, page } = make();
  metrics.versionLoaded("birds", 1, gauges);
  metrics.requestEnded(answered);
  for (let index = 0; index < 100; index++) {
    metrics.requestEnded({
      ...answered,
      model: `guess-${index}`,
      version: undefined,
      code: "NOT_FOUND",
      run: undefined,
    });
  }
  expect(await page("vitrine_model_server_requests_total")).toEqual([
    'vitrine_model_server_requests_total{protocol="grpc",method="Predict",model="birds",version="1",code="OK"} 1',
    'vitrine_model_server_requests_total{protocol="grpc",method="Predict",model="(unknown)",version="",code="NOT_FOUND"} 100',
  ]);
});

test("each loaded version tells what waits and what runs", async () => {
  const { metrics, page } = make();
  metrics.versionLoaded("birds", 1, gauges);
  metrics.versionLoaded("birds", 2, { ...gauges, waitingRequests: () => 0 });
  expect(await page("vitrine_model_server_waiting_requests")).toEqual([
    'vitrine_model_server_waiting_requests{model="birds",version="1"} 3',
    'vitrine_model_server_waiting_requests{model="birds",version="2"} 0',
  ]);
  expect(await page('vitrine_model_server_requests_in_flight{model="birds",version="1"}')).toEqual([
    'vitrine_model_server_requests_in_flight{model="birds",version="1"} 5',
  ]);
  expect(await page('vitrine_model_server_busy_sessions{model="birds",version="1"}')).toHaveLength(1);
});

test("a version that is gone leaves no series behind", async () => {
  const { metrics, page } = make();
  const forget = metrics.versionLoaded("birds", 1, gauges);
  metrics.versionLoaded("birds", 2, gauges);
  metrics.requestEnded(answered);
  metrics.requestEnded({ ...answered, version: 2 });
  forget();
  await page("x");
  const left = [
    ...(await page("vitrine_model_server_requests_total")),
    ...(await page("vitrine_model_server_stage")),
    ...(await page("vitrine_model_server_sessions")),
  ];
  expect(left.length).toBeGreaterThan(0);
  expect(left.filter((line) => line.includes('version="1"'))).toEqual([]);
});
