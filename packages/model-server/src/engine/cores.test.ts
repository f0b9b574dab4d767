import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { availableCores, shareCores } from "./cores.js";

async function cgroup(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), "vitrine-cgroup-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  return root;
}

describe("cores of this process", () => {
  test.each<[string, Record<string, string>, number]>([
    ["a quota of half a core is one", { "cpu.max": "50000 100000\n" }, 1],
    [
      "a quota of version 1 counts too",
      { "cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000" },
      1,
    ],
    ["no quota leaves all", { "cpu.max": "max 100000\n" }, availableParallelism()],
    [
      "a version 1 without a quota leaves all",
      { "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000" },
      availableParallelism(),
    ],
    ["a machine without cgroups has all", {}, availableParallelism()],
    ["a quota beyond the machine changes nothing", { "cpu.max": "99900000 100000" }, availableParallelism()],
  ])("%s", async (_, files, expected) => {
    expect(await availableCores(await cgroup(files))).toBe(expected);
  });
});

describe("sharing cores", () => {
  test.each([
    [1, {}, [1, 1]],
    [2, {}, [2, 1]],
    [8, {}, [8, 1]],
    [32, {}, [8, 4]],
    [8, { intraOpThreads: 4 }, [2, 4]],
    [8, { workers: 2 }, [2, 4]],
    [2, { workers: 3 }, [3, 1]],
    [2, { intraOpThreads: 4 }, [1, 4]],
  ])("%d cores with %j become %j workers x threads", (cores, given, expected) => {
    const { workers, intraOpThreads } = shareCores(cores, {
      workers: undefined,
      intraOpThreads: undefined,
      ...given,
    });
    expect([workers, intraOpThreads]).toEqual(expected);
  });
});
