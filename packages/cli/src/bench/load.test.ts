import type { ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { type LoadPlan, runLoad } from "./load.js";
import { type StubGateway, startStubGateway } from "./testing/stub-gateway.js";

const REQUESTS = [{ body: Buffer.from("picture"), contentType: "image/jpeg" }];
const TIMING = { "server-timing": "decode;dur=1, predict;dur=2, total;dur=4" };

let gateway: StubGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

async function planFor(
  answer: (response: ServerResponse) => void,
  plan: Partial<LoadPlan> & Pick<LoadPlan, "load">,
): Promise<LoadPlan> {
  gateway = await startStubGateway(answer);
  return {
    gatewayUrl: gateway.url,
    requests: REQUESTS,
    warmUpMs: 0,
    durationMs: 60_000,
    mostRequests: Number.POSITIVE_INFINITY,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...plan,
  };
}

test("a closed loop has as many requests under way as callers, never more, and ends at the count", async () => {
  let underWay = 0;
  let most = 0;
  const held: ServerResponse[] = [];
  const plan = await planFor(
    (response) => {
      most = Math.max(most, ++underWay);
      held.push(response);
      // Answers go out only when every caller waits for one.
      if (held.length < 5) return;
      underWay = 0;
      for (const each of held.splice(0)) each.writeHead(200, TIMING).end();
    },
    { load: { kind: "closed", concurrency: 5 }, mostRequests: 40 },
  );
  const record = await runLoad(plan);
  expect(record.ok).toBe(40);
  expect(most).toBe(5);
  expect(record.failures.size).toBe(0);
  expect([...record.stagesMs.keys()].sort()).toEqual(["decode", "network", "predict", "waiting"]);
  expect(record.stagesMs.get("waiting")?.summary()?.max).toBe(1);
});

test("an open loop goes on sending while the first answer is held, and that wait is in its latency", async () => {
  let first: ServerResponse | undefined;
  let arrived = 0;
  const plan = await planFor(
    (response) => {
      if (++arrived === 1) {
        first = response;
        return;
      }
      response.writeHead(200, TIMING).end();
      if (arrived === 20) first?.writeHead(200, TIMING).end();
    },
    { load: { kind: "open", perSecond: 200, arrivals: "constant" }, mostRequests: 20 },
  );
  const record = await runLoad(plan);
  expect(record.ok).toBe(20);
  // 19 gaps of 5 ms lie between the first request and the one that releases it.
  expect(record.latencyMs.summary()?.max).toBeGreaterThan(90);
});

test("what was due while too many were under way counts from when it was due", async () => {
  const held: ServerResponse[] = [];
  let released = false;
  const plan = await planFor(
    (response) => {
      held.push(response);
      if (!released) return;
      for (const each of held.splice(0)) each.writeHead(200, TIMING).end();
    },
    {
      load: { kind: "open", perSecond: 100, arrivals: "constant" },
      mostUnderWay: 2,
      mostRequests: 10,
      onProgress() {
        // The first report comes after 250 ms, when 2 were sent and more than 20 were due.
        released = true;
        for (const each of held.splice(0)) each.writeHead(200, TIMING).end();
      },
    },
  );
  const record = await runLoad(plan);
  expect(record.ok).toBe(10);
  expect(record.failures.size).toBe(0);
  expect(record.latencyMs.summary()?.p90).toBeGreaterThan(140);
  expect(record.latenessMs.summary()?.p90).toBeGreaterThan(140);
});

test("what was due and had no room until the end has failed as NOT_SENT", async () => {
  const plan = await planFor(() => {}, {
    load: { kind: "open", perSecond: 1000, arrivals: "constant" },
    mostUnderWay: 3,
    durationMs: 100,
    timeoutMs: 200,
  });
  const { failures, ok } = await runLoad(plan);
  expect(ok).toBe(0);
  expect(failures.get("CLIENT_TIMEOUT")).toBe(3);
  expect(failures.get("NOT_SENT")).toBeGreaterThan(50);
});

test("the warm-up is answered and not counted", async () => {
  let arrived = 0;
  let counting = 0;
  const plan = await planFor(
    (response) => {
      arrived++;
      response.writeHead(200, TIMING).end();
    },
    {
      load: { kind: "open", perSecond: 200, arrivals: "constant" },
      warmUpMs: 200,
      durationMs: 200,
      onCounting: () => counting++,
    },
  );
  const record = await runLoad(plan);
  expect(counting).toBe(1);
  expect(arrived - record.ok).toBeGreaterThanOrEqual(30);
  expect(record.ok).toBeGreaterThan(0);
});

test("an abort ends it at once, with what was answered until then", async () => {
  const ending = new AbortController();
  let arrived = 0;
  const plan = await planFor(
    (response) => {
      if (++arrived <= 6) response.writeHead(200, TIMING).end();
      else ending.abort();
    },
    { load: { kind: "closed", concurrency: 1 }, signal: ending.signal },
  );
  const record = await runLoad(plan);
  expect(record.ok).toBe(6);
  expect(record.failures.size).toBe(0);
});

test("failures are counted by reason and are no part of the latencies", async () => {
  let arrived = 0;
  const plan = await planFor(
    (response) => {
      if (++arrived % 2 === 1) response.writeHead(200, TIMING).end();
      else response.writeHead(429).end(JSON.stringify({ reason: "TOO_MANY_REQUESTS" }));
    },
    { load: { kind: "closed", concurrency: 1 }, mostRequests: 6 },
  );
  const record = await runLoad(plan);
  expect(record.ok).toBe(3);
  expect([...record.failures]).toEqual([["TOO_MANY_REQUESTS", 3]]);
});
