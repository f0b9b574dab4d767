/**
 * Requests to batches, and each request's own answer back. Pure bookkeeping: no threads, no tensors; what a batch
 * is made of and where it runs are the target's affair.
 */
import { ServeError } from "@vitrine/protocol/status";

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

/** Where batches run: a pool of sessions. */
export interface BatchTarget<Input, Output> {
  /** True while `run` would start at once. */
  readonly hasIdle: boolean;
  /** Runs the inputs together and resolves with one output per input, in the same order. */
  run(inputs: readonly Input[]): Promise<readonly Output[]>;
}

export interface BatcherOptions {
  /** Most rows in a batch of several requests; undefined = requests are never joined. */
  readonly maxBatchSize: number | undefined;
  /** A request of more rows than `maxBatchSize` is refused, as TensorFlow Serving does with batching; else it runs alone. */
  readonly refuseLarger: boolean;
  /** Longest wait of an underfull batch while a session is idle; 0 = leave at once. Timers here have 1 ms steps. */
  readonly batchTimeoutMicros: number;
  /** Waiting batches before a request is refused. */
  readonly maxEnqueuedBatches: number;
}

export interface BatcherObserver {
  /** A batch starts to run. */
  batchStarted(rows: number): void;
}

interface Entry<Input, Output> {
  readonly item: BatchItem<Input>;
  readonly submittedAt: number;
  /** False once it was answered, refused or abandoned; it is then left out of every batch. */
  live: boolean;
  settle(outcome: () => BatchResult<Output>): void;
}

interface Batch<Input, Output> {
  readonly entries: Set<Entry<Input, Output>>;
  readonly openedAt: number;
  rows: number;
  /** Nothing may join any more, and there is nothing to wait for. */
  sealed: boolean;
}

/**
 * A batch leaves when a session is idle and it is full or its first request has waited `batchTimeoutMicros`; with 0
 * it leaves at once, and batches form from what arrives while every session is busy. Names, limits and the status
 * of a full queue are those of TensorFlow's BasicBatchScheduler (`--batching_parameters_file`).
 */
export class Batcher<Input, Output> {
  readonly #target: BatchTarget<Input, Output>;
  readonly #options: BatcherOptions;
  readonly #observer: BatcherObserver;
  /** Oldest first. */
  readonly #waiting: Batch<Input, Output>[] = [];
  /** The waiting batch that the next item of this key joins. */
  readonly #open = new Map<string, Batch<Input, Output>>();
  #timer: NodeJS.Timeout | undefined;
  #waking = false;
  #unsettled = 0;
  /** Why requests are refused; undefined while they are welcome. */
  #closed: ServeError | undefined;
  #drained: (() => void) | undefined;

  constructor(target: BatchTarget<Input, Output>, options: BatcherOptions, observer: BatcherObserver) {
    this.#target = target;
    this.#options = options;
    this.#observer = observer;
  }

  /** Batches that wait for a session. */
  get depth(): number {
    return this.#waiting.length;
  }

  /**
   * Queues one request and resolves with its own answer.
   *
   * @param signal aborts the wait with its reason. A request that still waits is dropped from its batch; one that
   *   runs already runs on, and only its result is discarded.
   * @throws {ServeError} QUEUE_FULL, BATCH_TOO_LARGE, DRAINING, the signal's reason, or what the run threw for this
   *   request alone.
   */
  submit(item: BatchItem<Input>, signal: AbortSignal): Promise<BatchResult<Output>> {
    const refusal = this.#refusal(item, signal);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const entry: Entry<Input, Output> = {
        item,
        submittedAt: performance.now(),
        live: true,
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
        this.#drop(entry);
        entry.settle(() => {
          throw ServeError.from(signal.reason);
        });
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#unsettled += 1;
      this.#enqueue(entry);
      this.wake();
    });
  }

  /** Starts what can start; the target calls it whenever a session became idle. */
  wake(): void {
    // A run that fails at once frees its session within the loop below, which then sees it by itself.
    if (this.#waking) return;
    this.#waking = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#target.hasIdle) {
      const batch = this.#waiting.find((candidate) => this.#isRipe(candidate));
      if (batch === undefined) {
        this.#waitForOldest();
        break;
      }
      this.#remove(batch);
      void this.#run([...batch.entries]);
    }
    this.#waking = false;
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
    for (const { entries } of this.#waiting.splice(0)) {
      for (const entry of entries) {
        entry.settle(() => {
          throw error;
        });
      }
    }
    this.#open.clear();
  }

  #refusal(item: BatchItem<Input>, signal: AbortSignal): ServeError | undefined {
    const { maxBatchSize, maxEnqueuedBatches } = this.#options;
    if (signal.aborted) return ServeError.from(signal.reason);
    if (this.#closed !== undefined) return this.#closed;
    if (this.#options.refuseLarger && maxBatchSize !== undefined && item.rows > maxBatchSize) {
      return new ServeError(
        "BATCH_TOO_LARGE",
        `Batch size was ${item.rows}, larger than maximum input batch size ${maxBatchSize}`,
      );
    }
    const startsAtOnce = this.#waiting.length === 0 && this.#target.hasIdle;
    if (this.#waiting.length >= maxEnqueuedBatches && !startsAtOnce && this.#joinable(item) === undefined) {
      return new ServeError(
        "QUEUE_FULL",
        `The batch scheduling queue is full: ${this.#waiting.length} batches wait, expected at most ${maxEnqueuedBatches}`,
        { retryAfterSeconds: 1 },
      );
    }
    return undefined;
  }

  /** The waiting batch that has room for the item. */
  #joinable(item: BatchItem<Input>): Batch<Input, Output> | undefined {
    const { maxBatchSize } = this.#options;
    if (item.joinKey === undefined || maxBatchSize === undefined) return undefined;
    const batch = this.#open.get(item.joinKey);
    return batch !== undefined && batch.rows + item.rows <= maxBatchSize ? batch : undefined;
  }

  #enqueue(entry: Entry<Input, Output>): void {
    const { item } = entry;
    const maxBatchSize = this.#options.maxBatchSize ?? 0;
    const existing = this.#joinable(item);
    const batch: Batch<Input, Output> = existing ?? {
      entries: new Set(),
      openedAt: entry.submittedAt,
      rows: 0,
      sealed: item.joinKey === undefined || item.rows >= maxBatchSize,
    };
    batch.entries.add(entry);
    batch.rows += item.rows;
    if (existing !== undefined) return;
    this.#waiting.push(batch);
    if (item.joinKey === undefined || batch.sealed) return;
    const predecessor = this.#open.get(item.joinKey);
    if (predecessor !== undefined) predecessor.sealed = true;
    this.#open.set(item.joinKey, batch);
  }

  /** Takes an abandoned entry out of the batch it waits in, if it still waits. */
  #drop(entry: Entry<Input, Output>): void {
    const batch = this.#waiting.find(({ entries }) => entries.has(entry));
    if (batch === undefined) return;
    batch.entries.delete(entry);
    batch.rows -= entry.item.rows;
    if (batch.entries.size === 0) this.#remove(batch);
  }

  #remove(batch: Batch<Input, Output>): void {
    this.#waiting.splice(this.#waiting.indexOf(batch), 1);
    for (const [key, open] of this.#open) {
      if (open === batch) this.#open.delete(key);
    }
  }

  #isRipe(batch: Batch<Input, Output>): boolean {
    const { maxBatchSize, batchTimeoutMicros } = this.#options;
    return (
      batch.sealed ||
      this.#closed !== undefined ||
      batch.rows === maxBatchSize ||
      performance.now() - batch.openedAt >= batchTimeoutMicros / 1000
    );
  }

  #waitForOldest(): void {
    const [oldest] = this.#waiting;
    if (oldest === undefined) return;
    const ripeAt = oldest.openedAt + this.#options.batchTimeoutMicros / 1000;
    this.#timer = setTimeout(() => this.wake(), Math.max(0, Math.ceil(ripeAt - performance.now())));
  }

  /** Runs the entries as one batch and settles each; never rejects. */
  async #run(entries: readonly Entry<Input, Output>[]): Promise<void> {
    const startedAt = performance.now();
    const rows = entries.reduce((sum, { item }) => sum + item.rows, 0);
    this.#observer.batchStarted(rows);
    try {
      const outputs = await this.#target.run(entries.map(({ item }) => item.input));
      const runMs = performance.now() - startedAt;
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

  /**
   * One bad request must not fail its neighbours: each live entry of a failed batch runs again, alone and before
   * all others. Not so when the run cost a session: repeating that for each entry would cost many.
   */
  #runFailed(entries: readonly Entry<Input, Output>[], error: unknown): void {
    const lost = error instanceof ServeError && error.code === "UNAVAILABLE";
    if (entries.length === 1 || lost) {
      for (const entry of entries) {
        entry.settle(() => {
          throw error;
        });
      }
      return;
    }
    const alone = entries
      .filter(({ live }) => live)
      .map((entry) => ({
        entries: new Set([entry]),
        openedAt: entry.submittedAt,
        rows: entry.item.rows,
        sealed: true,
      }));
    this.#waiting.unshift(...alone);
    this.wake();
  }
}
