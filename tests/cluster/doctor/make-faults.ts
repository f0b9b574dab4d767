/** A namespace in which everything is wrong that doctor finds and that a cluster can be made to have. */

const IMAGE = "vitrine/gateway:dev";

/** Only in the docker of this machine, until doctor gives it to the nodes, which keep it: so each run has its own. */
export const UNLOADED_IMAGE = `vitrine/doctor-unloaded:${Date.now()}`;
/** For a processor that no node has. */
export const FOREIGN_IMAGE = "vitrine/doctor-foreign:dev";

type Json = Readonly<Record<string, unknown>>;

const node = (script: string): string[] => ["/usr/local/bin/node", "-e", script];
const WAIT = node("setInterval(() => {}, 1e9)");

interface DeploymentOptions {
  readonly container?: Json;
  readonly pod?: Json;
  readonly replicas?: number;
}

function deployment(name: string, { container, pod, replicas }: DeploymentOptions = {}): Json {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: replicas ?? 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          enableServiceLinks: false,
          containers: [
            {
              name: "main",
              image: IMAGE,
              imagePullPolicy: "IfNotPresent",
              command: WAIT,
              resources: { requests: { cpu: "1m", memory: "16Mi" } },
              ...container,
            },
          ],
          ...pod,
        },
      },
    },
  };
}

function service(name: string, app: string, port: number, more: Json = {}): Json {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app }, ports: [{ port, ...more }] },
  };
}

function autoscaler(name: string, target: string): Json {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: target },
      minReplicas: 1,
      maxReplicas: 2,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
        },
      ],
    },
  };
}

const port = (containerPort: number, name?: string): Json => ({
  ports: [{ containerPort, ...(name === undefined ? {} : { name }) }],
});

/** One fault each, named after it where a name is free. */
export const FAULTS: readonly Json[] = [
  deployment("unloaded", { container: { image: UNLOADED_IMAGE } }),
  deployment("foreign", { container: { image: FOREIGN_IMAGE, command: ["/program"] } }),
  deployment("greedy", {
    container: {
      // Above the limit of 48 MiB at once, however little Node.js itself may take.
      command: node("const kept = []; for (;;) kept.push(Buffer.alloc(16e6, 1));"),
      resources: { requests: { cpu: "1m", memory: "48Mi" }, limits: { memory: "48Mi" } },
    },
  }),
  deployment("crashing", {
    container: {
      command: node("console.error('Error: /models/clothing-model holds no version'); process.exit(3)"),
    },
  }),
  deployment("without-config", {
    container: { envFrom: [{ configMapRef: { name: "contract" } }] },
  }),
  deployment("too-big", { container: { resources: { requests: { cpu: "900" } } } }),
  deployment("needs-gpu", { container: { resources: { limits: { "nvidia.com/gpu": "1" } } } }),
  deployment("wrong-label"),
  service("wrong-label", "wrong-lable", 80, { targetPort: 9696 }),
  deployment("wrong-port", { container: port(9696, "http") }),
  service("wrong-port", "wrong-port", 80, { targetPort: 8080 }),
  deployment("scaled-down", { replicas: 0 }),
  service("scaled-down", "scaled-down", 80),
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "lost" },
    spec: {
      rules: [
        {
          host: "doctor.invalid",
          http: {
            paths: [
              {
                path: "/",
                pathType: "Prefix",
                backend: { service: { name: "getaway", port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    },
  },
  deployment("lost-gateway", {
    container: { env: [{ name: "TF_SERVING_HOST", value: "tf-serving:8500" }] },
  }),
  // Serves the shipped model; the two gateways below look at it in a wrong way each.
  deployment("model", {
    container: {
      image: "vitrine/clothing-model:dev",
      command: undefined,
      ports: [{ containerPort: 8500, name: "grpc" }],
      readinessProbe: { tcpSocket: { port: "grpc" }, periodSeconds: 1 },
      resources: { requests: { cpu: "50m", memory: "256Mi" }, limits: { memory: "320Mi" } },
    },
    pod: { terminationGracePeriodSeconds: 40 },
  }),
  service("model", "model", 8500),
  deployment("three-labels", {
    container: {
      command: undefined,
      env: [
        { name: "TF_SERVING_HOST", value: "model:8500" },
        { name: "MODEL_NAME", value: "clothing-model" },
        { name: "LABELS", value: "hat,shirt,shoes" },
        { name: "DRAIN_WAIT_MS", value: "15000" },
      ],
      ...port(9696, "http"),
      readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 2 },
      resources: { requests: { cpu: "50m", memory: "192Mi" } },
    },
    pod: { terminationGracePeriodSeconds: 30 },
  }),
  service("three-labels", "three-labels", 80, { targetPort: "http" }),
  deployment("without-requests", { container: { resources: {} } }),
  autoscaler("without-requests", "without-requests"),
  autoscaler("without-target", "gone"),
  deployment("latest", { container: { image: "vitrine/gateway:latest" }, replicas: 0 }),
  deployment("guarded"),
  {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "guarded" },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "guarded" } } },
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "closed" },
    spec: {
      podSelector: { matchLabels: { app: "three-labels" } },
      policyTypes: ["Egress"],
      egress: [{ ports: [{ port: 8500, protocol: "TCP" }] }],
    },
  },
];

/** A namespace of restricted Pod Security, and a pod that is not. */
export const REFUSED: readonly Json[] = [
  deployment("privileged", { container: { securityContext: { privileged: true } } }),
];

/**
 * A metrics-server beside the cluster's own, which trusts the certificate that the API server shows and no other: so the
 * kubelets' seem to come from an unknown authority, as they do on kind.
 *
 * @param container of the cluster's own metrics-server.
 * @param certificate PEM.
 */
export function distrustfulMetricsServer(namespace: string, container: Json, certificate: string): Json[] {
  const name = "metrics-server";
  const subjects = [{ kind: "ServiceAccount", name: "default", namespace }];
  const apiGroup = "rbac.authorization.k8s.io";
  const bound = { apiVersion: `${apiGroup}/v1`, metadata: { name: namespace } };
  const labels = { "k8s-app": name };
  return [
    {
      ...bound,
      kind: "ClusterRole",
      rules: [
        { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
        { apiGroups: [""], resources: ["nodes", "pods"], verbs: ["get", "list", "watch"] },
      ],
    },
    {
      ...bound,
      kind: "ClusterRoleBinding",
      roleRef: { apiGroup, kind: "ClusterRole", name: namespace },
      subjects,
    },
    {
      ...bound,
      kind: "RoleBinding",
      metadata: { name: namespace, namespace: "kube-system" },
      roleRef: { apiGroup, kind: "Role", name: "extension-apiserver-authentication-reader" },
      subjects,
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "trusted", namespace },
      data: { "ca.crt": certificate },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace, labels },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            containers: [
              {
                ...container,
                livenessProbe: undefined,
                resources: { requests: { cpu: "1m", memory: "32Mi" } },
                volumeMounts: [
                  {
                    name: "account",
                    mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
                    readOnly: true,
                  },
                  { name: "tmp", mountPath: "/tmp" },
                ],
              },
            ],
            volumes: [
              { name: "tmp", emptyDir: {} },
              {
                name: "account",
                projected: {
                  sources: [
                    { serviceAccountToken: { path: "token" } },
                    { configMap: { name: "trusted" } },
                    {
                      downwardAPI: {
                        items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }],
                      },
                    },
                  ],
                },
              },
            ],
          },
        },
      },
    },
  ];
}
