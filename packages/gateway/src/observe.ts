/** What the gateway tells of its requests: metrics, `Server-Timing`, and one log line each. */
import { type Code, REASONS } from "@vitrine/protocol/status";
import { durationHistogram } from "@vitrine/runtime/metrics";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Permits } from "./permits.js";
import { STAGES, type Stage } from "./stage-times.js";

export interface FinishedRequest {
  /** The route's pattern; `other` for a path that is none. */
  readonly route: string;
  /** `OK` or the code of the error. */
  readonly code: string;
  /** `OK` or the reason of the error. */
  readonly reason: string;
  readonly seconds: number;
  readonly stagesMs: Readonly<Partial<Record<Stage, number>>>;
}

export interface RequestMetrics {
  begin(): void;
  end(finished: FinishedRequest): void;
}

/** Codes of a prediction that failed by our fault: those that the alerts of deploy/monitoring count. */
const OUR_CODES: ReadonlySet<Code> = new Set<Code>([
  "INTERNAL",
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "RESOURCE_EXHAUSTED",
]);

export function createRequestMetrics(registry: Registry, permits: Permits): RequestMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "vitrine_gateway_requests_total",
    help: "Requests answered, by route, gRPC code and reason",
    labelNames: ["route", "code", "reason"],
    registers,
  });
  // From the start, with 0: a series that begins with its first failure has not increased in Prometheus' eyes.
  for (const [reason, code] of Object.entries(REASONS)) {
    if (OUR_CODES.has(code) && !reason.startsWith("FEEDBACK_")) {
      requests.inc({ route: "/predict", code, reason }, 0);
    }
  }
  const inFlight = new Gauge({
    name: "vitrine_gateway_requests_in_flight",
    help: "Requests begun and not yet answered, of every route",
    registers,
  });
  new Gauge({
    name: "vitrine_gateway_predictions_in_flight",
    help: "Requests that hold a permit of max-concurrent-requests",
    registers,
    collect() {
      this.set(permits.requestsAtWork);
    },
  });
  new Gauge({
    name: "vitrine_gateway_held_bytes",
    help: "Bytes of encoded pictures held, counted against max-held-bytes",
    registers,
    collect() {
      this.set(permits.bytesHeld);
    },
  });
  const durations = durationHistogram(
    registry,
    "vitrine_gateway_request_duration_seconds",
    "From the request's head to the end of its answer",
    ["route"],
  );
  const stages = durationHistogram(
    registry,
    "vitrine_gateway_stage_duration_seconds",
    "Part of POST /predict: fetch, decode, resize, predict, explain, and total from the end of the body",
    ["stage"],
  );
  return {
    begin: () => inFlight.inc(),
    end({ route, code, reason, seconds, stagesMs }) {
      inFlight.dec();
      requests.inc({ route, code, reason });
      durations.observe({ route }, seconds);
      for (const stage of STAGES) {
        const ms = stagesMs[stage];
        if (ms !== undefined) stages.observe({ stage }, ms / 1000);
      }
    },
  };
}

/** Counts pictures whose decoder was not the one that the contract names: {@link PreprocessorOptions.approximated}. */
export function createApproximateCounter(registry: Registry): () => void {
  const decodes = new Counter({
    name: "vitrine_gateway_approximate_decodes_total",
    help: "JPEGs of a kind that TensorFlow's decoder was asked for and Pillow's read, up to 6 steps of 255 apart at usual qualities",
    registers: [registry],
  });
  return () => decodes.inc();
}

/** Value of the `Server-Timing` header; undefined when nothing was timed. Source: W3C Server Timing. */
export function serverTimingOf(stagesMs: Readonly<Partial<Record<Stage, number>>>): string | undefined {
  const metrics = STAGES.flatMap((stage) => {
    const ms = stagesMs[stage];
    return ms === undefined ? [] : [`${stage};dur=${ms}`];
  });
  return metrics.length === 0 ? undefined : metrics.join(", ");
}
