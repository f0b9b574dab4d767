/** The sizes for a person: what was measured, what follows from it, step by step. */
import type { Measurement } from "./measure.js";
import { PRICES } from "./prices.js";
import { type MeasuredTier, POD_BOUNDS, type Sizing, type TierSize, type Wish } from "./sizing.js";

const MEBIBYTE = 1024 * 1024;

export interface SizeFacts {
  readonly wish: Wish;
  readonly measurement: Measurement;
  readonly sizing: Sizing;
  /** In words. */
  readonly pictures: string;
}

export function sizeReport({ wish, measurement, sizing, pictures }: SizeFacts): string {
  const { measured, machine, otherCores, warnings } = measurement;
  const lines = [
    `Measured on ${machine.cores} cores (${machine.processor}) with ${pictures}`,
    "",
    `${"".padEnd(14)}${cells(["CPU ms", "MiB idle", "MiB most"])}`,
    tierLine("gateway", measured.gateway),
    tierLine("model server", measured.modelServer),
    "",
    `At most ${measured.mostPerSecond.toFixed(0)} pictures per second. Under a part of that, at random times as people come:`,
    `${"".padEnd(14)}${cells(["per second", "p95 ms"])}`,
    ...measured.steps.map(
      ({ share, perSecond, p95Ms, failed }) =>
        `${percent(share).padEnd(14)}${cells([perSecond.toFixed(0), p95Ms.toFixed(0)])}${failed === 0 ? "" : `   ${failed} failed`}`,
    ),
    ...(otherCores === undefined ? [] : [`Other programs took ${otherCores.toFixed(1)} cores meanwhile.`]),
    "",
    shareSentence(sizing, wish),
    "",
    `For ${wish.picturesPerSecond} pictures per second at the busiest time${wish.cpuFactor === 1 ? "" : `, on cores that take ${wish.cpuFactor} times as long`}:`,
    `${"".padEnd(14)}${cells(["CPU", "memory", "limit", "pods", "HPA"])}`,
    sizeLine("gateway", sizing.gateway),
    sizeLine("model server", sizing.modelServer),
    "",
    ...tierSentences("gateway", measured.gateway, sizing.gateway, wish, sizing.share),
    ...tierSentences("model server", measured.modelServer, sizing.modelServer, wish, sizing.share),
    costSentence(sizing),
    `CPU has no limit: one would slow pictures while cores stand idle. Where a rule demands it, ${POD_BOUNDS.workers} cores.`,
    "A core here is taken for a vCPU there; with --cpu-factor 2 each takes twice as long.",
    ...warnings.map((warning) => `Note: ${warning}.`),
  ];
  return `${lines.join("\n")}\n`;
}

function shareSentence({ share, keepsP95 }: Sizing, { p95Ms }: Wish): string {
  return keepsP95
    ? `p95 keeps to ${p95Ms} ms up to ${percent(share)} of the full load; the sizes are for that share, at most 80 %.`
    : `p95 was above ${p95Ms} ms even at ${percent(share)} of the full load. The sizes below are for that share and will NOT keep it: raise --p95-ms, send smaller pictures, or measure on a calm machine.`;
}

function costSentence({ gateway, modelServer }: Sizing): string {
  const millicores = [gateway, modelServer].reduce(
    (sum, size) => sum + size.pods * size.requestMillicores,
    0,
  );
  const { vcpus, perHour } = PRICES.nodes["m5.xlarge"];
  const perDay = (24 * (millicores / 1000) * perHour) / vcpus;
  return `Together the pods ask for ${(millicores / 1000).toFixed(2)} cores: $${perDay.toFixed(2)} a day as a part of m5.xlarge nodes (${PRICES.region}, ${PRICES.asOf}); docs/right-size.md has whole clusters.`;
}

function tierSentences(
  name: string,
  tier: MeasuredTier,
  size: TierSize,
  { picturesPerSecond, cpuFactor }: Wish,
  share: number,
): string[] {
  const used = picturesPerSecond * tier.cpuSecondsPerPicture * cpuFactor;
  const factor = cpuFactor === 1 ? "" : ` x ${cpuFactor}`;
  const bound = {
    load: "",
    latency: "; raised so that a picture is in time on a node that is full, too",
    least: "; raised to the least that is sensible",
  }[size.boundBy];
  return [
    `${name}: ${picturesPerSecond}/s x ${(1000 * tier.cpuSecondsPerPicture).toFixed(1)} ms${factor} = ${used.toFixed(2)} cores; x 1.25 for growth while a pod starts, / ${share.toFixed(2)} = ` +
      `${((used * 1.25) / share).toFixed(2)} cores on ${size.workingPods} ${size.workingPods === 1 ? "pod" : "pods"}${bound}; one pod more for a node that goes.`,
  ];
}

function tierLine(name: string, { cpuSecondsPerPicture, idleBytes, peakBytes }: MeasuredTier): string {
  const memory = [idleBytes, peakBytes].map((bytes) => (bytes / MEBIBYTE).toFixed(0));
  return `${name.padEnd(14)}${cells([(1000 * cpuSecondsPerPicture).toFixed(1), ...memory])}`;
}

function sizeLine(name: string, size: TierSize): string {
  return `${name.padEnd(14)}${cells([
    `${size.requestMillicores}m`,
    `${size.requestMebibytes}Mi`,
    `${size.limitMebibytes}Mi`,
    String(size.pods),
    `${size.targetPercent} %`,
  ])}   ${size.minReplicas} to ${size.maxReplicas} pods`;
}

function cells(texts: readonly string[]): string {
  return texts.map((text) => text.padStart(11)).join("");
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
