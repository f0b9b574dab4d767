import { ServeError } from "@vitrine/protocol/status";
import { afterEach, describe, expect, test } from "vitest";
import { SessionPool, type SessionPoolOptions } from "./session-pool.js";
import type { SessionJob } from "./session-thread.js";
import {
  DEFAULT_SESSION_OPTIONS,
  type SessionTensors,
  type SessionWorkerOptions,
} from "./worker-messages.js";

const FIXTURES = new URL("../../fixtures/", import.meta.url);

interface ScriptedOptions extends SessionWorkerOptions {
  readonly gate: Int32Array;
  readonly lives: Int32Array;
}

/** Between two ways to read the same clock. */
const CLOCK_SLACK_MS = 0.5;

const pools: SessionPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function makePool(overrides: Partial<SessionPoolOptions> & { modelFile?: string } = {}) {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const lives = new Int32Array(new SharedArrayBuffer(4));
  const worker: ScriptedOptions = {
    model: { file: overrides.modelFile ?? "sound" },
    ...DEFAULT_SESSION_OPTIONS,
    gate,
    lives,
  };
  const seen = {
    deaths: [] as string[],
    warmUpFailures: [] as string[],
    warmUps: [] as string[],
    running: 0,
  };
  let idleWaiter: (() => void) | undefined;
  let brokenWith: (error: ServeError) => void = () => {};
  const broken = new Promise<ServeError>((resolve) => {
    brokenWith = resolve;
  });
  const pool = new SessionPool(
    {
      workerUrl: new URL("scripted-worker.js", FIXTURES),
      worker,
      workers: 1,
      warmUp: () => [],
      crashLimit: 5,
      crashWindowMs: 60_000,
      restartDelayMs: 1,
      ...overrides,
    },
    {
      started: () => {
        seen.running += 1;
      },
      ended: () => {
        seen.running -= 1;
        idleWaiter?.();
      },
      idle: () => idleWaiter?.(),
      workerDied: (error) => seen.deaths.push(error.message),
      warmUpFailed: (message) => seen.warmUpFailures.push(message),
      warmedUp: (_, error) => seen.warmUps.push(error?.code ?? "OK"),
      broken: brokenWith,
    },
  );
  pools.push(pool);
  return {
    pool,
    gate,
    lives,
    seen,
    broken,
    untilIdle: async () => {
      if (pool.hasIdle) return;
      await new Promise<void>((resolve) => {
        idleWaiter = resolve;
      });
    },
  };
}

function job(command: string): SessionJob {
  return {
    feeds: () => ({ command: { type: "string", dims: [1], data: [command] } }),
    fetches: [],
  };
}

/** Outputs of a run; undefined when it was called back. */
async function ask(pool: SessionPool, command: string, lives = 2): Promise<SessionTensors | undefined> {
  const outcome = await pool.run(job(command), lives).done;
  return outcome.kind === "outputs" ? outcome.outputs : undefined;
}

function guess(command: string) {
  return { job: job(command), required: false };
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof ServeError ? error.reason : `no ServeError: ${error}`;
}

describe("a pool of sound workers", () => {
  test("answers a run and is idle again", async () => {
    const { pool } = makePool();
    await pool.start();
    const outputs = await ask(pool, "echo", 2);
    expect(outputs?.command?.data).toEqual(["echo"]);
    expect(pool.hasIdle).toBe(true);
  });

  test("is busy while a session runs, and other workers take what comes", async () => {
    const { pool, gate } = makePool({ workers: 2 });
    await pool.start();
    const parked = ask(pool, "park", 2);
    expect([pool.busyWorkers, pool.idleWorkers]).toEqual([1, 1]);
    await ask(pool, "echo", 2);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await parked;
    expect(pool.idleWorkers).toBe(2);
  });

  test("a refused run is the request's fault and costs no worker", async () => {
    const { pool, seen } = makePool();
    await pool.start();
    expect(await reasonOf(ask(pool, "fail", 2))).toBe("REQUEST_INVALID");
    expect(await reasonOf(ask(pool, "starve", 2))).toBe("OVERLOADED");
    await ask(pool, "echo", 2);
    expect(seen.deaths).toEqual([]);
  });

  test("a feed that cannot be posted fails its run alone", async () => {
    const { pool } = makePool();
    await pool.start();
    const broken: SessionJob = {
      feeds: () => {
        throw new ServeError("TENSOR_INVALID", "no such rows");
      },
      fetches: [],
    };
    expect(await reasonOf(pool.run(broken, 2).done)).toBe("TENSOR_INVALID");
    await ask(pool, "echo", 2);
  });

  test("each worker is warm before it counts as idle, and a refused warm-up is only reported", async () => {
    const { pool, seen } = makePool({ workers: 2, warmUp: () => [guess("echo"), guess("fail")] });
    await pool.start();
    expect(seen.warmUpFailures).toEqual(["the graph refused", "the graph refused"]);
    expect(seen.warmUps).toEqual(["OK", "OK"]);
    expect(pool.idleWorkers).toBe(2);
  });

  test("a required warm-up that is refused fails the start", async () => {
    const { pool, seen } = makePool({ warmUp: () => [{ job: job("fail"), required: true }] });
    await expect(pool.start()).rejects.toThrow("warm-up request failed: the graph refused");
    expect(seen.warmUps).toEqual(["INVALID_ARGUMENT"]);
  });

  test("tells of each run's start and end, also of one that a dead worker took with it", async () => {
    const { pool, seen } = makePool();
    await pool.start();
    const run = ask(pool, "exit-in-first-life", 2);
    expect(seen.running).toBe(1);
    await run;
    expect(seen.running).toBe(0);
  });

  test("closing answers what still runs", async () => {
    const { pool } = makePool();
    await pool.start();
    const parked = reasonOf(ask(pool, "park", 2));
    await pool.close();
    expect(await parked).toBe("WORKER_LOST");
  });
});

describe("a worker that dies", () => {
  test("in a run is replaced, and the run is answered by its successor", async () => {
    const { pool, seen } = makePool();
    await pool.start();
    const outputs = await ask(pool, "exit-in-first-life", 2);
    expect(outputs?.life?.data).toEqual(new Float32Array([2]));
    expect(seen.deaths).toEqual(["session worker exited with 9"]);
    expect(pool.restarts).toBe(1);
  });

  test("is not given a second chance with a run that has one life", async () => {
    const { pool, seen, untilIdle } = makePool();
    await pool.start();
    expect(await reasonOf(ask(pool, "exit-in-first-life", 1))).toBe("WORKER_LOST");
    await untilIdle();
    expect(seen.deaths).toHaveLength(1);
  });

  test("by an uncaught error is replaced too, with that error as the reason", async () => {
    const { pool, seen, untilIdle } = makePool();
    await pool.start();
    expect(await reasonOf(ask(pool, "throw", 2))).toBe("WORKER_LOST");
    expect(seen.deaths).toEqual(["uncaught in the worker", "uncaught in the worker"]);
    await untilIdle();
    await ask(pool, "echo", 2);
  });

  test("hands its run to a worker that is idle already", async () => {
    const { pool, lives } = makePool({ workers: 2, restartDelayMs: 60_000, crashLimit: 3 });
    await pool.start();
    Atomics.store(lives, 0, 10);
    const outputs = await ask(pool, "exit-in-first-life", 2);
    expect(outputs?.life?.data).toEqual(new Float32Array([2]));
  });

  test("while loading is started again", async () => {
    const { pool, seen } = makePool({ modelFile: "exits-at-first-start" });
    await pool.start();
    await ask(pool, "echo", 2);
    expect(seen.deaths).toEqual(["session worker exited with 7"]);
  });
});

describe("a run that is sent ahead", () => {
  /** One worker that is parked in a run until the gate is opened. */
  async function makeParked(command = "park") {
    const made = makePool();
    await made.pool.start();
    const parked = made.pool.run(job(command), 2);
    const open = () => {
      Atomics.store(made.gate, 0, 1);
      Atomics.notify(made.gate, 0);
    };
    return { ...made, parked, open };
  }

  test("waits in the inbox of the busy worker, one and no more, and runs after the other", async () => {
    const { pool, parked, open, seen } = await makeParked();
    expect(pool.hasRoomAhead).toBe(true);
    const ahead = pool.run(job("echo"), 2);
    expect([pool.hasRoomAhead, parked.hasBegun, ahead.hasBegun, seen.running]).toEqual([
      false,
      true,
      false,
      1,
    ]);
    open();
    const [first, second] = [await parked.done, await ahead.done];
    expect(ahead.hasBegun).toBe(true);
    expect([pool.hasIdle, seen.running]).toEqual([true, 0]);
    if (first.kind !== "outputs" || second.kind !== "outputs") throw new Error("a run was called back");
    expect(second.startedAt).toBeGreaterThanOrEqual(first.startedAt + first.runMs - CLOCK_SLACK_MS);
  });

  test("goes to the worker that has been at its run for the longest time", async () => {
    const { pool, gate } = makePool({ workers: 2 });
    await pool.start();
    const channel = new BroadcastChannel("scripted-worker");
    const holds = new Promise((resolve) => {
      channel.onmessage = resolve;
    });
    const [first, second] = [pool.run(job("park"), 2), pool.run(job("hold"), 2)];
    await holds;
    const ahead = pool.run(job("echo"), 2);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    await Promise.all([first.done, ahead.done]);
    expect(pool.busyWorkers).toBe(1);
    channel.postMessage("release");
    await second.done;
    channel.close();
  });

  test("and is called back in time never runs, and leaves its place to another", async () => {
    const { pool, parked, open, seen } = await makeParked();
    const ahead = pool.run(job("exit"), 2);
    ahead.callBack();
    expect(await ahead.done).toEqual({ kind: "called-back" });
    const next = pool.run(job("echo"), 2);
    open();
    expect((await next.done).kind).toBe("outputs");
    expect((await parked.done).kind).toBe("outputs");
    expect(seen.deaths).toEqual([]);
  });

  test("and is called back too late is answered all the same", async () => {
    const { pool, open } = await makeParked();
    const ahead = pool.run(job("echo"), 2);
    open();
    const { kind } = await ahead.done;
    ahead.callBack();
    expect([kind, pool.hasIdle]).toEqual(["outputs", true]);
  });

  test("to a worker that dies over the run before comes back unharmed, and that run alone pays with a life", async () => {
    const { pool, parked, open, seen } = await makeParked("park-and-exit");
    const ahead = pool.run(job("echo"), 1);
    open();
    expect(await ahead.done).toEqual({ kind: "called-back" });
    expect(await reasonOf(parked.done)).toBe("WORKER_LOST");
    expect(seen.deaths).toHaveLength(2);
  });

  test("and kills is suspected itself, and not the run before, which was answered", async () => {
    const { pool, parked, open, seen } = await makeParked();
    const ahead = pool.run(job("exit"), 1);
    open();
    expect((await parked.done).kind).toBe("outputs");
    expect(await reasonOf(ahead.done)).toBe("WORKER_LOST");
    expect(seen.deaths).toHaveLength(1);
  });

  test("and cannot be posted fails alone, and leaves its place to another", async () => {
    const { pool, parked, open } = await makeParked();
    const unfit: SessionJob = {
      feeds: () => {
        throw new ServeError("TENSOR_INVALID", "no such rows");
      },
      fetches: [],
    };
    expect(await reasonOf(pool.run(unfit, 2).done)).toBe("TENSOR_INVALID");
    expect([pool.hasRoomAhead, pool.busyWorkers]).toEqual([true, 1]);
    open();
    await parked.done;
  });

  test("is answered when the pool closes, as the one before it", async () => {
    const { pool, parked, open, seen } = await makeParked();
    const ahead = pool.run(job("exit"), 2);
    const closed = pool.close();
    open();
    expect([await reasonOf(parked.done), await reasonOf(ahead.done)]).toEqual(["WORKER_LOST", "WORKER_LOST"]);
    await closed;
    expect(seen.running).toBe(0);
  });
});

describe("a crash loop", () => {
  test("at the start ends it with the number of deaths and the last cause", async () => {
    const { pool } = makePool({ modelFile: "exits-at-start", crashLimit: 3 });
    await expect(pool.start()).rejects.toThrow(
      "session workers died 3 times without an answered run between, the last one with: session worker exited with 7",
    );
  });

  test("in service breaks the pool: waiting runs are answered, and no worker comes back", async () => {
    const { pool, broken } = makePool({ crashLimit: 2 });
    await pool.start();
    expect(await reasonOf(ask(pool, "exit", 2))).toBe("WORKER_LOST");
    expect((await broken).reason).toBe("WORKER_LOST");
    expect(pool.hasIdle).toBe(false);
  });

  test("is not counted across answered runs", async () => {
    const { pool, untilIdle } = makePool({ crashLimit: 3 });
    await pool.start();
    for (let round = 0; round < 3; round++) {
      expect(await reasonOf(ask(pool, "exit", 2))).toBe("WORKER_LOST");
      await untilIdle();
      await ask(pool, "echo", 2);
    }
  });
});

test("a model that ONNX Runtime refuses fails the start at once, with its words", async () => {
  const { pool, seen } = makePool({ modelFile: "refused" });
  await expect(pool.start()).rejects.toThrow("Protobuf parsing failed.");
  expect(seen.deaths).toEqual([]);
});
