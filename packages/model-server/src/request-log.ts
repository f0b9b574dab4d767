/** One line and one count for each request at its end, whatever protocol it came by. */
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import type { BatchResult } from "./engine/batcher.js";
import type { ServerMetrics } from "./server-metrics.js";

export interface RequestFacts {
  readonly protocol: "grpc" | "rest";
  readonly method: string;
  /** As the caller sent it in `x-request-id`. */
  readonly requestId: string | undefined;
}

/** What becomes known while the request is answered. */
export interface RequestDetails {
  model?: string;
  version?: number;
  batch?: Omit<BatchResult<unknown>, "output">;
  /** tf.Examples in the request. */
  examples?: number;
}

export class RequestLog {
  readonly #logger: Logger;
  readonly #metrics: ServerMetrics;
  /** Errors that have their line already. */
  readonly #told = new WeakSet<ServeError>();

  constructor(logger: Logger, metrics: ServerMetrics) {
    this.#logger = logger;
    this.#metrics = metrics;
  }

  /** Runs a handler and tells of its end. @throws {ServeError} whatever the handler threw, as one. */
  async record<T>(facts: RequestFacts, handler: (details: RequestDetails) => T | Promise<T>): Promise<T> {
    const details: RequestDetails = {};
    const startedAt = performance.now();
    try {
      const result = await handler(details);
      this.#tell(facts, details, undefined, performance.now() - startedAt);
      return result;
    } catch (thrown) {
      const error = ServeError.from(thrown);
      this.#tell(facts, details, error, performance.now() - startedAt);
      throw error;
    }
  }

  /** Tells of a request that ended before or after its handler, unless its error was told of. */
  recordUnhandled(facts: RequestFacts, error: ServeError, durationMs: number): void {
    if (!this.#told.has(error)) this.#tell(facts, {}, error, durationMs);
  }

  #tell(
    { protocol, method, requestId }: RequestFacts,
    { model, version, batch, examples }: RequestDetails,
    error: ServeError | undefined,
    durationMs: number,
  ): void {
    const code = error?.code ?? "OK";
    this.#metrics.requestEnded({ protocol, method, model, version, code, durationMs, run: batch, examples });
    const line = {
      protocol,
      method,
      requestId,
      model,
      version,
      code,
      reason: error?.reason,
      durationMs: round(durationMs),
      queueMs: round(batch?.queueMs),
      inferenceMs: round(batch?.runMs),
      batchRows: batch?.batchRows,
    };
    if (error === undefined) {
      this.#logger.info(line, "request");
      return;
    }
    this.#told.add(error);
    // Faults of the caller are its news; INTERNAL is ours, with stack and cause.
    if (error.code === "INTERNAL") this.#logger.error({ ...line, err: error.cause ?? error }, error.message);
    else this.#logger.info({ ...line, error: error.message }, "request");
  }
}

function round(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 100) / 100;
}
