/** All checks of a cluster, over one snapshot of it. */
import { type Finding, finding, mend } from "../finding.js";
import { checkAutoscalers } from "./check-autoscalers.js";
import { checkImages } from "./check-images.js";
import { checkModelHosts } from "./check-model-hosts.js";
import { checkNodes } from "./check-nodes.js";
import { checkPods } from "./check-pods.js";
import { checkPolicies } from "./check-policies.js";
import { checkScheduling } from "./check-scheduling.js";
import { checkServices } from "./check-services.js";
import { checkWorkloads } from "./check-workloads.js";
import type { ClusterSnapshot } from "./snapshot.js";

/** @param modelBytes size of the model's files, where the user named the model's folder. */
export function checkCluster(snapshot: ClusterSnapshot, modelBytes?: number): Finding[] {
  const pods = [...checkImages(snapshot), ...checkPods(snapshot), ...checkScheduling(snapshot)];
  const troubled = new Set(pods.filter(({ severity }) => severity === "fault").map(({ subject }) => subject));
  return withoutRepeats([
    ...checkNamespaces(snapshot),
    ...checkNodes(snapshot),
    ...pods,
    ...checkServices(snapshot, troubled),
    ...checkModelHosts(snapshot),
    ...checkAutoscalers(snapshot, troubled),
    ...checkWorkloads(snapshot, modelBytes),
    ...checkPolicies(snapshot),
    ...checkRefused(snapshot),
  ]);
}

/** The pods of one workload have the same fault: one finding names the first of them. */
function withoutRepeats(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const one of findings) {
    const container = /container (\S+)/.exec(one.problem)?.[1] ?? "";
    const isOnePerSubject = one.seen.startsWith("kubectl get pod ") || one.seen.startsWith("kubectl logs ");
    const key = JSON.stringify([one.id, one.subject, isOnePerSubject ? container : one.problem]);
    if (!seen.has(key)) seen.set(key, one);
  }
  return [...seen.values()];
}

function checkNamespaces({ missingNamespaces, kubectl }: ClusterSnapshot): Finding[] {
  return missingNamespaces.map((name) =>
    finding("namespace-missing", {
      subject: `namespace/${name}`,
      problem: "it is not there",
      seen: `kubectl create configmap --namespace=${name} --dry-run=server`,
      mends: [mend("see which there are", [...kubectl, "get", "namespaces"])],
    }),
  );
}

function checkRefused({ refused, context }: ClusterSnapshot): Finding[] {
  if (refused.length === 0) return [];
  return [
    finding("cluster-not-readable", {
      subject: `cluster ${context}`,
      problem: `kubectl was refused: ${refused[0]}${refused.length > 1 ? ` (and ${refused.length - 1} more)` : ""}`,
      seen: "kubectl get …",
      mends: [
        {
          does: "name a namespace that you may read, or ask for the role view",
          command: "vitrine doctor --namespace NAME",
        },
      ],
    }),
  ];
}
