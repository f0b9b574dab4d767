/** What the model tier counts, on the registry that the process has, and beside it under TensorFlow Serving's names. */
import { durationHistogram, type Registry } from "@vitrine/runtime/metrics";
import { Counter, Gauge, Histogram } from "prom-client";
import type { TensorFlowMetrics } from "./tensorflow-metrics.js";

/** One request at its end. */
export interface FinishedRequest {
  readonly protocol: string;
  readonly method: string;
  /** As the caller wrote it. */
  readonly model: string | undefined;
  readonly version: number | undefined;
  /** gRPC's code by name, `OK` when all went well. */
  readonly code: string;
  readonly durationMs: number;
  /** Of the run that answered it. */
  readonly run: { readonly queueMs: number; readonly runMs: number } | undefined;
  /** tf.Examples that it brought. */
  readonly examples: number | undefined;
}

/** What a loaded version is at this moment; read at each scrape. */
export interface VersionGauges {
  waitingRequests(): number;
  /** They wait or run. */
  requestsInFlight(): number;
  busySessions(): number;
  sessions(): number;
}

export interface ServerMetrics {
  requestEnded(request: FinishedRequest): void;
  /** Requests of these rows ran together, in a run of `batchRows`. */
  batchRan(rows: readonly number[], batchRows: number): void;
  workerDied(model: string): void;
  /** Shows the gauges of a version until the returned function is called. */
  versionLoaded(model: string, version: number, gauges: VersionGauges): () => void;
  /** A version was warmed up with its own requests. */
  warmedUp(versionFolder: string, code: string, durationMs: number): void;
}

/** Stands for every model that was never loaded here: callers must not be able to make new series. */
const UNKNOWN_MODEL = "(unknown)";

interface Labels {
  readonly model?: string | number;
  readonly version?: string | number;
}

/** @param tensorFlow counts the same under other names, where `--monitoring_config_file` asks for it. */
export function createServerMetrics(
  registry: Registry,
  tensorFlow: TensorFlowMetrics | undefined,
): ServerMetrics {
  const registers = [registry];
  const loaded = new Map<VersionGauges, { readonly model: string; readonly version: string }>();
  const known = new Set<string>();
  const requests = new Counter({
    name: "vitrine_model_server_requests_total",
    help: "Requests by protocol, method, model, version and gRPC code; a model that was never loaded is (unknown)",
    labelNames: ["protocol", "method", "model", "version", "code"],
    registers,
  });
  const stages = durationHistogram(
    registry,
    "vitrine_model_server_stage_duration_seconds",
    "Time of a prediction in the queue, in the session, and in all",
    ["stage", "model", "version"],
  );
  const batchRows = new Histogram({
    name: "vitrine_model_server_batch_rows",
    help: "Rows of each run, of one request or of several",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    registers,
  });
  const deaths = new Counter({
    name: "vitrine_model_server_worker_restarts_total",
    help: "Session workers that died and were replaced",
    registers,
  });
  const gauge = (name: string, help: string, read: (gauges: VersionGauges) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ["model", "version"],
      registers,
      collect() {
        this.reset();
        for (const [gauges, labels] of loaded) this.set(labels, read(gauges));
      },
    });
  gauge("vitrine_model_server_waiting_requests", "Requests that wait for a session", (version) =>
    version.waitingRequests(),
  );
  gauge(
    "vitrine_model_server_requests_in_flight",
    "Requests that wait for a session or run: what to scale on",
    (version) => version.requestsInFlight(),
  );
  gauge("vitrine_model_server_busy_sessions", "Sessions that run at this moment", (version) =>
    version.busySessions(),
  );
  gauge("vitrine_model_server_sessions", "Sessions that run or could", (version) => version.sessions());

  /** Drops the series of a version that is gone; without that each reload would leave some. */
  async function forget(model: string, version: string): Promise<void> {
    const isOf = (labels: Labels) => labels.model === model && labels.version === version;
    for (const { labels } of (await requests.get()).values) if (isOf(labels)) requests.remove(labels);
    for (const { labels } of (await stages.get()).values) {
      const { stage } = labels;
      if (isOf(labels) && stage !== undefined) stages.remove({ stage, model, version });
    }
  }

  return {
    requestEnded(request) {
      const { protocol, method, code, durationMs, run } = request;
      const isKnown = request.model !== undefined && known.has(request.model);
      const model = isKnown ? request.model : request.model === undefined ? "" : UNKNOWN_MODEL;
      const version = isKnown && request.version !== undefined ? String(request.version) : "";
      requests.inc({ protocol, method, model, version, code });
      if (run !== undefined) {
        stages.observe({ stage: "queue", model, version }, run.queueMs / 1000);
        stages.observe({ stage: "inference", model, version }, run.runMs / 1000);
        stages.observe({ stage: "total", model, version }, durationMs / 1000);
      }
      tensorFlow?.requestEnded({ ...request, model });
    },
    batchRan(rows, runRows) {
      batchRows.observe(runRows);
      tensorFlow?.batchRan(rows, runRows);
    },
    workerDied: () => deaths.inc(),
    versionLoaded(model, version, gauges) {
      const labels = { model, version: String(version) };
      loaded.set(gauges, labels);
      known.add(model);
      return () => {
        loaded.delete(gauges);
        void forget(model, labels.version);
      };
    },
    warmedUp: (versionFolder, code, durationMs) => tensorFlow?.warmedUp(versionFolder, code, durationMs),
  };
}
