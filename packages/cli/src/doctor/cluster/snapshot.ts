/** A cluster at one moment, as far as the checks look at it. */
import type { HttpAnswer } from "./access.js";
import type {
  ApiService,
  Autoscaler,
  DisruptionBudget,
  EndpointSlice,
  Ingress,
  Job,
  Lease,
  NetworkPolicy,
  Node,
  Pod,
  PodMetrics,
  Service,
  Workload,
} from "./objects.js";

/** An image of this machine's docker. */
export interface LocalImage {
  /** As Go names it, such as `amd64`. */
  readonly architecture: string;
}

export interface ClusterSnapshot {
  readonly context: string;
  /** kubectl and the flags that reach this cluster, for commands to copy. */
  readonly kubectl: readonly string[];
  /** Command that gives local images to every node, where the user named one. */
  readonly loadImage: readonly string[] | undefined;
  /** Such as `v1.33.13`. */
  readonly serverVersion: string | undefined;
  readonly nodes: readonly Node[];
  readonly leases: readonly Lease[];
  /** Of this machine, in milliseconds since 1970. */
  readonly now: number;
  /** Of the API server, in milliseconds since 1970, to the second. */
  readonly serverTime: number | undefined;
  readonly metrics: MetricsServer;
  /** Those looked at. */
  readonly namespaces: readonly string[];
  readonly missingNamespaces: readonly string[];
  readonly pods: readonly Pod[];
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  readonly autoscalers: readonly Autoscaler[];
  readonly disruptionBudgets: readonly DisruptionBudget[];
  readonly jobs: readonly Job[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly ingresses: readonly Ingress[];
  readonly podMetrics: readonly PodMetrics[];
  /** Last lines of the containers that ended, by {@link containerKey}. */
  readonly logs: ReadonlyMap<string, string>;
  /** What readiness probes of running containers that are not ready answer, by {@link containerKey}. */
  readonly readiness: ReadonlyMap<string, HttpAnswer>;
  /** By reference; undefined: docker has none such. Empty where there is no docker. */
  readonly localImages: ReadonlyMap<string, LocalImage | undefined>;
  /** `docker port` of kind's first node: ports of nodes that this machine has. */
  readonly mappedNodePorts: readonly number[] | undefined;
  /** What kubectl refused to read, in its words. */
  readonly refused: readonly string[];
}

export interface MetricsServer {
  /** The registration of metrics.k8s.io; undefined: there is none. */
  readonly api: ApiService | undefined;
  /** With the last lines of their logs; also those beside the one that is registered. */
  readonly pods: readonly { readonly pod: Pod; readonly log: string }[];
}

export function containerKey(pod: Pod, container: string): string {
  return `${pod.metadata.namespace}/${pod.metadata.name}/${container}`;
}

/** Such as `deployment/gateway in vitrine`. */
export function nameOf(kind: string, { name, namespace }: { name: string; namespace: string }): string {
  return `${kind.toLowerCase()}/${name} in ${namespace}`;
}

/** True when `labels` has all of `selector`, which selects nothing while it is empty. */
export function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** The workload that made the pod, by its selector. */
export function workloadOf({ workloads }: ClusterSnapshot, pod: Pod): Workload | undefined {
  return workloads.find(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace &&
      selects(spec.selector.matchLabels, pod.metadata.labels),
  );
}

/** What a finding about a pod names: its workload, of which there is one finding for all pods. */
export function subjectOf(snapshot: ClusterSnapshot, pod: Pod): string {
  const workload = workloadOf(snapshot, pod);
  return workload === undefined ? nameOf("pod", pod.metadata) : nameOf(workload.kind, workload.metadata);
}

/**
 * Pods that are not about to end, and are not what is left of one that ended: a Job answers for its own pods, and what
 * a Deployment lost has a successor.
 */
export function livingPods({ pods }: ClusterSnapshot): Pod[] {
  return pods.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status.phase !== "Succeeded" &&
      (status.phase !== "Failed" || metadata.ownerReferences.length === 0),
  );
}

/** `kubectl … --namespace=N`, with the flags that reach this cluster. */
export function inNamespace(
  { kubectl }: ClusterSnapshot,
  namespace: string,
  ...args: readonly string[]
): string[] {
  return [...kubectl, `--namespace=${namespace}`, ...args];
}

const MOST_NAMES = 6;

/** Such as `are gateway, model-server`. */
export function namesText(objects: readonly { readonly metadata: { readonly name: string } }[]): string {
  if (objects.length === 0) return "is none";
  const names = objects.slice(0, MOST_NAMES).map(({ metadata }) => metadata.name);
  const more = objects.length > MOST_NAMES ? ` and ${objects.length - MOST_NAMES} more` : "";
  return `${objects.length === 1 ? "is" : "are"} ${names.join(", ")}${more}`;
}
