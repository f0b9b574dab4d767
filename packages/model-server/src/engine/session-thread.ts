/** One session worker's thread, seen from the server: what is sent to it, what comes back, and how it ends. */
import { Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import { callBack, hasBegun, openClaim, type RunClaim, sharedNow } from "./run-claim.js";
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

/** What a run gave, and when it ran, in milliseconds on the clock of `performance.now()`. */
export interface RunResult {
  readonly kind: "outputs";
  readonly outputs: SessionTensors;
  readonly startedAt: number;
  readonly runMs: number;
}

/** How a run ended; one that was called back, or whose thread died, has no answer. */
export type RunAnswer = RunResult | { readonly kind: "error"; readonly error: unknown };

/** A run on its way to the thread, or there. */
export interface SentRun {
  /** The thread is at it, as far as the thread itself has told. */
  readonly hasBegun: boolean;
  /** Takes the run back, if it has not begun; it will not be answered then. @returns whether it was in time. */
  callBack(): boolean;
}

/** What the thread owes an answer for. */
interface Pending {
  /** Of a run that was sent ahead. */
  readonly claim: RunClaim | undefined;
  answer(answer: RunAnswer): void;
}

export interface SessionThreadObserver {
  loaded(metadata: SessionMetadata): void;
  /** The last event of a thread, whatever ended it. A ServeError as cause: the model itself was refused. */
  ended(cause: Error): void;
}

/** A spare that is larger than this many times what is needed is let go. */
const MAX_SPARE_FACTOR = 8;

/** A run that takes longer than this when its thread shall end is taken for stuck. */
const LAST_RESORT_MS = 5_000;

export class SessionThread {
  readonly #thread: Worker;
  readonly #observer: SessionThreadObserver;
  /** In the order in which the answers will come. */
  readonly #pending: Pending[] = [];
  /** Buffers that came back from its last runs. */
  #spares: ArrayBuffer[] = [];
  #isLoading = true;
  /** It shall end when it neither loads nor runs. */
  #isEnding = false;
  #lastResort: NodeJS.Timeout | undefined;
  readonly #exited: Promise<void>;
  /** Why it is about to end, when that is known before its exit. */
  #cause: Error | undefined;

  constructor(workerUrl: URL, options: SessionWorkerOptions, observer: SessionThreadObserver) {
    this.#observer = observer;
    this.#thread = new Worker(workerUrl, { workerData: options });
    this.#thread.on("message", (message: WorkerMessage) => this.#receive(message));
    this.#thread.on("messageerror", (error) => this.#end(error));
    this.#thread.on("error", (error) => {
      this.#cause ??= error instanceof Error ? error : new Error(String(error));
    });
    // "exit" comes after every other event of a worker, whatever ended it.
    this.#exited = new Promise((resolve) => {
      this.#thread.on("exit", (code) => {
        clearTimeout(this.#lastResort);
        this.#pending.length = 0;
        this.#observer.ended(this.#cause ?? new Error(`session worker exited with ${code}`));
        resolve();
      });
    });
  }

  /**
   * Sends a run. With another one under way it waits in the thread's inbox, and begins when that one is over, whatever
   * this side is busy with.
   *
   * @param answer is called once, unless the thread dies or the run is called back.
   */
  run(job: SessionJob, answer: (answer: RunAnswer) => void): SentRun {
    const claim = this.#pending.length === 0 ? undefined : openClaim();
    try {
      const feeds = job.feeds((bytes) => allocate(this.#spares, bytes));
      const request: RunRequest = { feeds, fetches: job.fetches, claim };
      this.#thread.postMessage(request, transferList(feeds));
      this.#pending.push({ claim, answer });
    } catch (error) {
      answer({ kind: "error", error });
    }
    return {
      get hasBegun() {
        return claim === undefined || hasBegun(claim);
      },
      callBack: () => claim !== undefined && callBack(claim),
    };
  }

  /**
   * Ends the thread, after the run or the load that it is at: a thread that is ended within ONNX Runtime takes the whole
   * process with it ("terminate called after throwing an instance of 'Napi::Error'"). A run's answer is lost.
   */
  async terminate(): Promise<void> {
    if (this.#isLoading || this.#pending.length > 0) {
      this.#isEnding = true;
      for (const { claim } of this.#pending) if (claim !== undefined) callBack(claim);
      if (this.#pending.length > 0) {
        this.#lastResort ??= setTimeout(() => void this.#thread.terminate(), LAST_RESORT_MS);
      }
    } else {
      void this.#thread.terminate();
    }
    await this.#exited;
  }

  #receive(message: WorkerMessage): void {
    const pending = this.#isLoading ? undefined : this.#pending.shift();
    this.#isLoading = false;
    if (this.#isEnding) {
      if (this.#pending.length === 0) void this.#thread.terminate();
      return;
    }
    switch (message.kind) {
      case "loaded":
        this.#observer.loaded(message.metadata);
        return;
      case "load-failed":
        this.#end(new ServeError("MODEL_INVALID", message.message));
        return;
      case "result": {
        this.#keepSpares(message.spares);
        const { outputs, startedAt, endedAt } = message;
        const ago = sharedNow() - startedAt;
        const times = { startedAt: performance.now() - ago, runMs: endedAt - startedAt };
        pending?.answer({ kind: "outputs", outputs, ...times });
        return;
      }
      case "run-failed":
        pending?.answer({ kind: "error", error: runError(message.message) });
        return;
      case "called-back":
        this.#keepSpares(message.spares);
    }
  }

  /** Those of two runs: one under way, one ahead. */
  #keepSpares(spares: readonly ArrayBuffer[]): void {
    this.#spares = [...spares, ...this.#spares].slice(0, 2 * spares.length);
  }

  #end(cause: Error): void {
    this.#cause ??= cause;
    void this.#thread.terminate();
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
