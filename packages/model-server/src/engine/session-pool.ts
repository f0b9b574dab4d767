/** Worker threads with one session each: start, hand out, send ahead, replace the dead, give up on a crash loop. */
import { ServeError } from "@vitrine/protocol/status";
import { PoolRun } from "./pool-run.js";
import { type RestartOptions, RestartPolicy } from "./restart-policy.js";
import { type RunAnswer, type SessionJob, SessionThread } from "./session-thread.js";
import type { SessionMetadata, SessionWorkerOptions } from "./worker-messages.js";

/** A run that a new worker does before it counts as idle. */
export interface WarmUpRun {
  readonly job: SessionJob;
  /** A refusal of this run fails the load; else it is only reported. */
  readonly required: boolean;
}

export interface SessionPoolOptions extends RestartOptions {
  /** Script of the worker thread: session-worker.js, or a fixture. Not .ts: Node 20 cannot load it in a worker. */
  readonly workerUrl: URL;
  readonly worker: SessionWorkerOptions;
  readonly workers: number;
  warmUp(metadata: SessionMetadata): readonly WarmUpRun[];
}

export interface SessionPoolObserver {
  /** A worker is at a run; warm-up runs are not told of. */
  started(): void;
  /**
   * A run is over after so many milliseconds, and its worker idle again, or dead, or at the run that was sent ahead, of
   * which `started` has told.
   */
  ended(runMs: number): void;
  /** A worker has loaded the model and waits for its first run. */
  idle(): void;
  workerDied(error: Error, willRestartInMs: number): void;
  warmUpFailed(message: string): void;
  /** A worker has done its warm-up runs, or was refused one that was required. */
  warmedUp(durationMs: number, error: ServeError | undefined): void;
  /** Crash loop: every worker is gone and none will come back. */
  broken(error: ServeError): void;
}

interface SessionWorker {
  readonly thread: SessionThread;
  /** `ended` = its death is known and dealt with. */
  state: "loading" | "idle" | "busy" | "ended";
  run: PoolRun | undefined;
  /** In its inbox, so that it goes from one run to the next by itself. */
  ahead: PoolRun | undefined;
  /** Settles the start of this worker: its metadata after warm-up, or why there is none. */
  readonly start: { resolve(metadata: SessionMetadata): void; reject(error: Error): void };
}

/**
 * A native crash takes the whole process, and a run that never returns takes its worker for good: a thread inside
 * native code cannot be stopped. What is covered here: a worker that throws, exits, or answers nonsense.
 */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #observer: SessionPoolObserver;
  readonly #restartPolicy: RestartPolicy;
  readonly #workers = new Set<SessionWorker>();
  /** Runs whose worker died; they go before anything that waits outside. */
  readonly #retries: PoolRun[] = [];
  readonly #restartTimers = new Set<NodeJS.Timeout>();
  #restarts = 0;
  #started = false;
  #broken: ServeError | undefined;
  #closed = false;

  constructor(options: SessionPoolOptions, observer: SessionPoolObserver) {
    this.#options = options;
    this.#observer = observer;
    this.#restartPolicy = new RestartPolicy(options);
  }

  get hasIdle(): boolean {
    return this.#idleWorker() !== undefined;
  }

  /** A run can be sent ahead: a worker is busy and has nothing in its inbox. */
  get hasRoomAhead(): boolean {
    return this.#retries.length === 0 && this.#nextToEnd() !== undefined;
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
   * @throws {ServeError} MODEL_INVALID with ONNX Runtime's words when it refuses the file, or when a required warm-up
   *   run fails; WORKER_LOST when workers keep dying.
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
   * Runs a job on an idle worker, or sends it ahead to the one that will probably be idle next. Call it only while
   * {@link hasIdle} or {@link hasRoomAhead}.
   *
   * @param lives workers that may die over it: with more than one, the job runs again on another.
   */
  run(job: SessionJob, lives: number): PoolRun {
    const run = new PoolRun(job, lives);
    const idle = this.#idleWorker();
    const busy = this.#nextToEnd();
    if (idle !== undefined) this.#dispatch(idle, run);
    else if (busy !== undefined) this.#sendAhead(busy, run);
    else throw new Error("run was called while no worker had room");
    return run;
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

  /** The busy worker without a run ahead that has been at its run for the longest time. */
  #nextToEnd(): SessionWorker | undefined {
    let next: SessionWorker | undefined;
    for (const worker of this.#workers) {
      const { run, ahead } = worker;
      if (run === undefined || ahead !== undefined) continue;
      if (next?.run === undefined || run.startedAt < next.run.startedAt) next = worker;
    }
    return next;
  }

  /** Resolves when a first life of this worker is warm; deaths before that start another, until the crash limit. */
  #startWorker(): Promise<SessionMetadata> {
    return new Promise((resolve, reject) => this.#spawn({ resolve, reject }));
  }

  #spawn(start: SessionWorker["start"]): void {
    const worker: SessionWorker = {
      thread: new SessionThread(this.#options.workerUrl, this.#options.worker, {
        loaded: (metadata) => void this.#warmUp(worker, metadata),
        ended: (cause) => this.#buried(worker, cause),
      }),
      state: "loading",
      run: undefined,
      ahead: undefined,
      start,
    };
    this.#workers.add(worker);
  }

  async #warmUp(worker: SessionWorker, metadata: SessionMetadata): Promise<void> {
    const startedAt = performance.now();
    const runs = this.#options.warmUp(metadata);
    for (const { job, required } of runs) {
      const answer = await new Promise<RunAnswer>((resolve) => worker.thread.run(job, resolve));
      if (answer.kind === "outputs") continue;
      const { message } = ServeError.from(answer.error);
      if (required && !this.#started) {
        const error = new ServeError("MODEL_INVALID", `warm-up request failed: ${message}`, {
          cause: answer.error,
        });
        this.#observer.warmedUp(performance.now() - startedAt, error);
        worker.start.reject(error);
        return;
      }
      // Inputs of zeros are a guess; a graph may refuse them and be sound.
      this.#observer.warmUpFailed(message);
    }
    if (runs.length > 0) this.#observer.warmedUp(performance.now() - startedAt, undefined);
    worker.start.resolve(metadata);
    this.#becomeIdle(worker);
    this.#observer.idle();
  }

  #dispatch(worker: SessionWorker, run: PoolRun): void {
    this.#begins(worker, run);
    run.sendTo(worker.thread, (answer) => this.#answered(worker, run, answer));
  }

  #sendAhead(worker: SessionWorker, run: PoolRun): void {
    worker.ahead = run;
    const leaveInbox = () => {
      worker.ahead = undefined;
    };
    run.sendTo(worker.thread, (answer) => this.#answered(worker, run, answer), leaveInbox);
  }

  #begins(worker: SessionWorker, run: PoolRun): void {
    worker.state = "busy";
    worker.run = run;
    run.begins();
    this.#observer.started();
  }

  #answered(worker: SessionWorker, run: PoolRun, answer: RunAnswer): void {
    run.settle(answer);
    const { ahead } = worker;
    worker.ahead = undefined;
    // It could not even be sent.
    if (run === ahead) return;
    this.#restartPolicy.answered();
    worker.run = undefined;
    // The worker is at it already; told of after the end of the other, its core would look free in between.
    if (ahead === undefined) this.#becomeIdle(worker);
    else this.#begins(worker, ahead);
    this.#observer.ended(answer.kind === "outputs" ? answer.runMs : performance.now() - run.startedAt);
  }

  #becomeIdle(worker: SessionWorker): void {
    worker.state = "idle";
    const retry = this.#retries.shift();
    if (retry !== undefined) this.#dispatch(worker, retry);
  }

  #buried(worker: SessionWorker, cause: Error): void {
    worker.state = "ended";
    this.#workers.delete(worker);
    const { run, ahead } = worker;
    worker.run = undefined;
    worker.ahead = undefined;
    if (this.#closed || this.#broken !== undefined) {
      const error = this.#broken ?? new ServeError("WORKER_LOST", "model version was unloaded");
      run?.fail(error);
      ahead?.fail(error);
      worker.start.reject(this.#broken ?? cause);
    } else if (!this.#started && cause instanceof ServeError) {
      // The model itself was refused; trying again would give the same answer.
      worker.start.reject(cause);
    } else {
      for (const lost of [run, ahead]) if (lost?.workerDied(cause) === true) this.#retries.push(lost);
      this.#replace(worker, cause);
    }
    if (run !== undefined) this.#observer.ended(performance.now() - run.startedAt);
  }

  #replace(worker: SessionWorker, cause: Error): void {
    const restart = this.#restartPolicy.died(performance.now());
    if (restart.kind === "never") {
      this.#break(worker, cause, restart.deaths);
      return;
    }
    const { delayMs } = restart;
    this.#observer.workerDied(cause, delayMs);
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      this.#restarts += 1;
      this.#spawn(worker.start);
    }, delayMs);
    this.#restartTimers.add(timer);
    // A retry that found every worker dead or busy is picked up by the next idle one.
    const idle = this.#idleWorker();
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
    for (const run of this.#retries.splice(0)) run.fail(error);
  }
}
