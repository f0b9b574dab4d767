/** What the manifests say agrees with the code and with each other; tests/cluster applies them to a real cluster. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { PRICES } from "@vitrine/cli/bench/prices";
import { gatewayCommandSettings as gatewaySettings } from "@vitrine/cli/commands/gateway";
import {
  EKS_PRICE_PER_HOUR,
  KUBERNETES_VERSIONS,
  KUBERNETES_VERSIONS_AS_OF,
} from "@vitrine/cli/doctor/kubernetes-versions";
import { serveSettings } from "@vitrine/model-server/config";
import { readContract } from "@vitrine/protocol/contract";
import { envOf, resolveSettings, type Settings } from "@vitrine/runtime/settings";
import { describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";

const DEPLOY = path.resolve(import.meta.dirname, "../../deploy");
const OVERLAYS = path.join(DEPLOY, "k8s/overlays");

const envSchema = z.array(z.looseObject({ name: z.string().optional(), value: z.string().optional() }));

const containerSchema = z.looseObject({
  name: z.string(),
  image: z.string(),
  imagePullPolicy: z.string(),
  env: envSchema,
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })),
  resources: z.object({
    requests: z.object({ cpu: z.string(), memory: z.string() }),
    limits: z.object({ memory: z.string() }),
  }),
  securityContext: z.unknown(),
});

const deploymentSchema = z.looseObject({
  kind: z.literal("Deployment"),
  spec: z.looseObject({
    replicas: z.never().optional(),
    minReadySeconds: z.int(),
    template: z.looseObject({
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.int(),
        securityContext: z.unknown(),
        containers: z.tuple([containerSchema]),
      }),
    }),
  }),
});

const kindSchema = z.looseObject({ kind: z.string() });

function documentsOf(file: string): unknown[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    expect(document.errors, file).toEqual([]);
    return document.toJS();
  });
}

/** The Deployment of the base, before any overlay. */
function baseOf(tier: "gateway" | "model-server") {
  const documents = documentsOf(path.join(DEPLOY, `k8s/base/${tier}.yaml`));
  const { spec } = deploymentSchema.parse(
    documents.find((document) => kindSchema.parse(document).kind === "Deployment"),
  );
  const { spec: pod } = spec.template;
  const [container] = pod.containers;
  const env = Object.fromEntries(container.env.map(({ name = "", value }) => [name, value]));
  return { minReadySeconds: spec.minReadySeconds, pod, container, env };
}

const TIERS = [
  { tier: "gateway", settings: gatewaySettings },
  { tier: "model-server", settings: serveSettings },
] as const;

/** All variables that an overlay's patches give to containers. */
function variablesIn(value: unknown): { name: string; value: string | undefined }[] {
  if (Array.isArray(value)) return value.flatMap(variablesIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === "env"
      ? envSchema
          .parse(member)
          .filter(({ name }) => name !== undefined)
          .map((entry) => ({ name: entry.name ?? "", value: entry.value }))
      : variablesIn(member),
  );
}

function namesOf(settings: Settings): Set<string> {
  return new Set(Object.entries(settings).map(([key, entry]) => envOf(key, entry)));
}

function overlayFiles(): string[] {
  return [OVERLAYS, path.join(DEPLOY, "k8s/components")].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".yaml"))
      .map((file) => path.join(folder, file)),
  );
}

const seconds = (env: Readonly<Record<string, string | undefined>>, name: string) => Number(env[name]) / 1000;

describe.each(TIERS)("the $tier", ({ tier, settings }) => {
  const { pod, container, env, minReadySeconds } = baseOf(tier);

  it("is given settings that exist and values that they take", () => {
    expect(Object.keys(env).filter((name) => !namesOf(settings).has(name))).toEqual([]);
    expect(() => resolveSettings<Settings>(settings, { flags: {}, env })).not.toThrow();
  });

  it("has the time that its settings let it take before the cluster kills it", () => {
    const spare = 5;
    expect(pod.terminationGracePeriodSeconds).toBe(
      seconds(env, "DRAIN_WAIT_MS") + seconds(env, "DRAIN_GRACE_MS") + spare,
    );
    const { config } = resolveSettings(gatewaySettings, { flags: {}, env: {} });
    expect(seconds(env, "DRAIN_GRACE_MS")).toBeGreaterThan(config.timeoutMs / 1000);
  });

  it("listens where its ports say", () => {
    const { config } = resolveSettings<Settings>(settings, { flags: {}, env });
    const ports = new Map(container.ports.map(({ name, containerPort }) => [name, containerPort]));
    expect(ports.get("admin")).toBe(config.adminPort);
    expect(ports.get(tier === "gateway" ? "http" : "grpc")).toBe(config.port);
    if (tier === "model-server") expect(ports.get("rest")).toBe(config.restApiPort);
  });

  it("keeps to Pod Security restricted, and its root file system from being written", () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.imagePullPolicy).toBe("IfNotPresent");
  });

  it("counts a new pod only when those who call it had time to find it", () => {
    const resolveSeconds = seconds(baseOf("gateway").env, "RESOLVE_MS");
    const dnsSeconds = 5;
    expect(minReadySeconds).toBeGreaterThan(tier === "gateway" ? 0 : 1.2 * resolveSeconds + dnsSeconds);
  });

  it("is scaled between 2 and 10 by CPU of 50 %, and keeps all but one in a disruption", () => {
    const [scaler, budget] = documentsOf(path.join(DEPLOY, `k8s/base/${tier}-scaling.yaml`));
    expect(scaler).toMatchObject({
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      spec: {
        scaleTargetRef: { kind: "Deployment", name: tier },
        minReplicas: 2,
        maxReplicas: 10,
        metrics: [{ resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } }],
      },
    });
    expect(budget).toMatchObject({ kind: "PodDisruptionBudget", spec: { maxUnavailable: 1 } });
  });
});

describe("the overlays", () => {
  it("change only settings that exist", () => {
    const known = new Set([...namesOf(gatewaySettings), ...namesOf(serveSettings)]);
    const unknown = overlayFiles().flatMap((file) =>
      documentsOf(file)
        .flatMap((document) => [document, ...inlinePatches(document)])
        .flatMap(variablesIn)
        .filter(({ name }) => !known.has(name))
        .map(({ name }) => `${path.relative(OVERLAYS, file)}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it("name no image `latest`, and the product's own version for production", () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(path.resolve(DEPLOY, "../package.json"), "utf8")));
    const imagesSchema = z.looseObject({
      images: z.array(z.object({ name: z.string(), newName: z.string().optional(), newTag: z.string() })),
    });
    const { images } = imagesSchema.parse(
      parse(readFileSync(path.join(OVERLAYS, "production/kustomization.yaml"), "utf8")),
    );
    expect(images.map(({ newTag }) => newTag)).toEqual(images.map(() => version));
    for (const file of overlayFiles()) {
      expect(readFileSync(file, "utf8")).not.toMatch(/(newTag: |image: .*:)latest/);
    }
  });

  it("give the production gateway its longer wait, and the time for it", () => {
    const [document] = documentsOf(path.join(OVERLAYS, "production/kustomization.yaml"));
    const patch = inlinePatches(document)
      .map((text) => z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).parse(text))
      .find(({ metadata }) => metadata.name === "gateway");
    const { spec } = z
      .object({
        spec: z.object({
          template: z.object({ spec: z.looseObject({ terminationGracePeriodSeconds: z.int() }) }),
        }),
      })
      .parse(patch);
    const env = Object.fromEntries(variablesIn(patch).map(({ name, value }) => [name, value]));
    expect(spec.template.spec.terminationGracePeriodSeconds).toBe(
      seconds(env, "DRAIN_WAIT_MS") + seconds(baseOf("gateway").env, "DRAIN_GRACE_MS") + 5,
    );
  });

  it("bring a contract for the course's model that the gateway reads", async () => {
    const contract = await readContract(path.join(OVERLAYS, "tensorflow-serving/contract"));
    expect(contract?.labels).toHaveLength(10);
    expect(contract?.preprocessor).toMatchObject({ size: { width: 299, height: 299 }, resample: 0 });
  });
});

/** Patches that stand as texts in a kustomization. */
function inlinePatches(kustomization: unknown): unknown[] {
  const schema = z.looseObject({ patches: z.array(z.looseObject({ patch: z.string().optional() })) });
  const { data } = schema.safeParse(kustomization);
  return (data?.patches ?? []).flatMap(({ patch }) => (patch === undefined ? [] : [parse(patch)]));
}

describe("kind", () => {
  // The members of v1alpha4 that are used here, from kind's documentation; strict, so that a wrong name is found.
  const portSchema = z.strictObject({
    containerPort: z.int(),
    hostPort: z.int(),
    listenAddress: z.ipv4(),
  });
  const clusterSchema = z.strictObject({
    kind: z.literal("Cluster"),
    apiVersion: z.literal("kind.x-k8s.io/v1alpha4"),
    name: z.string(),
    nodes: z.array(
      z.strictObject({
        role: z.enum(["control-plane", "worker"]),
        labels: z.record(z.string(), z.string()),
        extraPortMappings: z.array(portSchema).optional(),
      }),
    ),
  });

  it("has two workers, and the gateway's NodePort on loopback", () => {
    const { nodes } = clusterSchema.parse(
      parse(readFileSync(path.join(DEPLOY, "kind/cluster.yaml"), "utf8")),
    );
    expect(nodes.filter(({ role }) => role === "worker")).toHaveLength(2);
    const ports = nodes.flatMap(({ extraPortMappings = [] }) => extraPortMappings);
    const [service] = documentsOf(path.join(OVERLAYS, "kind/gateway-service.yaml"));
    expect(service).toMatchObject({
      spec: { type: "NodePort", ports: [{ nodePort: ports[0]?.containerPort }] },
    });
    for (const { listenAddress } of ports) expect(listenAddress).toBe("127.0.0.1");
  });

  it("takes a pinned release of metrics-server with one more argument", () => {
    const kustomization = parse(
      readFileSync(path.join(DEPLOY, "kind/metrics-server/kustomization.yaml"), "utf8"),
    );
    expect(kustomization.resources).toEqual([
      expect.stringMatching(
        /^https:\/\/github\.com\/kubernetes-sigs\/metrics-server\/releases\/download\/v\d+\.\d+\.\d+\//,
      ),
    ]);
    expect(inlinePatches(kustomization)).toEqual([
      [expect.objectContaining({ op: "add", value: "--kubelet-insecure-tls" })],
    ]);
  });
});

describe("EKS", () => {
  // The members of eksctl's v1alpha5 that are used here, from its schema; strict, so that a wrong name is found.
  const nodeGroupSchema = z.strictObject({
    name: z.string(),
    instanceType: z.string(),
    amiFamily: z.enum(["AmazonLinux2023", "Bottlerocket"]),
    minSize: z.int(),
    desiredCapacity: z.int(),
    maxSize: z.int(),
    volumeSize: z.int(),
    privateNetworking: z.boolean(),
    disablePodIMDS: z.boolean(),
    labels: z.record(z.string(), z.string()),
    taints: z
      .array(
        z.strictObject({
          key: z.string(),
          value: z.string(),
          effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
        }),
      )
      .optional(),
  });
  const clusterSchema = z.strictObject({
    apiVersion: z.literal("eksctl.io/v1alpha5"),
    kind: z.literal("ClusterConfig"),
    metadata: z.strictObject({ name: z.string(), region: z.string(), version: z.string() }),
    upgradePolicy: z.strictObject({ supportType: z.enum(["STANDARD", "EXTENDED"]) }),
    iam: z.strictObject({ withOIDC: z.boolean() }),
    addons: z.array(z.strictObject({ name: z.string(), configurationValues: z.string().optional() })),
    managedNodeGroups: z.array(nodeGroupSchema),
  });
  const text = readFileSync(path.join(DEPLOY, "eks/cluster.yaml"), "utf8");
  const cluster = clusterSchema.parse(parse(text));

  it("runs a version in standard support, and does not slip into the dear one", () => {
    const entry = KUBERNETES_VERSIONS.find(({ minor }) => minor === cluster.metadata.version);
    expect(entry?.eks?.standardUntil.localeCompare(KUBERNETES_VERSIONS_AS_OF)).toBe(1);
    expect(text).toContain(`until ${entry?.eks?.standardUntil} (looked up ${KUBERNETES_VERSIONS_AS_OF})`);
    expect(cluster.upgradePolicy.supportType).toBe("STANDARD");
    const { standard, extended } = EKS_PRICE_PER_HOUR;
    expect(text).toContain(`${extended.toFixed(2)} $ an hour`);
    expect(text).toContain(`in place of ${standard.toFixed(2)} $`);
  });

  it("has GPUs where the component for them looks, and keeps all else off", () => {
    const gpu = cluster.managedNodeGroups.find(({ name }) => name === "gpu");
    const [patch] = documentsOf(path.join(DEPLOY, "k8s/components/gpu/model-server.yaml"));
    const { nodeSelector, tolerations } = z
      .object({
        spec: z.looseObject({
          template: z.looseObject({
            spec: z.looseObject({
              nodeSelector: z.record(z.string(), z.string()),
              tolerations: z.array(z.looseObject({ key: z.string(), effect: z.string() })),
            }),
          }),
        }),
      })
      .parse(patch).spec.template.spec;
    expect(gpu?.labels).toMatchObject(nodeSelector);
    for (const { key, effect } of gpu?.taints ?? []) {
      expect(tolerations).toContainEqual({ key, operator: "Exists", effect });
    }
    expect(gpu).toMatchObject({ minSize: 0, desiredCapacity: 0 });
  });

  it("costs what its documentation says", () => {
    const page = readFileSync(path.resolve(DEPLOY, "../docs/eks.md"), "utf8");
    const rows = [...page.matchAll(/^\|.*\|\s*([\d.]+(?: x [\d.]+)+)\s*\|\s*([\d.]+)\s*\|$/gm)].map(
      ([, sum = "", dollars]) => ({
        computed: sum.split(" x ").reduce((product, factor) => product * Number(factor), 1),
        written: Number(dollars),
      }),
    );
    expect(rows).toHaveLength(6);
    for (const { computed, written } of rows) expect(written).toBeCloseTo(computed, 1);
    const together = rows.reduce((total, { written }) => total + written, 0);
    expect(page).toContain(`**${together.toFixed(2)}**`);

    const cpu = cluster.managedNodeGroups.find(({ name }) => name === "cpu");
    expect(cpu?.instanceType).toBe("m5.xlarge");
    expect(cluster.metadata.region).toBe(PRICES.region);
    expect(page).toContain(`as known on ${PRICES.asOf}`);
    expect(page).toContain(`| ${PRICES.controlPlanePerHour.toFixed(2)} x 730 `);
    expect(page).toContain(`${cpu?.desiredCapacity} x ${PRICES.nodes["m5.xlarge"].perHour} x 730`);
    expect(page).toContain(`${cpu?.desiredCapacity} x ${cpu?.volumeSize} x `);
    expect(page).toContain(`${PRICES.loadBalancerPerUnit} for each GB-hour`);
    expect(page).toContain(`| ${PRICES.loadBalancerPerHour} x 730 `);
    expect(page).toContain(`${PRICES.natPerGigabyte} for each GB through it`);
  });

  it("has what autoscaling and network policies need", () => {
    const addons = new Map(
      cluster.addons.map(({ name, configurationValues }) => [name, configurationValues]),
    );
    expect([...addons.keys()]).toContain("metrics-server");
    expect(JSON.parse(addons.get("vpc-cni") ?? "{}")).toEqual({ enableNetworkPolicy: "true" });
  });
});

describe("the first service", () => {
  it("keeps to Pod Security restricted, as the user of its image", () => {
    const podSchema = z.looseObject({ securityContext: z.unknown(), containers: z.array(z.unknown()) });
    const deploymentOfPing = z.object({ spec: z.object({ template: z.object({ spec: podSchema }) }) });
    const [document] = documentsOf(path.join(DEPLOY, "ping/deployment.yaml"));
    const pod = deploymentOfPing.parse(document).spec.template.spec;
    const image = readFileSync(path.join(DEPLOY, "ping/Dockerfile"), "utf8");
    const user = Number(/^USER (\d+):\d+$/m.exec(image)?.[1]);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: user,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(pod.containers).toEqual([
      expect.objectContaining({ securityContext: baseOf("gateway").container.securityContext }),
    ]);
  });
});

describe("the documentation", () => {
  const page = (name: string) => readFileSync(path.resolve(DEPLOY, "../docs", `${name}.md`), "utf8");

  it.each(["kubernetes", "eks", "first-steps"])("of %s names files that exist", (name) => {
    const named = [...page(name).matchAll(/\bdeploy\/[\w./-]*\w/g)].map(([file]) => file);
    expect(named.length).toBeGreaterThan(0);
    expect(
      named.filter((file) => !file.includes("NAME") && !existsSync(path.resolve(DEPLOY, "..", file))),
    ).toEqual([]);
  });

  it("of the first steps names files to kubectl, not the folder, in which kubectl reads package.json", () => {
    const folders = [...page("first-steps").matchAll(/^ +kubectl .*-f deploy\/ping(?!\/\w+\.yaml).*/gm)];
    expect(folders).toEqual([]);
    expect(page("first-steps")).toContain(
      "kubectl delete -f deploy/ping/service.yaml -f deploy/ping/deployment.yaml",
    );
  });

  it.each(["kubernetes", "operations", "eks", "scaling"])("of %s reads the logs of every pod", (name) => {
    const commands = [...page(name).matchAll(/kubectl -n \S+ logs [^`|\n]*/g)].map(([command]) => command);
    for (const command of commands) {
      expect(command).toContain(" -l app.kubernetes.io/");
      expect(command).toContain(" --prefix --tail=-1");
      // kubectl follows five pods unless told otherwise, and the autoscaler may make ten.
      if (command.includes("--follow")) expect(command).toContain("--max-log-requests=10");
    }
  });

  it("names every overlay", () => {
    for (const overlay of readdirSync(OVERLAYS)) expect(page("kubernetes")).toContain(`\`${overlay}\``);
  });
});
