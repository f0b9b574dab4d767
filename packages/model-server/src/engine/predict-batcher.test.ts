import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { afterEach, describe, expect, test } from "vitest";
import { signatureOf } from "../signature.js";
import { fixture, REAL_WORKER } from "../testing/start.js";
import type { Batching } from "./batching.js";
import { CoreSlots } from "./core-slots.js";
import { PredictBatcher } from "./predict-batcher.js";
import { SessionPool } from "./session-pool.js";
import { DEFAULT_SESSION_OPTIONS } from "./worker-messages.js";

const JOINED: Batching = {
  maxBatchSize: 8,
  maxRequestRows: 8,
  splitRows: undefined,
  batchTimeoutMicros: 0,
  maxEnqueuedBatches: 64,
  allowedBatchSizes: [],
  padVariableLengthInputs: false,
};

const pools: SessionPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

/** A batcher over one real session; `runs` are the rows of the requests in each run, and of the run itself. */
async function serve(model: string, batching: Partial<Batching>) {
  let batcher: PredictBatcher | undefined;
  const share = new CoreSlots(1).join({
    wake: () => batcher?.wake(),
    hasWaiting: () => false,
    callBackAhead: () => batcher?.callBackAhead(),
  });
  const pool = new SessionPool(
    {
      workerUrl: REAL_WORKER,
      worker: { model: { file: fixture(`${model}/1/model.onnx`) }, ...DEFAULT_SESSION_OPTIONS },
      workers: 1,
      warmUp: () => [],
      crashLimit: 2,
      crashWindowMs: 60_000,
      restartDelayMs: 1,
    },
    {
      started: share.started,
      ended: share.ended,
      idle: () => batcher?.wake(),
      workerDied: () => {},
      warmUpFailed: () => {},
      warmedUp: () => {},
      broken: () => {},
    },
  );
  pools.push(pool);
  const graph = await pool.start();
  const signature = signatureOf(graph);
  const runs: [readonly number[], number][] = [];
  const observer = {
    batchRan: (rows: readonly number[], batchRows: number) => runs.push([rows, batchRows]),
  };
  batcher = new PredictBatcher(pool, share, graph, { ...JOINED, ...batching }, observer);
  const submitter = batcher;
  const submit = async (inputs: Record<string, Tensor>, signal = new AbortController().signal) => {
    const request = { signature, tensors: new Map(Object.entries(inputs)), fetches: ["y"] };
    const { output } = await submitter.submit(request, signal);
    const { shape, data } = output.get("y") ?? { shape: [], data: [] };
    return { shape, values: ArrayBuffer.isView(data) ? Array.from(data, Number) : [] };
  };
  return { submit, runs };
}

function rows(...values: number[][]): Tensor {
  const data = Float32Array.from(values.flat());
  return { dtype: DataType.DT_FLOAT, shape: [values.length, values[0]?.length ?? 0], data };
}

const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => (error instanceof ServeError ? `${error.code}: ${error.message}` : String(error)),
  );

test("requests that come while the session is busy share a run, and each gets its own rows", async () => {
  const { submit, runs } = await serve("echo", {});
  const answers = [
    submit({ x: rows([1, 2]) }),
    submit({ x: rows([3, 4], [5, 6]) }),
    submit({ x: rows([7, 8]) }),
  ];
  expect(await Promise.all(answers)).toEqual([
    { shape: [1, 2], values: [1, 2] },
    { shape: [2, 2], values: [3, 4, 5, 6] },
    { shape: [1, 2], values: [7, 8] },
  ]);
  expect(runs).toEqual([
    [[1], 1],
    [[2, 1], 3],
  ]);
});

describe("allowed batch sizes", () => {
  test("fill each run up, and nobody gets the rows that were added", async () => {
    const { submit, runs } = await serve("echo", { allowedBatchSizes: [2, 4, 8] });
    const answers = [submit({ x: rows([1]) }), submit({ x: rows([2], [3]) }), submit({ x: rows([4]) })];
    expect((await Promise.all(answers)).map(({ values }) => values)).toEqual([[1], [2, 3], [4]]);
    expect(runs).toEqual([
      [[1], 2],
      [[2, 1], 4],
    ]);
  });
});

describe("requests of different lengths", () => {
  test("run apart by themselves", async () => {
    const { submit, runs } = await serve("echo", {});
    const answers = [submit({ x: rows([0]) }), submit({ x: rows([1]) }), submit({ x: rows([2, 3]) })];
    await Promise.all(answers);
    expect(runs).toHaveLength(3);
  });

  test("share a run where they are padded: each by its own first element, to the longest", async () => {
    const { submit, runs } = await serve("echo", { padVariableLengthInputs: true });
    const answers = [submit({ x: rows([0]) }), submit({ x: rows([1], [2]) }), submit({ x: rows([3, 4, 5]) })];
    expect((await Promise.all(answers)).slice(1)).toEqual([
      { shape: [2, 3], values: [1, 1, 1, 2, 1, 1] },
      { shape: [1, 3], values: [3, 4, 5] },
    ]);
    expect(runs[1]).toEqual([[2, 1], 3]);
  });
});

describe("a request larger than a run", () => {
  test("is refused in TensorFlow's words", async () => {
    const { submit } = await serve("echo", { maxRequestRows: 2 });
    expect(await reasonOf(submit({ x: rows([1], [2], [3]) }))).toBe(
      "INVALID_ARGUMENT: Task size 3 is larger than maximum input batch size 2",
    );
  });

  test("is cut where splitting is on, and answered whole and in order", async () => {
    const { submit, runs } = await serve("echo", {
      maxBatchSize: 2,
      splitRows: 2,
      maxRequestRows: undefined,
    });
    expect(await submit({ x: rows([1, 1], [2, 2], [3, 3], [4, 4], [5, 5]) })).toEqual({
      shape: [5, 2],
      values: [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
    });
    expect(runs.map(([, batchRows]) => batchRows)).toEqual([2, 2, 1]);
  });

  test("fails as a whole when there is no room for all of its parts, and leaves none behind", async () => {
    const { submit, runs } = await serve("echo", {
      maxBatchSize: 1,
      splitRows: 1,
      maxRequestRows: undefined,
      maxEnqueuedBatches: 1,
    });
    expect(await reasonOf(submit({ x: rows([1], [2], [3], [4]) }))).toContain("UNAVAILABLE");
    expect(await submit({ x: rows([9]) })).toMatchObject({ values: [9] });
    expect(runs).toHaveLength(2);
  });
});

test("a request whose inputs have no rows in common runs alone, as it is", async () => {
  const { submit, runs } = await serve("scalar", { allowedBatchSizes: [8] });
  const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(21) };
  expect(await submit({ x })).toEqual({ shape: [], values: [42] });
  expect(runs).toEqual([[[1], 1]]);
});

test("a request of no rows is not filled up", async () => {
  const { submit } = await serve("echo", { allowedBatchSizes: [8] });
  const x: Tensor = { dtype: DataType.DT_FLOAT, shape: [0, 2], data: new Float32Array(0) };
  expect(await submit({ x })).toEqual({ shape: [0, 2], values: [] });
});
