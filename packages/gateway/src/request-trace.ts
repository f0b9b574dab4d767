/** What a request tells to those who trace it. */
import type { ServeError } from "@vitrine/protocol/status";
import type { Stage } from "./stage-times.js";

export interface RequestTrace {
  /** For the model tier: `traceparent` and `tracestate`. */
  readonly headers: Readonly<Record<string, string>>;
  /** A stage has just ended. */
  stage(stage: Stage, durationMs: number): void;
  end(outcome: {
    readonly method: string;
    /** The route's pattern. */
    readonly route: string;
    readonly status: number;
    readonly failure: ServeError | undefined;
  }): void;
}

/**
 * @param name   of the request until its route is known.
 * @param caller the caller's own trace headers.
 */
export type BeginTrace = (name: string, caller: Readonly<Record<string, string>>) => RequestTrace;

/** Records nothing; the caller's trace goes on to the model tier as it came. */
export const passTraceOn: BeginTrace = (_name, headers) => ({ headers, stage() {}, end() {} });
