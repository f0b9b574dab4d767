/**
 * `vitrine doctor` on a cluster in which the faults were really made. With VITRINE_RECORD=FOLDER the cluster's answers
 * are written there, for the tests that replay them.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { createAccess } from "@vitrine/cli/doctor/cluster/access";
import { examineCluster } from "@vitrine/cli/doctor/cluster/examine-cluster";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { checkCluster } from "../../packages/cli/src/doctor/cluster/check-cluster.js";
import { apiServiceSchema, ofKind, SCHEMAS } from "../../packages/cli/src/doctor/cluster/objects.js";
import { cloudNode, clusterWith } from "../../packages/cli/src/doctor/testing/hand-made.js";
import { recordingAccess, writeRecording } from "../../packages/cli/src/doctor/testing/recorded-access.js";
import { kubectl, loadImages, ROOT, tryKubectl, waitForAll, waitForLine } from "./cluster.js";
import {
  distrustfulMetricsServer,
  FAULTS,
  FOREIGN_IMAGE,
  REFUSED,
  UNLOADED_IMAGE,
} from "./doctor/make-faults.js";

const run = promisify(execFile);

const NAMESPACE = "doctor-faults";
const REFUSING = "doctor-refused";
const METRICS = "doctor-metrics";

interface Report {
  readonly faults: number;
  readonly warnings: number;
  readonly findings: readonly {
    readonly id: string;
    readonly severity: string;
    readonly subject: string;
    readonly problem: string;
    readonly mends: readonly { readonly command: string | null; readonly safe: boolean }[];
  }[];
}

async function doctor(...args: string[]): Promise<{ code: number; report: Report; talk: string }> {
  const program = path.join(ROOT, "packages/cli/bin/vitrine.js");
  const child = spawn(process.execPath, [program, "doctor", "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, talk] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (talk += chunk));
  const code = await new Promise<number>((resolve) => child.once("close", resolve));
  if (stdout === "") throw new Error(`doctor ended with ${code}: ${talk}`);
  return { code, report: JSON.parse(stdout), talk };
}

/** What was found, as `id subject`. */
function said(report: Report): string[] {
  return report.findings.map(({ id, subject }) => `${id} ${subject}`);
}

async function apply(namespace: string | undefined, items: readonly unknown[]): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-doctor-"));
  try {
    const file = path.join(folder, "objects.json");
    await writeFile(file, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
    await kubectl(
      "apply",
      ...(namespace === undefined ? [] : [`--namespace=${namespace}`]),
      `--filename=${file}`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A program of another processor: the header of an ELF file for RISC-V, which no node here is. */
async function buildForeignImage(): Promise<void> {
  const elf = Buffer.alloc(120);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(elf);
  elf.writeUInt16LE(2, 16);
  elf.writeUInt16LE(243, 18);
  elf.writeUInt32LE(1, 20);
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-doctor-"));
  try {
    await writeFile(path.join(folder, "program"), elf, { mode: 0o755 });
    await writeFile(
      path.join(folder, "Dockerfile"),
      'FROM scratch\nCOPY program /program\nCMD ["/program"]\n',
    );
    await run("docker", ["build", "--quiet", "--tag", FOREIGN_IMAGE, folder]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function waitForPod(app: string, jsonpath: string): Promise<void> {
  return waitForAll(NAMESPACE, ["pod", `--selector=app=${app}`], `jsonpath={.status${jsonpath}`);
}

const MAIN = ".containerStatuses[0]";

/** Until the newest pod of the gateway with three labels has noticed that the model has ten. */
async function waitForMismatch(): Promise<void> {
  const gateway = ["deployment/three-labels", `--namespace=${NAMESPACE}`];
  const generation = await kubectl("get", ...gateway, "--output=jsonpath={.metadata.generation}");
  await kubectl("wait", ...gateway, `--for=jsonpath={.status.observedGeneration}=${generation}`);
  const { items }: { items: ReplicaSetJson[] } = JSON.parse(
    await kubectl(
      "get",
      "replicasets",
      `--namespace=${NAMESPACE}`,
      "--selector=app=three-labels",
      "--output=json",
    ),
  );
  const revisionOf = ({ metadata }: ReplicaSetJson) =>
    Number(metadata.annotations["deployment.kubernetes.io/revision"]);
  const [newest] = items.sort((a, b) => revisionOf(b) - revisionOf(a));
  const pods = `--selector=app=three-labels,pod-template-hash=${newest?.metadata.labels["pod-template-hash"]}`;
  await waitForAll(NAMESPACE, ["pod", pods], `jsonpath={.status${MAIN}.state.running.startedAt}`);
  await waitForLine(
    ["logs", `--namespace=${NAMESPACE}`, pods, "--tail=-1", "--follow"],
    (line) => line.includes("contract had 3 labels"),
    240_000,
  );
}

interface ReplicaSetJson {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
}

beforeAll(async () => {
  await remove();
  await buildForeignImage();
  await loadImages(FOREIGN_IMAGE);
  await run("docker", ["tag", "vitrine/gateway:dev", UNLOADED_IMAGE]);
  for (const namespace of [NAMESPACE, REFUSING, METRICS]) await kubectl("create", "namespace", namespace);
  await kubectl("label", "namespace", REFUSING, "pod-security.kubernetes.io/enforce=restricted");
  await apply(NAMESPACE, FAULTS);
  await apply(REFUSING, REFUSED);
  await Promise.all([
    waitForPod("unloaded", `${MAIN}.state.waiting.reason}=ImagePullBackOff`),
    waitForPod("foreign", `${MAIN}.lastState.terminated.reason}`),
    waitForPod("greedy", `${MAIN}.lastState.terminated.reason}=OOMKilled`),
    waitForPod("crashing", `${MAIN}.lastState.terminated.exitCode}=3`),
    waitForPod("without-config", `${MAIN}.state.waiting.reason}=CreateContainerConfigError`),
    waitForPod("too-big", '.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable'),
    waitForPod("needs-gpu", '.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable'),
    waitForMismatch(),
    waitForPod("guarded", `${MAIN}.ready}=true`),
    kubectl("rollout", `--namespace=${NAMESPACE}`, "status", "deployment/model", "--timeout=240s"),
    kubectl(
      "wait",
      `--namespace=${NAMESPACE}`,
      "poddisruptionbudget/guarded",
      "--for=jsonpath={.status.currentHealthy}=1",
      "--timeout=240s",
    ),
    kubectl(
      "wait",
      `--namespace=${REFUSING}`,
      "deployment/privileged",
      "--for=condition=ReplicaFailure",
      "--timeout=240s",
    ),
  ]);
});

afterAll(async () => {
  await remove("--wait=false");
  await run("docker", ["rmi", UNLOADED_IMAGE, FOREIGN_IMAGE]);
});

async function remove(...flags: string[]): Promise<void> {
  await tryKubectl("delete", "clusterrole,clusterrolebinding", METRICS, "--ignore-not-found");
  await tryKubectl("delete", "rolebinding", METRICS, "--namespace=kube-system", "--ignore-not-found");
  await tryKubectl("delete", "namespace", NAMESPACE, REFUSING, METRICS, "--ignore-not-found", ...flags);
}

async function record(name: string, ...namespaces: string[]): Promise<void> {
  const folder = process.env.VITRINE_RECORD;
  if (folder === undefined) return;
  const { access, recording } = recordingAccess(
    createAccess({
      program: "kubectl",
      kubeconfig: undefined,
      context: undefined,
      environment: process.env,
      timeoutMs: 10_000,
      signal: AbortSignal.timeout(60_000),
    }),
  );
  await examineCluster(access, {
    namespaces,
    context: undefined,
    kubectl: ["kubectl"],
    loadImage: ["load-image"],
    modelBytes: undefined,
    isAsked: true,
  });
  await writeRecording(path.join(folder, `${name}.json`), recording);
}

test("every fault that was made is found, and no other", async () => {
  await record("faults", NAMESPACE, REFUSING);
  const { code, report } = await doctor(`--namespace=${NAMESPACE},${REFUSING}`);
  const found = said(report).filter((line) => !line.startsWith("kubernetes-version"));
  const named = (kind: string, name: string) => `${kind}/${name} in ${NAMESPACE}`;
  expect(new Set(found)).toEqual(
    new Set([
      `contract-mismatch ${named("deployment", "three-labels")}`,
      `model-host-unknown ${named("deployment", "lost-gateway")}`,
      `image-not-on-node ${named("deployment", "unloaded")}`,
      `wrong-architecture ${named("deployment", "foreign")}`,
      `container-not-created ${named("deployment", "without-config")}`,
      `pod-refused deployment/privileged in ${REFUSING}`,
      `gpu-missing ${named("deployment", "needs-gpu")}`,
      `pod-unschedulable ${named("deployment", "too-big")}`,
      `out-of-memory ${named("deployment", "greedy")}`,
      `crash-loop ${named("deployment", "crashing")}`,
      `service-selects-nothing ${named("service", "wrong-label")}`,
      `service-wrong-port ${named("service", "wrong-port")}`,
      `service-without-endpoints ${named("service", "scaled-down")}`,
      `ingress-without-service ${named("ingress", "lost")}`,
      `autoscaler-target-missing ${named("hpa", "without-target")}`,
      `autoscaler-without-requests ${named("hpa", "without-requests")}`,
      `image-tag-latest ${named("deployment", "latest")}`,
      `probe-missing ${named("deployment", "scaled-down")}`,
      `probe-missing ${named("deployment", "wrong-port")}`,
      `grace-too-short ${named("deployment", "three-labels")}`,
      `model-service-not-headless ${named("deployment", "three-labels")}`,
      `disruption-budget-blocks ${named("poddisruptionbudget", "guarded")}`,
      `network-policy-blocks ${named("deployment", "three-labels")}`,
    ]),
  );
  expect(code).toBe(1);
  const mismatch = report.findings.find(({ id }) => id === "contract-mismatch");
  expect(mismatch?.problem).toBe('contract had 3 labels, expected 10, the width of output "logits"');
  const crash = report.findings.find(({ id }) => id === "crash-loop");
  expect(crash?.problem).toMatch(/ends with 3: Error: \/models\/clothing-model holds no version$/);
});

test("the model's size tells that a limit is too low", async () => {
  const model = path.join(ROOT, "models/clothing-model/1");
  const { report } = await doctor(`--namespace=${NAMESPACE}`, `--model=${model}`);
  expect(said(report)).toContain(`memory-limit-below-model deployment/model in ${NAMESPACE}`);
});

test("--fix mends what can be mended safely, and what it mended is found no more", async () => {
  const { talk } = await doctor(`--namespace=${NAMESPACE}`, "--fix", "--yes");
  expect(talk).not.toContain("failed");
  expect(talk).toContain("to take it back: kubectl --namespace=doctor-faults rollout undo deployment/greedy");
  await kubectl(
    "wait",
    `--namespace=${NAMESPACE}`,
    "deployment/unloaded",
    "--for=condition=Available",
    "--timeout=240s",
  );
  // Its labels are wrong still: it is never ready.
  await waitForMismatch();
  const { report } = await doctor(`--namespace=${NAMESPACE}`);
  const left = said(report);
  for (const mended of [
    "image-not-on-node deployment/unloaded",
    "model-host-unknown deployment/lost-gateway",
    "service-selects-nothing service/wrong-label",
    "service-wrong-port service/wrong-port",
    "autoscaler-without-requests hpa/without-requests",
    "grace-too-short deployment/three-labels",
    "model-service-not-headless deployment/three-labels",
    "disruption-budget-blocks poddisruptionbudget/guarded",
  ]) {
    expect(left).not.toContain(`${mended} in ${NAMESPACE}`);
  }
  expect(left).toContain(`contract-mismatch deployment/three-labels in ${NAMESPACE}`);
});

test("a metrics-server that does not trust the kubelets is found by its log", async () => {
  const server = new URL(
    await kubectl("config", "view", "--minify", "--output=jsonpath={.clusters[0].cluster.server}"),
  );
  const own = JSON.parse(
    await kubectl("get", "deployment", "metrics-server", "--namespace=kube-system", "--output=json"),
  );
  const [container] = own.spec.template.spec.containers;
  const args = container.args?.filter((word: string) => word !== "--kubelet-insecure-tls");
  const certificate = await certificateOf(server);
  await apply(undefined, distrustfulMetricsServer(METRICS, { ...container, args }, certificate));
  await waitForLog("x509");
  await record("metrics-server-tls", METRICS);
  const { code, report } = await doctor(`--namespace=${METRICS}`);
  expect(code).toBe(1);
  const found = report.findings.find(({ id }) => id === "metrics-server-tls");
  expect(found?.subject).toMatch(/^pod\/metrics-server-.* in doctor-metrics$/);
  expect(found?.mends.map(({ command }) => command).join()).toContain("--kubelet-insecure-tls");
});

test.each(["kind", "production", "eks", "eks-gpu", "gpu", "tensorflow-serving"])(
  "the overlay %s that is shipped has no finding but that it was not applied",
  async (overlay) => {
    const text = await kubectl("kustomize", `deploy/k8s/overlays/${overlay}`);
    const items = parseAllDocuments(text).map((document): unknown => document.toJS());
    const api = apiServiceSchema.parse({ status: { conditions: [{ type: "Available", status: "True" }] } });
    const findings = checkCluster(
      clusterWith({
        nodes: [cloudNode()],
        namespaces: ["vitrine"],
        metrics: { api, pods: [] },
        workloads: ofKind(items, "Deployment", SCHEMAS.workload),
        services: ofKind(items, "Service", SCHEMAS.service),
        autoscalers: ofKind(items, "HorizontalPodAutoscaler", SCHEMAS.autoscaler),
        disruptionBudgets: ofKind(items, "PodDisruptionBudget", SCHEMAS.disruptionBudget),
        networkPolicies: ofKind(items, "NetworkPolicy", SCHEMAS.networkPolicy),
        ingresses: ofKind(items, "Ingress", SCHEMAS.ingress),
      }),
      (await stat(path.join(ROOT, "models/clothing-model/1/model.onnx"))).size,
    );
    expect(new Set(findings.map(({ id }) => id))).toEqual(new Set(["service-without-endpoints"]));
  },
);

/** That a server shows, as PEM. */
async function certificateOf({ hostname, port }: URL): Promise<string> {
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  try {
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const base64 = socket
      .getPeerCertificate()
      .raw.toString("base64")
      .replace(/(.{64})/g, "$1\n");
    return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  } finally {
    socket.destroy();
  }
}

/** Follows metrics-server's log until a line has the text. */
async function waitForLog(text: string): Promise<void> {
  const isRunning = "jsonpath={.status.containerStatuses[0].state.running.startedAt}";
  await waitForAll(METRICS, ["pod", "--selector=k8s-app=metrics-server"], isRunning);
  await waitForLine(
    ["logs", `--namespace=${METRICS}`, "deployment/metrics-server", "--follow"],
    (line) => line.includes(text),
    240_000,
  );
}
