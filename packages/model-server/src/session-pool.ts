/** Worker threads with one session each: start, hand out, replace the dead, give up on a crash loop. */
import { Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import {
  type RunRequest,
  type SessionMetadata,
  type SessionTensors,
  type SessionWorkerOptions,
  transferList,
  type WorkerMessage,
} from "./worker-messages.js";

/** Gives memory for at least so many bytes, not zeroed. */
export type Allocate = (bytes: number) => ArrayBuffer;

/** One run. `feeds` is called once per attempt, because its buffers go to the worker and may be lost with it. */
export interface SessionJob {
  feeds(allocate: Allocate): SessionTensors;
  /** Graph outputs to compute. */
  readonly fetches: readonly string[];
}

export interface SessionPoolOptions {
  /** Script of the worker thread: session-worker.js, or a fixture. Not .ts: Node 20 cannot load it in a worker. */
  readonly workerUrl: URL;
  readonly worker: SessionWorkerOptions;
  readonly workers: number;
  /** Runs that each new worker does before it counts as idle. */
  warmUp(metadata: SessionMetadata): readonly SessionJob[];
  /** So many deaths in `crashWindowMs` without one answered run between them end the pool. */
  readonly crashLimit: number;
  readonly crashWindowMs: number;
  /** Wait before a dead worker is replaced: none for the first, then this, doubled each time up to 5 s. */
  readonly restartDelayMs: number;
}

export interface SessionPoolObserver {
  /** A worker became idle and no run waits for it inside the pool. */
  idle(): void;
  workerDied(error: Error, willRestartInMs: number): void;
  warmUpFailed(message: string): void;
  /** Crash loop: every worker is gone and none will come back. */
  broken(error: ServeError): void;
}

interface Run {
  readonly job: SessionJob;
  attempts: number;
  resolve(outputs: SessionTensors): void;
  reject(error: unknown): void;
}

interface SessionWorker {
  readonly thread: Worker;
  /** `ended` = its death is known and dealt with. */
  state: "loading" | "idle" | "busy" | "ended";
  run: Run | undefined;
  /** Buffers that came back from its last run. */
  spares: ArrayBuffer[];
  /** Why it is about to die, when that is known before its exit. */
  cause: Error | undefined;
  /** Settles the start of this worker: its metadata after warm-up, or why there is none. */
  readonly start: { resolve(metadata: SessionMetadata): void; reject(error: Error): void };
}

const MAX_RESTART_DELAY_MS = 5_000;
const MAX_ATTEMPTS = 2;
/** A spare that is larger than this many times what is needed is let go. */
const MAX_SPARE_FACTOR = 8;

/**
 * A native crash takes the whole process, and a run that never returns takes its worker for good: a thread inside
 * native code cannot be stopped. What is covered here: a worker that throws, exits, or answers nonsense.
 */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #observer: SessionPoolObserver;
  readonly #workers = new Set<SessionWorker>();
  /** Runs whose worker died; they go before anything that waits outside. */
  readonly #retries: Run[] = [];
  readonly #restartTimers = new Set<NodeJS.Timeout>();
  /** Times of death since the last answered run. */
  #deaths: number[] = [];
  #restarts = 0;
  #started = false;
  #broken: ServeError | undefined;
  #closed = false;

  constructor(options: SessionPoolOptions, observer: SessionPoolObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  get hasIdle(): boolean {
    return this.#idleWorker() !== undefined;
  }

  get busyWorkers(): number {
    return this.#count("busy");
  }

  get idleWorkers(): number {
    return this.#count("idle");
  }

  /** Workers started in place of dead ones. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Starts the workers: one, and when it has loaded the model, the others, so that a bad model fails once.
   *
   * @returns inputs and outputs of the graph.
   * @throws {ServeError} MODEL_INVALID with ONNX Runtime's words when it refuses the file; WORKER_LOST when
   *   workers keep dying.
   */
  async start(): Promise<SessionMetadata> {
    try {
      const metadata = await this.#startWorker();
      const others = Array.from({ length: this.#options.workers - 1 }, () => this.#startWorker());
      await Promise.all(others);
      this.#started = true;
      return metadata;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Runs a job on an idle worker. Call it only while {@link hasIdle}. When the worker dies, the job runs once more
   * on another: predictions have no side effects.
   *
   * @throws {ServeError} REQUEST_INVALID with ONNX Runtime's words when the graph refuses the inputs; OVERLOADED
   *   when it cannot get memory; WORKER_LOST when both workers died.
   */
  run(job: SessionJob): Promise<SessionTensors> {
    return new Promise((resolve, reject) => {
      const worker = this.#idleWorker();
      if (worker === undefined) throw new Error("run was called while no worker was idle");
      this.#dispatch(worker, { job, attempts: 0, resolve, reject });
    });
  }

  /** Ends every worker; what still runs is answered with WORKER_LOST. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#restartTimers) clearTimeout(timer);
    const ended = [...this.#workers].map(({ thread }) => thread.terminate());
    this.#rejectRetries(new ServeError("WORKER_LOST", "model version was unloaded"));
    await Promise.all(ended);
  }

  #count(state: SessionWorker["state"]): number {
    let count = 0;
    for (const worker of this.#workers) if (worker.state === state) count += 1;
    return count;
  }

  #idleWorker(): SessionWorker | undefined {
    for (const worker of this.#workers) if (worker.state === "idle") return worker;
    return undefined;
  }

  /** Resolves when a first life of this worker is warm; deaths before that start another, until the crash limit. */
  #startWorker(): Promise<SessionMetadata> {
    return new Promise((resolve, reject) => this.#spawn({ resolve, reject }));
  }

  #spawn(start: SessionWorker["start"]): void {
    const thread = new Worker(this.#options.workerUrl, { workerData: this.#options.worker });
    const worker: SessionWorker = {
      thread,
      state: "loading",
      run: undefined,
      spares: [],
      cause: undefined,
      start,
    };
    this.#workers.add(worker);
    thread.on("message", (message: WorkerMessage) => this.#receive(worker, message));
    thread.on("messageerror", (error) => {
      worker.cause ??= error;
      void thread.terminate();
    });
    thread.on("error", (error) => {
      worker.cause ??= error instanceof Error ? error : new Error(String(error));
    });
    // "exit" comes after every other event of a worker, whatever ended it.
    thread.on("exit", (code) => this.#buried(worker, code));
  }

  #receive(worker: SessionWorker, message: WorkerMessage): void {
    switch (message.kind) {
      case "loaded":
        void this.#warmUp(worker, message.metadata);
        return;
      case "load-failed":
        worker.cause = new ServeError("MODEL_INVALID", message.message);
        void worker.thread.terminate();
        return;
      case "result":
        worker.spares = [...message.spares];
        this.#finish(worker, (run) => run.resolve(message.outputs));
        return;
      case "run-failed":
        this.#finish(worker, (run) => run.reject(runError(message.message)));
        return;
    }
  }

  async #warmUp(worker: SessionWorker, metadata: SessionMetadata): Promise<void> {
    for (const job of this.#options.warmUp(metadata)) {
      try {
        await new Promise<SessionTensors>((resolve, reject) =>
          this.#post(worker, { job, attempts: MAX_ATTEMPTS, resolve, reject }),
        );
      } catch (error) {
        if (worker.state === "ended") return;
        // Inputs of zeros are a guess; a graph may refuse them and be sound.
        this.#observer.warmUpFailed(ServeError.from(error).message);
      }
    }
    worker.start.resolve(metadata);
    this.#becomeIdle(worker);
  }

  #dispatch(worker: SessionWorker, run: Run): void {
    worker.state = "busy";
    run.attempts += 1;
    this.#post(worker, run);
  }

  #post(worker: SessionWorker, run: Run): void {
    worker.run = run;
    try {
      const request: RunRequest = {
        feeds: run.job.feeds((bytes) => allocate(worker.spares, bytes)),
        fetches: run.job.fetches,
      };
      worker.thread.postMessage(request, transferList(request.feeds));
    } catch (error) {
      this.#finish(worker, () => run.reject(error));
    }
  }

  /** Settles the worker's run and hands it the next one. */
  #finish(worker: SessionWorker, settle: (run: Run) => void): void {
    const { run } = worker;
    worker.run = undefined;
    if (run !== undefined) settle(run);
    if (worker.state !== "busy") return;
    this.#deaths = [];
    this.#becomeIdle(worker);
  }

  #becomeIdle(worker: SessionWorker): void {
    worker.state = "idle";
    const retry = this.#retries.shift();
    if (retry === undefined) this.#observer.idle();
    else this.#dispatch(worker, retry);
  }

  #buried(worker: SessionWorker, exitCode: number): void {
    worker.state = "ended";
    this.#workers.delete(worker);
    const cause = worker.cause ?? new Error(`session worker exited with ${exitCode}`);
    const { run } = worker;
    worker.run = undefined;
    if (this.#closed || this.#broken !== undefined) {
      run?.reject(this.#broken ?? new ServeError("WORKER_LOST", "model version was unloaded"));
      worker.start.reject(this.#broken ?? cause);
      return;
    }
    if (!this.#started && cause instanceof ServeError) {
      // The model itself was refused; trying again would give the same answer.
      worker.start.reject(cause);
      return;
    }
    if (run !== undefined) this.#retryOrReject(run, cause);
    this.#replace(worker, cause);
  }

  #retryOrReject(run: Run, cause: Error): void {
    if (run.attempts < MAX_ATTEMPTS) this.#retries.push(run);
    else run.reject(new ServeError("WORKER_LOST", "the session worker died during the run", { cause }));
  }

  #replace(worker: SessionWorker, cause: Error): void {
    const { crashLimit, crashWindowMs, restartDelayMs } = this.#options;
    const diedAt = performance.now();
    this.#deaths = [...this.#deaths.filter((time) => diedAt - time < crashWindowMs), diedAt];
    const count = this.#deaths.length;
    if (count >= crashLimit) {
      this.#break(worker, cause, count);
      return;
    }
    const delayMs = count === 1 ? 0 : Math.min(restartDelayMs * 2 ** (count - 2), MAX_RESTART_DELAY_MS);
    this.#observer.workerDied(cause, delayMs);
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      this.#restarts += 1;
      this.#spawn(worker.start);
    }, delayMs);
    this.#restartTimers.add(timer);
    // A retry that found every worker dead or busy is picked up by the next idle one.
    const idle = this.#retries.length > 0 ? this.#idleWorker() : undefined;
    if (idle !== undefined) this.#becomeIdle(idle);
  }

  #break(worker: SessionWorker, cause: Error, deaths: number): void {
    const error = new ServeError(
      "WORKER_LOST",
      `session workers died ${deaths} times without an answered run between, the last one with: ${cause.message}`,
      { cause },
    );
    this.#broken = error;
    for (const timer of this.#restartTimers) clearTimeout(timer);
    worker.start.reject(error);
    this.#rejectRetries(error);
    for (const { thread } of this.#workers) void thread.terminate();
    this.#observer.broken(error);
  }

  #rejectRetries(error: ServeError): void {
    for (const run of this.#retries.splice(0)) run.reject(error);
  }
}

/**
 * A spare of fitting size, else new memory. Fresh buffers of some 100 KB per request make V8 collect its whole heap
 * every few dozen requests, which costs more than all of our code.
 */
function allocate(spares: ArrayBuffer[], bytes: number): ArrayBuffer {
  const index = spares.findIndex(
    ({ byteLength }) => byteLength >= bytes && byteLength <= MAX_SPARE_FACTOR * bytes,
  );
  const [spare] = index === -1 ? [] : spares.splice(index, 1);
  // Never from Buffer's pool, so that it can be handed over.
  return spare ?? Buffer.allocUnsafeSlow(bytes).buffer;
}

/** ONNX Runtime's refusal of a run, without the paths of its build machine. */
function runError(message: string): ServeError {
  const text = message.replaceAll(/\/\S*onnxruntime\S*\/(?=\S+:\d+)/g, "");
  return /failed to allocate|bad_alloc/i.test(message)
    ? new ServeError("OVERLOADED", text)
    : new ServeError("REQUEST_INVALID", text);
}
