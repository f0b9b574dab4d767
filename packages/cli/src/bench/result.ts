/** What a load came to: the members of `vitrine bench --format json`. */
import type { Arrivals, Load } from "./arrivals.js";
import type { LoadRecord } from "./load-record.js";
import type { Machine } from "./machine.js";
import type { PictureSet } from "./pictures.js";
import type { Summary } from "./series.js";
import type { Usage } from "./tier-usage.js";

/** Milliseconds. */
type Times = Summary;

export interface BenchResult {
  readonly target: string;
  readonly pictures: { readonly name: string; readonly count: number; readonly mean_bytes: number };
  readonly load:
    | { readonly kind: "closed"; readonly concurrency: number }
    | { readonly kind: "open"; readonly per_second: number; readonly arrivals: Arrivals };
  /** From the end of the warm-up to the last answer. */
  readonly seconds: number;
  readonly answered: number;
  readonly failed: number;
  /** How often, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  readonly per_second: number;
  readonly sent_bytes_per_second: number;
  readonly received_bytes_per_second: number;
  readonly latency_ms: Times | null;
  /** In the order of a request; those that did not take part are absent. */
  readonly stages_ms: Readonly<Record<string, Times>>;
  /** Means, of the own model server: parts of `predict`. */
  readonly model_server_ms: { readonly queue: number; readonly inference: number } | null;
  /** Of the own tiers. */
  readonly tiers: { readonly gateway: TierResult; readonly model_server: TierResult } | null;
  readonly loader: { readonly cores: number; readonly busy_share: number };
  readonly machine: Machine;
  readonly interrupted: boolean;
  /** Sentences about what makes the figures worth less. */
  readonly warnings: readonly string[];
}

export interface TierResult {
  readonly cpu_ms_per_picture: number;
  readonly resident_bytes: number;
  readonly peak_bytes: number;
}

export interface BenchFacts {
  readonly target: string;
  readonly pictures: PictureSet;
  readonly load: Load;
  readonly record: LoadRecord;
  /** At the end of the warm-up and after the load; undefined for somebody else's tiers. */
  readonly usage: readonly [Usage, Usage] | undefined;
  readonly machine: Machine;
  readonly interrupted: boolean;
}

/** Stages as a request passes through them. */
const STAGE_ORDER = ["network", "fetch", "waiting", "decode", "resize", "predict"];

/** Above it the loader's own waiting shows in the latencies. */
const LOADER_BUSY_SHARE = 0.7;
const LATE_MS = 20;

export function benchResult(facts: BenchFacts): BenchResult {
  const { record, pictures, usage } = facts;
  const failures = Object.fromEntries([...record.failures].sort(([, a], [, b]) => b - a));
  const rate = (amount: number): number => (record.seconds === 0 ? 0 : amount / record.seconds);
  const stages = [...record.stagesMs].flatMap(([stage, series]) => {
    const times = series.summary();
    return times === undefined ? [] : [[stage, times] as const];
  });
  stages.sort(([a], [b]) => STAGE_ORDER.indexOf(a) - STAGE_ORDER.indexOf(b));
  return {
    target: facts.target,
    pictures: { name: pictures.name, count: pictures.requests.length, mean_bytes: pictures.meanBytes },
    load: loadResult(facts.load),
    seconds: record.seconds,
    answered: record.ok,
    failed: Object.values(failures).reduce((sum, count) => sum + count, 0),
    failures,
    per_second: rate(record.ok),
    sent_bytes_per_second: rate(record.sentBytes),
    received_bytes_per_second: rate(record.receivedBytes),
    latency_ms: record.latencyMs.summary() ?? null,
    stages_ms: Object.fromEntries(stages),
    model_server_ms: usage === undefined ? null : serverMeans(usage),
    tiers: usage === undefined ? null : tierResults(usage),
    loader: { cores: record.loader.cores, busy_share: record.loader.busyShare },
    machine: facts.machine,
    interrupted: facts.interrupted,
    warnings: warningsOf(facts),
  };
}

function loadResult(load: Load): BenchResult["load"] {
  return load.kind === "closed"
    ? load
    : { kind: load.kind, per_second: load.perSecond, arrivals: load.arrivals };
}

function serverMeans([before, after]: readonly [Usage, Usage]): { queue: number; inference: number } {
  const mean = (stage: "queue" | "inference"): number =>
    (1000 * (after[stage].seconds - before[stage].seconds)) /
    Math.max(1, after[stage].count - before[stage].count);
  return { queue: mean("queue"), inference: mean("inference") };
}

function tierResults([before, after]: readonly [Usage, Usage]) {
  const pictures = Math.max(1, after.pictures - before.pictures);
  const tier = (name: "gateway" | "modelServer"): TierResult => ({
    cpu_ms_per_picture: (1000 * (after[name].cpuSeconds - before[name].cpuSeconds)) / pictures,
    resident_bytes: after[name].residentBytes,
    peak_bytes: after[name].peakBytes,
  });
  return { gateway: tier("gateway"), model_server: tier("modelServer") };
}

function warningsOf({ record, load, interrupted }: BenchFacts): string[] {
  const warnings: string[] = [];
  const { busyShare } = record.loader;
  if (busyShare > LOADER_BUSY_SHARE) {
    warnings.push(
      `the loader itself was at work ${percent(busyShare)} of the time: the gateway may be faster than it could ask. Load from another machine, or from several`,
    );
  }
  if (record.cached > 0) {
    warnings.push(
      `${record.cached} of ${record.ok} answers were in the gateway's cache: this measures the cache. Start the gateway without --cache-bytes, or send other pictures each time`,
    );
  }
  const lateMs = record.latenessMs.summary()?.p95 ?? 0;
  if (load.kind === "open" && lateMs > LATE_MS) {
    warnings.push(
      `one request in twenty was sent ${lateMs.toFixed(0)} ms late or more: answers did not keep up with --rate, or the loader was short of CPU. The latencies hold that wait`,
    );
  }
  if (record.ok === 0 && record.failures.size === 0) {
    warnings.push("no request that began after the warm-up was answered in that time; load longer");
  } else if (record.ok > 0 && record.ok < 100) {
    const slowest = Math.ceil(record.ok / 20);
    const deciding = slowest === 1 ? "the slowest one decides" : `the slowest ${slowest} decide`;
    warnings.push(`${record.ok} answers are too few for a p99, and ${deciding} the p95; load longer`);
  }
  if (interrupted) warnings.push("interrupted: these are the figures until then");
  return warnings;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
