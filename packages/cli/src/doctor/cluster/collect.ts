/** Asks a cluster everything that the checks want to know, once, and nothing that changes it. */
import { z } from "zod";
import type { ClusterAccess, HttpAnswer, PodQuestion, ProgramResult } from "./access.js";
import { apiServiceSchema, type Container, listSchema, ofKind, type Pod, SCHEMAS } from "./objects.js";
import {
  type ClusterSnapshot,
  containerKey,
  type LocalImage,
  livingPods,
  type MetricsServer,
} from "./snapshot.js";

export interface CollectOptions {
  /** Empty: the context's, and those with objects of Vitrine. */
  readonly namespaces: readonly string[];
  readonly context: string;
  readonly kubectl: readonly string[];
  readonly loadImage: readonly string[] | undefined;
}

const KINDS_OF_A_NAMESPACE =
  "pods,deployments,statefulsets,daemonsets,jobs,services,endpointslices,horizontalpodautoscalers,poddisruptionbudgets,networkpolicies,ingresses";

const OF_VITRINE = "--selector=app.kubernetes.io/part-of=vitrine";

const versionSchema = z.object({ serverVersion: z.object({ gitVersion: z.string() }).optional() });

/** Reads what may be read; what may not is named in `refused`. @throws what ends the access's signal. */
export async function collectCluster(
  access: ClusterAccess,
  { namespaces: named, context, kubectl, loadImage }: CollectOptions,
): Promise<ClusterSnapshot> {
  const refused: string[] = [];
  const read = async (...args: string[]): Promise<unknown> =>
    jsonOf(await access.kubectl([...args, "--output=json"]), refused);

  const namespaces = named.length > 0 ? named : await findNamespaces(access);
  const [version, nodes, leases, api, ...contents] = await Promise.all([
    read("version"),
    read("get", "nodes"),
    read("get", "leases", "--namespace=kube-node-lease"),
    read("get", "apiservices", "v1beta1.metrics.k8s.io", "--ignore-not-found"),
    ...namespaces.map((namespace) => read("get", KINDS_OF_A_NAMESPACE, `--namespace=${namespace}`)),
  ]);
  const clocks = await Promise.all(namespaces.map((namespace) => readServerTime(access, namespace)));
  const items = [nodes, leases, ...contents].flatMap(itemsOf);
  const metrics = await readMetricsServer(access, read, api, namespaces);
  const usage = await Promise.all(
    isAvailable(metrics)
      ? namespaces.map((namespace) =>
          access.kubectl(["get", "--raw", `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`]),
        )
      : [],
  );
  const snapshot: ClusterSnapshot = {
    context,
    kubectl,
    loadImage,
    serverVersion: versionSchema.safeParse(version).data?.serverVersion?.gitVersion,
    nodes: ofKind(items, "Node", SCHEMAS.node),
    leases: ofKind(items, "Lease", SCHEMAS.lease),
    now: access.now(),
    serverTime: clocks.find(({ time }) => time !== undefined)?.time,
    missingNamespaces: namespaces.filter((_, index) => clocks[index]?.isMissing),
    metrics,
    namespaces,
    pods: ofKind(items, "Pod", SCHEMAS.pod),
    workloads: ["Deployment", "StatefulSet", "DaemonSet"].flatMap((kind) =>
      ofKind(items, kind, SCHEMAS.workload),
    ),
    services: ofKind(items, "Service", SCHEMAS.service),
    endpointSlices: ofKind(items, "EndpointSlice", SCHEMAS.endpointSlice),
    autoscalers: ofKind(items, "HorizontalPodAutoscaler", SCHEMAS.autoscaler),
    disruptionBudgets: ofKind(items, "PodDisruptionBudget", SCHEMAS.disruptionBudget),
    jobs: ofKind(items, "Job", SCHEMAS.job),
    networkPolicies: ofKind(items, "NetworkPolicy", SCHEMAS.networkPolicy),
    ingresses: ofKind(items, "Ingress", SCHEMAS.ingress),
    podMetrics: usage.flatMap((answer) => podMetricsOf(answer)),
    logs: new Map(),
    readiness: new Map(),
    localImages: new Map(),
    mappedNodePorts: undefined,
    refused,
  };
  const [logs, readiness, localImages, mappedNodePorts] = await Promise.all([
    readLogs(access, snapshot),
    askReadiness(access, snapshot),
    readLocalImages(access, snapshot),
    readMappedPorts(access, snapshot),
  ]);
  return { ...snapshot, logs, readiness, localImages, mappedNodePorts };
}

/** What a program printed as JSON. What it complained of, once, is added to `refused`. */
function jsonOf({ stdout, stderr }: ProgramResult, refused: string[]): unknown {
  for (const line of stderr.split("\n")) {
    const isRefusal = /forbidden|Error from server|no matches for kind|doesn't have a resource type/i.test(
      line,
    );
    if (isRefusal && !refused.includes(line)) refused.push(line);
  }
  if (stdout.trim() === "") return undefined;
  try {
    return JSON.parse(stdout);
  } catch {
    refused.push(`kubectl printed no JSON: ${stdout.slice(0, 200)}`);
    return undefined;
  }
}

function itemsOf(list: unknown): readonly unknown[] {
  return listSchema.safeParse(list).data?.items ?? [];
}

const namespacedListSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ namespace: z.string() }) })).default([]),
});

async function findNamespaces(access: ClusterAccess): Promise<string[]> {
  const [own, ours] = await Promise.all([
    access.kubectl(["config", "view", "--minify", "--output=jsonpath={..namespace}"]),
    access.kubectl(["get", "deployments", "--all-namespaces", OF_VITRINE, "--output=json"]),
  ]);
  const labelled = namespacedListSchema.safeParse(jsonOf(ours, [])).data?.items ?? [];
  const context = own.stdout.trim() === "" ? "default" : own.stdout.trim();
  return [...new Set([context, ...labelled.map(({ metadata }) => metadata.namespace)])];
}

/** A dry run stores nothing; its object has the API server's time, and its refusal says that a namespace is missing. */
async function readServerTime(
  access: ClusterAccess,
  namespace: string,
): Promise<{ time: number | undefined; isMissing: boolean }> {
  const { stdout, stderr } = await access.kubectl([
    "create",
    "configmap",
    "vitrine-doctor-clock",
    `--namespace=${namespace}`,
    "--dry-run=server",
    "--output=jsonpath={.metadata.creationTimestamp}",
  ]);
  const time = Date.parse(stdout.trim());
  return {
    time: Number.isNaN(time) ? undefined : time,
    isMissing: /namespaces? "[^"]*" not found/.test(stderr),
  };
}

async function readMetricsServer(
  access: ClusterAccess,
  read: (...args: string[]) => Promise<unknown>,
  registration: unknown,
  namespaces: readonly string[],
): Promise<MetricsServer> {
  const api = apiServiceSchema.safeParse(registration).data;
  const places = [...new Set([api?.spec.service?.namespace ?? "kube-system", ...namespaces])];
  const lists = await Promise.all(
    places.map((namespace) =>
      read("get", "pods", `--namespace=${namespace}`, "--selector=k8s-app=metrics-server"),
    ),
  );
  const pods = await Promise.all(
    ofKind(lists.flatMap(itemsOf), "Pod", SCHEMAS.pod).map(async (pod) => {
      const { name, namespace } = pod.metadata;
      const { stdout } = await access.kubectl([
        "logs",
        name,
        `--namespace=${namespace}`,
        "--since=5m",
        "--tail=50",
      ]);
      return { pod, log: stdout };
    }),
  );
  return { api, pods };
}

function isAvailable({ api }: MetricsServer): boolean {
  return (
    api?.status.conditions.some(({ type, status }) => type === "Available" && status === "True") ?? false
  );
}

function podMetricsOf(answer: ProgramResult) {
  return itemsOf(answer.code === 0 ? jsonOf(answer, []) : undefined).flatMap((item) => {
    const parsed = SCHEMAS.podMetrics.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
}

/** Of containers that ended, the last time or for good. */
async function readLogs(access: ClusterAccess, snapshot: ClusterSnapshot): Promise<Map<string, string>> {
  const ended = livingPods(snapshot).flatMap((pod) =>
    [...pod.status.initContainerStatuses, ...pod.status.containerStatuses]
      .filter(({ state, lastState }) => (lastState.terminated ?? state.terminated)?.exitCode)
      .map((status) => ({ pod, status })),
  );
  const texts = await Promise.all(
    ended.map(async ({ pod, status }) => {
      const read = async (...flags: string[]): Promise<string> => {
        const { stdout } = await access.kubectl([
          "logs",
          pod.metadata.name,
          `--namespace=${pod.metadata.namespace}`,
          `--container=${status.name}`,
          "--tail=30",
          ...flags,
        ]);
        return /^unable to retrieve container logs/.test(stdout) ? "" : stdout;
      };
      // Between two starts the run that ended is the present one to kubectl; a new start makes it the previous one.
      const flags = status.state.running === undefined ? [[], ["--previous"]] : [["--previous"]];
      let log = "";
      for (const more of flags) if (log === "") log = await read(...more);
      return [containerKey(pod, status.name), log] as const;
    }),
  );
  return new Map(texts);
}

/** Asks the readiness probe's own question of every container that runs and is not ready. */
async function askReadiness(
  access: ClusterAccess,
  snapshot: ClusterSnapshot,
): Promise<Map<string, HttpAnswer>> {
  const questions = livingPods(snapshot).flatMap((pod) =>
    pod.spec.containers.flatMap((container) => {
      const status = pod.status.containerStatuses.find(({ name }) => name === container.name);
      const question = readinessQuestion(pod, container);
      const isAsked = status?.state.running !== undefined && !status.ready && question !== undefined;
      return isAsked ? [{ key: containerKey(pod, container.name), question }] : [];
    }),
  );
  const answers = await Promise.all(
    questions.map(async ({ key, question }) => ({ key, answer: await access.askPod(question) })),
  );
  return new Map(
    answers.flatMap(({ key, answer }) => (answer === undefined ? [] : [[key, answer] as const])),
  );
}

function readinessQuestion({ metadata }: Pod, container: Container): PodQuestion | undefined {
  const get = container.readinessProbe?.httpGet;
  if (get === undefined || get.scheme !== "HTTP") return undefined;
  const port =
    typeof get.port === "number"
      ? get.port
      : container.ports.find(({ name }) => name === get.port)?.containerPort;
  return port === undefined
    ? undefined
    : { namespace: metadata.namespace, pod: metadata.name, port, path: get.path };
}

const imageSchema = z.array(z.object({ Architecture: z.string() })).min(1);

/** Of the images that containers wait for, or whose programs could not be run. */
async function readLocalImages(
  access: ClusterAccess,
  snapshot: ClusterSnapshot,
): Promise<Map<string, LocalImage | undefined>> {
  const images = new Set(
    livingPods(snapshot).flatMap((pod) =>
      [...pod.spec.initContainers, ...pod.spec.containers]
        .filter(({ name }) => {
          const statuses = [...pod.status.initContainerStatuses, ...pod.status.containerStatuses];
          const status = statuses.find((one) => one.name === name);
          return status?.ready === false && status.state.running === undefined;
        })
        .map(({ image }) => image),
    ),
  );
  const found = new Map<string, LocalImage | undefined>();
  for (const image of images) {
    const { code, stdout, stderr } = await access.docker(["image", "inspect", image]);
    if (code === 0) {
      const [local] = imageSchema.safeParse(jsonOf({ code, stdout, stderr: "" }, [])).data ?? [];
      if (local !== undefined) found.set(image, { architecture: local.Architecture });
    } else if (/no such image/i.test(stderr)) found.set(image, undefined);
  }
  return found;
}

/** Of a kind cluster with a Service on a NodePort: what `docker port` says of its control plane. */
async function readMappedPorts(
  access: ClusterAccess,
  { nodes, services }: ClusterSnapshot,
): Promise<number[] | undefined> {
  const kindNodes = nodes.filter(({ spec }) => spec.providerID?.startsWith("kind://") ?? false);
  if (kindNodes.length === 0 || !services.some(({ spec }) => spec.type === "NodePort")) return undefined;
  const answers = await Promise.all(kindNodes.map(({ metadata }) => access.docker(["port", metadata.name])));
  if (answers.some(({ code }) => code !== 0)) return undefined;
  return answers.flatMap(({ stdout }) =>
    Array.from(stdout.matchAll(/^(\d+)\/tcp -> /gm), ([, port]) => Number(port)),
  );
}
