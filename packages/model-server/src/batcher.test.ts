import { ServeError } from "@vitrine/protocol/status";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Batcher, type BatcherOptions, type BatchItem } from "./batcher.js";

/** Runs batches only when the test says so. */
class PuppetTarget {
  readonly runs: { inputs: readonly string[]; lives: number; answer(error?: unknown): Promise<void> }[] = [];
  sessions: number;
  batcher: Batcher<string, string> | undefined;

  constructor(sessions: number) {
    this.sessions = sessions;
  }

  get hasIdle(): boolean {
    return this.sessions > 0;
  }

  run(inputs: readonly string[], lives: number): Promise<readonly string[]> {
    this.sessions -= 1;
    return new Promise((resolve, reject) => {
      this.runs.push({
        inputs,
        lives,
        answer: async (error) => {
          if (error === undefined) resolve(inputs.map((input) => input.toUpperCase()));
          else reject(error);
          this.sessions += 1;
          this.batcher?.wake();
          await flush();
        },
      });
    });
  }

  get inputs(): (readonly string[])[] {
    return this.runs.map(({ inputs }) => inputs);
  }
}

async function flush(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

const never = () => new AbortController().signal;

function makeBatcher(options: Partial<BatcherOptions> = {}, sessions = 1) {
  const target = new PuppetTarget(sessions);
  const batcher = new Batcher<string, string>(target, {
    maxBatchSize: 4,
    maxRequestRows: 4,
    batchTimeoutMicros: 0,
    maxEnqueuedBatches: 2,
    ...options,
  });
  target.batcher = batcher;
  const submit = (input: string, item: Partial<BatchItem<string>> = {}, signal = never()) =>
    batcher.submit({ input, rows: 1, joinKey: "k", ...item }, signal).then(
      ({ output }) => output,
      (error: unknown) => (error instanceof ServeError ? error.reason : String(error)),
    );
  return { target, batcher, submit };
}

describe("while a session is idle", () => {
  test("a request leaves at once, alone", async () => {
    const { target, submit } = makeBatcher();
    const a = submit("a");
    expect(target.inputs).toEqual([["a"]]);
    await target.runs[0]?.answer();
    expect(await a).toBe("A");
  });

  test("a signal that has aborted already keeps its request out", async () => {
    const { target, submit } = makeBatcher();
    const signal = AbortSignal.abort(new ServeError("DEADLINE_EXCEEDED", "too late"));
    expect(await submit("a", {}, signal)).toBe("DEADLINE_EXCEEDED");
    expect(target.inputs).toEqual([]);
  });
});

describe("while every session is busy", () => {
  test("what arrives leaves together, and each gets its own answer", async () => {
    const { target, submit } = makeBatcher();
    const answers = ["a", "b", "c", "d"].map((input) => submit(input));
    await target.runs[0]?.answer();
    expect(target.inputs).toEqual([["a"], ["b", "c", "d"]]);
    await target.runs[1]?.answer();
    expect(await Promise.all(answers)).toEqual(["A", "B", "C", "D"]);
  });

  test("a batch holds no more rows than the limit, and keeps the order", async () => {
    const { target, submit } = makeBatcher();
    void submit("busy");
    void submit("a", { rows: 3 });
    void submit("b", { rows: 2 });
    void submit("c", { rows: 2 });
    await target.runs[0]?.answer();
    await target.runs[1]?.answer();
    expect(target.inputs).toEqual([["busy"], ["a"], ["b", "c"]]);
  });

  test("different keys go to different batches, and a request without a key goes alone", async () => {
    const { target, submit } = makeBatcher({ maxEnqueuedBatches: 9 });
    void submit("busy");
    void submit("a", { joinKey: "float" });
    void submit("b", { joinKey: "double" });
    void submit("c", { joinKey: undefined });
    void submit("d", { joinKey: "float" });
    for (let index = 0; index < 3; index++) await target.runs[index]?.answer();
    expect(target.inputs).toEqual([["busy"], ["a", "d"], ["b"], ["c"]]);
  });

  test("a request beyond the queue is refused, one that fits a waiting batch is not", async () => {
    const { submit, batcher } = makeBatcher({ maxEnqueuedBatches: 1 });
    void submit("busy");
    void submit("a", { rows: 3 });
    expect(await submit("b", { rows: 2 })).toBe("QUEUE_FULL");
    void submit("c");
    expect(batcher.depth).toBe(1);
  });

  test("a queue of length 0 still takes what can start at once", async () => {
    const { submit, target } = makeBatcher({ maxEnqueuedBatches: 0 });
    void submit("a");
    expect(target.inputs).toEqual([["a"]]);
    expect(await submit("b")).toBe("QUEUE_FULL");
  });
});

describe("a request that is abandoned", () => {
  test("while it waits leaves its neighbours their rows", async () => {
    const { target, submit, batcher } = makeBatcher();
    const controller = new AbortController();
    void submit("busy");
    const a = submit("a");
    const b = submit("b", { rows: 2 }, controller.signal);
    const c = submit("c");
    controller.abort(new ServeError("CANCELLED", "caller left"));
    expect(await b).toBe("CANCELLED");
    const d = submit("d", { rows: 2 });
    await target.runs[0]?.answer();
    expect(target.inputs[1]).toEqual(["a", "c", "d"]);
    await target.runs[1]?.answer();
    expect(await Promise.all([a, c, d])).toEqual(["A", "C", "D"]);
    expect(batcher.depth).toBe(0);
  });

  test("as the only one of its batch gives its place in the queue back", async () => {
    const { submit, batcher } = makeBatcher({ maxEnqueuedBatches: 1 });
    const controller = new AbortController();
    void submit("busy");
    void submit("a", {}, controller.signal);
    controller.abort(new ServeError("CANCELLED", "caller left"));
    expect(batcher.depth).toBe(0);
    void submit("b");
    expect(batcher.depth).toBe(1);
  });

  test("during its run is answered at once, and its neighbours when the run ends", async () => {
    const { target, submit } = makeBatcher();
    const controller = new AbortController();
    void submit("busy");
    const a = submit("a", {}, controller.signal);
    const b = submit("b");
    await target.runs[0]?.answer();
    controller.abort(new ServeError("DEADLINE_EXCEEDED", "too late"));
    expect(await a).toBe("DEADLINE_EXCEEDED");
    await target.runs[1]?.answer();
    expect(await b).toBe("B");
  });
});

describe("a batch that fails", () => {
  test("runs again one by one, so that only the guilty request fails", async () => {
    const { target, submit } = makeBatcher();
    void submit("busy");
    const good = submit("good");
    const bad = submit("bad");
    await target.runs[0]?.answer();
    const refused = new ServeError("REQUEST_INVALID", "no such row");
    await target.runs[1]?.answer(refused);
    await target.runs[2]?.answer();
    await target.runs[3]?.answer(refused);
    expect(target.inputs.slice(2)).toEqual([["good"], ["bad"]]);
    expect(await Promise.all([good, bad])).toEqual(["GOOD", "REQUEST_INVALID"]);
  });

  test("does not run the abandoned again", async () => {
    const { target, submit } = makeBatcher();
    const controller = new AbortController();
    void submit("busy");
    void submit("a", {}, controller.signal);
    const b = submit("b");
    await target.runs[0]?.answer();
    controller.abort(new ServeError("CANCELLED", "caller left"));
    await target.runs[1]?.answer(new Error("boom"));
    await target.runs[2]?.answer();
    expect(target.inputs.slice(2)).toEqual([["b"]]);
    expect(await b).toBe("B");
  });

  test("because it cost a session runs again one by one, and the request that kills costs one more", async () => {
    const { target, submit } = makeBatcher();
    void submit("busy");
    const good = submit("good");
    const deadly = submit("deadly");
    await target.runs[0]?.answer();
    const lost = new ServeError("WORKER_LOST", "died");
    await target.runs[1]?.answer(lost);
    await target.runs[2]?.answer();
    await target.runs[3]?.answer(lost);
    expect(target.runs.map(({ inputs, lives }) => [...inputs, lives])).toEqual([
      ["busy", 2],
      ["good", "deadly", 1],
      ["good", 1],
      ["deadly", 1],
    ]);
    expect(await Promise.all([good, deadly])).toEqual(["GOOD", "WORKER_LOST"]);
  });

  test("after the target gave up is answered, not queued for it", async () => {
    const { target, batcher, submit } = makeBatcher();
    void submit("busy");
    const answers = [submit("a"), submit("b")];
    await target.runs[0]?.answer();
    const broken = new ServeError("WORKER_LOST", "crash loop");
    batcher.fail(broken);
    await target.runs[1]?.answer(new ServeError("WORKER_LOST", "died during the run"));
    expect(await Promise.all(answers)).toEqual(["WORKER_LOST", "WORKER_LOST"]);
  });
});

describe("without batching", () => {
  test("requests run one by one and any size is taken", async () => {
    const { target, submit } = makeBatcher({
      maxBatchSize: undefined,
      maxRequestRows: undefined,
      maxEnqueuedBatches: 9,
    });
    void submit("a");
    void submit("b", { rows: 5000 });
    void submit("c");
    await target.runs[0]?.answer();
    await target.runs[1]?.answer();
    expect(target.inputs).toEqual([["a"], ["b"], ["c"]]);
  });
});

describe("a request larger than a batch", () => {
  test("is refused where TensorFlow Serving refuses it", async () => {
    const { submit } = makeBatcher();
    expect(await submit("a", { rows: 5 })).toBe("BATCH_TOO_LARGE");
  });

  test("else runs alone, and what comes after it does not join", async () => {
    const { target, submit } = makeBatcher({ maxRequestRows: undefined, maxEnqueuedBatches: 9 });
    void submit("busy");
    void submit("large", { rows: 5 });
    void submit("a");
    void submit("b");
    await target.runs[0]?.answer();
    await target.runs[1]?.answer();
    expect(target.inputs).toEqual([["busy"], ["large"], ["a", "b"]]);
  });
});

describe("with a batch timeout", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("an underfull batch waits for company, and leaves when its first request has waited long enough", () => {
    const { target, submit } = makeBatcher({ batchTimeoutMicros: 5000 });
    void submit("a");
    vi.advanceTimersByTime(3);
    void submit("b");
    expect(target.inputs).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(target.inputs).toEqual([["a", "b"]]);
  });

  test("a full batch leaves at once", () => {
    const { target, submit } = makeBatcher({ batchTimeoutMicros: 5000 });
    void submit("a", { rows: 2 });
    void submit("b", { rows: 2 });
    expect(target.inputs).toEqual([["a", "b"]]);
  });

  test("a batch that cannot take the next request leaves at once", () => {
    const { target, submit } = makeBatcher({ batchTimeoutMicros: 5000 });
    void submit("a", { rows: 3 });
    void submit("b", { rows: 2 });
    expect(target.inputs).toEqual([["a"]]);
  });
});

describe("draining", () => {
  test("finishes what was accepted and refuses the rest", async () => {
    const { target, submit, batcher } = makeBatcher();
    const a = submit("a");
    const b = submit("b");
    let drained = false;
    const done = batcher.drain().then(() => {
      drained = true;
    });
    expect(await submit("c")).toBe("DRAINING");
    await target.runs[0]?.answer();
    expect(drained).toBe(false);
    await target.runs[1]?.answer();
    await done;
    expect(await Promise.all([a, b])).toEqual(["A", "B"]);
  });

  test("of an idle batcher is over at once", async () => {
    await makeBatcher().batcher.drain();
  });
});

test("a long queue of runs that fail at once is worked off without deep recursion", async () => {
  let sessions = 0;
  const batcher: Batcher<string, string> = new Batcher<string, string>(
    {
      get hasIdle() {
        return sessions > 0;
      },
      run() {
        sessions -= 1;
        sessions += 1;
        batcher.wake();
        return Promise.reject(new ServeError("TENSOR_INVALID", "not UTF-8"));
      },
    },
    {
      maxBatchSize: undefined,
      maxRequestRows: undefined,
      batchTimeoutMicros: 0,
      maxEnqueuedBatches: 20_000,
    },
  );
  const outcomes = Array.from({ length: 20_000 }, () =>
    batcher.submit({ input: "a", rows: 1, joinKey: undefined }, never()).catch(() => "failed"),
  );
  sessions = 1;
  batcher.wake();
  expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["failed"]));
});

test("a target that gave up answers everything that waits, and all that comes", async () => {
  const { submit, batcher } = makeBatcher();
  void submit("busy");
  const a = submit("a");
  batcher.fail(new ServeError("WORKER_LOST", "crash loop"));
  expect(await a).toBe("WORKER_LOST");
  expect(await submit("b")).toBe("WORKER_LOST");
});

test("the answer says how long it waited and ran, and with how many rows", async () => {
  const target = new PuppetTarget(1);
  const batcher = new Batcher<string, string>(target, {
    maxBatchSize: 4,
    maxRequestRows: 4,
    batchTimeoutMicros: 0,
    maxEnqueuedBatches: 2,
  });
  const result = batcher.submit({ input: "a", rows: 2, joinKey: "k" }, never());
  await target.runs[0]?.answer();
  const { queueMs, runMs, batchRows } = await result;
  expect(batchRows).toBe(2);
  expect(queueMs).toBeGreaterThanOrEqual(0);
  expect(runMs).toBeGreaterThanOrEqual(0);
});
