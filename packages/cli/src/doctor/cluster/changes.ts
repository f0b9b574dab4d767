/** What `--fix` may change: objects of Vitrine, in ways that can be taken back. All else is a command to copy. */
import { type Mend, mend, safeMend } from "../finding.js";
import type { DisruptionBudget, Pod, Service, Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, selects, workloadOf } from "./snapshot.js";
import { isVitrine } from "./tiers-in-cluster.js";

const PART_OF = "app.kubernetes.io/part-of";
const VITRINE = "vitrine";

/**
 * True for a workload that its label calls a part of Vitrine, or has no such label and runs images of Vitrine alone. One that another object
 * owns is its owner's, which would take the change back.
 */
export function isOurs({ metadata, spec: { template } }: Workload): boolean {
  const partOf = metadata.labels[PART_OF] ?? template.metadata.labels[PART_OF];
  const isNamed = partOf === undefined ? template.spec.containers.every(isVitrine) : partOf === VITRINE;
  return isNamed && metadata.ownerReferences.length === 0;
}

/** The same of a pod: by its workload, or by itself where none made it. */
export function isOurPod(snapshot: ClusterSnapshot, pod: Pod): boolean {
  const workload = workloadOf(snapshot, pod);
  if (workload !== undefined) return isOurs(workload);
  const partOf = pod.metadata.labels[PART_OF];
  return partOf === undefined ? pod.spec.containers.every(isVitrine) : partOf === VITRINE;
}

/** The same of a Service that sends, or was meant to send, to `workloads`. */
export function isOurService({ metadata }: Service, workloads: readonly Workload[]): boolean {
  if (metadata.ownerReferences.length > 0) return false;
  const partOf = metadata.labels[PART_OF];
  return partOf === undefined ? workloads.length > 0 && workloads.every(isOurs) : partOf === VITRINE;
}

/** The same of a budget: by its label, or by the workloads whose pods it counts. */
export function isOurBudget(snapshot: ClusterSnapshot, { metadata, spec }: DisruptionBudget): boolean {
  if (metadata.ownerReferences.length > 0) return false;
  if (metadata.labels[PART_OF] !== undefined) return metadata.labels[PART_OF] === VITRINE;
  const { matchLabels = {}, matchExpressions = [] } = spec.selector ?? {};
  const counted = snapshot.workloads.filter(
    (one) =>
      one.metadata.namespace === metadata.namespace &&
      selects(matchLabels, one.spec.template.metadata.labels),
  );
  return matchExpressions.length === 0 && counted.length > 0 && counted.every(isOurs);
}

/** Such as `deployment/gateway`. */
export function targetOf({ kind, metadata }: Workload): string {
  return `${kind.toLowerCase()}/${metadata.name}`;
}

/** More changes than one workload gets at once; its cluster has to remember the template before the first of them. */
const MOST_CHANGES = 5;

/**
 * Changes the pod template of a workload: `kubectl VERB TARGET FLAGS`.
 *
 * Safe for a Deployment of Vitrine alone. However many changes it gets, one command takes back all of them: it names
 * the revision that was there before the first. Other kinds do not tell theirs.
 */
export function templateMend(
  snapshot: ClusterSnapshot,
  workload: Workload,
  does: string,
  { verb, flags }: { readonly verb: readonly string[]; readonly flags: readonly string[] },
): Mend {
  const { metadata, spec } = workload;
  const target = targetOf(workload);
  const words = inNamespace(snapshot, metadata.namespace, ...verb, target, ...flags);
  const revision = metadata.annotations["deployment.kubernetes.io/revision"];
  const isRemembered = (spec.revisionHistoryLimit ?? MOST_CHANGES) >= MOST_CHANGES && !spec.paused;
  const isSafe = workload.kind === "Deployment" && isOurs(workload) && isRemembered;
  if (!isSafe || revision === undefined) return mend(does, words);
  const undo = ["rollout", "undo", target, `--to-revision=${revision}`];
  return safeMend(does, words, inNamespace(snapshot, metadata.namespace, ...undo));
}

/** Safe where `isSafe`; else the same command, for the user to judge. */
export function mendIf(
  isSafe: boolean,
  does: string,
  argv: readonly string[],
  undo: readonly string[],
): Mend {
  return isSafe ? safeMend(does, argv, undo) : mend(does, argv);
}

interface Replacement {
  readonly isSafe: boolean;
  readonly does: string;
  /** JSON pointer into the Service. */
  readonly path: string;
  readonly value: unknown;
  readonly former: unknown;
}

/** Replaces one member of a Service. */
export function serviceMend(
  snapshot: ClusterSnapshot,
  { name, namespace }: Service["metadata"],
  { isSafe, does, path, value, former }: Replacement,
): Mend {
  const patch = (set: unknown): string[] => [
    ...inNamespace(snapshot, namespace, "patch", `service/${name}`, "--type=json"),
    `--patch=${JSON.stringify([{ op: "replace", path, value: set }])}`,
  ];
  return mendIf(isSafe, does, patch(value), patch(former));
}
