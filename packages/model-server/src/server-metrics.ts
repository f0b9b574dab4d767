/** What the model tier counts, on the registry that the process has. */
import { durationHistogram, type Registry } from "@vitrine/runtime/metrics";
import { Counter, Gauge, Histogram } from "prom-client";

export interface ServerMetrics {
  /** @param code gRPC's code by name, `OK` when all went well. */
  requestEnded(protocol: string, method: string, code: string): void;
  stageEnded(stage: "queue" | "inference", milliseconds: number): void;
  batchStarted(rows: number): void;
  workerDied(): void;
}

/** Sizes of what runs at this moment; read at each scrape. */
export interface ServerGauges {
  readonly queueDepth: number;
  readonly busySessions: number;
}

/** @param gauges undefined while no version is loaded. */
export function createServerMetrics(
  registry: Registry,
  gauges: () => ServerGauges | undefined,
): ServerMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "vitrine_model_server_requests_total",
    help: "Requests by protocol, method and gRPC code",
    labelNames: ["protocol", "method", "code"],
    registers,
  });
  const stages = durationHistogram(
    registry,
    "vitrine_model_server_stage_duration_seconds",
    "Time of a Predict request in the queue and in the session",
    ["stage"],
  );
  const batchRows = new Histogram({
    name: "vitrine_model_server_batch_rows",
    help: "Rows of each run, of one request or of several",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers,
  });
  new Gauge({
    name: "vitrine_model_server_queue_depth",
    help: "Batches that wait for a session",
    registers,
    collect() {
      this.set(gauges()?.queueDepth ?? 0);
    },
  });
  new Gauge({
    name: "vitrine_model_server_busy_sessions",
    help: "Sessions that run at this moment",
    registers,
    collect() {
      this.set(gauges()?.busySessions ?? 0);
    },
  });
  const deaths = new Counter({
    name: "vitrine_model_server_worker_restarts_total",
    help: "Session workers that died and were replaced",
    registers,
  });
  return {
    requestEnded: (protocol, method, code) => requests.inc({ protocol, method, code }),
    stageEnded: (stage, milliseconds) => stages.observe({ stage }, milliseconds / 1000),
    batchStarted: (rows) => batchRows.observe(rows),
    workerDied: () => deaths.inc(),
  };
}
