/** The cluster itself: its version's age, its nodes, its clocks. */
import { type Finding, finding, type Mend, mend, safeMend } from "../finding.js";
import {
  EKS_PRICE_PER_HOUR,
  KUBERNETES_VERSIONS,
  KUBERNETES_VERSIONS_AS_OF,
  kubernetesVersion,
} from "../kubernetes-versions.js";
import { firstLine } from "./check-images.js";
import { placeOf } from "./places.js";
import type { ClusterSnapshot } from "./snapshot.js";

const DAY_MS = 86_400_000;
const WARNED_DAYS = 60;
const HOURS_PER_MONTH = 730;

/** A kubelet renews its lease each 10 s. */
const LEASE_AHEAD_MS = 10_000;
const CLOCK_DIFFERENCE_MS = 30_000;

export function checkNodes(snapshot: ClusterSnapshot): Finding[] {
  return [...checkVersion(snapshot), ...checkReadiness(snapshot), ...checkClocks(snapshot)];
}

function checkVersion(snapshot: ClusterSnapshot): Finding[] {
  const { serverVersion, now, context } = snapshot;
  const row = serverVersion === undefined ? undefined : kubernetesVersion(serverVersion);
  const oldest = KUBERNETES_VERSIONS[0]?.minor ?? "";
  const minor = /^v?(\d+\.\d+)/.exec(serverVersion ?? "")?.[1];
  const isOlder = minor !== undefined && row === undefined && isBefore(minor, oldest);
  if (row === undefined && !isOlder) return [];
  const isEks = placeOf(snapshot).kind === "eks";
  const facts = {
    subject: `cluster ${context}`,
    seen: `kubectl version: ${serverVersion}; dates as of ${KUBERNETES_VERSIONS_AS_OF}`,
    mends: upgradeMends(snapshot, minor ?? ""),
  };
  const eks = isEks ? row?.eks : undefined;
  const end = eks?.extendedUntil ?? row?.endOfLife;
  if (end === undefined || now > endOf(end)) {
    const ofAmazon = ", not even paid ones: Amazon moves the cluster to the next version by itself";
    const problem = `Kubernetes ${minor} has had no fixes since ${end ?? `before ${oldest}`}${isEks ? ofAmazon : ""}`;
    return [finding("kubernetes-version-ended", { ...facts, problem })];
  }
  if (eks !== undefined && now > endOf(eks.standardUntil)) {
    const { standard, extended } = EKS_PRICE_PER_HOUR;
    const more = Math.round((extended - standard) * HOURS_PER_MONTH);
    const problem =
      `Kubernetes ${minor} left standard support on ${eks.standardUntil}: the control plane costs $${extended.toFixed(2)} an hour ` +
      `in place of $${standard.toFixed(2)}, $${more} more a month, until ${eks.extendedUntil}`;
    return [finding("eks-extended-support", { ...facts, problem })];
  }
  const supported = eks?.standardUntil ?? end;
  const days = Math.ceil((endOf(supported) - now) / DAY_MS);
  if (days > WARNED_DAYS) return [];
  const problem = `Kubernetes ${minor} is looked after until ${supported}, ${days} days from now`;
  return [finding("kubernetes-version-ending", { ...facts, problem })];
}

function isBefore(minor: string, other: string): boolean {
  const [major = 0, number = 0] = minor.split(".").map(Number);
  const [otherMajor = 0, otherNumber = 0] = other.split(".").map(Number);
  return major < otherMajor || (major === otherMajor && number < otherNumber);
}

/** The last moment of a day, YYYY-MM-DD. */
function endOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) + DAY_MS;
}

function upgradeMends(snapshot: ClusterSnapshot, minor: string) {
  const [major = "1", number = "0"] = minor.split(".");
  const next = `${major}.${Number(number) + 1}`;
  const place = placeOf(snapshot);
  if (place.kind === "eks") {
    const { context } = snapshot;
    const name = /cluster\/([^/]+)$/.exec(context)?.[1] ?? /@([^.]+)\./.exec(context)?.[1] ?? "CLUSTER";
    return [
      mend("go to the next version, one at a time; then the node groups", [
        ...["eksctl", "upgrade", "cluster", `--name=${name}`, `--version=${next}`, "--approve"],
      ]),
      mend("and never pay for extended support unasked", [
        ...["aws", "eks", "update-cluster-config", `--name=${name}`],
        ...["--upgrade-policy", "supportType=STANDARD"],
      ]),
    ];
  }
  if (place.kind === "kind") {
    return [
      mend("make the cluster anew with a newer kind, or a newer node image", [
        ...["kind", "delete", "cluster", "--name", place.name],
      ]),
    ];
  }
  return [mend(`upgrade the control plane to ${next}, then the nodes, one minor version at a time`)];
}

function checkReadiness(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.nodes.flatMap(({ metadata, status }) => {
    const ready = status.conditions.find(({ type }) => type === "Ready");
    if (ready?.status === "True") return [];
    return [
      finding("node-not-ready", {
        subject: `node/${metadata.name}`,
        problem: `it is not ready: ${firstLine(ready?.message ?? "it says nothing of itself")}`,
        seen: `kubectl get node ${metadata.name}: ${ready?.reason ?? "no condition Ready"}`,
        mends: nodeMends(snapshot, metadata.name),
      }),
    ];
  });
}

function checkClocks(snapshot: ClusterSnapshot): Finding[] {
  const { now, serverTime, leases, context } = snapshot;
  const findings: Finding[] = [];
  const synchronise = mend("let it set its clock by the network", ["timedatectl", "set-ntp", "true"]);
  if (serverTime !== undefined && Math.abs(now - serverTime) > CLOCK_DIFFERENCE_MS) {
    findings.push(
      finding("clock-skew", {
        subject: "this machine",
        problem: `its clock is ${Math.round(Math.abs(now - serverTime) / 1000)} s ${now > serverTime ? "ahead of" : "behind"} that of ${context}`,
        seen: `the API server's time was ${new Date(serverTime).toISOString()}`,
        mends: [synchronise],
      }),
    );
  }
  for (const { metadata, spec } of leases) {
    const aheadMs = Date.parse(spec.renewTime ?? "") - (serverTime ?? now);
    if (!(aheadMs > LEASE_AHEAD_MS)) continue;
    findings.push(
      finding("clock-skew", {
        subject: `node/${metadata.name}`,
        problem: `its clock is ${Math.round(aheadMs / 1000)} s ahead of the API server's`,
        seen: `kubectl get leases --namespace=kube-node-lease: it renewed its lease at ${spec.renewTime}`,
        mends: [synchronise],
      }),
    );
  }
  return findings;
}

/** kind's nodes are containers of this machine. */
function nodeMends(snapshot: ClusterSnapshot, node: string): Mend[] {
  const isKind = placeOf(snapshot).kind === "kind";
  return [
    ...(isKind
      ? [safeMend("start the node's container", ["docker", "start", node], ["docker", "stop", node])]
      : []),
    mend("see what it says of itself", [...snapshot.kubectl, "describe", "node", node]),
  ];
}
