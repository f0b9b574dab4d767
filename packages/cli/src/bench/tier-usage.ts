/** What the own tiers have used of the machine: CPU, memory, and the times that the model server keeps of itself. */
import { readFile } from "node:fs/promises";
import { sumOfMetric } from "@vitrine/runtime/metrics-text";
import { CommandFailure } from "../command-failure.js";
import type { Tiers } from "../tiers.js";

export interface TierUsage {
  /** User and system, all threads, since the tier started. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** The most at any time since it started; on systems other than Linux what is resident now. */
  readonly peakBytes: number;
}

/** Sum of the seconds that a stage of the model server took, and how often. */
export interface StageSum {
  readonly seconds: number;
  readonly count: number;
}

export interface Usage {
  readonly gateway: TierUsage;
  readonly modelServer: TierUsage;
  /** Pictures that the model server has answered. */
  readonly pictures: number;
  readonly queue: StageSum;
  readonly inference: StageSum;
}

export type ReadUsage = () => Promise<Usage>;

/** Makes the function that reads the usage of both tiers, from their metrics and from /proc. */
export function usageReader(gatewayUrl: string, tiers: Tiers): ReadUsage {
  return async () => {
    const [gatewayPage, serverPage] = await Promise.all([
      readMetrics(gatewayUrl),
      readMetrics(await tiers.restUrl),
    ]);
    const { gateway, modelServer } = tiers.pids();
    const stage = (name: string): StageSum => {
      const labels = new Map([["stage", name]]);
      return {
        seconds: sumOf(serverPage, "vitrine_model_server_stage_duration_seconds_sum", labels),
        count: sumOf(serverPage, "vitrine_model_server_stage_duration_seconds_count", labels),
      };
    };
    return {
      gateway: await tierUsage(gatewayPage, gateway),
      modelServer: await tierUsage(serverPage, modelServer),
      pictures: stage("total").count,
      queue: stage("queue"),
      inference: stage("inference"),
    };
  };
}

async function tierUsage(page: string, pid: number | undefined): Promise<TierUsage> {
  const residentBytes = sumOf(page, "process_resident_memory_bytes");
  return {
    cpuSeconds: sumOf(page, "process_cpu_seconds_total"),
    residentBytes,
    peakBytes: (await peakOf(pid)) ?? residentBytes,
  };
}

/** Source: proc_pid_status(5), VmHWM: "peak resident set size". */
async function peakOf(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

async function readMetrics(url: string): Promise<string> {
  const response = await fetch(new URL("/metrics", url));
  if (!response.ok) throw new CommandFailure(`${url}/metrics answered ${response.status}, expected metrics`);
  return await response.text();
}

/** 0 where the page has no such samples yet. */
export function sumOf(page: string, name: string, labels: ReadonlyMap<string, string> = new Map()): number {
  return sumOfMetric(page, name, labels) ?? 0;
}
