/**
 * How sessions share the cores, by simulation: real threads, queues and batches, and sessions whose runs take a known
 * time and no CPU. Prints how throughput grows with the sessions, and what each of several models gets.
 */
import { PassThrough } from "node:stream";
import { Engine, type LoadedSessions } from "@vitrine/model-server/engine/engine";
import { DEFAULT_SESSION_OPTIONS } from "@vitrine/model-server/engine/worker-messages";
import { createServerMetrics } from "@vitrine/model-server/server-metrics";
import { signatureOf } from "@vitrine/model-server/signature";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";

const SECONDS = 4;
/** As many as many callers of each model would keep waiting. */
const CALLERS = 64;
const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [1], data: Float32Array.of(1) };

interface Outcome {
  readonly costMs: number;
  readonly runs: number;
  readonly longestWaitMs: number;
}

await growth();
await fairness(2, [10, 10]);
await fairness(2, [5, 20, 80]);
await fairness(8, [5, 20, 80, 160]);
await newcomer();

async function growth(): Promise<void> {
  console.log("one model, 20 ms a run: runs per second by sessions that may run at once");
  for (const slots of [1, 2, 4, 8, 16, 32]) {
    const [outcome] = await measure(slots, [20]);
    const perSecond = (outcome?.runs ?? 0) / SECONDS;
    console.log(`  ${slots}: ${perSecond.toFixed(0)} of ${slots * 50} possible`);
  }
}

async function fairness(slots: number, costs: readonly number[]): Promise<void> {
  const outcomes = await measure(slots, costs);
  const total = outcomes.reduce((sum, { runs, costMs }) => sum + runs * costMs, 0);
  console.log(`${costs.length} models that always have work, ${slots} sessions at once:`);
  for (const { costMs, runs, longestWaitMs } of outcomes) {
    const share = (100 * runs * costMs) / total;
    console.log(
      `  ${costMs} ms a run: ${share.toFixed(1)} % of the sessions' time (even: ${(100 / costs.length).toFixed(1)} %), ` +
        `${(runs / SECONDS).toFixed(0)} runs per second, longest wait ${longestWaitMs.toFixed(0)} ms`,
    );
  }
}

/** A model with a request now and then beside one that has 64 waiting all the time. */
async function newcomer(): Promise<void> {
  const [, rare] = await measure(2, [50, 5], [CALLERS, 1]);
  console.log(
    `a model of 5 ms a run and one caller, beside one of 50 ms and ${CALLERS} callers, 2 sessions at once: ` +
      `longest wait ${rare?.longestWaitMs.toFixed(0)} ms`,
  );
}

async function measure(
  slots: number,
  costs: readonly number[],
  callers: readonly number[] = costs.map(() => CALLERS),
): Promise<Outcome[]> {
  const metrics = createMetrics("model-server", "benchmark");
  const engine = new Engine(
    {
      workerUrl: new URL("./harness/fixed-cost-session.js", import.meta.url),
      workers: slots,
      slots,
      session: DEFAULT_SESSION_OPTIONS,
    },
    {
      logger: createLogger({ name: "scheduling", level: "error", stream: new PassThrough() }),
      metrics: createServerMetrics(metrics.registry, undefined),
    },
  );
  const models = await Promise.all(costs.map((costMs, index) => load(engine, costMs, index)));
  const ends = performance.now() + SECONDS * 1000;
  const outcomes = await Promise.all(
    models.map((sessions, index) => serve(sessions, costs[index] ?? 0, callers[index] ?? 1, ends)),
  );
  await Promise.all(models.map((sessions) => sessions.unload()));
  metrics.close();
  return outcomes;
}

function load(engine: Engine, costMs: number, version: number): Promise<LoadedSessions> {
  return engine.load({
    name: `${costMs}ms`,
    version,
    folder: "",
    model: { file: `${costMs}ms` },
    batching: {
      maxBatchSize: undefined,
      maxRequestRows: undefined,
      splitRows: undefined,
      batchTimeoutMicros: 0,
      maxEnqueuedBatches: 1000,
      allowedBatchSizes: [],
      padVariableLengthInputs: false,
    },
    warmUp: () => [],
    broken: (error) => {
      throw error;
    },
  });
}

async function serve(
  { batcher, graph }: LoadedSessions,
  costMs: number,
  callers: number,
  ends: number,
): Promise<Outcome> {
  const signature = signatureOf(graph);
  let runs = 0;
  let longestWaitMs = 0;
  const caller = async (): Promise<void> => {
    const { signal } = new AbortController();
    while (performance.now() < ends) {
      const input = { signature, tensors: new Map([["x", x]]), fetches: ["x"] };
      const { queueMs } = await batcher.submit(input, signal);
      longestWaitMs = Math.max(longestWaitMs, queueMs);
      // What ends after the time counts no more: it would flatter whoever had the longest queue.
      if (performance.now() < ends) runs += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { costMs, runs, longestWaitMs };
}
