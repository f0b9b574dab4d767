/** Pods that wait for a node, that the API server refuses, and Jobs that gave up. */
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { mebibytes } from "../memory-need.js";
import { firstLine } from "./check-images.js";
import { bytesOf, type Pod } from "./objects.js";
import { type ClusterSnapshot, inNamespace, livingPods, nameOf, subjectOf, workloadOf } from "./snapshot.js";

export function checkScheduling(snapshot: ClusterSnapshot): Finding[] {
  return [
    ...livingPods(snapshot).flatMap((pod) => checkWaiting(snapshot, pod)),
    ...checkRefusals(snapshot),
    ...checkJobs(snapshot),
  ];
}

const GPU = "nvidia.com/gpu";

function checkWaiting(snapshot: ClusterSnapshot, pod: Pod): Finding[] {
  const refusal = pod.status.conditions.find(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );
  if (refusal === undefined) return [];
  const subject = subjectOf(snapshot, pod);
  const seen = `kubectl get pod ${pod.metadata.name}: Unschedulable: ${firstLine(refusal.message)}`;
  const wantsGpu = pod.spec.containers.some(({ resources }) => resources.limits?.[GPU] !== undefined);
  const gpus = snapshot.nodes.reduce((sum, { status }) => sum + Number(status.allocatable?.[GPU] ?? 0), 0);
  if (wantsGpu && gpus === 0) {
    return [
      finding("gpu-missing", {
        subject,
        problem: `it asks for ${GPU}, and none of the ${snapshot.nodes.length} nodes has one to give`,
        seen,
        mends: [
          mend(
            "add a node with an NVIDIA GPU and its driver, then the device plugin that makes it known (its releases: github.com/NVIDIA/k8s-device-plugin)",
          ),
          mend("or serve on CPUs: leave out the GPU overlay"),
        ],
      }),
    ];
  }
  return [
    finding("pod-unschedulable", {
      subject,
      problem: `it fits on none of the ${snapshot.nodes.length} nodes: ${firstLine(refusal.message)}`,
      seen,
      mends: schedulingMends(snapshot, pod, refusal.message),
    }),
  ];
}

function schedulingMends(snapshot: ClusterSnapshot, pod: Pod, message: string): Mend[] {
  const mends: Mend[] = [];
  if (/Insufficient (cpu|memory)/.test(message)) {
    const [container] = pod.spec.containers;
    const { cpu, memory } = container?.resources.requests ?? {};
    const rooms = snapshot.nodes.map(
      ({ status }) => `${status.allocatable?.cpu} CPU and ${memoryText(status.allocatable?.memory)}`,
    );
    mends.push(
      mend(
        `it asks for ${cpu ?? "no"} CPU and ${memory ?? "no"} memory, the nodes have ${[...new Set(rooms)].join("; ")} for all their pods: ask for less (vitrine bench --right-size measures it), or add a node`,
        inNamespace(
          snapshot,
          pod.metadata.namespace,
          "set",
          "resources",
          workloadName(snapshot, pod),
          "--requests=cpu=250m,memory=256Mi",
        ),
      ),
    );
  }
  if (/node affinity|node selector/i.test(message)) {
    const selector = Object.entries(pod.spec.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`);
    mends.push(
      mend("label a node as the pod wants it, or take the selector out", [
        ...snapshot.kubectl,
        "label",
        "node",
        "NODE",
        ...(selector.length > 0 ? selector : ["KEY=VALUE"]),
      ]),
    );
  }
  if (/taint/i.test(message))
    mends.push(mend("give the pod a toleration for the taint that the message names"));
  if (/PersistentVolumeClaim/i.test(message)) {
    mends.push(
      mend("see what its claim waits for", inNamespace(snapshot, pod.metadata.namespace, "describe", "pvc")),
    );
  }
  return mends.length > 0 ? mends : [mend("change what the message names, or add a node")];
}

function memoryText(quantity: string | undefined): string {
  const bytes = bytesOf(quantity);
  return bytes === undefined ? "unknown memory" : mebibytes(bytes);
}

function workloadName(snapshot: ClusterSnapshot, pod: Pod): string {
  const workload = workloadOf(snapshot, pod);
  return workload === undefined
    ? `pod/${pod.metadata.name}`
    : `${workload.kind.toLowerCase()}/${workload.metadata.name}`;
}

/** Pods that were not even made: Pod Security, quotas, webhooks. */
function checkRefusals(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.flatMap(({ kind, metadata, status }) => {
    const failure = status.conditions.find(
      ({ type, status }) => type === "ReplicaFailure" && status === "True",
    );
    if (failure === undefined) return [];
    const mends = /PodSecurity/.test(failure.message)
      ? [
          mend(
            'set what the message names in securityContext: runAsNonRoot, allowPrivilegeEscalation: false, capabilities.drop: ["ALL"], seccompProfile.type: RuntimeDefault',
          ),
        ]
      : /quota/i.test(failure.message)
        ? [
            mend(
              "ask for less, or have the quota raised",
              inNamespace(snapshot, metadata.namespace, "describe", "resourcequota"),
            ),
          ]
        : [mend("change what the message names")];
    return [
      finding("pod-refused", {
        subject: nameOf(kind, metadata),
        problem: `the API server refuses its pods: ${firstLine(failure.message)}`,
        seen: `kubectl get ${kind.toLowerCase()} ${metadata.name}: ReplicaFailure: ${failure.reason}`,
        mends,
      }),
    ];
  });
}

/** Jobs that gave up; a pod that fails before that is tried again. */
function checkJobs(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.jobs.flatMap(({ metadata, status }) => {
    const failure = status.conditions.find(({ type, status }) => type === "Failed" && status === "True");
    if (failure === undefined) return [];
    return [
      finding("job-failed", {
        subject: nameOf("job", metadata),
        problem: `it gave up after ${status.failed ?? 0} failed pods: ${firstLine(failure.message)}`,
        seen: `kubectl get job ${metadata.name}: Failed, ${failure.reason}`,
        mends: [
          mend("its pods' logs say why", [
            ...inNamespace(
              snapshot,
              metadata.namespace,
              "logs",
              `job/${metadata.name}`,
              "--all-pods",
              "--tail=20",
            ),
          ]),
        ],
      }),
    ];
  });
}
