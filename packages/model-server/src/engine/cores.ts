/** How many cores this process may use, and how sessions share them. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";

/** Sessions beyond this would cost more memory than they bring; their threads get the other cores. */
const MAX_DEFAULT_WORKERS = 8;

/** Cores by the CPU affinity of the process and by the quota of its container (cgroup v2 or v1). At least 1. */
export async function availableCores(cgroupRoot = "/sys/fs/cgroup"): Promise<number> {
  const quota = (await quotaV2(cgroupRoot)) ?? (await quotaV1(cgroupRoot)) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota)));
}

async function quotaV2(root: string): Promise<number | undefined> {
  const [quota, period] = (await read(`${root}/cpu.max`)).split(" ").map(Number);
  return cores(quota, period);
}

async function quotaV1(root: string): Promise<number | undefined> {
  const quota = Number(await read(`${root}/cpu/cpu.cfs_quota_us`));
  return cores(quota, Number(await read(`${root}/cpu/cpu.cfs_period_us`)));
}

function cores(quotaMicros = Number.NaN, periodMicros = Number.NaN): number | undefined {
  const count = quotaMicros / periodMicros;
  return Number.isFinite(count) && count > 0 ? count : undefined;
}

async function read(file: string): Promise<string> {
  return readFile(file, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}

/**
 * Workers and threads per worker whose product is at most `cores`. One thread in each of many sessions serves more
 * requests than many threads in one: operators of small batches do not split evenly. Measured on two cores: 10.4 ms of CPU per picture with two sessions of
 * one thread, 10.9 with one session of two (medians of three, clothing model int8, a busy machine).
 */
export function shareCores(
  cores: number,
  given: { readonly workers: number | undefined; readonly intraOpThreads: number | undefined },
): { readonly workers: number; readonly intraOpThreads: number } {
  const workers =
    given.workers ??
    Math.max(1, Math.min(MAX_DEFAULT_WORKERS, Math.floor(cores / (given.intraOpThreads ?? 1))));
  const intraOpThreads = given.intraOpThreads ?? Math.max(1, Math.floor(cores / workers));
  return { workers, intraOpThreads };
}
