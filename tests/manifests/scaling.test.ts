/** The two ways to scale on requests in flight say the same, and whom the network policies let through is there. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const DEPLOY = path.resolve(import.meta.dirname, "../../deploy/k8s");
const read = (name: string): string => readFileSync(path.join(DEPLOY, name), "utf8");
const kindIn = (name: string, kind: string) =>
  parseAllDocuments(read(name))
    .map((document) => document.toJS())
    .find((document) => document.kind === kind);

const autoscaler = kindIn("base/model-server-scaling.yaml", "HorizontalPodAutoscaler");
const scaledObject = kindIn("components/keda/scaled-object.yaml", "ScaledObject");
const inFlight = parse(parse(read("components/scale-on-waiting/kustomization.yaml")).patches[0].patch)[0]
  .value.external;

describe("the ScaledObject", () => {
  const { spec } = scaledObject;
  const [cpu, external] = spec.triggers;

  it("takes over the autoscaler of overlays without KEDA, which KEDA refuses to have beside its own", () => {
    expect(scaledObject.metadata.annotations).toEqual({
      "scaledobject.keda.sh/transfer-hpa-ownership": "true",
    });
    expect(spec.advanced.horizontalPodAutoscalerConfig.name).toBe(autoscaler.metadata.name);
  });

  it("scales between the same numbers, at the same pace, on the same CPU", () => {
    expect([spec.minReplicaCount, spec.maxReplicaCount]).toEqual([
      autoscaler.spec.minReplicas,
      autoscaler.spec.maxReplicas,
    ]);
    expect(spec.advanced.horizontalPodAutoscalerConfig.behavior).toEqual(autoscaler.spec.behavior);
    expect(Number(cpu.metadata.value)).toBe(autoscaler.spec.metrics[0].resource.target.averageUtilization);
  });

  it("asks for the same gauge of the same pods as without KEDA, with the same target", () => {
    const { service, port, metric, targetValue } = external.metadata;
    expect({ service, port }).toEqual(inFlight.metric.selector.matchLabels);
    expect(metric).toBe(inFlight.metric.name);
    expect(targetValue).toBe(inFlight.target.averageValue);
  });

  it("asks where the scaler listens", () => {
    const { metadata, spec } = kindIn("components/scaler/scaler.yaml", "Service");
    const { port } = spec.ports.find(({ name }: { name: string }) => name === "grpc");
    expect(external.metadata.scalerAddress).toBe(`${metadata.name}.vitrine.svc:${port}`);
  });

  it("finds the scaler ready once its port for KEDA is open, whether the API server is known or not", () => {
    const { patches } = parse(read("components/keda/kustomization.yaml"));
    const { patch } = patches.find(({ target }: { target: { name: string } }) => target.name === "scaler");
    const [probe] = kindIn("components/scaler/scaler.yaml", "Deployment").spec.template.spec.containers;
    expect(probe.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "admin" });
    expect(parse(patch)).toEqual([
      {
        op: "replace",
        path: "/spec/template/spec/containers/0/readinessProbe/httpGet/path",
        value: "/livez",
      },
    ]);
  });

  it("takes no model server away while the scaler says nothing", () => {
    expect(spec.fallback.behavior).toBe("currentReplicasIfHigher");
    expect(spec.fallback.replicas).toBeGreaterThanOrEqual(spec.minReplicaCount);
  });
});

it("the scaler runs the image that the overlay's gateways have, whatever its registry and tag", () => {
  const [{ source, targets }] = parse(read("components/scaler/kustomization.yaml")).replacements;
  const gateway = kindIn("base/gateway.yaml", "Deployment");
  const scaler = kindIn("components/scaler/scaler.yaml", "Deployment");
  const field = (container: string) => `spec.template.spec.containers.[name=${container}].image`;
  expect(source).toEqual({
    kind: "Deployment",
    name: gateway.metadata.name,
    fieldPath: field(gateway.spec.template.spec.containers[0].name),
  });
  expect(targets).toEqual([
    {
      select: { kind: "Deployment", name: scaler.metadata.name },
      fieldPaths: [field(scaler.spec.template.spec.containers[0].name)],
    },
  ]);
});

it.each(["keda", "scale-on-waiting"])("two namespaces have rights of their own in overlay %s", (overlay) => {
  const role = kindIn("components/scaler/access.yaml", "ClusterRole");
  const binding = kindIn("components/scaler/access.yaml", "ClusterRoleBinding");
  const [account] = binding.subjects;
  expect(binding.roleRef.name).toBe(role.metadata.name);
  const { replacements } = parse(read(`overlays/${overlay}/kustomization.yaml`));
  const options = { delimiter: ":", index: 1 };
  expect(replacements).toContainEqual({
    source: { kind: account.kind, name: account.name, fieldPath: "metadata.namespace" },
    targets: [
      { select: { kind: role.kind, name: role.metadata.name }, fieldPaths: ["metadata.name"], options },
      {
        select: { kind: binding.kind, name: binding.metadata.name },
        fieldPaths: ["metadata.name", "roleRef.name"],
        options,
      },
    ],
  });
});

it("a model server without the port that the scaler asks, TensorFlow Serving's, lets neither component render", () => {
  const [, { source, targets }] = parse(read("components/scaler/kustomization.yaml")).replacements;
  const modelServer = kindIn("base/model-server.yaml", "Deployment");
  const [container] = modelServer.spec.template.spec.containers;
  const policy = parseAllDocuments(read("components/scaler/network-policies.yaml"))[1]?.toJS();
  const asked = policy.spec.ingress[0].ports[0].port;
  expect(source).toEqual({
    kind: "Deployment",
    name: modelServer.metadata.name,
    fieldPath: `spec.template.spec.containers.[name=${container.name}].ports.[name=${asked}].name`,
  });
  expect(targets).toEqual([
    {
      select: { kind: "NetworkPolicy", name: policy.metadata.name },
      fieldPaths: ["spec.ingress.0.ports.0.port"],
    },
  ]);
  const named = (ports: readonly { readonly name?: string }[]) => ports.map(({ name }) => name);
  expect(named(container.ports)).toContain(asked);
  const other = kindIn("overlays/tensorflow-serving/model-server.yaml", "Deployment");
  const { ports } = other.spec.template.spec.containers[0];
  expect(ports).toContainEqual({ $patch: "replace" });
  expect(named(ports)).not.toContain(asked);
});

it("the number of model servers with a GPU is left to the autoscaler, which has room only when a patch gives it", () => {
  const { patches } = parse(read("components/gpu/kustomization.yaml"));
  const patch = patches.find(
    ({ target }: { target?: { kind: string; name: string } }) =>
      target?.kind === "HorizontalPodAutoscaler" && target.name === "model-server",
  );
  expect(parse(patch.patch)).toEqual([
    { op: "replace", path: "/spec/maxReplicas", value: autoscaler.spec.minReplicas },
    // A component adds its own to a list that is there.
    { op: "replace", path: "/spec/metrics", value: [] },
  ]);
  expect(kindIn("components/gpu/model-server.yaml", "Deployment").spec).not.toHaveProperty("replicas");
});

describe("the network policies", () => {
  interface Rule {
    readonly from?: readonly { readonly podSelector?: { readonly matchLabels: Record<string, string> } }[];
    readonly to?: Rule["from"];
    readonly ports?: readonly { readonly port: string | number }[];
  }
  const documents = readdirSync(DEPLOY, { recursive: true, encoding: "utf8" })
    .filter((file) => /^(base|components)\/.*\.yaml$/.test(file) && !file.endsWith("kustomization.yaml"))
    .flatMap((file) => parseAllDocuments(read(file)).map((document) => document.toJS()));
  const ports = new Map(
    documents
      .filter(({ kind, spec }) => kind === "Deployment" && spec.selector !== undefined)
      .map(({ metadata, spec }): [string, { name: string; containerPort: number }[]] => [
        metadata.name,
        spec.template.spec.containers[0].ports,
      ]),
  );
  const policies = documents.filter(({ kind }) => kind === "NetworkPolicy");
  const named = (selector?: { matchLabels?: Record<string, string> }) =>
    selector?.matchLabels?.["app.kubernetes.io/name"];

  it.each(policies.map(({ metadata, spec }) => ({ name: metadata.name, spec })))(
    "$name opens ports that its pods have",
    ({ spec }) => {
      const rules: [string | undefined, Rule][] = [
        ...(spec.ingress ?? []).map((rule: Rule) => [named(spec.podSelector), rule]),
        ...(spec.egress ?? []).flatMap((rule: Rule) =>
          (rule.to ?? []).map((peer) => [named(peer.podSelector), rule]),
        ),
      ];
      for (const [owner, rule] of rules) {
        const there = ports.get(owner ?? "");
        if (owner === undefined) continue;
        expect([owner, there]).not.toEqual([owner, undefined]);
        for (const { port } of rule.ports ?? []) {
          const known = there?.flatMap(({ name, containerPort }) => [name, containerPort]);
          expect(known, `${owner} and port ${port}`).toContain(port);
        }
      }
    },
  );

  it("let the scaler out to any address on the API server's ports alone, by the rule that docs/kubernetes.md narrows", () => {
    const { egress } = policies.find(({ metadata }) => metadata.name === "scaler").spec;
    const text = readFileSync(path.join(DEPLOY, "../../docs/kubernetes.md"), "utf8");
    const narrowed = Number(/path: \/spec\/egress\/(\d+)\/to$/m.exec(text)?.[1]);
    expect(egress.flatMap((rule: Rule, index: number) => (rule.to === undefined ? [index] : []))).toEqual([
      narrowed,
    ]);
    expect(egress[narrowed].ports).toEqual([{ port: 443 }, { port: 6443 }]);
  });

  it("shut every pod of the namespace first", () => {
    expect(policies.map(({ spec }) => spec)).toContainEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
  });
});
