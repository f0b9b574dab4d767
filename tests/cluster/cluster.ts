/** The cluster that the tests run on: kubectl, and what differs from one kind of cluster to another, by environment variables. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

export const ROOT = path.resolve(import.meta.dirname, "../..");
export const NAMESPACE = "vitrine";

/** Each defaults to what kind needs (deploy/kind/cluster.yaml). Empty: the cluster has no such thing. */
const settings = {
  /** Takes the names of local images and gives them to every node. */
  loadImage: process.env.VITRINE_CLUSTER_LOAD_IMAGE ?? "kind load docker-image --name vitrine",
  /** Takes a node's name, and kills it as a power cut would. */
  stopNode: process.env.VITRINE_CLUSTER_STOP_NODE ?? "docker kill",
  /** Takes a node's name, and brings it back. */
  startNode: process.env.VITRINE_CLUSTER_START_NODE ?? "docker start",
  /** Where NodePorts answer, and ingresses. */
  nodeAddress: process.env.VITRINE_CLUSTER_NODE_ADDRESS ?? "127.0.0.1",
  ingressUrl: process.env.VITRINE_CLUSTER_INGRESS_URL ?? "http://127.0.0.1:8080",
};

export const GATEWAY_URL = `http://${settings.nodeAddress}:30080`;
export const INGRESS_URL = settings.ingressUrl;
export const canStopNodes = settings.stopNode !== "";

/** Runs a program of the environment with more arguments. @throws its output, when it fails. */
async function runWords(words: string, ...more: string[]): Promise<string> {
  const [program = "", ...args] = words.split(" ").filter((word) => word !== "");
  const { stdout } = await run(program, [...args, ...more], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

export async function loadImages(...images: string[]): Promise<void> {
  if (settings.loadImage !== "") await runWords(settings.loadImage, ...images);
}

export async function stopNode(node: string): Promise<void> {
  await runWords(settings.stopNode, node);
}

export async function startNode(node: string): Promise<void> {
  await runWords(settings.startNode, node);
}

/** Runs kubectl in the repository's root. @returns what it printed. @throws with its words when it fails. */
export async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run("kubectl", args, { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** kubectl that may fail: exit code and all that it said. */
export async function tryKubectl(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn("kubectl", args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  return { code, output };
}

/** kubectl within the tests' namespace. */
export function inNamespace(...args: string[]): Promise<string> {
  return kubectl("--namespace", NAMESPACE, ...args);
}

export interface Pod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly isReady: boolean;
  readonly isEnding: boolean;
}

interface PodJson {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** The pods of one tier. */
export async function podsOf(tier: "gateway" | "model-server"): Promise<Pod[]> {
  const selector = `app.kubernetes.io/name=${tier}`;
  const { items }: { items: PodJson[] } = JSON.parse(
    await inNamespace("get", "pods", `--selector=${selector}`, "--output=json"),
  );
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    node: spec.nodeName ?? "",
    isReady: status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false,
    isEnding: metadata.deletionTimestamp !== undefined,
  }));
}

/** Waits until a tier has rolled out what was asked for, and the pods it replaced are gone. */
export async function settled(...tiers: ("gateway" | "model-server")[]): Promise<void> {
  for (const tier of tiers) {
    await inNamespace("rollout", "status", `deployment/${tier}`, "--timeout=240s");
    for (const pod of (await podsOf(tier)).filter(({ isEnding }) => isEnding)) {
      await inNamespace("wait", "--for=delete", `pod/${pod.name}`, "--timeout=120s");
    }
  }
}

/** Applies the overlay for kind and waits until both tiers answer, at least two of each. */
export async function bringUp(): Promise<void> {
  await kubectl("apply", "--kustomize=deploy/k8s/overlays/kind");
  await waitForReplicas("gateway", (replicas) => replicas >= 2);
  await waitForReplicas("model-server", (replicas) => replicas >= 2);
  await settled("model-server", "gateway");
}

/** As {@link bringUp}, with exactly two of each: autoscaling would put pods into tests of something else. */
export async function bringUpTwoOfEach(): Promise<void> {
  await kubectl("apply", "--kustomize=deploy/k8s/overlays/kind");
  for (const tier of ["gateway", "model-server"] as const) {
    await inNamespace("patch", `horizontalpodautoscaler/${tier}`, "--patch", '{"spec":{"maxReplicas":2}}');
    await waitForReplicas(tier, (replicas) => replicas === 2);
  }
  await settled("model-server", "gateway");
}

/**
 * Follows what kubectl prints, such as of `get --watch` or `logs --follow`, until a line is as wished.
 *
 * @throws after `timeoutMs`, and when kubectl ends before.
 */
export async function waitForLine(
  args: readonly string[],
  isWished: (line: string) => boolean,
  timeoutMs: number,
): Promise<void> {
  const child = spawn("kubectl", args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  const deadline = setTimeout(() => child.kill(), timeoutMs);
  try {
    for await (const line of createInterface({ input: child.stdout })) if (isWished(line)) return;
  } finally {
    clearTimeout(deadline);
    child.kill();
  }
  throw new Error(`kubectl ${args.join(" ")} did not print what was waited for within ${timeoutMs} ms`);
}

/**
 * `kubectl wait` for all that is selected, once there is any: by itself it fails where a controller has not made the
 * objects yet.
 *
 * @param selected a resource and what selects of it, such as `["pod", "--selector=app=x"]` or `["pod", "--all"]`.
 * @param condition what `--for` takes.
 */
export async function waitForAll(
  namespace: string,
  selected: readonly string[],
  condition: string,
  timeoutMs = 240_000,
): Promise<void> {
  const listed = selected.filter((word) => word !== "--all");
  await waitForLine(
    ["get", `--namespace=${namespace}`, ...listed, "--watch", "--output=name"],
    () => true,
    timeoutMs,
  );
  await kubectl(
    "wait",
    `--namespace=${namespace}`,
    ...selected,
    `--for=${condition}`,
    `--timeout=${timeoutMs / 1000}s`,
  );
}

/**
 * Follows a Deployment's number of replicas, as its autoscaler sets it, until it is as wished.
 *
 * @returns the numbers seen, with the milliseconds since the call.
 * @throws after `timeoutMs`.
 */
export async function waitForReplicas(
  tier: "gateway" | "model-server",
  isWished: (replicas: number) => boolean,
  timeoutMs = 120_000,
): Promise<readonly { readonly replicas: number; readonly atMs: number }[]> {
  const startedAt = performance.now();
  const seen: { replicas: number; atMs: number }[] = [];
  const ofDeployment = ["get", `--namespace=${NAMESPACE}`, `deployment/${tier}`];
  await waitForLine(
    [...ofDeployment, "--watch", "--output=jsonpath={.spec.replicas}{'\\n'}"],
    (line) => {
      const replicas = Number(line);
      if (seen.at(-1)?.replicas !== replicas) {
        seen.push({ replicas, atMs: Math.round(performance.now() - startedAt) });
      }
      return isWished(replicas);
    },
    timeoutMs,
  ).catch((cause: unknown) => {
    throw new Error(`${tier} had ${JSON.stringify(seen)} replicas within ${timeoutMs} ms`, { cause });
  });
  return seen;
}

/**
 * SIGKILLs the processes of a pod's containers from outside of it, as the kernel does when memory runs out.
 *
 * @returns false where they are not to be seen from here: the nodes are not of this machine.
 */
export async function killProcesses({ uid }: Pod): Promise<boolean> {
  const spellings = [uid, uid.replaceAll("-", "_")];
  const pids: number[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const [groups, command] = await Promise.all(
      ["cgroup", "comm"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
    );
    const isOurs = spellings.some((spelling) => groups?.includes(spelling));
    if (isOurs && command?.trim() !== "pause") pids.push(Number(pid));
  }
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return pids.length > 0;
}

/**
 * Kills a pod's processes, and waits until the pod is ready again.
 *
 * @returns false where that cannot be done from here.
 */
export async function killAndAwait(pod: Pod): Promise<boolean> {
  const restarts = ".status.containerStatuses[0].restartCount";
  const before = Number(await inNamespace("get", `pod/${pod.name}`, `--output=jsonpath={${restarts}}`));
  if (!(await killProcesses(pod))) return false;
  const wait = ["wait", `pod/${pod.name}`, "--timeout=120s"];
  // The count first: the pod may be ready still, or already again.
  await inNamespace(...wait, `--for=jsonpath={${restarts}}=${before + 1}`);
  await inNamespace(...wait, "--for=condition=Ready");
  return true;
}

/** A Prometheus counter of one pod, its series summed. */
export async function counterOf(pod: Pod, port: number, name: string): Promise<number> {
  const text = await kubectl(
    "get",
    "--raw",
    `/api/v1/namespaces/${NAMESPACE}/pods/${pod.name}:${port}/proxy/metrics`,
  );
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
