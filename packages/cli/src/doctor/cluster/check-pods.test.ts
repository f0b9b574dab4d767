import { describe, expect, test } from "vitest";
import { clusterWith, type deploymentOf, NOW, ourDeploymentOf, podIn } from "../testing/hand-made.js";
import { checkCluster } from "./check-cluster.js";
import type { Pod } from "./objects.js";
import type { ClusterSnapshot } from "./snapshot.js";

const DAY_MS = 86_400_000;
const before = (ms: number): string => new Date(NOW - ms).toISOString();
const idsOf = (parts: Partial<ClusterSnapshot>) => checkCluster(clusterWith(parts)).map(({ id }) => id);

describe("a container that was killed for memory", () => {
  const limited = { resources: { limits: { memory: "64Mi" } } };
  const killed = (ms: number) => ({
    terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: before(ms) },
  });
  const ready = (pod: Pod): Pod => ({
    ...pod,
    status: {
      ...pod.status,
      containerStatuses: pod.status.containerStatuses.map((one) => ({ ...one, ready: true })),
    },
  });
  const sinceThen = (ms: number) =>
    ready(podIn("web", { running: { startedAt: before(ms) } }, limited, killed(ms)));

  test("and has been ready for longer than an hour since has no fault", () => {
    expect(idsOf({ pods: [sinceThen(40 * DAY_MS)] })).toEqual([]);
    expect(idsOf({ pods: [sinceThen(59 * 60_000)] })).toEqual(["out-of-memory"]);
  });

  test("and does not run has the fault however long ago that was", () => {
    const waiting = { waiting: { reason: "CrashLoopBackOff", message: "" } };
    expect(idsOf({ pods: [podIn("web", waiting, limited, killed(2 * DAY_MS))] })).toEqual(["out-of-memory"]);
    expect(idsOf({ pods: [podIn("web", killed(2 * DAY_MS), limited)] })).toEqual(["out-of-memory"]);
  });

  test("long ago, and is not ready for another reason, is told by that", () => {
    const pod = podIn("web", { running: { startedAt: before(DAY_MS) } }, limited, killed(DAY_MS));
    expect(idsOf({ pods: [pod] })).toEqual(["pod-not-ready"]);
  });

  test("gets a higher limit by --fix in a Deployment of Vitrine alone", () => {
    const mendOf = (workload: ReturnType<typeof deploymentOf>) =>
      checkCluster(clusterWith({ pods: [sinceThen(60_000)], workloads: [workload] }))[0]?.mends[0];
    expect(mendOf(ourDeploymentOf("web", limited))?.safe?.undo).toBe(
      "kubectl --namespace=shop rollout undo deployment/web --to-revision=3",
    );
    const redis = { ...ourDeploymentOf("web", { ...limited, image: "redis:8" }), kind: "StatefulSet" };
    expect(mendOf(redis)?.command).toContain("set resources statefulset/web");
    expect(mendOf(redis)?.safe).toBeUndefined();
  });
});

describe("a container that ended in a pod that goes on", () => {
  const ended = (exitCode: number, restartPolicy: string, kind = "Job"): Pod => {
    const pod = podIn("pictures", {
      terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error" },
    });
    return {
      ...pod,
      metadata: { ...pod.metadata, ownerReferences: [{ kind, name: "pictures" }] },
      spec: { ...pod.spec, restartPolicy },
      status: { ...pod.status, phase: "Running" },
    };
  };

  test.each(["Never", "OnFailure"])("with 0 did its work, under restartPolicy %s", (restartPolicy) => {
    expect(idsOf({ pods: [ended(0, restartPolicy)] })).toEqual([]);
  });

  test("with 0 under restartPolicy Always ends again and again", () => {
    expect(idsOf({ pods: [ended(0, "Always", "ReplicaSet")] })).toEqual(["crash-loop"]);
  });

  test("with an error, and shall not start again, is its Job's to tell", () => {
    expect(idsOf({ pods: [ended(1, "Never")] })).toEqual([]);
    expect(idsOf({ pods: [ended(1, "OnFailure")] })).toEqual(["crash-loop"]);
  });

  test("and was there to prepare it has no fault", () => {
    const pod = podIn("web", { running: { startedAt: before(0) } });
    const init = { ...pod.spec.containers[0]!, name: "prepare" };
    const status = podIn("web", { terminated: { exitCode: 0, reason: "Completed" } }).status
      .containerStatuses[0]!;
    const prepared = {
      ...pod,
      spec: { ...pod.spec, initContainers: [init] },
      status: { ...pod.status, initContainerStatuses: [{ ...status, name: "prepare" }] },
    };
    expect(idsOf({ pods: [prepared] })).toEqual([]);
  });
});
