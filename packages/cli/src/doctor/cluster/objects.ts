/** What doctor reads of Kubernetes' objects: a few members each, all others ignored, nearly all optional. */
import { z } from "zod";

const labels = z.record(z.string(), z.string()).default({});
const count = z.number().optional();

const metadata = z.object({
  name: z.string().default(""),
  namespace: z.string().default(""),
  labels,
  /** Only the number that Deployments give to each of their pod templates, counted from 1. */
  annotations: z.object({ "deployment.kubernetes.io/revision": z.string().optional() }).default({}),
  deletionTimestamp: z.string().optional(),
  ownerReferences: z.array(z.object({ kind: z.string(), name: z.string() })).default([]),
});

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(""),
  message: z.string().default(""),
});
const conditions = z.array(condition).default([]);

const portReference = z.union([z.number(), z.string()]);
const quantities = z.record(z.string(), z.union([z.string(), z.number()]).transform(String)).optional();

const probe = z.object({
  httpGet: z
    .object({ path: z.string().default("/"), port: portReference, scheme: z.string().default("HTTP") })
    .optional(),
});

const container = z.object({
  name: z.string(),
  image: z.string().default(""),
  imagePullPolicy: z.string().optional(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
  envFrom: z.array(z.object({})).default([]),
  ports: z
    .array(
      z.object({ name: z.string().optional(), containerPort: z.number(), protocol: z.string().optional() }),
    )
    .default([]),
  resources: z.object({ requests: quantities, limits: quantities }).default({}),
  readinessProbe: probe.optional(),
  /** Of init containers: with `Always` it runs beside the others. */
  restartPolicy: z.string().optional(),
  lifecycle: z
    .object({
      preStop: z.object({ sleep: z.object({ seconds: z.number() }).optional() }).optional(),
    })
    .optional(),
});
export type Container = z.output<typeof container>;

const podSpec = z.object({
  nodeName: z.string().optional(),
  nodeSelector: z.record(z.string(), z.string()).optional(),
  restartPolicy: z.string().default("Always"),
  terminationGracePeriodSeconds: count,
  initContainers: z.array(container).default([]),
  containers: z.array(container).default([]),
});

const terminated = z.object({
  exitCode: count,
  finishedAt: z.string().nullish(),
  reason: z.string().default(""),
  message: z.string().default(""),
});
const containerState = z
  .object({
    waiting: z.object({ reason: z.string().default(""), message: z.string().default("") }).optional(),
    running: z.object({ startedAt: z.string().optional() }).optional(),
    terminated: terminated.optional(),
  })
  .default({});
const containerStatus = z.object({
  name: z.string(),
  ready: z.boolean().default(false),
  restartCount: z.number().default(0),
  state: containerState,
  lastState: containerState,
});
export type ContainerStatus = z.output<typeof containerStatus>;

const pod = z.object({
  metadata,
  spec: podSpec,
  status: z
    .object({
      phase: z.string().default(""),
      conditions,
      initContainerStatuses: z.array(containerStatus).default([]),
      containerStatuses: z.array(containerStatus).default([]),
    })
    .default({ phase: "", conditions: [], initContainerStatuses: [], containerStatuses: [] }),
});
export type Pod = z.output<typeof pod>;

const workload = z.object({
  kind: z.string(),
  metadata,
  spec: z.object({
    replicas: count,
    revisionHistoryLimit: count,
    paused: z.boolean().default(false),
    selector: z.object({ matchLabels: labels }).default({ matchLabels: {} }),
    template: z.object({ metadata: z.object({ labels }).default({ labels: {} }), spec: podSpec }),
  }),
  status: z.object({ conditions, readyReplicas: count }).default({ conditions: [] }),
});
/** A Deployment, StatefulSet or DaemonSet. */
export type Workload = z.output<typeof workload>;

const job = z.object({
  metadata,
  status: z.object({ conditions, failed: count, succeeded: count }).default({ conditions: [] }),
});
export type Job = z.output<typeof job>;

const service = z.object({
  metadata,
  spec: z.object({
    type: z.string().default("ClusterIP"),
    clusterIP: z.string().optional(),
    selector: labels,
    ports: z
      .array(
        z.object({
          name: z.string().optional(),
          port: z.number(),
          targetPort: portReference.optional(),
          nodePort: count,
        }),
      )
      .default([]),
  }),
});
export type Service = z.output<typeof service>;

const endpointSlice = z.object({
  metadata,
  endpoints: z
    .array(z.object({ conditions: z.object({ ready: z.boolean().nullish() }).default({}) }))
    .nullish()
    .transform((endpoints) => endpoints ?? []),
});
export type EndpointSlice = z.output<typeof endpointSlice>;

const autoscaler = z.object({
  metadata,
  spec: z.object({
    scaleTargetRef: z.object({ kind: z.string(), name: z.string() }),
    metrics: z
      .array(
        z.object({
          type: z.string(),
          resource: z
            .object({ name: z.string(), target: z.object({ type: z.string().default("") }) })
            .optional(),
        }),
      )
      .default([]),
  }),
  status: z.object({ conditions }).default({ conditions: [] }),
});
export type Autoscaler = z.output<typeof autoscaler>;

const labelSelector = z.object({ matchLabels: labels, matchExpressions: z.array(z.unknown()).default([]) });

const disruptionBudget = z.object({
  metadata,
  spec: z.object({
    minAvailable: portReference.optional(),
    maxUnavailable: portReference.optional(),
    unhealthyPodEvictionPolicy: z.string().optional(),
    selector: labelSelector.optional(),
  }),
  status: z
    .object({
      disruptionsAllowed: z.number().default(0),
      currentHealthy: z.number().default(0),
      expectedPods: z.number().default(0),
    })
    .default({ disruptionsAllowed: 0, currentHealthy: 0, expectedPods: 0 }),
});
export type DisruptionBudget = z.output<typeof disruptionBudget>;

const peer = z.object({
  podSelector: labelSelector.optional(),
  namespaceSelector: labelSelector.optional(),
  ipBlock: z.object({ cidr: z.string() }).optional(),
});
const policyPort = z.object({ port: portReference.optional(), endPort: count });
const networkPolicy = z.object({
  metadata,
  spec: z.object({
    podSelector: labelSelector.default({ matchLabels: {}, matchExpressions: [] }),
    policyTypes: z.array(z.string()).default([]),
    ingress: z
      .array(z.object({ from: z.array(peer).default([]), ports: z.array(policyPort).default([]) }))
      .default([]),
    egress: z
      .array(z.object({ to: z.array(peer).default([]), ports: z.array(policyPort).default([]) }))
      .default([]),
  }),
});
export type NetworkPolicy = z.output<typeof networkPolicy>;

const ingressBackend = z.object({ service: z.object({ name: z.string() }).optional() });
const ingress = z.object({
  metadata,
  spec: z
    .object({
      defaultBackend: ingressBackend.optional(),
      rules: z
        .array(
          z.object({
            host: z.string().optional(),
            http: z.object({ paths: z.array(z.object({ backend: ingressBackend })).default([]) }).optional(),
          }),
        )
        .default([]),
    })
    .default({ rules: [] }),
});
export type Ingress = z.output<typeof ingress>;

const node = z.object({
  metadata,
  spec: z.object({ providerID: z.string().optional() }).default({}),
  status: z.object({
    conditions,
    allocatable: quantities,
    nodeInfo: z
      .object({ architecture: z.string().default(""), kubeletVersion: z.string().default("") })
      .default({ architecture: "", kubeletVersion: "" }),
  }),
});
export type Node = z.output<typeof node>;

const lease = z.object({ metadata, spec: z.object({ renewTime: z.string().optional() }).default({}) });
export type Lease = z.output<typeof lease>;

const podMetrics = z.object({
  metadata,
  containers: z
    .array(z.object({ name: z.string(), usage: z.object({ memory: z.string().optional() }) }))
    .default([]),
});
export type PodMetrics = z.output<typeof podMetrics>;

export const apiServiceSchema = z.object({
  spec: z.object({ service: z.object({ name: z.string(), namespace: z.string() }).optional() }).default({}),
  status: z.object({ conditions }).default({ conditions: [] }),
});
export type ApiService = z.output<typeof apiServiceSchema>;

export const SCHEMAS = {
  pod,
  workload,
  job,
  service,
  endpointSlice,
  autoscaler,
  disruptionBudget,
  networkPolicy,
  ingress,
  node,
  lease,
  podMetrics,
};

export const listSchema = z.object({ items: z.array(z.unknown()).default([]) });

/** Bytes of a quantity of memory such as `512Mi`, `1Gi`, `128974848` or `500M`; undefined: it is none. */
export function bytesOf(quantity: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)(m|[kKMGTPE]i?)?$/.exec(quantity ?? "");
  if (match === null) return undefined;
  const [, digits = "", unit = ""] = match;
  if (unit === "m") return Number(digits) / 1000;
  const power = unit === "" ? 0 : 1 + "KMGTPE".indexOf(unit[0]?.toUpperCase() ?? "");
  return Number(digits) * (unit.endsWith("i") ? 1024 : 1000) ** power;
}

const kindSchema = z.object({ kind: z.string() });

/** The items of one kind; those that do not fit its schema are left out. */
export function ofKind<T>(items: readonly unknown[], kind: string, schema: z.ZodType<T>): T[] {
  return items.flatMap((item) => {
    if (kindSchema.safeParse(item).data?.kind !== kind) return [];
    const parsed = schema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
}
