/** The machine that a measurement was made on, and what else it did meanwhile. */
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { availableCores } from "@vitrine/runtime/cores";

export interface Machine {
  readonly processor: string;
  /** That this process may use, by affinity and by the quota of its container (cgroup v1 or v2). */
  readonly cores: number;
}

export async function describeMachine(): Promise<Machine> {
  return { processor: cpus()[0]?.model.trim() ?? "unknown", cores: await availableCores() };
}

/** Seconds that all processors of the machine were at work since it started, for whomever; undefined off Linux. */
export async function busySeconds(): Promise<number | undefined> {
  const stat = await readFile("/proc/stat", "utf8").catch(() => undefined);
  // cpu user nice system idle iowait irq softirq steal, in hundredths of a second. Source: proc_stat(5).
  const fields = stat?.split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number);
  if (fields === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) / 100;
}
