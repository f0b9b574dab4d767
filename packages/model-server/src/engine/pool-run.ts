/** One run that was handed to a pool: who waits for it, where it is, and how many workers it may cost. */
import { ServeError } from "@vitrine/protocol/status";
import type { RunAnswer, RunResult, SentRun, SessionJob, SessionThread } from "./session-thread.js";

/** `called-back`: it has not run, for it was called back, or its worker died before it began. */
export type PoolRunOutcome = RunResult | { readonly kind: "called-back" };

export class PoolRun {
  /**
   * @throws {ServeError} REQUEST_INVALID with ONNX Runtime's words when the graph refuses the inputs; OVERLOADED when it
   *   cannot get memory; WORKER_LOST when the workers died.
   */
  readonly done: Promise<PoolRunOutcome>;
  /** When its worker was known to be at it, on the clock of `performance.now()`. */
  startedAt = 0;
  readonly #job: SessionJob;
  #lives: number;
  #sent: SentRun | undefined;
  /** Frees the place behind the run of a worker; defined while it waits there. */
  #leaveInbox: (() => void) | undefined;
  #resolve: (outcome: PoolRunOutcome) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param lives workers that may die over it. */
  constructor(job: SessionJob, lives: number) {
    this.#job = job;
    this.#lives = lives;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** False while it waits behind another. */
  get hasBegun(): boolean {
    return this.#leaveInbox === undefined || this.#sent?.hasBegun === true;
  }

  /** Takes it back, if it has not begun. */
  callBack(): void {
    if (this.#leaveInbox === undefined || this.#sent?.callBack() !== true) return;
    this.#leaveInbox();
    this.#leaveInbox = undefined;
    this.#resolve({ kind: "called-back" });
  }

  /** @param leaveInbox when the thread is at another run: told when this one is called back. */
  sendTo(thread: SessionThread, answered: (answer: RunAnswer) => void, leaveInbox?: () => void): void {
    this.#leaveInbox = leaveInbox;
    this.#sent = thread.run(this.#job, answered);
  }

  /** Its worker is at it. */
  begins(): void {
    this.#leaveInbox = undefined;
    this.startedAt = performance.now();
  }

  settle(answer: RunAnswer): void {
    this.#leaveInbox = undefined;
    if (answer.kind === "outputs") this.#resolve(answer);
    else this.#reject(answer.error);
  }

  fail(error: ServeError): void {
    this.#reject(error);
  }

  /** @returns true when it shall run again on another worker: predictions have no side effects. */
  workerDied(cause: Error): boolean {
    if (this.#sent?.hasBegun !== true) {
      // The worker died of something else.
      this.#resolve({ kind: "called-back" });
      return false;
    }
    this.#lives -= 1;
    if (this.#lives > 0) return true;
    this.#reject(new ServeError("WORKER_LOST", "the session worker died during the run", { cause }));
    return false;
  }
}
