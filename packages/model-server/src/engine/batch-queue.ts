/** The batches that wait for a session: which one a request joins, and which one may leave. */

export interface BatchQueueOptions {
  /** Most rows in a batch of several requests; undefined = requests are never joined. */
  readonly maxBatchSize: number | undefined;
  /** Longest wait of an underfull batch while a session is idle; 0 = leave at once. */
  readonly batchTimeoutMicros: number;
}

/** What waits. Each entry is in one batch. */
export interface QueueEntry {
  /** Size of the first dimension; what `maxBatchSize` counts. */
  readonly rows: number;
  /** Entries with equal keys may share a batch; undefined runs alone. */
  readonly joinKey: string | undefined;
  /** Milliseconds on the clock of `performance.now()`. */
  readonly submittedAt: number;
}

interface Batch<Entry> {
  readonly entries: Set<Entry>;
  readonly openedAt: number;
  rows: number;
  /** Nothing may join any more, and there is nothing to wait for. */
  sealed: boolean;
}

/** A batch may leave when it is full, when nothing can join it any more, or when its first entry has waited long enough. */
export class BatchQueue<Entry extends QueueEntry> {
  readonly #options: BatchQueueOptions;
  /** Oldest first. */
  readonly #waiting: Batch<Entry>[] = [];
  /** The waiting batch that the next entry of this key joins. */
  readonly #open = new Map<string, Batch<Entry>>();
  #entries = 0;

  constructor(options: BatchQueueOptions) {
    this.#options = options;
  }

  /** Batches that wait. */
  get depth(): number {
    return this.#waiting.length;
  }

  /** Entries in those batches. */
  get entries(): number {
    return this.#entries;
  }

  /** True when the entry would need no batch of its own. */
  joins(entry: Pick<QueueEntry, "rows" | "joinKey">): boolean {
    return this.#joinable(entry) !== undefined;
  }

  push(entry: Entry): void {
    const { maxBatchSize = 0 } = this.#options;
    this.#entries += 1;
    const existing = this.#joinable(entry);
    if (existing !== undefined) {
      existing.entries.add(entry);
      existing.rows += entry.rows;
      return;
    }
    const batch = batchOf(entry, entry.joinKey === undefined || entry.rows >= maxBatchSize);
    this.#waiting.push(batch);
    if (entry.joinKey === undefined || batch.sealed) return;
    const predecessor = this.#open.get(entry.joinKey);
    if (predecessor !== undefined) predecessor.sealed = true;
    this.#open.set(entry.joinKey, batch);
  }

  /** Puts entries before all others, each to leave alone. */
  unshiftAlone(entries: readonly Entry[]): void {
    this.#entries += entries.length;
    this.#waiting.unshift(...entries.map((entry) => batchOf(entry, true)));
  }

  /** Puts entries that were taken before all others, to leave together as soon as they can. */
  putBack(entries: readonly Entry[]): void {
    const [first, ...others] = entries;
    if (first === undefined) return;
    this.#entries += entries.length;
    const batch = batchOf(first, true);
    for (const entry of others) batch.entries.add(entry);
    batch.rows += others.reduce((sum, { rows }) => sum + rows, 0);
    this.#waiting.unshift(batch);
  }

  /** Takes an entry out of the batch it waits in, if it still waits. */
  drop(entry: Entry): void {
    const batch = this.#waiting.find(({ entries }) => entries.has(entry));
    if (batch === undefined) return;
    this.#entries -= 1;
    batch.entries.delete(entry);
    batch.rows -= entry.rows;
    if (batch.entries.size === 0) this.#remove(batch);
  }

  /**
   * Takes the oldest batch that may leave.
   *
   * @param flush true when no batch shall wait for company.
   */
  take(now: number, flush: boolean): readonly Entry[] | undefined {
    return this.#takeFirst((batch) => flush || this.#isRipe(batch, now));
  }

  /** Takes the oldest batch that nothing can join any more. */
  takeFull(): readonly Entry[] | undefined {
    return this.#takeFirst((batch) => this.#isFull(batch));
  }

  #takeFirst(mayLeave: (batch: Batch<Entry>) => boolean): readonly Entry[] | undefined {
    const batch = this.#waiting.find(mayLeave);
    if (batch === undefined) return undefined;
    this.#remove(batch);
    this.#entries -= batch.entries.size;
    return [...batch.entries];
  }

  /** When the oldest batch may leave at the latest; undefined while nothing waits. */
  get ripeAt(): number | undefined {
    const [oldest] = this.#waiting;
    return oldest === undefined ? undefined : this.#ripeAt(oldest);
  }

  /** Takes everything. */
  clear(): readonly Entry[] {
    this.#open.clear();
    this.#entries = 0;
    return this.#waiting.splice(0).flatMap(({ entries }) => [...entries]);
  }

  #joinable({ rows, joinKey }: Pick<QueueEntry, "rows" | "joinKey">): Batch<Entry> | undefined {
    const { maxBatchSize } = this.#options;
    if (joinKey === undefined || maxBatchSize === undefined) return undefined;
    const batch = this.#open.get(joinKey);
    return batch !== undefined && batch.rows + rows <= maxBatchSize ? batch : undefined;
  }

  #isRipe(batch: Batch<Entry>, now: number): boolean {
    return this.#isFull(batch) || now >= this.#ripeAt(batch);
  }

  #isFull(batch: Batch<Entry>): boolean {
    return batch.sealed || batch.rows === this.#options.maxBatchSize;
  }

  #ripeAt({ openedAt }: Batch<Entry>): number {
    return openedAt + this.#options.batchTimeoutMicros / 1000;
  }

  #remove(batch: Batch<Entry>): void {
    this.#waiting.splice(this.#waiting.indexOf(batch), 1);
    for (const [key, open] of this.#open) {
      if (open === batch) this.#open.delete(key);
    }
  }
}

function batchOf<Entry extends QueueEntry>(entry: Entry, sealed: boolean): Batch<Entry> {
  return { entries: new Set([entry]), openedAt: entry.submittedAt, rows: entry.rows, sealed };
}
