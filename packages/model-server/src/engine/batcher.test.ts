import { ServeError } from "@vitrine/protocol/status";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { BatchOutcome, BatchRun } from "./batch-target.js";
import { Batcher, type BatcherOptions, type BatchItem } from "./batcher.js";

interface PuppetRun {
  readonly inputs: readonly string[];
  readonly lives: number;
  /** It waits behind another run, and has not begun. */
  ahead: boolean;
  /** The run is over; the oldest one ahead, if there is any, has begun. */
  answer(error?: unknown): Promise<void>;
}

/** Runs batches only when the test says so. */
class PuppetTarget {
  readonly runs: PuppetRun[] = [];
  sessions: number;
  /** Places behind busy sessions. */
  places = 0;
  refusals = 0;
  batcher: Batcher<string, string> | undefined;

  constructor(sessions: number) {
    this.sessions = sessions;
  }

  get room(): "idle" | "ahead" | "none" {
    if (this.sessions > 0) return "idle";
    return this.places > 0 ? "ahead" : "none";
  }

  noRoom(): void {
    this.refusals += 1;
  }

  run(inputs: readonly string[], lives: number): BatchRun<string> {
    const ahead = this.sessions === 0;
    if (ahead) this.places -= 1;
    else this.sessions -= 1;
    let resolve: (outcome: BatchOutcome<string>) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    const done = new Promise<BatchOutcome<string>>((resolve_, reject_) => {
      resolve = resolve_;
      reject = reject_;
    });
    const run: PuppetRun = {
      inputs,
      lives,
      ahead,
      answer: async (error) => {
        const outputs = inputs.map((input) => input.toUpperCase());
        if (error === undefined)
          resolve({ kind: "outputs", outputs, startedAt: performance.now(), runMs: 1 });
        else reject(error);
        const next = this.runs.find((other) => other.ahead);
        if (next === undefined) {
          this.sessions += 1;
        } else {
          next.ahead = false;
          this.places += 1;
        }
        this.batcher?.wake();
        await flush();
      },
    };
    this.runs.push(run);
    return {
      done,
      get hasBegun() {
        return !run.ahead;
      },
      callBack: () => {
        if (!run.ahead) return;
        run.ahead = false;
        this.places += 1;
        resolve({ kind: "called-back" });
      },
    };
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

describe("behind a busy session", () => {
  /** One busy session with one place behind it. */
  function makeBusy(options: Partial<BatcherOptions> = {}) {
    const made = makeBatcher({ maxEnqueuedBatches: 9, ...options });
    made.target.places = 1;
    return { ...made, busy: made.submit("busy") };
  }

  test("a full batch waits, and what would still grow does not", async () => {
    const { target, submit } = makeBusy({ maxBatchSize: 2 });
    void submit("a");
    expect(target.inputs).toEqual([["busy"]]);
    void submit("b");
    void submit("c");
    expect(target.inputs).toEqual([["busy"], ["a", "b"]]);
    void submit("d");
    expect(target.inputs).toHaveLength(2);
    await target.runs[0]?.answer();
    expect(target.inputs).toEqual([["busy"], ["a", "b"], ["c", "d"]]);
  });

  test("requests that are never joined wait one by one", async () => {
    const { target, submit } = makeBusy({ maxBatchSize: undefined });
    const answers = [submit("a"), submit("b")];
    expect(target.inputs).toEqual([["busy"], ["a"]]);
    for (const index of [0, 1, 2]) await target.runs[index]?.answer();
    expect(await Promise.all(answers)).toEqual(["A", "B"]);
  });

  test("a batch counts as waiting until it has begun", async () => {
    const { target, submit, batcher } = makeBusy({ maxBatchSize: 2, maxEnqueuedBatches: 1 });
    void submit("a");
    void submit("b");
    expect([batcher.waiting, batcher.depth]).toEqual([2, 1]);
    expect(batcher.inFlight).toBe(3);
    expect(await submit("c")).toBe("QUEUE_FULL");
    await target.runs[0]?.answer();
    expect([batcher.waiting, batcher.depth]).toEqual([0, 0]);
  });

  test("a batch without one that was abandoned is sent again, before all that came later", async () => {
    const { target, submit } = makeBusy({ maxBatchSize: 2 });
    const controller = new AbortController();
    const a = submit("a");
    const b = submit("b", {}, controller.signal);
    const others = ["c", "d"].map((input) => submit(input));
    controller.abort(new ServeError("DEADLINE_EXCEEDED", "too late"));
    expect(await b).toBe("DEADLINE_EXCEEDED");
    await flush();
    for (const index of [0, 2, 3]) await target.runs[index]?.answer();
    expect(target.inputs).toEqual([["busy"], ["a", "b"], ["a"], ["c", "d"]]);
    expect(await Promise.all([a, ...others])).toEqual(["A", "C", "D"]);
  });

  test("a batch that has begun goes on without the one that was abandoned", async () => {
    const { target, submit } = makeBusy({ maxBatchSize: 2 });
    const controller = new AbortController();
    void submit("a", {}, controller.signal);
    const b = submit("b");
    await target.runs[0]?.answer();
    controller.abort(new ServeError("CANCELLED", "caller left"));
    await target.runs[1]?.answer();
    expect(target.inputs).toHaveLength(2);
    expect(await b).toBe("B");
  });

  test("a batch goes to another session that is idle sooner", async () => {
    const { target, submit, batcher } = makeBusy({ maxBatchSize: 1 });
    const a = submit("a");
    expect(target.runs[1]?.ahead).toBe(true);
    target.sessions += 1;
    batcher.wake();
    await flush();
    expect(target.inputs).toEqual([["busy"], ["a"], ["a"]]);
    expect(target.runs[2]?.ahead).toBe(false);
    await target.runs[2]?.answer();
    expect(await a).toBe("A");
  });

  test("a full batch goes to a session that is idle, although another batch there still waits for company", async () => {
    const { target, submit, batcher } = makeBatcher({ maxBatchSize: 2, batchTimeoutMicros: 60_000_000 });
    void submit("busy", { joinKey: undefined });
    target.places = 1;
    for (const input of ["a", "b", "c"]) void submit(input);
    target.sessions += 1;
    batcher.wake();
    await flush();
    expect(target.runs.map(({ inputs, ahead }) => [inputs, ahead]).at(-1)).toEqual([["a", "b"], false]);
    expect(batcher.waiting).toBe(1);
  });

  test("called back, several keep their order, and leave again as they were", async () => {
    const { target, submit, batcher } = makeBusy({ maxBatchSize: 2 });
    target.places = 2;
    for (const input of ["a", "b", "c", "d", "e"]) void submit(input);
    expect(target.inputs.slice(1)).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
    target.places = -2;
    batcher.callBackAhead();
    await flush();
    expect(batcher.waiting).toBe(5);
    for (const index of [0, 3, 4]) await target.runs[index]?.answer();
    expect(target.inputs.slice(3)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  test("a batch that its session could not begin is answered when the target gives up", async () => {
    const { submit, batcher, busy } = makeBusy({ maxBatchSize: 1 });
    const a = submit("a");
    batcher.fail(new ServeError("WORKER_LOST", "crash loop"));
    batcher.callBackAhead();
    expect(await a).toBe("WORKER_LOST");
    void busy;
  });

  test("a drain ends after what waits there", async () => {
    const { target, submit, batcher, busy } = makeBusy({ maxBatchSize: 1 });
    const a = submit("a");
    const drained = batcher.drain();
    await target.runs[0]?.answer();
    await target.runs[1]?.answer();
    await drained;
    expect(await Promise.all([busy, a])).toEqual(["BUSY", "A"]);
  });

  test("the target hears of what found no room", () => {
    const { target, submit } = makeBusy({ maxBatchSize: 1 });
    void submit("a");
    expect(target.refusals).toBe(0);
    void submit("b");
    expect(target.refusals).toBe(1);
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
      get room() {
        return sessions > 0 ? "idle" : "none";
      },
      noRoom() {},
      run() {
        sessions -= 1;
        sessions += 1;
        batcher.wake();
        const done = Promise.reject(new ServeError("TENSOR_INVALID", "not UTF-8"));
        return { done, hasBegun: true, callBack() {} };
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

test("the answer says when its run began and how long it took, as the session tells, and with how many rows", async () => {
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
  expect(runMs).toBe(1);
});
