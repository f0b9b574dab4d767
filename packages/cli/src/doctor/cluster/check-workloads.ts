/** What works today and fails on a bad day: probes, grace periods, limits, budgets and network policies. */
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { limitFor, mebibytes, modelServerBytes, modelServerPeakBytes } from "../memory-need.js";
import { isOurBudget, mendIf, targetOf, templateMend } from "./changes.js";
import { bytesOf, type Container, type Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, nameOf, selects } from "./snapshot.js";
import { isGateway, isModelServer, isVitrine, settingOf } from "./tiers-in-cluster.js";

const DEFAULT_TERMINATION_GRACE_S = 30;
/** Of Vitrine's tiers, where nothing else is set. */
const DEFAULT_DRAIN_GRACE_MS = 20_000;
/** A part of the limit above which the next load may go over it. */
const NEAR_LIMIT = 0.9;

/** @param modelBytes size of the model's files, where the user named the model's folder. */
export function checkWorkloads(snapshot: ClusterSnapshot, modelBytes: number | undefined): Finding[] {
  return [
    ...snapshot.workloads.flatMap((workload) => [
      ...checkProbes(snapshot, workload),
      ...checkGrace(snapshot, workload),
      ...(modelBytes === undefined ? [] : checkLimits(snapshot, workload, modelBytes)),
    ]),
    ...checkUsage(snapshot),
    ...checkBudgets(snapshot),
  ];
}

function checkProbes(snapshot: ClusterSnapshot, workload: Workload): Finding[] {
  const { kind, metadata, spec } = workload;
  const isBehindService = snapshot.services.some(
    (service) =>
      service.metadata.namespace === metadata.namespace &&
      selects(service.spec.selector, spec.template.metadata.labels),
  );
  const [first, ...others] = spec.template.spec.containers;
  const hasProbe = [first, ...others].some((container) => container?.readinessProbe !== undefined);
  if (!isBehindService || hasProbe || first === undefined) return [];
  const container =
    spec.template.spec.containers.find((one) => isGateway(one) || isModelServer(one)) ?? first;
  const patch = {
    spec: {
      template: { spec: { containers: [{ name: container.name, readinessProbe: probeFor(container) }] } },
    },
  };
  return [
    finding("probe-missing", {
      subject: nameOf(kind, metadata),
      problem: `container ${container.name} has no readiness probe`,
      seen: `kubectl get ${kind.toLowerCase()} ${metadata.name}`,
      mends: [
        mend("give it one that asks whether it can answer", [
          ...inNamespace(snapshot, metadata.namespace, "patch", targetOf(workload)),
          `--patch=${JSON.stringify(patch)}`,
        ]),
      ],
    }),
  ];
}

function probeFor(container: Container): unknown {
  const adminPort = settingOf(container, "--admin-port", "ADMIN_PORT");
  if (isVitrine(container) && adminPort !== undefined)
    return { httpGet: { path: "/readyz", port: Number(adminPort) } };
  if (isGateway(container) && isVitrine(container)) {
    return { httpGet: { path: "/readyz", port: Number(settingOf(container, "--port", "PORT") ?? 9696) } };
  }
  if (isModelServer(container)) {
    // TensorFlow Serving answers 200 here once the model is loaded.
    const name = settingOf(container, "--model_name", "MODEL_NAME") ?? "model";
    return { httpGet: { path: `/v1/models/${name}`, port: 8501 } };
  }
  return { tcpSocket: { port: container.ports[0]?.containerPort ?? 9696 } };
}

/** From SIGTERM on: preStop, the wait for load balancers, the work accepted; all within the grace period. */
function checkGrace(snapshot: ClusterSnapshot, workload: Workload): Finding[] {
  const { kind, metadata, spec } = workload;
  const graceS = spec.template.spec.terminationGracePeriodSeconds ?? DEFAULT_TERMINATION_GRACE_S;
  const needs = spec.template.spec.containers.flatMap((container) => {
    const preStopS = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
    const waitMs = Number(settingOf(container, "--drain-wait-ms", "DRAIN_WAIT_MS") ?? 0);
    const drain = settingOf(container, "--drain-grace-ms", "DRAIN_GRACE_MS");
    const isOurs = (isVitrine(container) && container.command.length === 0) || drain !== undefined;
    const drainMs = isOurs ? Number(drain ?? DEFAULT_DRAIN_GRACE_MS) : 0;
    const neededS = preStopS + (waitMs + drainMs) / 1000;
    return neededS > graceS ? [{ container, preStopS, waitMs, drainMs, neededS }] : [];
  });
  return needs.map(({ container, preStopS, waitMs, drainMs, neededS }) => {
    const patch = {
      spec: { template: { spec: { terminationGracePeriodSeconds: Math.ceil(neededS) + 5 } } },
    };
    return finding("grace-too-short", {
      subject: nameOf(kind, metadata),
      problem: `container ${container.name} may take ${neededS} s to end (preStop ${preStopS} s, drain wait ${waitMs / 1000} s, drain grace ${drainMs / 1000} s), and is killed after ${graceS} s`,
      seen: `kubectl get ${kind.toLowerCase()} ${metadata.name}: terminationGracePeriodSeconds ${graceS}`,
      mends: [
        templateMend(snapshot, workload, "give it that time and 5 s more", {
          verb: ["patch"],
          flags: [`--patch=${JSON.stringify(patch)}`],
        }),
      ],
    });
  });
}

function checkLimits(snapshot: ClusterSnapshot, workload: Workload, modelBytes: number): Finding[] {
  const needed = modelServerBytes(modelBytes);
  const peak = modelServerPeakBytes(modelBytes);
  return workload.spec.template.spec.containers.filter(isModelServer).flatMap((container) => {
    const limit = container.resources.limits?.memory;
    const bytes = bytesOf(limit);
    if (bytes === undefined || bytes >= peak) return [];
    return [
      finding("memory-limit-below-model", {
        subject: nameOf(workload.kind, workload.metadata),
        problem: `container ${container.name} may take ${limit}; the model needs about ${mebibytes(needed)}, and ${mebibytes(peak)} while a new version is loaded beside it`,
        seen: `kubectl get ${workload.kind.toLowerCase()} ${workload.metadata.name}, and the model's files (${mebibytes(modelBytes)})`,
        mends: [raiseLimit(snapshot, workload, container, limitFor(peak))],
      }),
    ];
  });
}

function raiseLimit(
  snapshot: ClusterSnapshot,
  workload: Workload,
  container: Container,
  limit: string,
): Mend {
  return templateMend(
    snapshot,
    workload,
    "raise the limit; vitrine bench --right-size measures what it needs",
    { verb: ["set", "resources"], flags: [`--containers=${container.name}`, `--limits=memory=${limit}`] },
  );
}

function checkUsage(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.podMetrics.flatMap(({ metadata, containers }) => {
    const pod = snapshot.pods.find(
      (one) => one.metadata.name === metadata.name && one.metadata.namespace === metadata.namespace,
    );
    const workload = snapshot.workloads.find(
      (one) =>
        one.metadata.namespace === metadata.namespace &&
        selects(one.spec.selector.matchLabels, pod?.metadata.labels ?? {}),
    );
    return containers.flatMap(({ name, usage }) => {
      const container = pod?.spec.containers.find((one) => one.name === name);
      const limit = bytesOf(container?.resources.limits?.memory);
      const used = bytesOf(usage.memory);
      if (workload === undefined || container === undefined || limit === undefined || used === undefined)
        return [];
      if (used < limit * NEAR_LIMIT) return [];
      return [
        finding("memory-near-limit", {
          subject: nameOf(workload.kind, workload.metadata),
          problem: `container ${name} has ${mebibytes(used)} of ${mebibytes(limit)}`,
          seen: `kubectl top pod ${metadata.name} --containers`,
          mends: [raiseLimit(snapshot, workload, container, limitFor(limit * 1.5))],
        }),
      ];
    });
  });
}

function checkBudgets(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.disruptionBudgets.flatMap((budget) => {
    const { metadata, spec, status } = budget;
    const { disruptionsAllowed, currentHealthy, expectedPods } = status;
    // While pods are missing a budget shall block; one that blocks with all of them there blocks always.
    if (disruptionsAllowed > 0 || expectedPods === 0 || currentHealthy < expectedPods) return [];
    const patch = (set: unknown): string[] => [
      ...inNamespace(snapshot, metadata.namespace, "patch", `poddisruptionbudget/${metadata.name}`),
      "--type=merge",
      `--patch=${JSON.stringify({ spec: set })}`,
    ];
    const { minAvailable = null, maxUnavailable = null } = spec;
    return [
      finding("disruption-budget-blocks", {
        subject: nameOf("poddisruptionbudget", metadata),
        problem: `all ${expectedPods} pods are healthy, and it lets none of them go (${minAvailable === null ? `maxUnavailable ${maxUnavailable}` : `minAvailable ${minAvailable}`})`,
        seen: `kubectl get poddisruptionbudget ${metadata.name}: disruptionsAllowed 0`,
        mends: [
          mendIf(
            isOurBudget(snapshot, budget),
            "let one go at a time",
            patch({ maxUnavailable: 1, minAvailable: null }),
            patch({ maxUnavailable, minAvailable }),
          ),
        ],
      }),
    ];
  });
}
