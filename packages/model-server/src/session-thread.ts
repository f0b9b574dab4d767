/** One session worker's thread, seen from the server: what is sent to it, what comes back, and how it ends. */
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

/** How a run ended; a run whose thread died has no answer. */
export type RunAnswer =
  | { readonly kind: "outputs"; readonly outputs: SessionTensors }
  | { readonly kind: "error"; readonly error: unknown };

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
  /** Takes the answer to the run under way. */
  #answer: ((answer: RunAnswer) => void) | undefined;
  /** Buffers that came back from its last run. */
  #spares: ArrayBuffer[] = [];
  /** It loads or runs: it may be within native code. */
  #isBusy = true;
  /** It shall end when it is no longer busy. */
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
        this.#answer = undefined;
        this.#observer.ended(this.#cause ?? new Error(`session worker exited with ${code}`));
        resolve();
      });
    });
  }

  /** Sends a run; only while none is under way. `answer` is called once, unless the thread dies over it. */
  run(job: SessionJob, answer: (answer: RunAnswer) => void): void {
    this.#answer = answer;
    this.#isBusy = true;
    try {
      const feeds = job.feeds((bytes) => allocate(this.#spares, bytes));
      const request: RunRequest = { feeds, fetches: job.fetches };
      this.#thread.postMessage(request, transferList(feeds));
    } catch (error) {
      this.#isBusy = false;
      this.#settle({ kind: "error", error });
    }
  }

  /**
   * Ends the thread, after the run or the load that it is at: a thread that is ended within ONNX Runtime takes the whole
   * process with it ("terminate called after throwing an instance of 'Napi::Error'"). A run's answer is lost.
   */
  async terminate(): Promise<void> {
    if (this.#isBusy) {
      this.#isEnding = true;
      if (this.#answer !== undefined) {
        this.#lastResort ??= setTimeout(() => void this.#thread.terminate(), LAST_RESORT_MS);
      }
    } else {
      void this.#thread.terminate();
    }
    await this.#exited;
  }

  #receive(message: WorkerMessage): void {
    this.#isBusy = false;
    if (this.#isEnding) {
      void this.#thread.terminate();
      return;
    }
    switch (message.kind) {
      case "loaded":
        this.#observer.loaded(message.metadata);
        return;
      case "load-failed":
        this.#end(new ServeError("MODEL_INVALID", message.message));
        return;
      case "result":
        this.#spares = [...message.spares];
        this.#settle({ kind: "outputs", outputs: message.outputs });
        return;
      case "run-failed":
        this.#settle({ kind: "error", error: runError(message.message) });
        return;
    }
  }

  #settle(answer: RunAnswer): void {
    const settle = this.#answer;
    this.#answer = undefined;
    settle?.(answer);
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
