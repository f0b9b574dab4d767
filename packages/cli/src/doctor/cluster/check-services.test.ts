import { describe, expect, test } from "vitest";
import { clusterWith, deploymentOf, NOW, ourDeploymentOf, podIn, serviceOf } from "../testing/hand-made.js";
import { checkCluster } from "./check-cluster.js";
import { SCHEMAS, type Workload } from "./objects.js";
import type { ClusterSnapshot } from "./snapshot.js";

const running = { running: { startedAt: new Date(NOW).toISOString() } };
const READY = SCHEMAS.endpointSlice.parse({
  metadata: { name: "web-1", namespace: "shop", labels: { "kubernetes.io/service-name": "web" } },
  endpoints: [{ conditions: { ready: true } }],
});

const findingsOf = (id: string, parts: Partial<ClusterSnapshot>) =>
  checkCluster(clusterWith(parts)).filter((one) => one.id === id);

describe("a Service's targetPort", () => {
  /** A Service on pods whose containers are given. */
  const wrongPorts = (targetPort: number | string, ...containers: object[]) => {
    const [first = {}] = containers;
    const pod = podIn("web", running, first);
    const others = containers
      .slice(1)
      .map((one) => ({ ...pod.spec.containers[0]!, name: "beside", image: "mesh/proxy:v1", ...one }));
    return findingsOf("service-wrong-port", {
      services: [serviceOf("web", { ports: [{ name: "http", port: 80, targetPort }] })],
      workloads: [deploymentOf("web", first)],
      pods: [{ ...pod, spec: { ...pod.spec, containers: [...pod.spec.containers, ...others] } }],
      endpointSlices: [READY],
    });
  };
  const http = { ports: [{ name: "http", containerPort: 9696 }] };
  const gateway = { image: "vitrine/gateway:dev", ...http };

  test("by a number is not wrong for want of a declaration, whatever a mesh declares beside", () => {
    expect(wrongPorts(8080, {}, { ports: [{ name: "http-envoy-prom", containerPort: 15090 }] })).toEqual([]);
    expect(wrongPorts(8080, http)).toEqual([]);
    expect(wrongPorts(8080, gateway, { ports: [{ containerPort: 15090 }] })).toEqual([]);
  });

  test("at which no program of Vitrine listens is mended, though the pods are ready by another port", () => {
    const [found] = wrongPorts(8080, gateway);
    expect(found?.problem).toBe(
      "its port 80 goes to 8080, which no container of its pods has; they have http (9696)",
    );
    expect(found?.mends[0]?.safe?.argv.at(-1)).toBe(
      '--patch=[{"op":"replace","path":"/spec/ports/0/targetPort","value":9696}]',
    );
  });

  test.each([
    ["is set by a variable", { env: [{ name: "PORT", value: "8080" }] }],
    ["is set by a flag", { args: ["--port=8080"] }],
    ["comes from a ConfigMap", { envFrom: [{ configMapRef: { name: "settings" } }] }],
    ["comes from a key of a ConfigMap", { env: [{ name: "PORT" }] }],
    ["is a default of the scaler", { args: ["scaler"] }],
    ["comes from a file", { args: ["--config", "/etc/vitrine.yaml"] }],
    ["answers the readiness probe", { readinessProbe: { httpGet: { path: "/readyz", port: 8080 } } }],
  ])("that %s is not called wrong", (_, container) => {
    expect(wrongPorts(8080, { ...gateway, ...container })).toEqual([]);
  });

  test("by a name that no container has is wrong, and mended on Vitrine's pods alone", () => {
    expect(wrongPorts("htpp", gateway)[0]?.mends[0]?.safe?.undo).toContain('"value":"htpp"');
    const [theirs] = wrongPorts("htpp", http);
    expect(theirs?.mends[0]?.command).toContain('"value":9696');
    expect(theirs?.mends[0]?.safe).toBeUndefined();
    expect(wrongPorts("http", http)).toEqual([]);
    expect(wrongPorts("http", {})[0]?.problem).toMatch(/they declare none$/);
  });

  test("is not mended to a port of metrics", () => {
    const admin = { name: "metrics", containerPort: 9697 };
    expect(wrongPorts("htpp", { ...gateway, ports: [admin] })[0]?.mends[0]?.command).toContain(
      "edit service",
    );
  });
});

describe("a Service that selects nothing", () => {
  const mendOf = (name: string, selector: object, ...workloads: Workload[]) => {
    const service = serviceOf(name, { selector, ports: [{ port: 80, targetPort: 9696 }] });
    const found = findingsOf("service-selects-nothing", { services: [service], workloads });
    expect(found).toHaveLength(1);
    return found[0]!.mends[0];
  };
  const http = { ports: [{ containerPort: 9696 }] };

  test("by a misspelt value gets that of the Deployment of its name", () => {
    const found = mendOf("gateway", { app: "getaway" }, ourDeploymentOf("gateway", http));
    expect(found?.safe?.argv.at(-1)).toBe(
      '--patch=[{"op":"replace","path":"/spec/selector","value":{"app":"gateway"}}]',
    );
    expect(found?.safe?.undo).toContain('{"app":"getaway"}');
  });

  test("is not sent by --fix to the only Deployment that has the port", () => {
    const found = mendOf("canary", { app: "canary" }, ourDeploymentOf("billing", http));
    expect(found).toMatchObject({ does: "send to the pods of billing, if it was meant for them" });
    expect(found?.safe).toBeUndefined();
  });

  test("is left to the user on what is not Vitrine's", () => {
    expect(mendOf("web", { app: "wbe" }, deploymentOf("web", http))?.safe).toBeUndefined();
  });

  test("by a label that a controller adds is left to it", () => {
    const selector = { app: "gateway", "rollouts-pod-template-hash": "687d76d795" };
    const found = mendOf("gateway", selector, ourDeploymentOf("gateway", http));
    expect(found?.safe).toBeUndefined();
    expect(found?.command).toContain('"value":{"app":"gateway"}');
  });

  test("is not spelt so that it takes in the pods of others", () => {
    const labels = { app: "gateway", team: "photos" };
    const inTeam = (name: string) => {
      const workload = ourDeploymentOf(name, http);
      const template = { ...workload.spec.template, metadata: { labels: { ...labels, app: name } } };
      return { ...workload, spec: { ...workload.spec, template } };
    };
    const found = mendOf("gateway", { team: "photo" }, inTeam("gateway"), inTeam("billing"));
    expect(found?.safe).toBeUndefined();
    expect(mendOf("gateway", { team: "photo" }, inTeam("gateway"))?.safe).toBeDefined();
  });
});
