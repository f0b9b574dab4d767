/** Clusters that no test can make here, written by hand after what the real ones answer. */
import { SCHEMAS } from "../cluster/objects.js";
import type { ClusterSnapshot } from "../cluster/snapshot.js";

export const NOW = Date.parse("2026-11-21T12:00:00Z");

/** A cluster with nothing in it and nothing wrong. */
export function clusterWith(parts: Partial<ClusterSnapshot>): ClusterSnapshot {
  return {
    context: "test",
    kubectl: ["kubectl"],
    loadImage: undefined,
    serverVersion: "v1.36.1",
    nodes: [],
    leases: [],
    now: NOW,
    serverTime: NOW,
    metrics: { api: undefined, pods: [] },
    namespaces: ["shop"],
    missingNamespaces: [],
    pods: [],
    workloads: [],
    services: [],
    endpointSlices: [],
    autoscalers: [],
    disruptionBudgets: [],
    jobs: [],
    networkPolicies: [],
    ingresses: [],
    podMetrics: [],
    logs: new Map(),
    readiness: new Map(),
    localImages: new Map(),
    mappedNodePorts: undefined,
    refused: [],
    ...parts,
  };
}

/** A node of the kind cluster `vitrine`. */
export function kindNode(name = "vitrine-control-plane", isReady = true) {
  return SCHEMAS.node.parse({
    metadata: { name },
    spec: { providerID: `kind://docker/vitrine/${name}` },
    status: {
      conditions: [
        {
          type: "Ready",
          status: isReady ? "True" : "Unknown",
          message: "Kubelet stopped posting node status.",
        },
      ],
      nodeInfo: { architecture: "arm64" },
    },
  });
}

/** A node of a cloud. */
export function cloudNode(more: object = {}) {
  return SCHEMAS.node.parse({
    metadata: { name: "ip-10-0-0-1" },
    status: {
      conditions: [{ type: "Ready", status: "True" }],
      nodeInfo: { architecture: "amd64" },
      allocatable: { cpu: "2", memory: "8Gi" },
    },
    ...more,
  });
}

const meta = (name: string, more: object = {}) => ({
  name,
  namespace: "shop",
  labels: { app: name },
  ...more,
});

/** The pod of a Deployment of the same name, whose one container is in `state`. */
export function podIn(name: string, state: object, container: object = {}, lastState: object = {}) {
  return SCHEMAS.pod.parse({
    metadata: meta(name),
    spec: {
      nodeName: "vitrine-control-plane",
      containers: [{ name: "main", image: "shop/app:v1", ...container }],
    },
    status: { phase: "Pending", containerStatuses: [{ name: "main", state, lastState }] },
  });
}

export function deploymentOf(name: string, container: object = {}) {
  return SCHEMAS.workload.parse({
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "main", image: "shop/app:v1", ...container }] },
      },
    },
  });
}

/** The same of Vitrine, by its image, after two rollouts. */
export function ourDeploymentOf(name: string, container: object = {}) {
  const workload = deploymentOf(name, { image: "vitrine/gateway:dev", ...container });
  const annotations = { "deployment.kubernetes.io/revision": "3" };
  return { ...workload, metadata: { ...workload.metadata, annotations } };
}

export function serviceOf(name: string, spec: object = {}) {
  return SCHEMAS.service.parse({
    metadata: meta(name),
    spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
  });
}

export function autoscalerOf(name: string, condition: object) {
  return SCHEMAS.autoscaler.parse({
    metadata: meta(name),
    spec: {
      scaleTargetRef: { kind: "Deployment", name },
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization" } } }],
    },
    status: { conditions: [condition] },
  });
}
