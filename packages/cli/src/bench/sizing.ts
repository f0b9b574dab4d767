/**
 * From measured figures to what a cluster is told: requests, limits, replicas, the autoscaler's target. Pure arithmetic;
 * docs/right-size.md says why each step is so.
 */

import { modelServerBytes, modelServerPeakBytes } from "../doctor/memory-need.js";

/** One load in an open loop, as a share of the most that the machine answers. */
export interface LoadStep {
  readonly share: number;
  readonly perSecond: number;
  readonly p95Ms: number;
  readonly failed: number;
}

export interface MeasuredTier {
  readonly cpuSecondsPerPicture: number;
  readonly idleBytes: number;
  readonly peakBytes: number;
}

export interface Measured {
  readonly gateway: MeasuredTier;
  readonly modelServer: MeasuredTier;
  /** What both tiers together answered per second when they had no pause. */
  readonly mostPerSecond: number;
  /** In rising order of their share. */
  readonly steps: readonly LoadStep[];
  /** Files of the served version. */
  readonly modelBytes: number;
}

export interface Wish {
  /** At the busiest time. */
  readonly picturesPerSecond: number;
  readonly p95Ms: number;
  /** How many times as long a core of the cluster takes as one of this machine. */
  readonly cpuFactor: number;
}

/** Where the pods' settings bound their memory; the manifests set the same. */
export const POD_BOUNDS = { workers: 2, maxHeldBytes: 128 * 1024 * 1024, maxImagePixels: 50_000_000 };

export interface TierSize {
  readonly requestMillicores: number;
  /** For a cluster whose rules demand a limit of CPU. None is better: it slows pictures while cores stand idle. */
  readonly limitMillicores: number;
  readonly requestMebibytes: number;
  readonly limitMebibytes: number;
  /** Pods that carry the load alone. */
  readonly workingPods: number;
  /** With one to spare, for a node that is drained or dies. */
  readonly pods: number;
  /** Average utilisation of the request at which the autoscaler holds `pods` under the wanted load. */
  readonly targetPercent: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** What took the request up from the load's own need; `load` when nothing did. */
  readonly boundBy: "load" | "latency" | "least";
}

export interface Sizing {
  /** Highest share of its full load at which a tier still answers in time; bounded by {@link MOST_SHARE}. */
  readonly share: number;
  /** False: not even the lightest step kept the wanted p95, and `share` is that step's. */
  readonly keepsP95: boolean;
  readonly gateway: TierSize;
  readonly modelServer: TierSize;
}

/** Waiting grows without bound towards 1, and a minute's load is uneven. */
const MOST_SHARE = 0.8;

/** What the load may grow by while a new pod is asked for, placed and started (15 s, and 10 to 40 s). */
const GROWTH = 1.25;

/** A node's core is rarely whole for one pod; a pod beyond it gains little, for it has two workers. */
const PREFERRED_CORES = 1;
const MOST_CORES = 2;
const PREFERRED_PODS = 10;

const LEAST_MILLICORES = 100;
const MILLICORE_STEP = 50;
const MEBIBYTE = 1024 * 1024;
const MEBIBYTE_STEP = 32;

/** Times its CPU that 95 of 100 pictures take at most in one queue that is half full (M/D/1, rounded up). */
const HALF_FULL_STRETCH = 3;

/** @throws {RangeError} when a figure is not positive: nothing was measured. */
export function sizeTiers(measured: Measured, wish: Wish): Sizing {
  const { share, keepsP95 } = shareInTime(measured.steps, wish.p95Ms);
  const bothSeconds = measured.gateway.cpuSecondsPerPicture + measured.modelServer.cpuSecondsPerPicture;
  if (!(bothSeconds > 0) || !(wish.picturesPerSecond > 0)) throw new RangeError("nothing was measured");
  const size = (tier: MeasuredTier, limitBytes: number): TierSize =>
    sizeTier(tier, limitBytes, { ...wish, share, bothSeconds });
  return {
    share,
    keepsP95,
    gateway: size(measured.gateway, gatewayLimitBytes(measured.gateway)),
    modelServer: size(measured.modelServer, modelServerLimitBytes(measured)),
  };
}

/** Between the last step that kept p95 and the first that did not, on the line from one to the other. */
export function shareInTime(
  steps: readonly LoadStep[],
  p95Ms: number,
): { readonly share: number; readonly keepsP95: boolean } {
  const inTime = (step: LoadStep): boolean => step.failed === 0 && step.p95Ms <= p95Ms;
  const firstLate = steps.findIndex((step) => !inTime(step));
  const late = steps[firstLate];
  if (late === undefined) return { share: Math.min(MOST_SHARE, steps.at(-1)?.share ?? 0), keepsP95: true };
  const last = steps[firstLate - 1];
  if (last === undefined) return { share: Math.min(MOST_SHARE, late.share), keepsP95: false };
  const between = late.failed > 0 ? 0 : (p95Ms - last.p95Ms) / (late.p95Ms - last.p95Ms);
  return { share: Math.min(MOST_SHARE, last.share + between * (late.share - last.share)), keepsP95: true };
}

function sizeTier(
  tier: MeasuredTier,
  limitBytes: number,
  { picturesPerSecond, p95Ms, cpuFactor, share, bothSeconds }: Wish & { share: number; bothSeconds: number },
): TierSize {
  const usedCores = picturesPerSecond * tier.cpuSecondsPerPicture * cpuFactor;
  const neededCores = (usedCores * GROWTH) / share;
  // On a full node a pod has its request and no more; each tier may take its part of the time.
  const byLatency = (1000 * HALF_FULL_STRETCH * bothSeconds * cpuFactor) / (p95Ms / 1000);
  const least = Math.min(1000 * MOST_CORES, Math.max(byLatency, LEAST_MILLICORES));
  const podCores = Math.max(
    neededCores / PREFERRED_CORES <= PREFERRED_PODS ? PREFERRED_CORES : MOST_CORES,
    least / 1000,
  );
  const workingPods = Math.max(1, Math.ceil(neededCores / podCores));
  const byLoad = (1000 * neededCores) / workingPods;
  const requestMillicores = roundUp(Math.max(byLoad, least), MILLICORE_STEP);
  const pods = workingPods + 1;
  const requestMebibytes = roundUp((tier.peakBytes * 1.1) / MEBIBYTE, MEBIBYTE_STEP);
  return {
    requestMillicores,
    limitMillicores: 1000 * POD_BOUNDS.workers,
    requestMebibytes,
    limitMebibytes: Math.max(requestMebibytes, roundUp(limitBytes / MEBIBYTE, MEBIBYTE_STEP)),
    workingPods,
    pods,
    targetPercent: targetPercent((share * workingPods) / (pods * GROWTH)),
    minReplicas: 2,
    maxReplicas: Math.max(pods + 2, 2 * pods),
    boundBy: byLoad >= least ? "load" : byLatency >= LEAST_MILLICORES ? "latency" : "least",
  };
}

/** Below 20 % the autoscaler would add pods for a hiccup, above 80 % it would be too late. */
function targetPercent(utilisation: number): number {
  return Math.min(80, Math.max(20, 5 * Math.floor((100 * utilisation) / 5)));
}

/** Measured: 4 for a baseline JPEG, 5 for a progressive one, 6 for WebP, 11 for an interlaced PNG of 16 bits and for AVIF. */
const BYTES_PER_DECODED_PIXEL = 11;

/** What a gateway holds at worst: all the encoded pictures that it admits, and in each worker the largest one decoded. */
function gatewayLimitBytes({ idleBytes }: MeasuredTier): number {
  const { workers, maxHeldBytes, maxImagePixels } = POD_BOUNDS;
  return 1.1 * (idleBytes + maxHeldBytes + workers * BYTES_PER_DECODED_PIXEL * maxImagePixels);
}

/** The most that was seen, and a second version beside it, which is loaded before the first one goes. */
function modelServerLimitBytes({ modelServer, modelBytes }: Measured): number {
  const secondVersionBytes = modelServerPeakBytes(modelBytes) - modelServerBytes(modelBytes);
  return 1.1 * (modelServer.peakBytes + secondVersionBytes);
}

function roundUp(value: number, step: number): number {
  return step * Math.ceil(value / step);
}
