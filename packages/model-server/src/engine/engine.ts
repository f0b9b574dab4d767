/** The sessions of every version that a server has loaded: how many there are, and how they share the cores. */
import type { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import type { ServerMetrics } from "../server-metrics.js";
import type { Batching } from "./batching.js";
import { CoreSlots } from "./core-slots.js";
import { PredictBatcher } from "./predict-batcher.js";
import { SessionPool, type WarmUpRun } from "./session-pool.js";
import type { SessionMetadata, SessionModel, SessionOptions } from "./worker-messages.js";

/** So many deaths of workers in a minute without an answered run between end the version. */
const CRASH_LIMIT = 5;
const CRASH_WINDOW_MS = 60_000;
const RESTART_DELAY_MS = 100;

export interface EngineOptions {
  /** Script of the worker thread: session-worker.js, or a fixture. */
  readonly workerUrl: URL;
  /** Sessions of each version. */
  readonly workers: number;
  /** Sessions that run at once, of all versions together. */
  readonly slots: number;
  readonly session: SessionOptions;
}

export interface EngineParts {
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
}

export interface LoadRequest {
  /** For logs and metrics. */
  readonly name: string;
  readonly version: number;
  /** Of the version, for metrics. */
  readonly folder: string;
  readonly model: SessionModel;
  readonly batching: Batching;
  /** Runs that each session does before it takes requests. */
  warmUp(graph: SessionMetadata): readonly WarmUpRun[];
  /** Calls the load off. */
  readonly signal?: AbortSignal | undefined;
  /** Crash loop: every session is gone, and what waited is answered. */
  broken(error: ServeError): void;
}

/** A version's sessions, warm. */
export interface LoadedSessions {
  readonly graph: SessionMetadata;
  readonly batcher: PredictBatcher;
  /** Finishes what was accepted, then ends the sessions. */
  unload(): Promise<void>;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #parts: EngineParts;
  readonly #slots: CoreSlots;

  constructor(options: EngineOptions, parts: EngineParts) {
    this.#options = options;
    this.#parts = parts;
    this.#slots = new CoreSlots(options.slots);
  }

  /**
   * Starts the sessions of a version and warms them.
   *
   * @throws {ServeError} MODEL_INVALID, WORKER_LOST; the signal's reason.
   */
  async load(request: LoadRequest): Promise<LoadedSessions> {
    const { name, version, model, signal } = request;
    const { workerUrl, workers, session } = this.#options;
    const { metrics } = this.#parts;
    const logger = this.#parts.logger.child({ model: name, version });
    let batcher: PredictBatcher | undefined;
    let forget: (() => void) | undefined;
    const share = this.#slots.join({
      wake: () => batcher?.wake(),
      hasWaiting: () => batcher !== undefined && batcher.waiting > 0,
      callBackAhead: () => batcher?.callBackAhead(),
    });
    const pool = new SessionPool(
      {
        workerUrl,
        worker: { model, ...session },
        workers,
        warmUp: request.warmUp,
        crashLimit: CRASH_LIMIT,
        crashWindowMs: CRASH_WINDOW_MS,
        restartDelayMs: RESTART_DELAY_MS,
      },
      {
        started: share.started,
        ended: share.ended,
        idle: () => batcher?.wake(),
        workerDied: (err, restartInMs) => {
          metrics.workerDied(name);
          logger.error({ err, restartInMs }, "a session worker died and will be replaced");
        },
        warmedUp: (durationMs, error) => metrics.warmedUp(request.folder, error?.code ?? "OK", durationMs),
        warmUpFailed: (error) => logger.warn({ error }, "a warm-up run on zeros was refused"),
        broken: (error) => {
          batcher?.fail(error);
          share.leave();
          forget?.();
          request.broken(error);
        },
      },
    );
    const abort = () => void pool.close();
    try {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      const graph = await pool.start();
      const loaded = new PredictBatcher(pool, share, graph, request.batching, metrics);
      batcher = loaded;
      forget = metrics.versionLoaded(name, version, {
        waitingRequests: () => loaded.waiting,
        requestsInFlight: () => loaded.inFlight,
        busySessions: () => pool.busyWorkers,
        sessions: () => pool.busyWorkers + pool.idleWorkers,
      });
      return {
        graph,
        batcher: loaded,
        async unload() {
          await loaded.drain();
          share.leave();
          await pool.close();
          forget?.();
        },
      };
    } catch (error) {
      share.leave();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}
