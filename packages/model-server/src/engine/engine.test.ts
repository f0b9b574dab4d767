import { PassThrough } from "node:stream";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { afterEach, expect, test } from "vitest";
import { createServerMetrics } from "../server-metrics.js";
import { signatureOf } from "../signature.js";
import { SCRIPTED_WORKER } from "../testing/start.js";
import { Engine, type LoadedSessions } from "./engine.js";
import { DEFAULT_SESSION_OPTIONS } from "./worker-messages.js";

const loaded: LoadedSessions[] = [];
afterEach(async () => {
  await Promise.all(loaded.splice(0).map((sessions) => sessions.unload()));
});

function makeEngine(sizes: { workers: number; slots: number }) {
  const metrics = createMetrics("model-server", "test");
  metrics.close();
  const engine = new Engine(
    { workerUrl: SCRIPTED_WORKER, ...sizes, session: DEFAULT_SESSION_OPTIONS },
    {
      logger: createLogger({ name: "test", level: "error", stream: new PassThrough() }),
      metrics: createServerMetrics(metrics.registry, undefined),
    },
  );
  return {
    page: () => metrics.registry.metrics(),
    load: async (name: string, broken: (error: Error) => void = () => {}) => {
      const sessions = await engine.load({
        name,
        version: 1,
        folder: "",
        model: { file: "sound" },
        batching: {
          maxBatchSize: undefined,
          maxRequestRows: undefined,
          splitRows: undefined,
          batchTimeoutMicros: 0,
          maxEnqueuedBatches: 8,
          allowedBatchSizes: [],
          padVariableLengthInputs: false,
        },
        warmUp: () => [],
        broken,
      });
      loaded.push(sessions);
      return sessions;
    },
  };
}

function ask({ batcher, graph }: LoadedSessions, word: string) {
  const command: Tensor = { dtype: DataType.DT_STRING, shape: [1], data: [Buffer.from(word)] };
  const input = { signature: signatureOf(graph), tensors: new Map([["command", command]]), fetches: [] };
  return batcher.submit(input, new AbortController().signal);
}

test("a model waits for a core that another one holds, although its own sessions are idle", async () => {
  const { load } = makeEngine({ workers: 2, slots: 2 });
  const [first, second] = [await load("first"), await load("second")];
  const gate = new BroadcastChannel("scripted-worker");
  let holding = 0;
  const bothHold = new Promise<void>((resolve) => {
    gate.onmessage = () => {
      holding += 1;
      if (holding === 2) resolve();
    };
  });
  const held = [ask(first, "hold"), ask(first, "hold")];
  await bothHold;
  const waits = ask(second, "echo");
  expect(second.batcher.waiting).toBe(1);
  gate.postMessage("release");
  await Promise.all([...held, waits]);
  gate.close();
  expect(second.batcher.waiting).toBe(0);
});

test("a model that waits has called back what another sent ahead, and goes first", async () => {
  const { load } = makeEngine({ workers: 1, slots: 1 });
  const [first, second] = [await load("first"), await load("second")];
  const gate = new BroadcastChannel("scripted-worker");
  const holds = new Promise((resolve) => {
    gate.onmessage = resolve;
  });
  const order: string[] = [];
  const answers = [ask(first, "hold").then(() => order.push("held"))];
  await holds;
  answers.push(ask(first, "echo").then(() => order.push("first")));
  expect(first.batcher.waiting).toBe(1);
  answers.push(ask(second, "echo").then(() => order.push("second")));
  gate.postMessage("release");
  await Promise.all(answers);
  gate.close();
  expect(order).toEqual(["held", "second", "first"]);
});

test("the queue's time of a request that was sent ahead lasts until its own run", async () => {
  const { load } = makeEngine({ workers: 1, slots: 1 });
  const sessions = await load("one");
  const gate = new BroadcastChannel("scripted-worker");
  const holds = new Promise((resolve) => {
    gate.onmessage = resolve;
  });
  const held = ask(sessions, "hold");
  await holds;
  const sentAt = performance.now();
  const ahead = ask(sessions, "echo");
  gate.postMessage("release");
  const { queueMs, runMs } = await ahead;
  const { queueMs: heldQueueMs, runMs: heldMs } = await held;
  gate.close();
  const answeredMs = performance.now() - sentAt;
  expect(queueMs + runMs).toBeLessThanOrEqual(answeredMs);
  expect(queueMs).toBeGreaterThan(0);
  expect(runMs).toBeLessThan(heldMs);
  expect(heldQueueMs).toBeGreaterThanOrEqual(0);
});

test("a version whose sessions keep dying gives its cores back, and is not shown any more", async () => {
  const { load, page } = makeEngine({ workers: 1, slots: 1 });
  let brokenWith = "";
  const dying = await load("dying", (error) => {
    brokenWith = error.message;
  });
  expect(await page()).toContain('vitrine_model_server_sessions{model="dying",version="1"} 1');
  for (let round = 0; round < 3; round++) await ask(dying, "exit").catch(() => {});
  expect(brokenWith).toContain("session workers died 5 times");
  expect(await page()).not.toContain('vitrine_model_server_sessions{model="dying"');
  const sound = await load("sound");
  await ask(sound, "echo");
});

test("unloading answers what was accepted first", async () => {
  const { load } = makeEngine({ workers: 1, slots: 1 });
  const sessions = await load("leaving");
  const answers = [ask(sessions, "echo"), ask(sessions, "echo")];
  await sessions.unload();
  expect(await Promise.all(answers)).toHaveLength(2);
});
