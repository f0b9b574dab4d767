/** Prometheus metrics that both tiers have. Each process owns its registry; there is no global one. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export type { Registry };

/**
 * Seconds; from a uint8 decode to the default deadline of 20 s. Steps of a half where predictions are, so that a
 * percentile between two of them is off by no more than that, and 2 itself: VitrineSlow alerts there.
 */
const DURATION_BUCKETS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3,
  5, 10, 20,
];

const DELAY_RESOLUTION_MS = 10;
const DELAY_QUANTILES = [0.5, 0.9, 0.99, 1];

export interface Metrics {
  readonly registry: Registry;
  /** Ends the sampling of the event loop. */
  close(): void;
}

/**
 * Makes the registry of one process with its memory, CPU, event-loop delay and build.
 *
 * @param tier value of the label `tier` on `vitrine_build_info`.
 */
export function createMetrics(tier: string, version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];

  new Gauge({
    name: "vitrine_build_info",
    help: "1, with the tier, its version and that of Node as labels",
    labelNames: ["tier", "version", "node"],
    registers,
  }).set({ tier, version, node: process.version }, 1);

  new Gauge({
    name: "process_start_time_seconds",
    help: "Start of the process in seconds since 1970",
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()));

  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory of the process",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });

  let countedCpuMicros = 0;
  new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system CPU time of the process, all threads",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.inc((user + system - countedCpuMicros) / 1e6);
      countedCpuMicros = user + system;
    },
  });

  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: "nodejs_eventloop_delay_seconds",
    help: "Delay of the event loop beyond its timer, by quantile, since the last scrape",
    labelNames: ["quantile"],
    registers,
    collect() {
      for (const quantile of DELAY_QUANTILES) {
        this.set({ quantile: String(quantile) }, delaySeconds(delay.percentile(quantile * 100)));
      }
      delay.reset();
    },
  });

  return { registry, close: () => delay.disable() };
}

/**
 * Adds a histogram of durations in seconds, from half a millisecond to 20 s.
 *
 * @param name ends in `_seconds`.
 */
export function durationHistogram<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
): Histogram<Label> {
  return new Histogram({
    name,
    help,
    labelNames: [...labelNames],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [registry],
  });
}

/** Node counts from one tick of its timer to the next, so an idle loop shows the timer's own interval. */
function delaySeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - DELAY_RESOLUTION_MS / 1e3);
}
