/** The bulk Job on real pods: one is killed half-way, and in the end every picture is answered exactly once. */
import { once } from "node:events";
import { watch } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killProcesses, kubectl, type Pod, ROOT } from "./cluster.js";

/** A folder of this machine that every node has at the same path; pods of several nodes share it as they would share NFS. */
const SHARED = process.env.VITRINE_CLUSTER_SHARED_FOLDER ?? "";
const PHOTOS = process.env.VITRINE_PHOTOS;
const PICTURES = Number(process.env.VITRINE_BULK_PICTURES ?? 600);
const DRAWING = path.join(ROOT, "tests/e2e/pictures/trousers.jpg");

const VOLUME = "vitrine-test-bulk";
const inBulk = (...args: string[]): Promise<string> => kubectl("--namespace=bulk", ...args);

/** Rows of a failure that no model can help, at these places of the list. */
const BROKEN_ENTRY = 7;
const MISSING_ENTRY = 11;

describe.skipIf(SHARED === "")("the bulk Job", () => {
  const folder = path.join(SHARED, "vitrine-bulk");
  const entries: string[] = [];

  beforeAll(async () => {
    await cleanUp(folder);
    await mkdir(path.join(folder, "photos"), { recursive: true });
    await chmod(folder, 0o777);
    entries.push(...(await putPictures(folder)));
    await writeFile(path.join(folder, "list.txt"), `${entries.join("\n")}\n`);
    await kubectl("apply", "--kustomize=tests/cluster/bulk/tiers");
    await inBulk("rollout", "status", "deployment/model-server", "--timeout=240s");
    await inBulk("rollout", "status", "deployment/gateway", "--timeout=240s");
  });
  afterAll(() => cleanUp(folder));

  it("answers every picture exactly once, though a pod is killed half-way", async () => {
    await putVolume(folder);
    const rows = path.join(folder, "rows");
    await mkdir(rows);
    await chmod(rows, 0o777);
    const begun = performance.now();
    // Early enough: the rest of its shard takes longer than finding the pod.
    const begunOnes = rowsIn(rows, 20);
    await kubectl("apply", "--kustomize=tests/cluster/bulk/job");
    const { shard, lines } = await begunOnes;
    const pod = await runningPodOf(shard);
    if (!(await killProcesses(pod))) await inBulk("delete", `pod/${pod.name}`, "--force", "--grace-period=0");
    const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
    process.stderr.write(`${pod.name} killed after ${seconds()} s with ${lines} rows\n`);

    // It has its first condition when its end is decided, one way or the other.
    await inBulk("wait", "--for=jsonpath={.status.conditions}", "job/bulk", "--timeout=1500s");
    await inBulk("wait", "--for=condition=Complete", "job/bulk", "--timeout=60s");
    process.stderr.write(`${PICTURES} pictures after ${seconds()} s\n`);
    const job = JSON.parse(await inBulk("get", "job/bulk", "--output=json"));
    expect(job.status).toMatchObject({ succeeded: 4, completedIndexes: "0-3" });
    expect(job.status.failed).toBeGreaterThanOrEqual(1);

    await kubectl("apply", "--kustomize=tests/cluster/bulk/merge");
    await inBulk("wait", "--for=condition=Complete", "job/bulk-merge", "--timeout=120s");
    expect(await inBulk("logs", "job/bulk-merge")).toMatch(
      new RegExp(`^${PICTURES} of ${PICTURES} entries have rows, 2 of them errors$`, "m"),
    );
    const merged = (await readFile(path.join(folder, "all.jsonl"), "utf8")).trimEnd().split("\n");
    const answers = merged.map((line) => JSON.parse(line));
    expect(answers.map(({ source }) => source)).toEqual(entries);
    const failed = answers.flatMap(({ error }, entry) =>
      error === undefined ? [] : [[entry, error.reason]],
    );
    expect(failed).toEqual([
      [BROKEN_ENTRY, "IMAGE_TYPE_UNSUPPORTED"],
      [MISSING_ENTRY, "FILE_UNREADABLE"],
    ]);
    // The killed pod's file counts: its rows were not asked for again, and the next pod made a file of its own.
    expect((await readdir(rows)).filter((name) => name.startsWith(`shard-${shard}-`)).length).toBeGreaterThan(
      1,
    );
  }, 1_800_000);

  it("fails at once, and not pod by pod, when the list is another one than the rows are of", async () => {
    await inBulk("delete", "job/bulk", "--wait");
    await writeFile(path.join(folder, "list.txt"), `${entries.slice(1).join("\n")}\n`);
    await kubectl("apply", "--kustomize=tests/cluster/bulk/job");
    await inBulk("wait", "--for=condition=Failed", "job/bulk", "--timeout=120s");
    const { status } = JSON.parse(await inBulk("get", "job/bulk", "--output=json"));
    const [condition] = status.conditions.filter(({ type }: { type: string }) => type === "Failed");
    expect(condition.reason).toBe("PodFailurePolicy");
    expect(condition.message).toMatch(/exit code 2/);
  }, 240_000);
});

/** Photos, or copies of the drawing, and two that fail; one is in the list twice. */
async function putPictures(folder: string): Promise<string[]> {
  const photos = PHOTOS === undefined ? [] : await readdir(PHOTOS, { recursive: true });
  const real = photos.filter((name) => name.endsWith(".jpg")).sort();
  const entries: string[] = [];
  for (let entry = 0; entry < PICTURES - 1; entry++) {
    const photo = real[entry % Math.max(1, real.length)];
    const from = PHOTOS === undefined || photo === undefined ? DRAWING : path.join(PHOTOS, photo);
    const name = `photos/${entry}.jpg`;
    entries.push(name);
    if (entry === BROKEN_ENTRY) await writeFile(path.join(folder, name), "no picture");
    else if (entry !== MISSING_ENTRY) await copyFile(from, path.join(folder, name));
  }
  return [...entries, "photos/0.jpg"];
}

/** The volume is the cluster's, not the namespace's: a folder of the nodes. */
async function putVolume(folder: string): Promise<void> {
  const volume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: VOLUME },
    spec: {
      capacity: { storage: "10Gi" },
      accessModes: ["ReadWriteMany"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "",
      hostPath: { path: folder },
    },
  };
  const file = path.join(folder, "volume.json");
  await writeFile(file, JSON.stringify(volume));
  await kubectl("apply", `--filename=${file}`);
}

async function cleanUp(folder: string): Promise<void> {
  await kubectl("delete", "namespace/bulk", "--ignore-not-found", "--wait", "--timeout=180s");
  await kubectl("delete", `persistentvolume/${VOLUME}`, "--ignore-not-found", "--wait", "--timeout=60s");
  await rm(folder, { recursive: true, force: true });
}

/** Resolves with a shard that has written so many rows. */
async function rowsIn(folder: string, wanted: number): Promise<{ shard: number; lines: number }> {
  const watcher = watch(folder);
  try {
    while (true) {
      const [, name] = await once(watcher, "change");
      const shard = /^shard-(\d+)-of-/.exec(String(name))?.[1];
      if (shard === undefined) continue;
      const lines = (await readFile(path.join(folder, String(name)), "utf8")).split("\n").length - 2;
      if (lines >= wanted) return { shard: Number(shard), lines };
    }
  } finally {
    watcher.close();
  }
}

async function runningPodOf(shard: number): Promise<Pod> {
  const { items } = JSON.parse(
    await inBulk(
      "get",
      "pods",
      `--selector=batch.kubernetes.io/job-name=bulk,batch.kubernetes.io/job-completion-index=${shard}`,
      "--field-selector=status.phase=Running",
      "--output=json",
    ),
  );
  if (items.length === 0) throw new Error(`shard ${shard} had no running pod when it had its first rows`);
  const [{ metadata, spec }] = items;
  return {
    name: metadata.name,
    uid: metadata.uid,
    node: spec.nodeName,
    isReady: true,
    isEnding: false,
  };
}
