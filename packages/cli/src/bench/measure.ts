/** The measurement behind `--right-size`: memory at rest, the most that the machine answers, and p95 under a part of it. */
import type { Io } from "@vitrine/runtime/lifecycle";
import { CommandFailure } from "../command-failure.js";
import type { Load } from "./arrivals.js";
import { busySeconds, describeMachine, type Machine } from "./machine.js";
import type { PictureSet } from "./pictures.js";
import type { BenchResult } from "./result.js";
import { runBench } from "./run-bench.js";
import type { LoadStep, Measured, MeasuredTier } from "./sizing.js";
import type { ReadUsage } from "./tier-usage.js";

export interface MeasureOptions {
  readonly gatewayUrl: string;
  readonly pictures: PictureSet;
  readonly readUsage: ReadUsage;
  readonly modelBytes: number;
  readonly io: Io;
  readonly times: MeasureTimes;
}

export interface MeasureTimes {
  readonly warmUpMs: number;
  readonly fullMs: number;
  readonly stepMs: number;
}

/** About 100 s in all; up to three times as much for a slow model. */
export const USUAL_TIMES: MeasureTimes = { warmUpMs: 5_000, fullMs: 15_000, stepMs: 15_000 };

/** About 40 s: p95 stands on a third of the answers. */
export const QUICK_TIMES: MeasureTimes = { warmUpMs: 3_000, fullMs: 6_000, stepMs: 5_000 };

/** Of a step whose answers would be fewer than this the time is stretched, threefold at most. */
const ANSWERS_FOR_P95 = 200;

/** Shares of the full load at which p95 is measured. */
const SHARES = [0.3, 0.5, 0.65, 0.8, 0.9];

/** Enough that both workers of each tier are never without work, and not so many that the queue is all there is. */
const FULL_CONCURRENCY = 8;

/** Cores' worth of other programs from which on a p95 is theirs as much as ours. */
const MUCH_ELSE_CORES = 0.5;

export interface Measurement {
  readonly measured: Measured;
  readonly machine: Machine;
  /** Cores' worth of CPU that other programs took meanwhile; undefined where the system does not tell. */
  readonly otherCores: number | undefined;
  readonly warnings: readonly string[];
}

export async function measureTiers(options: MeasureOptions): Promise<Measurement> {
  const { io, times } = options;
  const idle = await options.readUsage();
  const others = await startWatchingOthers(options.readUsage);
  const run = async (load: Load, warmUpMs: number, durationMs: number): Promise<BenchResult> => {
    const result = await runBench({
      ...options,
      load,
      warmUpMs,
      durationMs,
      mostRequests: Number.POSITIVE_INFINITY,
      timeoutMs: 30_000,
    });
    io.signal.throwIfAborted();
    return result;
  };

  io.stderr.write(
    `as fast as it goes: ${seconds(times.warmUpMs)} to warm up, ${seconds(times.fullMs)} measured\n`,
  );
  const full = await run({ kind: "closed", concurrency: FULL_CONCURRENCY }, times.warmUpMs, times.fullMs);
  if (full.answered === 0) {
    throw new CommandFailure(
      `no picture was answered, but ${JSON.stringify(full.failures)}: nothing was measured`,
    );
  }
  const results = [full];
  // Warm already: only the queue of the load before is to go.
  const stepWarmUpMs = Math.min(1_000, times.warmUpMs);
  const steps: LoadStep[] = [];
  const stepWarnings: string[] = [];
  for (const share of SHARES) {
    const perSecond = share * full.per_second;
    const stepMs = Math.min(3 * times.stepMs, Math.max(times.stepMs, (1000 * ANSWERS_FOR_P95) / perSecond));
    const result = await run({ kind: "open", perSecond, arrivals: "poisson" }, stepWarmUpMs, stepMs);
    const p95Ms = result.latency_ms?.p95 ?? Number.POSITIVE_INFINITY;
    io.stderr.write(`${perSecond.toFixed(0)} per second (${percent(share)}): p95 ${p95Ms.toFixed(0)} ms\n`);
    steps.push({ share, perSecond, p95Ms, failed: result.failed });
    stepWarnings.push(
      ...result.warnings.map((warning) => `at ${percent(share)} of the full load: ${warning}`),
    );
    results.push(result);
  }
  const otherCores = await others(results.map(({ loader, seconds }) => loader.cores * seconds));
  return {
    measured: {
      gateway: tierOf(results, "gateway", idle.gateway.residentBytes),
      modelServer: tierOf(results, "model_server", idle.modelServer.residentBytes),
      mostPerSecond: full.per_second,
      steps,
      modelBytes: options.modelBytes,
    },
    machine: await describeMachine(),
    otherCores,
    warnings: [...full.warnings, ...stepWarnings, ...warningsOfOthers(otherCores)],
  };
}

/** The dearest of the loads: what a picture costs rises with the load, and falls again where pictures share a run. */
function tierOf(
  results: readonly BenchResult[],
  tier: "gateway" | "model_server",
  idleBytes: number,
): MeasuredTier {
  const figures = results.flatMap(({ tiers }) => (tiers === null ? [] : [tiers[tier]]));
  return {
    cpuSecondsPerPicture: Math.max(...figures.map(({ cpu_ms_per_picture: ms }) => ms)) / 1000,
    idleBytes,
    peakBytes: Math.max(...figures.map(({ peak_bytes: bytes }) => bytes)),
  };
}

async function startWatchingOthers(readUsage: ReadUsage) {
  const ourSeconds = async (): Promise<number> => {
    const { gateway, modelServer } = await readUsage();
    return gateway.cpuSeconds + modelServer.cpuSeconds;
  };
  const [busyBefore, oursBefore, startedMs] = [await busySeconds(), await ourSeconds(), performance.now()];
  return async (loaderSeconds: readonly number[]): Promise<number | undefined> => {
    const busyAfter = await busySeconds();
    if (busyBefore === undefined || busyAfter === undefined) return undefined;
    const loader = loaderSeconds.reduce((sum, each) => sum + each, 0);
    const ours = (await ourSeconds()) - oursBefore + loader;
    const elapsed = (performance.now() - startedMs) / 1000;
    return Math.max(0, (busyAfter - busyBefore - ours) / elapsed);
  };
}

function warningsOfOthers(otherCores: number | undefined): string[] {
  if (otherCores === undefined || otherCores <= MUCH_ELSE_CORES) return [];
  return [
    `other programs took ${otherCores.toFixed(1)} cores meanwhile, so CPU per picture and p95 are too high, and the sizes larger than they need be; measure again when the machine is calm`,
  ];
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
