/** How many cores this process may use. */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import path from "node:path";

/**
 * Cores by the CPU affinity of the process and by the quotas of its control groups, its own and all that it lies in
 * (cgroup v2 or v1). `availableParallelism()` heeds quotas only from libuv 1.49 on; this says the same under every Node.js.
 * Part of a core counts as one, as else it would lie idle.
 *
 * @param root of the file system.
 * @returns at least 1.
 *
 * Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max), scheduler/sched-bwc.rst, cgroups(7), proc_pid_status(5).
 */
export async function availableCores(root = "/"): Promise<number> {
  const [affinity, quota] = await Promise.all([affinityCores(root), smallestQuota(root)]);
  return Math.max(1, Math.min(affinity, Math.ceil(quota)));
}

async function affinityCores(root: string): Promise<number> {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(await read(path.join(root, "proc/self/status")))?.[1];
  if (list === undefined) return availableParallelism();
  return list.split(",").reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

/** In cores; Infinity where none is set. */
async function smallestQuota(root: string): Promise<number> {
  const lines = (await read(path.join(root, "proc/self/cgroup"))).split("\n");
  const groups = path.join(root, "sys/fs/cgroup");
  const quotas = lines.flatMap((line) => {
    const [, controllers = "", place = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    // A group outside of what the process sees, of which nothing can be read.
    const levels = place.split("/").includes("..") ? ["/"] : levelsOf(place);
    if (controllers === "") return levels.map((level) => quotaV2(path.join(groups, level)));
    if (!controllers.split(",").includes("cpu")) return [];
    // The folder has the name of its controllers, and mostly a link from each of them.
    return [...new Set(["cpu", controllers])].flatMap((folder) =>
      levels.map((level) => quotaV1(path.join(groups, folder, level))),
    );
  });
  return Math.min(...(await Promise.all(quotas)));
}

/** `/a/b`: `/a/b`, `/a` and `/`. A container may see its host's path, of which then only `/` is there. */
function levelsOf(place: string): string[] {
  const names = place.split("/").filter((name) => name !== "");
  return Array.from(
    { length: names.length + 1 },
    (_, up) => `/${names.slice(0, names.length - up).join("/")}`,
  );
}

async function quotaV2(group: string): Promise<number> {
  const [quota, period] = (await read(path.join(group, "cpu.max"))).split(" ").map(Number);
  return coresOf(quota, period);
}

async function quotaV1(group: string): Promise<number> {
  const quota = Number.parseInt(await read(path.join(group, "cpu.cfs_quota_us")), 10);
  return coresOf(quota, Number.parseInt(await read(path.join(group, "cpu.cfs_period_us")), 10));
}

/** No quota is `max` in version 2 and -1 in version 1. */
function coresOf(quotaMicros = Number.NaN, periodMicros = Number.NaN): number {
  const cores = quotaMicros / periodMicros;
  return cores > 0 ? cores : Number.POSITIVE_INFINITY;
}

/** What is not there, or not for this process to read, sets no quota. */
async function read(file: string): Promise<string> {
  return readFile(file, "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}
