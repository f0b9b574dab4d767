/** HorizontalPodAutoscalers that show <unknown>, and the metrics-server that they ask. */
import { type Finding, finding, type Mend, mend, safeMend } from "../finding.js";
import { templateMend } from "./changes.js";
import { firstLine } from "./check-images.js";
import type { Autoscaler, Pod, Workload } from "./objects.js";
import { placeOf } from "./places.js";
import { type ClusterSnapshot, inNamespace, nameOf, namesText } from "./snapshot.js";

/** What metrics-server logs when it refuses a kubelet's certificate. */
const UNTRUSTED_KUBELET = /x509|tls: failed to verify certificate/;

/** While metrics are there a refusal counts for two rounds: it asks each kubelet every 60 s or more often. */
const FRESH_MS = 120_000;

/** @param troubled workloads with a fault of their own, which leaves their autoscaler without figures. */
export function checkAutoscalers(snapshot: ClusterSnapshot, troubled: ReadonlySet<string>): Finding[] {
  const wantsMetrics = snapshot.autoscalers.some(({ spec }) =>
    spec.metrics.some(({ type }) => type === "Resource"),
  );
  const metrics = checkMetricsServer(snapshot, wantsMetrics);
  return [
    ...metrics,
    ...snapshot.autoscalers.flatMap((autoscaler) =>
      checkAutoscaler(snapshot, autoscaler, { isExplained: metrics.length > 0, troubled }),
    ),
  ];
}

function checkMetricsServer(snapshot: ClusterSnapshot, isWanted: boolean): Finding[] {
  const { api, pods } = snapshot.metrics;
  const available = api?.status.conditions.find(({ type }) => type === "Available");
  const now = snapshot.serverTime ?? snapshot.now;
  const untrusting = pods.flatMap(({ pod, log }) => {
    const line = log.split("\n").findLast((one) => UNTRUSTED_KUBELET.test(one));
    if (line === undefined) return [];
    // Of a refusal that is over the mend would be a change to a cluster in order.
    if (available?.status === "True" && !isFresh(line, now)) return [];
    return [untrustedKubelets(snapshot, pod, line)];
  });
  if (untrusting.length > 0) return untrusting;
  if (api === undefined) return isWanted ? [missing(snapshot)] : [];
  if (available?.status !== "False") return [];
  const { name = "metrics-server", namespace = "kube-system" } = api.spec.service ?? {};
  return [
    finding("metrics-server-not-ready", {
      subject: nameOf("deployment", { name, namespace }),
      problem: `the API metrics.k8s.io is not available: ${firstLine(available.message)}`,
      seen: `kubectl get apiservices v1beta1.metrics.k8s.io: ${available.reason}; its pods: ${pods.map(({ pod }) => pod.status.phase).join(", ") || "none"}`,
      mends: [
        mend("its log says why", [
          ...inNamespace(snapshot, namespace, "logs", `deployment/${name}`, "--tail=50"),
        ]),
      ],
    }),
  ];
}

/**
 * Source: klog's header, `Lmmdd hh:mm:ss.uuuuuu` without a year, in the time zone of the container, which is UTC in
 * metrics-server's image. A line without one is of no known time, and not fresh.
 */
function isFresh(line: string, now: number): boolean {
  const [, month, day, time] = /^[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d)/.exec(line) ?? [];
  const year = new Date(now).getUTCFullYear();
  // On New Year's Day the line may be of the year before.
  return [year, year - 1].some(
    (one) => Math.abs(now - Date.parse(`${one}-${month}-${day}T${time}Z`)) <= FRESH_MS,
  );
}

function missing(snapshot: ClusterSnapshot): Finding {
  const isKind = placeOf(snapshot).kind === "kind";
  return finding("metrics-server-missing", {
    subject: `cluster ${snapshot.context}`,
    problem: "nothing serves the API metrics.k8s.io",
    seen: "kubectl get apiservices v1beta1.metrics.k8s.io: not found",
    mends: [
      isKind
        ? mend("install it as kind needs it, from Vitrine's repository", [
            ...snapshot.kubectl,
            "apply",
            "--kustomize=deploy/kind/metrics-server",
          ])
        : mend("install it as its makers release it", [
            ...snapshot.kubectl,
            "apply",
            "--filename=https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
          ]),
    ],
  });
}

function untrustedKubelets(snapshot: ClusterSnapshot, pod: Pod, line: string): Finding {
  const { namespace } = pod.metadata;
  const target = "deployment/metrics-server";
  const patch = [
    { op: "add", path: "/spec/template/spec/containers/0/args/-", value: "--kubelet-insecure-tls" },
  ];
  const words = inNamespace(
    snapshot,
    namespace,
    "patch",
    target,
    "--type=json",
    `--patch=${JSON.stringify(patch)}`,
  );
  const undo = inNamespace(snapshot, namespace, "rollout", "undo", target);
  const place = placeOf(snapshot).kind;
  const isLocal = place === "kind" || place === "minikube" || place === "docker-desktop" || place === "k3d";
  const says = "do not check the kubelets' certificates: right for a cluster on your own machine only";
  return finding("metrics-server-tls", {
    subject: nameOf("pod", pod.metadata),
    problem: "metrics-server does not trust the kubelets' certificates",
    seen: `kubectl logs ${pod.metadata.name}: ${firstLine(line)}`,
    mends: isLocal
      ? [safeMend(says, words, undo)]
      : [
          mend(
            "let the cluster sign them: serverTLSBootstrap: true in each kubelet's configuration, then approve what they ask for",
            [...snapshot.kubectl, "get", "certificatesigningrequests"],
          ),
          mend(says, words),
        ],
  });
}

function checkAutoscaler(
  snapshot: ClusterSnapshot,
  autoscaler: Autoscaler,
  { isExplained, troubled }: { readonly isExplained: boolean; readonly troubled: ReadonlySet<string> },
): Finding[] {
  const { metadata, spec, status } = autoscaler;
  const subject = nameOf("hpa", metadata);
  const { kind, name } = spec.scaleTargetRef;
  const target = snapshot.workloads.find(
    (one) => one.kind === kind && one.metadata.name === name && one.metadata.namespace === metadata.namespace,
  );
  if (target === undefined && /^(Deployment|StatefulSet|DaemonSet)$/.test(kind)) {
    const near = snapshot.workloads.filter((one) => one.metadata.namespace === metadata.namespace);
    return [
      finding("autoscaler-target-missing", {
        subject,
        problem: `it scales ${kind} ${name}, which is not there; there ${namesText(near)}`,
        seen: `kubectl get hpa ${metadata.name}: scaleTargetRef ${kind}/${name}`,
        mends: [
          mend(
            "name one that is there",
            inNamespace(snapshot, metadata.namespace, "edit", "hpa", metadata.name),
          ),
        ],
      }),
    ];
  }
  if (target !== undefined) {
    const lacking = withoutRequests(snapshot, autoscaler, target);
    if (lacking !== undefined) return [lacking];
  }
  const inactive = status.conditions.find(
    ({ type, status }) => type === "ScalingActive" && status === "False",
  );
  // ScalingDisabled: somebody set the target to 0 replicas, which is no fault.
  if (inactive === undefined || inactive.reason === "ScalingDisabled" || isExplained) return [];
  if (target !== undefined && troubled.has(nameOf(target.kind, target.metadata))) return [];
  return [
    finding("autoscaler-unknown", {
      subject,
      problem: `it sees no figure: ${firstLine(inactive.message)}`,
      seen: `kubectl get hpa ${metadata.name}: ScalingActive False, ${inactive.reason}`,
      mends: [
        mend("a pod has figures about a minute after its start: look again then", [
          ...inNamespace(snapshot, metadata.namespace, "describe", "hpa", metadata.name),
        ]),
      ],
    }),
  ];
}

function withoutRequests(
  snapshot: ClusterSnapshot,
  { metadata, spec }: Autoscaler,
  target: Workload,
): Finding | undefined {
  const wanted = spec.metrics.flatMap(({ resource }) =>
    resource?.target.type === "Utilization" ? [resource.name] : [],
  );
  const lacking = target.spec.template.spec.containers.flatMap(({ name, resources }) =>
    wanted
      // A limit counts as request where there is none.
      .filter((resource) => (resources.requests?.[resource] ?? resources.limits?.[resource]) === undefined)
      .map((resource) => ({ name, resource })),
  );
  const [first] = lacking;
  if (first === undefined) return undefined;
  return finding("autoscaler-without-requests", {
    subject: nameOf("hpa", metadata),
    problem: `it scales by the share of the requested ${first.resource}, and container ${first.name} of ${target.metadata.name} requests none`,
    seen: `kubectl get hpa ${metadata.name}, kubectl get ${target.kind.toLowerCase()} ${target.metadata.name}`,
    mends: requestMends(snapshot, target, lacking),
  });
}

const COMMON_REQUESTS: Readonly<Record<string, string>> = { cpu: "250m", memory: "256Mi" };

function requestMends(
  snapshot: ClusterSnapshot,
  workload: Workload,
  lacking: readonly { readonly name: string; readonly resource: string }[],
): Mend[] {
  return [...new Set(lacking.map(({ name }) => name))].map((container) => {
    const requests = lacking
      .filter(({ name }) => name === container)
      .map(({ resource }) => `${resource}=${COMMON_REQUESTS[resource] ?? "1"}`);
    return templateMend(
      snapshot,
      workload,
      "request what it needs (vitrine bench --right-size measures it)",
      {
        verb: ["set", "resources"],
        flags: [`--containers=${container}`, `--requests=${requests.join(",")}`],
      },
    );
  });
}
