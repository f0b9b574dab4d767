import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { availableCores } from "./cores.js";

const roots: string[] = [];
afterEach(async () => {
  await Promise.all(roots.splice(0).map((root) => rm(root, { recursive: true })));
});

/** A system with these files, from its root on. */
async function system(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "vitrine-cores-"));
  roots.push(root);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  return root;
}

const EIGHT = { "proc/self/status": "Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n" };
const CONTAINER_V2 = { ...EIGHT, "proc/self/cgroup": "0::/\n" };
const KUBERNETES_V1 = "4:memory:/pods/a\n3:cpu,cpuacct:/pods/a\n0::/\n";

describe("cores of this process", () => {
  it.each<[string, Record<string, string>, number]>([
    ["are those of its affinity", EIGHT, 8],
    ["are counted in an affinity with gaps", { "proc/self/status": "Cpus_allowed_list:\t0-1,4,6-7\n" }, 5],
    [
      "are those of its container's quota",
      { ...CONTAINER_V2, "sys/fs/cgroup/cpu.max": "200000 100000\n" },
      2,
    ],
    [
      "are one where the quota is half a core",
      { ...CONTAINER_V2, "sys/fs/cgroup/cpu.max": "50000 100000" },
      1,
    ],
    ["are two where it is one and a half", { ...CONTAINER_V2, "sys/fs/cgroup/cpu.max": "150000 100000" }, 2],
    ["are all where there is none", { ...CONTAINER_V2, "sys/fs/cgroup/cpu.max": "max 100000\n" }, 8],
    [
      "are all where the quota is beyond them",
      { ...CONTAINER_V2, "sys/fs/cgroup/cpu.max": "9900000 100000" },
      8,
    ],
    [
      "follow the smallest quota on the way to the root",
      {
        ...EIGHT,
        "proc/self/cgroup": "0::/vitrine.slice/gateway.service/worker\n",
        "sys/fs/cgroup/vitrine.slice/cpu.max": "300000 100000\n",
        "sys/fs/cgroup/vitrine.slice/gateway.service/cpu.max": "500000 100000\n",
        "sys/fs/cgroup/vitrine.slice/gateway.service/worker/cpu.max": "max 100000\n",
      },
      3,
    ],
    [
      "follow a quota of version 1",
      {
        ...EIGHT,
        "proc/self/cgroup": "3:cpu,cpuacct:/\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
      },
      1,
    ],
    [
      "follow a nested quota of version 1, where the controllers share a folder",
      {
        ...EIGHT,
        "proc/self/cgroup": KUBERNETES_V1,
        "sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_quota_us": "400000",
        "sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/pods/a/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/pods/a/cpu.cfs_period_us": "100000",
      },
      4,
    ],
    [
      "follow a quota of version 1 in a container that sees its host's path",
      {
        ...EIGHT,
        "proc/self/cgroup": KUBERNETES_V1,
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
      },
      2,
    ],
    [
      "never come from a path that leaves the cgroups",
      { ...EIGHT, "proc/self/cgroup": "0::/../../etc\n", "etc/cpu.max": "100000 100000" },
      8,
    ],
    ["are what Node.js says elsewhere", {}, availableParallelism()],
  ])("%s", async (_, files, expected) => {
    expect(await availableCores(await system(files))).toBe(expected);
  });
});
