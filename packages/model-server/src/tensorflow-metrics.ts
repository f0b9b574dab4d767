/**
 * TensorFlow Serving's metrics under its own names, for dashboards and alerts that were built on them: names begin with
 * a colon, times are in microseconds, and there is no HELP.
 *
 * Source: tensorflow_serving/servables/tensorflow/util.cc, util/prometheus_exporter.cc, batching/batching_session.cc.
 */
import type { FinishedRequest } from "./server-metrics.js";

export interface TensorFlowMetricsOptions {
  /** Label of the queue's times; undefined = without `--enable_batching` there are no batching metrics. */
  readonly threadPoolName: string | undefined;
}

export interface TensorFlowMetrics {
  requestEnded(request: FinishedRequest): void;
  batchRan(rows: readonly number[], batchRows: number): void;
  warmedUp(versionFolder: string, code: string, durationMs: number): void;
  /** The page, in Prometheus' text form as TensorFlow Serving writes it. */
  page(): string;
}

/** Methods that TensorFlow Serving counts over gRPC; over REST it counts every route. */
const COUNTED_METHODS: ReadonlySet<string> = new Set(["Predict", "Classify", "Regress"]);
const REST_VERBS: ReadonlySet<string> = new Set(["predict", "classify", "regress"]);

const LATENCY_BOUNDS = exponential(10, 1.8, 33);
const QUEUE_BOUNDS = exponential(100, 1.2, 52);
const EXAMPLE_BOUNDS = exponential(1, 2, 15);
const BATCH_BOUNDS = exponential(1, 2, 14);

export function createTensorFlowMetrics({ threadPoolName }: TensorFlowMetricsOptions): TensorFlowMetrics {
  const requestCount = new Family(":tensorflow:serving:request_count", ["model_name", "status"]);
  const requestLatency = new Family(
    ":tensorflow:serving:request_latency",
    ["model_name", "API", "entrypoint"],
    LATENCY_BOUNDS,
  );
  const runtimeLatency = new Family(
    ":tensorflow:serving:runtime_latency",
    ["model_name", "API", "runtime"],
    LATENCY_BOUNDS,
  );
  const exampleCounts = new Family(":tensorflow:serving:request_example_counts", ["model"], EXAMPLE_BOUNDS);
  const exampleTotal = new Family(":tensorflow:serving:request_example_count_total", ["model"]);
  const warmUpLatency = new Family(
    ":tensorflow:serving:model_warmup_latency",
    ["model_path", "status"],
    LATENCY_BOUNDS,
  );
  const batching = threadPoolName === undefined ? undefined : batchingFamilies();
  const families = [
    requestCount,
    requestLatency,
    runtimeLatency,
    exampleCounts,
    exampleTotal,
    warmUpLatency,
    ...Object.values(batching ?? {}),
  ];

  return {
    requestEnded({ protocol, method, model = "", code, durationMs, run, examples }) {
      const isRest = protocol === "rest";
      if (!isRest && !(protocol === "grpc" && COUNTED_METHODS.has(method))) return;
      requestCount.add([model, code], 1);
      if (run !== undefined && threadPoolName !== undefined) {
        batching?.queuingLatency.add([threadPoolName], 1000 * run.queueMs);
      }
      if (code !== "OK") return;
      const api = isRest && !REST_VERBS.has(method) ? "" : method;
      requestLatency.add([model, api, isRest ? "REST" : "GRPC"], 1000 * durationMs);
      if (run !== undefined) runtimeLatency.add([model, api, "TF1"], 1000 * (run.queueMs + run.runMs));
      if (examples !== undefined) {
        exampleCounts.add([model], examples);
        exampleTotal.add([model], examples);
      }
    },
    batchRan(rows, batchRows) {
      if (batching === undefined) return;
      for (const count of rows) batching.inputBatchSize.add([], count);
      batching.wrappedRunCount.add([], 1);
      batching.processedBatchSize.add([], batchRows);
      const padding = batchRows - rows.reduce((sum, count) => sum + count, 0);
      batching.paddingSize.add([String(batchRows)], padding);
    },
    warmedUp: (versionFolder, code, durationMs) =>
      warmUpLatency.add([versionFolder, code], 1000 * durationMs),
    page: () => families.map((family) => family.page()).join(""),
  };
}

function batchingFamilies() {
  const name = (metric: string) => `:tensorflow:serving:batching_session:${metric}`;
  return {
    queuingLatency: new Family(name("queuing_latency"), ["thread_pool_name"], QUEUE_BOUNDS),
    inputBatchSize: new Family(name("input_batch_size"), [], BATCH_BOUNDS),
    processedBatchSize: new Family(name("processed_batch_size"), [], BATCH_BOUNDS),
    paddingSize: new Family(name("padding_size"), ["execution_batch_size"], BATCH_BOUNDS),
    wrappedRunCount: new Family(name("wrapped_run_count"), []),
  };
}

interface Series {
  readonly labels: string;
  /** Values at or below each bound and above the one before; the last one is above all. */
  readonly buckets: number[];
  count: number;
  sum: number;
}

/** One metric with its labels: a histogram where it has bounds, else a counter. */
class Family {
  readonly #name: string;
  readonly #labelNames: readonly string[];
  readonly #bounds: readonly number[] | undefined;
  readonly #series = new Map<string, Series>();

  constructor(name: string, labelNames: readonly string[], bounds?: readonly number[]) {
    this.#name = name;
    this.#labelNames = labelNames;
    this.#bounds = bounds;
  }

  /** @param labels in the order of their names. */
  add(labels: readonly string[], value: number): void {
    const series = this.#seriesOf(labels);
    series.count += 1;
    series.sum += value;
    if (this.#bounds === undefined) return;
    const bucket = this.#bounds.findIndex((bound) => value <= bound);
    const index = bucket === -1 ? this.#bounds.length : bucket;
    series.buckets[index] = (series.buckets[index] ?? 0) + 1;
  }

  page(): string {
    const kind = this.#bounds === undefined ? "counter" : "histogram";
    const lines = [`# TYPE ${this.#name} ${kind}`];
    for (const series of this.#series.values()) lines.push(...this.#lines(series));
    return `${lines.join("\n")}\n`;
  }

  #seriesOf(labels: readonly string[]): Series {
    const key = labels.join("\0");
    const existing = this.#series.get(key);
    if (existing !== undefined) return existing;
    const text = labels.map((value, index) => `${this.#labelNames[index]}="${escapeLabel(value)}"`).join(",");
    const series = { labels: text, buckets: this.#bounds?.map(() => 0) ?? [], count: 0, sum: 0 };
    this.#series.set(key, series);
    return series;
  }

  #lines({ labels, buckets, count, sum }: Series): string[] {
    if (this.#bounds === undefined) return [`${this.#name}{${labels}} ${sum}`];
    let below = 0;
    const bounds = [...this.#bounds.map(generalText), "+Inf"];
    const lines = bounds.map((bound, index) => {
      below += buckets[index] ?? 0;
      return `${this.#name}_bucket{${labels}${labels === "" ? "" : ","}le="${bound}"} ${below}`;
    });
    return [
      ...lines,
      `${this.#name}_sum{${labels}} ${generalText(sum)}`,
      `${this.#name}_count{${labels}} ${count}`,
    ];
  }
}

function exponential(first: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first * factor ** index);
}

/** C's `%g`: six digits, no zeros at the end, an exponent of at least two digits from 1e6 on. */
function generalText(value: number): string {
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(5).split("e")[1]);
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)));
  const [digits, power = "+0"] = value.toExponential(5).split("e");
  const sign = power.startsWith("-") ? "-" : "+";
  return `${Number(digits)}e${sign}${power.slice(1).padStart(2, "0")}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
