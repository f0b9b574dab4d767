/** What `--fix` may touch, check by check. */
import { describe, expect, test } from "vitest";
import {
  autoscalerOf,
  clusterWith,
  deploymentOf,
  kindNode,
  NOW,
  ourDeploymentOf,
  podIn,
  serviceOf,
} from "../testing/hand-made.js";
import { isOurs, templateMend } from "./changes.js";
import { checkCluster } from "./check-cluster.js";
import { apiServiceSchema, SCHEMAS, type Workload } from "./objects.js";
import type { ClusterSnapshot } from "./snapshot.js";

const PART_OF_VITRINE = { "app.kubernetes.io/part-of": "vitrine" };
const change = { verb: ["set", "env"], flags: ["A=b"] };
const undoOf = (workload: Workload) => templateMend(clusterWith({}), workload, "set it", change).safe?.undo;

describe("a workload is Vitrine's", () => {
  test("by its label, or when it runs nothing but images of Vitrine", () => {
    const theirs = deploymentOf("web");
    expect(isOurs(theirs)).toBe(false);
    expect(isOurs(ourDeploymentOf("gateway"))).toBe(true);
    expect(isOurs({ ...theirs, metadata: { ...theirs.metadata, labels: PART_OF_VITRINE } })).toBe(true);
    const { template } = theirs.spec;
    const labelled = { ...template, metadata: { labels: PART_OF_VITRINE } };
    expect(isOurs({ ...theirs, spec: { ...theirs.spec, template: labelled } })).toBe(true);
  });

  test("not when its label calls it a part of something else, whatever it runs", () => {
    const ours = ourDeploymentOf("gateway");
    const labels = { "app.kubernetes.io/part-of": "shop" };
    expect(isOurs({ ...ours, metadata: { ...ours.metadata, labels } })).toBe(false);
  });

  test("not with somebody's container beside, and not when an operator owns it", () => {
    const ours = ourDeploymentOf("gateway");
    const containers = [
      ...ours.spec.template.spec.containers,
      ...deploymentOf("web").spec.template.spec.containers,
    ];
    const template = { ...ours.spec.template, spec: { ...ours.spec.template.spec, containers } };
    expect(isOurs({ ...ours, spec: { ...ours.spec, template } })).toBe(false);
    const ownerReferences = [{ kind: "InferenceService", name: "birds" }];
    expect(isOurs({ ...ours, metadata: { ...ours.metadata, ownerReferences } })).toBe(false);
  });
});

describe("a change of a pod template", () => {
  const ours = ourDeploymentOf("gateway");

  test("goes back to the revision that was there before it", () => {
    expect(undoOf(ours)).toBe("kubectl --namespace=shop rollout undo deployment/gateway --to-revision=3");
  });

  test.each<[string, Workload]>([
    ["is somebody else's", { ...ours, spec: deploymentOf("web").spec }],
    ["is no Deployment", { ...ours, kind: "StatefulSet" }],
    ["tells no revision", { ...ours, metadata: { ...ours.metadata, annotations: {} } }],
    ["forgets its revisions", { ...ours, spec: { ...ours.spec, revisionHistoryLimit: 1 } }],
    ["is paused, which cannot be rolled back", { ...ours, spec: { ...ours.spec, paused: true } }],
  ])("is left to the user where the workload %s", (_, workload) => {
    expect(undoOf(workload)).toBeUndefined();
    const kind = workload.kind.toLowerCase();
    expect(templateMend(clusterWith({}), workload, "set it", change).command).toBe(
      `kubectl --namespace=shop set env ${kind}/gateway A=b`,
    );
  });
});

const safeOf = (snapshot: ClusterSnapshot) =>
  checkCluster(snapshot).map(({ id, mends }) => [id, mends.map(({ safe }) => safe !== undefined)] as const);

/** The same faults, about a Deployment that is given. */
const FAULTY: Readonly<Record<string, (workload: Workload) => Partial<ClusterSnapshot>>> = {
  "image-not-on-node": (workload) => ({
    workloads: [workload],
    pods: [
      podIn(
        "web",
        { waiting: { reason: "ImagePullBackOff", message: "no such host" } },
        { imagePullPolicy: "Always" },
      ),
    ],
  }),
  "memory-near-limit": (workload) => ({
    workloads: [workload],
    pods: [podIn("web", { running: {} }, { resources: { limits: { memory: "100Mi" } } })].map((pod) => ({
      ...pod,
      status: { ...pod.status, containerStatuses: [] },
    })),
    podMetrics: [
      SCHEMAS.podMetrics.parse({
        metadata: { name: "web", namespace: "shop" },
        containers: [{ name: "main", usage: { memory: "95Mi" } }],
      }),
    ],
  }),
  "disruption-budget-blocks": (workload) => ({
    workloads: [workload],
    disruptionBudgets: [
      SCHEMAS.disruptionBudget.parse({
        metadata: { name: "web", namespace: "shop" },
        spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
        status: { disruptionsAllowed: 0, currentHealthy: 1, expectedPods: 1 },
      }),
    ],
  }),
  "autoscaler-without-requests": (workload) => ({
    workloads: [workload],
    autoscalers: [autoscalerOf("web", { type: "ScalingActive", status: "True" })],
    metrics: {
      api: apiServiceSchema.parse({ status: { conditions: [{ type: "Available", status: "True" }] } }),
      pods: [],
    },
  }),
  "service-wrong-port": (workload) => ({
    workloads: [workload],
    services: [serviceOf("web", { ports: [{ port: 80, targetPort: "htpp" }] })],
    pods: [
      podIn(
        "web",
        { running: { startedAt: new Date(NOW).toISOString() } },
        workload.spec.template.spec.containers[0],
      ),
    ],
    endpointSlices: [],
  }),
};

test.each(Object.entries(FAULTY))("%s is mended by --fix on a Deployment of Vitrine alone", (id, faultOf) => {
  const container = { ports: [{ name: "http", containerPort: 9696 }] };
  const probed = { ...container, readinessProbe: { httpGet: { port: 9696 } }, resources: {} };
  const cluster = (workload: Workload) => clusterWith({ nodes: [kindNode()], ...faultOf(workload) });
  const ours = safeOf(cluster(ourDeploymentOf("web", probed)));
  const theirs = safeOf(cluster(deploymentOf("web", probed)));
  expect(ours.map(([found]) => found)).toContain(id);
  expect(theirs.map(([found]) => found)).toEqual(ours.map(([found]) => found));
  expect(ours.find(([found]) => found === id)?.[1].every(Boolean)).toBe(true);
  expect(theirs.flatMap(([, safe]) => safe).some(Boolean)).toBe(false);
});

describe("a gateway that finds no model server", () => {
  const env = [{ name: "TF_SERVING_HOST", value: "tf-serving:8500" }];
  const gateway = ourDeploymentOf("gateway", { env });
  const model = ourDeploymentOf("model", { image: "vitrine/birds:v1", ports: [{ containerPort: 8500 }] });
  const grpc = (name: string, more: object = {}) =>
    serviceOf(name, { clusterIP: "None", ports: [{ port: 8500 }], ...more });
  const mendsOf = (parts: Partial<ClusterSnapshot>) =>
    checkCluster(clusterWith(parts)).find(({ id }) => id === "model-host-unknown")?.mends ?? [];

  test("is pointed to the Service of the one model tier, by its headless one if it has two", () => {
    const services = [grpc("all", { clusterIP: "10.0.0.1", selector: { app: "model" } }), grpc("model")];
    const [found] = mendsOf({ workloads: [gateway, model], services });
    expect(found?.command).toMatch(/TF_SERVING_HOST=model:8500$/);
    expect(found?.safe?.undo).toMatch(/--to-revision=3$/);
  });

  test("is pointed nowhere while there are several model tiers", () => {
    const services = [grpc("model"), grpc("other")];
    expect(mendsOf({ workloads: [gateway, model], services })[0]).toMatchObject({
      command: expect.stringMatching(/TF_SERVING_HOST=SERVICE:8500$/),
    });
    expect(mendsOf({ workloads: [gateway, model], services })[0]?.safe).toBeUndefined();
  });

  test("is not pointed by --fix to another program that has the port", () => {
    const consul = deploymentOf("consul", { ports: [{ containerPort: 8500 }] });
    const [found] = mendsOf({ workloads: [gateway, consul], services: [grpc("consul")] });
    expect(found?.command).toMatch(/TF_SERVING_HOST=consul:8500$/);
    expect(found?.safe).toBeUndefined();
  });

  test("is not changed by --fix when it is somebody else's", () => {
    const theirs = deploymentOf("gateway", { env });
    const [found] = mendsOf({ workloads: [theirs, model], services: [grpc("model")] });
    expect(found?.command).toMatch(/TF_SERVING_HOST=model:8500$/);
    expect(found?.safe).toBeUndefined();
  });

  test("at one of several addresses keeps the others, and is changed by the user", () => {
    const two = [{ name: "TF_SERVING_HOST", value: "tf-serving:8500,other.models:8501" }];
    const services = [grpc("model")];
    const [found] = mendsOf({ workloads: [ourDeploymentOf("gateway", { env: two }), model], services });
    expect(found?.command).toMatch(/ TF_SERVING_HOST=model:8500,other.models:8501$/);
    expect(found?.safe).toBeUndefined();
  });

  test("at an address that the node puts together is left alone", () => {
    const composed = [{ name: "TF_SERVING_HOST", value: "$(MODEL_SERVER):8500" }];
    expect(mendsOf({ workloads: [ourDeploymentOf("gateway", { env: composed })] })).toEqual([]);
  });

  test("by a flag, which beats every variable, is changed where the flag stands", () => {
    const flagged = ourDeploymentOf("gateway", { args: ["--tf-serving-host=tf-serving:8500"] });
    const [found] = mendsOf({ workloads: [flagged, model], services: [grpc("model")] });
    expect(found?.does).toContain("--tf-serving-host=model:8500");
    expect(found?.command).toBe("kubectl --namespace=shop edit deployment/gateway");
    expect(found?.safe).toBeUndefined();
  });

  test("is left alone when a container beside it may be the model server, declared or not", () => {
    const local = ourDeploymentOf("gateway", { env: [{ name: "TF_SERVING_HOST", value: "localhost:8500" }] });
    const services = [grpc("model")];
    expect(mendsOf({ workloads: [local, model], services })).toHaveLength(1);
    const pod = local.spec.template.spec;
    const sidecar = { ...pod.containers[0]!, name: "model", env: [], image: "shop/model:v1" };
    for (const more of [
      { containers: [...pod.containers, sidecar] },
      { initContainers: [{ ...sidecar, restartPolicy: "Always" }] },
    ]) {
      const template = { ...local.spec.template, spec: { ...pod, ...more } };
      const workload = { ...local, spec: { ...local.spec, template } };
      expect(mendsOf({ workloads: [workload, model], services })).toEqual([]);
    }
  });
});
