/**
 * Requests to batches, and each request's own answer back. Pure bookkeeping: no threads, no tensors; what a batch
 * is made of and where it runs are the target's affair.
 */
import { ServeError } from "@vitrine/protocol/status";
import { BatchQueue, type BatchQueueOptions, type QueueEntry } from "./batch-queue.js";
import type { BatchRun, BatchTarget } from "./batch-target.js";

export interface BatchItem<Input> {
  readonly input: Input;
  /** Size of the first dimension; what `maxBatchSize` counts. */
  readonly rows: number;
  /** Items with equal keys may share a batch; undefined runs alone. */
  readonly joinKey: string | undefined;
}

export interface BatchResult<Output> {
  readonly output: Output;
  /** From submit to the start of the run that answered. */
  readonly queueMs: number;
  readonly runMs: number;
  /** Rows of the batch that answered, neighbours included. */
  readonly batchRows: number;
}

export interface BatcherOptions extends BatchQueueOptions {
  /** Most rows in one request; undefined = any number. A request larger than a batch that is not refused runs alone. */
  readonly maxRequestRows: number | undefined;
  /** Waiting batches before a request is refused. */
  readonly maxEnqueuedBatches: number;
}

interface Entry<Input, Output> extends QueueEntry {
  readonly input: Input;
  /** Sessions that may still die over it. */
  lives: number;
  /** False once it was answered, refused or abandoned; it is then left out of every batch. */
  live: boolean;
  /** The batch it left the queue with. */
  run: BatchRun<Output> | undefined;
  settle(outcome: () => BatchResult<Output>): void;
}

/** A session that dies may have died of something else: a request is tried on a second one. */
const LIVES = 2;

/**
 * A batch leaves when a session is idle and it is full or its first request has waited `batchTimeoutMicros`; with 0
 * it leaves at once, and batches form from what arrives while every session is busy. A full one is sent ahead to a
 * busy session, which then goes from run to run by itself, and called back as long as it has not begun there: when one
 * of its requests is abandoned, when another session is idle sooner, or when another model waits. Names, limits and the status
 * of a full queue are those of TensorFlow's BasicBatchScheduler (`--batching_parameters_file`).
 */
export class Batcher<Input, Output> {
  readonly #target: BatchTarget<Input, Output>;
  readonly #options: BatcherOptions;
  readonly #queue: BatchQueue<Entry<Input, Output>>;
  /** Sent ahead, and not known to be over. */
  readonly #ahead = new Map<BatchRun<Output>, readonly Entry<Input, Output>[]>();
  #timer: NodeJS.Timeout | undefined;
  #waking = false;
  #unsettled = 0;
  /** Why requests are refused; undefined while they are welcome. */
  #closed: ServeError | undefined;
  /** Why the target will run nothing any more. */
  #failure: ServeError | undefined;
  #drained: (() => void) | undefined;

  constructor(target: BatchTarget<Input, Output>, options: BatcherOptions) {
    this.#target = target;
    this.#options = options;
    this.#queue = new BatchQueue(options);
  }

  /** Batches that wait for a session, those sent ahead included. */
  get depth(): number {
    let { depth } = this.#queue;
    for (const run of this.#ahead.keys()) if (!run.hasBegun) depth += 1;
    return depth;
  }

  /** Requests that wait for a session, those sent ahead included. */
  get waiting(): number {
    let { entries } = this.#queue;
    for (const [run, { length }] of this.#ahead) if (!run.hasBegun) entries += length;
    return entries;
  }

  /** Requests that wait or run. */
  get inFlight(): number {
    return this.#unsettled;
  }

  /**
   * Queues one request and resolves with its own answer.
   *
   * @param signal aborts the wait with its reason. A request that still waits, be it behind the run of a session, is
   *   dropped from its batch; one that runs already runs on, and only its result is discarded.
   * @throws {ServeError} QUEUE_FULL, BATCH_TOO_LARGE, DRAINING, the signal's reason, or what the run threw for this
   *   request alone.
   */
  submit(item: BatchItem<Input>, signal: AbortSignal): Promise<BatchResult<Output>> {
    const refusal = this.#refusal(item, signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const { input, rows, joinKey } = item;
      const entry: Entry<Input, Output> = {
        input,
        rows,
        joinKey,
        submittedAt: performance.now(),
        lives: LIVES,
        live: true,
        run: undefined,
        settle: (outcome) => {
          if (!entry.live) return;
          entry.live = false;
          signal.removeEventListener("abort", abandon);
          try {
            resolve(outcome());
          } catch (error) {
            reject(error);
          }
          this.#unsettled -= 1;
          if (this.#unsettled === 0) this.#drained?.();
        },
      };
      const abandon = () => {
        this.#queue.drop(entry);
        entry.settle(() => {
          throw ServeError.from(signal.reason);
        });
        entry.run?.callBack();
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#unsettled += 1;
      this.#queue.push(entry);
      this.wake();
    });
  }

  /** Starts what can start; to be called whenever the target may have become idle. */
  wake(): void {
    // A run that fails at once frees its session within the loop below, which then sees it by itself.
    if (this.#waking) return;
    this.#waking = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#queue.depth > 0 && this.#startOne()) {
      // Until nothing waits, or nothing may leave.
    }
    // An idle session is sooner than a busy one.
    if (this.#ahead.size > 0 && this.#target.room === "idle") this.callBackAhead();
    this.#waking = false;
  }

  /** Takes back what has not begun; it goes before all that waits. */
  callBackAhead(): void {
    // Each goes to the front: the oldest last.
    for (const run of [...this.#ahead.keys()].reverse()) run.callBack();
  }

  /** Refuses new requests and resolves when every accepted one is settled. */
  async drain(): Promise<void> {
    this.#closed ??= new ServeError("DRAINING", "model version is unloading");
    this.wake();
    if (this.#unsettled === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Answers everything that waits with the error, and all that comes: the target will run nothing any more. */
  fail(error: ServeError): void {
    this.#closed = error;
    this.#failure = error;
    rejectAll(this.#queue.clear(), error);
  }

  #refusal(item: BatchItem<Input>, signal: AbortSignal): ServeError | undefined {
    const { maxRequestRows, maxEnqueuedBatches } = this.#options;
    if (signal.aborted) return ServeError.from(signal.reason);
    if (this.#closed !== undefined) return this.#closed;
    if (maxRequestRows !== undefined && item.rows > maxRequestRows) {
      return new ServeError(
        "BATCH_TOO_LARGE",
        `Task size ${item.rows} is larger than maximum input batch size ${maxRequestRows}`,
      );
    }
    const { depth } = this;
    const startsAtOnce = depth === 0 && this.#target.room === "idle";
    if (depth >= maxEnqueuedBatches && !startsAtOnce && !this.#queue.joins(item)) {
      return new ServeError(
        "QUEUE_FULL",
        `The batch scheduling queue to which this task was submitted is full: ${depth} batches wait, ` +
          `expected at most ${maxEnqueuedBatches}`,
        { retryAfterSeconds: 1 },
      );
    }
    return undefined;
  }

  /** Starts the batch that is next, or sends it ahead. @returns false when none may leave now. */
  #startOne(): boolean {
    const { room } = this.#target;
    if (room === "none") {
      this.#target.noRoom();
      return false;
    }
    if (room === "ahead") {
      const entries = this.#queue.takeFull();
      if (entries !== undefined) void this.#run(entries, true);
      return entries !== undefined;
    }
    const entries = this.#queue.take(performance.now(), this.#closed !== undefined);
    if (entries !== undefined) void this.#run(entries, false);
    else this.#waitForOldest();
    return entries !== undefined;
  }

  #waitForOldest(): void {
    const { ripeAt } = this.#queue;
    if (ripeAt === undefined) return;
    this.#timer = setTimeout(() => this.wake(), Math.max(0, Math.ceil(ripeAt - performance.now())));
  }

  /** Runs the entries as one batch and settles each; never rejects. */
  async #run(entries: readonly Entry<Input, Output>[], isAhead: boolean): Promise<void> {
    const rows = entries.reduce((sum, entry) => sum + entry.rows, 0);
    try {
      // Neighbours must not die with the one that killed their session: only a request alone is tried again as it is.
      const lives = entries.length === 1 ? (entries[0]?.lives ?? 1) : 1;
      const run = this.#target.run(
        entries.map(({ input }) => input),
        lives,
      );
      for (const entry of entries) entry.run = run;
      if (isAhead) this.#ahead.set(run, entries);
      const outcome = await run.done.finally(() => this.#ahead.delete(run));
      if (outcome.kind === "called-back") {
        this.#calledBack(entries);
        return;
      }
      const { outputs, startedAt, runMs } = outcome;
      for (const [index, entry] of entries.entries()) {
        entry.settle(() => {
          const output = outputs[index];
          if (output === undefined) throw new Error(`no output for entry ${index} of ${entries.length}`);
          return { output, queueMs: startedAt - entry.submittedAt, runMs, batchRows: rows };
        });
      }
    } catch (error) {
      this.#runFailed(entries, error);
    }
  }

  #calledBack(entries: readonly Entry<Input, Output>[]): void {
    if (this.#failure !== undefined) {
      rejectAll(entries, this.#failure);
      return;
    }
    for (const entry of entries) entry.run = undefined;
    this.#queue.putBack(entries.filter(({ live }) => live));
    this.wake();
  }

  /**
   * One bad request must not fail its neighbours: each live entry of a failed batch runs again, alone and before
   * all others. When the run cost a session, each has one life left, so that a request that kills costs two.
   */
  #runFailed(entries: readonly Entry<Input, Output>[], error: unknown): void {
    if (entries.length === 1 || this.#failure !== undefined) {
      rejectAll(entries, error);
      return;
    }
    const alone = entries.filter(({ live }) => live);
    if (error instanceof ServeError && error.reason === "WORKER_LOST") {
      for (const entry of alone) entry.lives = LIVES - 1;
    }
    this.#queue.unshiftAlone(alone);
    this.wake();
  }
}

function rejectAll<Output>(entries: readonly Pick<Entry<unknown, Output>, "settle">[], error: unknown): void {
  for (const { settle } of entries) {
    settle(() => {
      throw error;
    });
  }
}
