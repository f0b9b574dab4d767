import { describe, expect, test } from "vitest";
import {
  autoscalerOf,
  cloudNode,
  clusterWith,
  deploymentOf,
  kindNode,
  NOW,
  podIn,
  serviceOf,
} from "../testing/hand-made.js";
import { checkCluster } from "./check-cluster.js";
import { tellingLine } from "./check-pods.js";
import { apiServiceSchema, bytesOf, SCHEMAS } from "./objects.js";
import type { ClusterSnapshot } from "./snapshot.js";

const idsOf = (snapshot: ClusterSnapshot) => checkCluster(snapshot).map(({ id }) => id);

function only(snapshot: ClusterSnapshot) {
  const findings = checkCluster(snapshot);
  expect(findings.map(({ id }) => id)).toHaveLength(1);
  return findings[0]!;
}

const commandsOf = (snapshot: ClusterSnapshot) => only(snapshot).mends.map(({ command }) => command);

test("a cluster without faults has none", () => {
  expect(checkCluster(clusterWith({ nodes: [kindNode(), cloudNode()] }))).toEqual([]);
});

describe("an image that is not on its node", () => {
  const waiting = {
    waiting: { reason: "ErrImageNeverPull", message: "not present with pull policy of Never" },
  };

  test("is loaded into the kind cluster by its own name", () => {
    const snapshot = clusterWith({ nodes: [kindNode()], pods: [podIn("web", waiting)] });
    expect(only(snapshot)).toMatchObject({ id: "image-not-on-node", subject: "pod/web in shop" });
    expect(commandsOf(snapshot)).toEqual(["kind load docker-image shop/app:v1 --name vitrine"]);
  });

  test("is built first where this machine has it neither", () => {
    const localImages = new Map([["shop/app:v1", undefined]]);
    const snapshot = clusterWith({ nodes: [kindNode()], pods: [podIn("web", waiting)], localImages });
    expect(commandsOf(snapshot)[0]).toBe("docker build --tag shop/app:v1 .");
  });

  test("is not pulled again once it is there", () => {
    const state = { waiting: { reason: "ImagePullBackOff", message: "Back-off pulling image" } };
    const snapshot = clusterWith({
      nodes: [kindNode()],
      pods: [podIn("web", state, { imagePullPolicy: "Always" })],
      workloads: [deploymentOf("web")],
    });
    expect(commandsOf(snapshot)).toEqual([
      "kind load docker-image shop/app:v1 --name vitrine",
      `kubectl --namespace=shop patch deployment/web --patch '{"spec":{"template":{"spec":{"containers":[{"name":"main","imagePullPolicy":"IfNotPresent"}]}}}}'`,
    ]);
  });

  test.each([
    [
      "minikube",
      { metadata: { name: "minikube", labels: { "minikube.k8s.io/name": "p2" } } },
      "minikube image load shop/app:v1 --profile p2",
    ],
    ["k3d", { metadata: { name: "k3d-dev-server-0" } }, "k3d image import shop/app:v1 --cluster dev"],
  ])("on %s goes there by its own command", (_, node, command) => {
    expect(commandsOf(clusterWith({ nodes: [cloudNode(node)], pods: [podIn("web", waiting)] }))).toEqual([
      command,
    ]);
  });
});

test.each([
  [
    "pull access denied, repository does not exist or may require authorization",
    "create secret docker-registry",
  ],
  ["dial tcp: lookup registry.example: no such host", "docker push shop/app:v1"],
  ["manifest unknown", "kubectl --namespace=shop set image deployment/web main=IMAGE:TAG"],
])("an image that a registry does not give says why: %s", (message, command) => {
  const state = { waiting: { reason: "ErrImagePull", message } };
  const snapshot = clusterWith({
    nodes: [cloudNode()],
    pods: [podIn("web", state)],
    workloads: [deploymentOf("web")],
  });
  expect(only(snapshot).id).toBe("image-not-pulled");
  expect(commandsOf(snapshot).join("\n")).toContain(command);
});

test("an image without a part for the node's processor is told from one that is missing", () => {
  const message = 'no match for platform in manifest: not found: "shop/app:v1"';
  const snapshot = clusterWith({
    nodes: [kindNode()],
    pods: [podIn("web", { waiting: { reason: "ErrImagePull", message } })],
    localImages: new Map([["shop/app:v1", { architecture: "amd64" }]]),
  });
  expect(only(snapshot)).toMatchObject({
    id: "wrong-architecture",
    problem: "shop/app:v1 is for amd64 and does not run on vitrine-control-plane, which is arm64",
  });
  expect(commandsOf(snapshot)[0]).toBe("docker build --platform linux/arm64 --tag shop/app:v1 .");
});

describe("a version of Kubernetes", () => {
  const versionOf = (serverVersion: string, now: string, context = "test") =>
    checkCluster(
      clusterWith({
        nodes: [cloudNode()],
        serverVersion,
        context,
        now: Date.parse(now),
        serverTime: undefined,
      }),
    );

  test("past its date is told with it", () => {
    expect(versionOf("v1.33.13", "2026-11-21")[0]).toMatchObject({
      id: "kubernetes-version-ended",
      problem: "Kubernetes 1.33 has had no fixes since 2026-06-28",
    });
    expect(versionOf("v1.14.2", "2026-11-21")[0]?.id).toBe("kubernetes-version-ended");
  });

  test("past its date says what Amazon does about it on EKS, and nowhere else", () => {
    const [elsewhere] = versionOf("v1.30.2", "2026-11-21");
    expect(JSON.stringify(elsewhere)).not.toContain("Amazon");
    const [onEks] = versionOf("v1.30.2-eks-3cfe0ce", "2026-11-21", "u@shop.eu-west-1.eksctl.io");
    expect(onEks).toMatchObject({
      id: "kubernetes-version-ended",
      problem:
        "Kubernetes 1.30 has had no fixes since 2026-07-23, not even paid ones: Amazon moves the cluster to the next version by itself",
    });
  });

  test("is told 60 days before its date, and not earlier", () => {
    expect(versionOf("v1.36.1", "2027-04-28")).toEqual([]);
    expect(versionOf("v1.36.1", "2027-04-30")[0]?.problem).toBe(
      "Kubernetes 1.36 is looked after until 2027-06-28, 60 days from now",
    );
  });

  test("in Amazon's extended support is told with its price, and the commands name the cluster", () => {
    const context = "arn:aws:eks:eu-west-1:123456789012:cluster/shop";
    const [found] = versionOf("v1.33.5-eks-3cfe0ce", "2026-11-21", context);
    expect(found).toMatchObject({ id: "eks-extended-support", severity: "warning" });
    expect(found?.problem).toContain("$0.60 an hour in place of $0.10, $365 more a month, until 2027-07-29");
    expect(found?.mends.map(({ command }) => command)).toEqual([
      "eksctl upgrade cluster --name=shop --version=1.34 --approve",
      "aws eks update-cluster-config --name=shop --upgrade-policy supportType=STANDARD",
    ]);
  });

  test("in Amazon's standard support outlives that of its makers", () => {
    expect(versionOf("v1.33.5-eks-3cfe0ce", "2026-07-01", "u@shop.eu-west-1.eksctl.io")[0]?.id).toBe(
      "kubernetes-version-ending",
    );
  });

  test("that is newer than the table is left alone", () => {
    expect(versionOf("v1.99.0", "2026-11-21")).toEqual([]);
  });
});

describe("an autoscaler", () => {
  const unknown = {
    type: "ScalingActive",
    status: "False",
    reason: "FailedGetResourceMetric",
    message: "the HPA was unable to compute the replica count",
  };
  const requests = { resources: { requests: { cpu: "100m" } } };

  test("without a metrics-server is told once, by its cause", () => {
    const snapshot = clusterWith({
      nodes: [kindNode()],
      autoscalers: [autoscalerOf("web", unknown)],
      workloads: [deploymentOf("web", requests)],
    });
    expect(only(snapshot).id).toBe("metrics-server-missing");
    expect(commandsOf(snapshot)).toEqual(["kubectl apply --kustomize=deploy/kind/metrics-server"]);
  });

  const available = (status: string, message = "") => ({
    api: apiServiceSchema.parse({
      spec: { service: { name: "metrics-server", namespace: "kube-system" } },
      status: { conditions: [{ type: "Available", status, reason: "MissingEndpoints", message }] },
    }),
    pods: [],
  });

  test("whose metrics-server is not ready is told by that", () => {
    const metrics = available("False", "endpoints for service/metrics-server have no addresses");
    const snapshot = clusterWith({
      nodes: [kindNode()],
      metrics,
      autoscalers: [autoscalerOf("web", unknown)],
    });
    expect(idsOf({ ...snapshot, workloads: [deploymentOf("web", requests)] })).toEqual([
      "metrics-server-not-ready",
    ]);
  });

  test("that sees nothing with all in place is told in its own words", () => {
    const snapshot = clusterWith({
      nodes: [kindNode()],
      metrics: available("True"),
      autoscalers: [autoscalerOf("web", unknown)],
      workloads: [deploymentOf("web", requests)],
    });
    expect(only(snapshot)).toMatchObject({
      id: "autoscaler-unknown",
      problem: "it sees no figure: the HPA was unable to compute the replica count",
    });
  });

  test("whose limit of CPU counts as its request is left alone", () => {
    const snapshot = clusterWith({
      nodes: [kindNode()],
      metrics: available("True"),
      autoscalers: [autoscalerOf("web", { ...unknown, status: "True" })],
      workloads: [deploymentOf("web", { resources: { limits: { cpu: "1" } } })],
    });
    expect(checkCluster(snapshot)).toEqual([]);
  });

  test("scaled to nothing on purpose is left alone", () => {
    const disabled = { ...unknown, reason: "ScalingDisabled" };
    const snapshot = clusterWith({
      nodes: [kindNode()],
      metrics: available("True"),
      autoscalers: [autoscalerOf("web", disabled)],
      workloads: [deploymentOf("web", requests)],
    });
    expect(checkCluster(snapshot)).toEqual([]);
  });

  const refusedAt = (time: string) => [
    {
      pod: podIn("metrics-server", {}),
      log: `E1121 ${time}.208969       1 scraper.go:149] "Failed to scrape node" err="x509: cannot validate certificate for 172.18.0.2 because it doesn't contain any IP SANs"`,
    },
  ];

  test("with metrics is not mended for a certificate that was refused minutes ago", () => {
    const metricsOf = (time: string) => ({ ...available("True"), pods: refusedAt(time) });
    expect(checkCluster(clusterWith({ nodes: [kindNode()], metrics: metricsOf("11:57:30") }))).toEqual([]);
    expect(idsOf(clusterWith({ nodes: [kindNode()], metrics: metricsOf("11:59:30") }))).toEqual([
      "metrics-server-tls",
    ]);
  });

  test("on New Year's Day knows a refusal of last year by its time", () => {
    const serverTime = Date.parse("2027-01-01T00:00:20Z");
    const log = 'E1231 23:59:50.208969       1 scraper.go:149] err="x509: unknown authority"';
    const metrics = { ...available("True"), pods: [{ pod: podIn("metrics-server", {}), log }] };
    expect(idsOf(clusterWith({ nodes: [kindNode()], metrics, now: serverTime, serverTime }))).toEqual([
      "metrics-server-tls",
    ]);
  });

  test("on kind, certificates that metrics-server refuses are waved through by a mend that can be taken back", () => {
    const metrics = { ...available("False"), pods: refusedAt("11:55:10") };
    const found = only(clusterWith({ nodes: [kindNode()], metrics }));
    expect(found.id).toBe("metrics-server-tls");
    expect(found.mends[0]?.command).toContain("--kubelet-insecure-tls");
    expect(found.mends[0]?.safe?.undo).toBe(
      "kubectl --namespace=shop rollout undo deployment/metrics-server",
    );
    const elsewhere = only(clusterWith({ nodes: [cloudNode()], metrics }));
    expect(elsewhere.mends.some(({ safe }) => safe !== undefined)).toBe(false);
  });
});

test("a node that is down is told, and kind's is started again", () => {
  const snapshot = clusterWith({ nodes: [kindNode("vitrine-worker", false)] });
  expect(only(snapshot)).toMatchObject({ id: "node-not-ready", subject: "node/vitrine-worker" });
  expect(commandsOf(snapshot)[0]).toBe("docker start vitrine-worker");
});

test("clocks that disagree are told: this machine's, and a node's that is ahead", () => {
  expect(only(clusterWith({ nodes: [kindNode()], serverTime: NOW - 90_000 })).problem).toBe(
    "its clock is 90 s ahead of that of test",
  );
  const lease = SCHEMAS.lease.parse({
    metadata: { name: "vitrine-worker" },
    spec: { renewTime: new Date(NOW + 60_000).toISOString() },
  });
  expect(only(clusterWith({ nodes: [kindNode()], leases: [lease] }))).toMatchObject({
    id: "clock-skew",
    subject: "node/vitrine-worker",
  });
});

test("a node port that kind does not map is told, and one that it maps is not", () => {
  const slice = SCHEMAS.endpointSlice.parse({
    metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
    endpoints: [{ conditions: { ready: true } }],
  });
  const snapshot = clusterWith({
    nodes: [kindNode()],
    services: [serviceOf("web", { type: "NodePort", ports: [{ port: 80, nodePort: 30081 }] })],
    pods: [podIn("web", { running: { startedAt: new Date(NOW).toISOString() } })],
    endpointSlices: [slice],
    mappedNodePorts: [30080, 6443],
  });
  expect(only(snapshot).id).toBe("node-port-not-mapped");
  expect(commandsOf(snapshot)[0]).toBe("kubectl --namespace=shop port-forward service/web 9696:80");
  expect(checkCluster({ ...snapshot, mappedNodePorts: [30081] })).toEqual([]);
});

test("a pod that has just started is not yet called not ready", () => {
  const startedAgo = (ms: number) =>
    clusterWith({
      nodes: [kindNode()],
      pods: [podIn("web", { running: { startedAt: new Date(NOW - ms).toISOString() } })],
    });
  expect(idsOf(startedAgo(5_000))).toEqual([]);
  expect(idsOf(startedAgo(60_000))).toEqual(["pod-not-ready"]);
});

test("a container near its limit of memory is told before it is killed", () => {
  const container = { resources: { limits: { memory: "512Mi" } } };
  const usage = (memory: string) =>
    SCHEMAS.podMetrics.parse({
      metadata: { name: "web", namespace: "shop" },
      containers: [{ name: "main", usage: { memory } }],
    });
  const snapshot = clusterWith({
    nodes: [kindNode()],
    pods: [podIn("web", { running: { startedAt: new Date(NOW).toISOString() } }, container)],
    workloads: [deploymentOf("web", container)],
    podMetrics: [usage("495000Ki")],
  });
  expect(only(snapshot)).toMatchObject({
    id: "memory-near-limit",
    problem: "container main has 483 MiB of 512 MiB",
  });
  expect(checkCluster({ ...snapshot, podMetrics: [usage("300000Ki")] })).toEqual([]);
});

test("what may not be read is told, not passed over", () => {
  const refused = ['nodes is forbidden: User "dev" cannot list resource "nodes" at the cluster scope'];
  expect(only(clusterWith({ refused }))).toMatchObject({ id: "cluster-not-readable", severity: "warning" });
});

test("a gateway that looks for the model server in its own pod is told of the Service that has it", () => {
  const snapshot = clusterWith({
    nodes: [kindNode()],
    workloads: [deploymentOf("gateway", { env: [{ name: "TF_SERVING_HOST", value: "localhost:8500" }] })],
    services: [
      serviceOf("tf-serving-clothing-model", { clusterIP: "None", selector: {}, ports: [{ port: 8500 }] }),
    ],
  });
  expect(only(snapshot).id).toBe("model-host-unknown");
  expect(commandsOf(snapshot)).toEqual([
    "kubectl --namespace=shop set env deployment/gateway --containers=main TF_SERVING_HOST=tf-serving-clothing-model:8500",
  ]);
});

test("a model tier in a namespace that was not looked at is not accused", () => {
  const env = [{ name: "TF_SERVING_HOST", value: "model-server.models.svc.cluster.local:8500" }];
  expect(idsOf(clusterWith({ workloads: [deploymentOf("gateway", { env })] }))).toEqual([]);
});

test.each([
  [
    '{"level":30,"msg":"starts"}\n{"level":60,"msg":"model server failed","err":{"message":"no version"}}\n',
    "model server failed: no version",
  ],
  ["starting\nError: listen EADDRINUSE\n    at Server.listen\nNode.js v20\n", "Error: listen EADDRINUSE"],
  ["one\ntwo\n", "two"],
  ["", ""],
])("the line of a log that says why it ends is found: %j", (log, line) => {
  expect(tellingLine(log)).toBe(line);
});

test.each([
  ["512Mi", 512 * 1024 * 1024],
  ["1.5Gi", 1.5 * 1024 ** 3],
  ["128974848", 128_974_848],
  ["500M", 5e8],
  ["64k", 64_000],
  ["1500m", 1.5],
  ["a lot", undefined],
  [undefined, undefined],
])("the quantity %s is %s bytes", (quantity, bytes) => {
  expect(bytesOf(quantity)).toBe(bytes);
});

test("what is left of pods that ended is not called a crash, and a Job that gave up is told", () => {
  const ended = (phase: string, ownerReferences: object[]) => {
    const pod = podIn("pictures", { terminated: { exitCode: phase === "Failed" ? 1 : 0 } });
    return {
      ...pod,
      metadata: { ...pod.metadata, ownerReferences },
      status: { ...pod.status, phase },
    } as typeof pod;
  };
  const owners = [{ kind: "Job", name: "pictures" }];
  const job = SCHEMAS.job.parse({
    metadata: { name: "pictures", namespace: "shop" },
    status: {
      failed: 7,
      conditions: [
        {
          type: "Failed",
          status: "True",
          reason: "BackoffLimitExceeded",
          message: "Job has reached the specified backoff limit",
        },
      ],
    },
  });
  const pods = [ended("Succeeded", owners), ended("Failed", owners)];
  expect(checkCluster(clusterWith({ pods }))).toEqual([]);
  expect(only(clusterWith({ pods, jobs: [job] })).problem).toBe(
    "it gave up after 7 failed pods: Job has reached the specified backoff limit",
  );
  expect(idsOf(clusterWith({ pods: [ended("Failed", [])] }))).toEqual(["crash-loop"]);
});

test("a namespace that is not there is told, not passed as healthy", () => {
  expect(only(clusterWith({ missingNamespaces: ["vitrin"] }))).toMatchObject({
    id: "namespace-missing",
    subject: "namespace/vitrin",
  });
});

describe("network policies", () => {
  const gateway = deploymentOf("gateway", { env: [{ name: "TF_SERVING_HOST", value: "model:8500" }] });
  const model = deploymentOf("model", { ports: [{ containerPort: 8500 }] });
  const policy = (app: string, spec: object) =>
    SCHEMAS.networkPolicy.parse({
      metadata: { name: `for-${app}`, namespace: "shop" },
      spec: { podSelector: { matchLabels: { app } }, ...spec },
    });
  const problemsOf = (...policies: ReturnType<typeof policy>[]) =>
    checkCluster(
      clusterWith({
        workloads: [gateway, model],
        services: [serviceOf("model", { clusterIP: "None", selector: {}, ports: [{ port: 8500 }] })],
        networkPolicies: policies,
      }),
    ).map(({ problem }) => problem);
  const egress = (...rules: object[]) => policy("gateway", { policyTypes: ["Egress"], egress: rules });
  const ingress = (...from: object[]) => policy("model", { policyTypes: ["Ingress"], ingress: [{ from }] });

  test("that let a gateway look up names and reach the model tier have no finding", () => {
    expect(problemsOf()).toEqual([]);
    expect(problemsOf(egress({ ports: [{ port: 53 }] }, { ports: [{ port: 8500 }] }))).toEqual([]);
    expect(problemsOf(egress({ ports: [{ port: 1, endPort: 9000 }] }))).toEqual([]);
    expect(problemsOf(egress({}))).toEqual([]);
    expect(problemsOf(ingress({ podSelector: { matchLabels: { app: "gateway" } } }))).toEqual([]);
    expect(problemsOf(ingress({ namespaceSelector: { matchLabels: {} } }))).toEqual([]);
  });

  test("that do not are told by what they leave out", () => {
    expect(problemsOf(egress({ ports: [{ port: 443 }] }))).toEqual([
      "no rule of for-gateway lets it reach port 53, so it cannot look up names",
      "no rule of for-gateway lets it reach the model tier's port 8500",
    ]);
    expect(problemsOf(egress())).toHaveLength(2);
    expect(problemsOf(ingress({ podSelector: { matchLabels: { app: "other" } } }))).toEqual([
      "no rule of for-model lets it reach model",
    ]);
  });
});
