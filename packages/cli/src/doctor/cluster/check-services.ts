/** Services and ingresses with nobody behind them, and gateways that name a model tier which is not there. */
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { isOurService, isOurs, serviceMend, targetOf } from "./changes.js";
import { checkServicePorts } from "./check-service-ports.js";
import type { Service, Workload } from "./objects.js";
import { placeOf } from "./places.js";
import {
  type ClusterSnapshot,
  inNamespace,
  livingPods,
  nameOf,
  namesText,
  selects,
  subjectOf,
} from "./snapshot.js";
import { hasPort } from "./tiers-in-cluster.js";

/**
 * @param troubled subjects that have a fault of their own already: a Service of theirs without endpoints follows
 *   from it.
 */
export function checkServices(snapshot: ClusterSnapshot, troubled: ReadonlySet<string>): Finding[] {
  return [
    ...snapshot.services.flatMap((service) => checkService(snapshot, service, troubled)),
    ...checkIngresses(snapshot),
    ...checkNodePorts(snapshot),
  ];
}

function checkService(snapshot: ClusterSnapshot, service: Service, troubled: ReadonlySet<string>): Finding[] {
  const { metadata, spec } = service;
  if (Object.keys(spec.selector).length === 0 || spec.type === "ExternalName") return [];
  const isBehind = (labels: Readonly<Record<string, string>>, namespace: string): boolean =>
    namespace === metadata.namespace && selects(spec.selector, labels);
  const pods = livingPods(snapshot).filter((pod) => isBehind(pod.metadata.labels, pod.metadata.namespace));
  const workloads = snapshot.workloads.filter((one) =>
    isBehind(one.spec.template.metadata.labels, one.metadata.namespace),
  );
  const subject = nameOf("service", metadata);
  if (pods.length === 0 && workloads.length === 0) return [selectsNothing(snapshot, service)];
  const wrongPort = checkServicePorts(snapshot, service, pods, workloads);
  if (wrongPort.length > 0) return wrongPort;
  const ready = snapshot.endpointSlices
    .filter((slice) => slice.metadata.namespace === metadata.namespace)
    .filter((slice) => slice.metadata.labels["kubernetes.io/service-name"] === metadata.name)
    .flatMap(({ endpoints }) => endpoints)
    .filter(({ conditions }) => conditions.ready !== false);
  if (ready.length > 0 || pods.some((pod) => troubled.has(subjectOf(snapshot, pod)))) return [];
  const names = workloads.map((one) => nameOf(one.kind, one.metadata));
  if (names.some((name) => troubled.has(name))) return [];
  const [workload] = workloads;
  const isScaledDown = pods.length === 0 && workload?.spec.replicas === 0;
  return [
    finding("service-without-endpoints", {
      subject,
      problem: isScaledDown
        ? `${names.join(", ")} behind it has 0 replicas`
        : pods.length === 0
          ? `${names.join(", ")} behind it has no pods`
          : `none of the ${pods.length} pods behind it is ready`,
      seen: `kubectl get endpointslices --selector=kubernetes.io/service-name=${metadata.name}: no ready endpoint`,
      mends:
        isScaledDown && workload !== undefined
          ? [scaleMend(snapshot, workload)]
          : [
              mend("see what its pods wait for", [
                ...inNamespace(snapshot, metadata.namespace, "describe", "pods"),
                `--selector=${selectorText(spec.selector)}`,
              ]),
            ],
    }),
  ];
}

function scaleMend(snapshot: ClusterSnapshot, workload: Workload): Mend {
  return mend("give it a pod again, unless that was on purpose", [
    ...inNamespace(snapshot, workload.metadata.namespace, "scale", targetOf(workload), "--replicas=1"),
  ]);
}

function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

function selectsNothing(snapshot: ClusterSnapshot, service: Service): Finding {
  const { metadata, spec } = service;
  const near = snapshot.workloads.filter((one) => one.metadata.namespace === metadata.namespace);
  const namesake = near.find((one) => one.metadata.name === metadata.name);
  const withPort = near.filter((one) =>
    spec.ports.some(({ targetPort, port }) => hasPort(one, targetPort ?? port)),
  );
  const wanted = namesake ?? onlyOne(withPort);
  return finding("service-selects-nothing", {
    subject: nameOf("service", metadata),
    problem: `its selector ${selectorText(spec.selector)} fits no pod${wanted === undefined ? "" : `; those of ${wanted.metadata.name} have ${selectorText(wanted.spec.selector.matchLabels)}`}`,
    seen: `kubectl get pods --selector=${selectorText(spec.selector)}: none`,
    mends: [
      wanted === undefined
        ? mend("give the pods these labels, or the Service the labels of its pods")
        : selectorMend(snapshot, service, wanted, near),
    ],
  });
}

/**
 * Safe only where no more than a value is misspelt: a Service without pods may wait for those of a controller that
 * doctor does not know (a canary, a function scaled to nothing), which often adds labels of its own to the selector.
 */
function selectorMend(
  snapshot: ClusterSnapshot,
  service: Service,
  wanted: Workload,
  near: readonly Workload[],
): Mend {
  const { metadata, spec } = service;
  const { labels } = wanted.spec.template.metadata;
  const spelt = Object.fromEntries(
    Object.keys(spec.selector).flatMap((key) => {
      const value = labels[key];
      return value === undefined ? [] : [[key, value]];
    }),
  );
  const isWhole = Object.keys(spelt).length === Object.keys(spec.selector).length;
  const isAlone = near.every((one) => one === wanted || !selects(spelt, one.spec.template.metadata.labels));
  const isSafe =
    isWhole &&
    isAlone &&
    wanted.metadata.name === metadata.name &&
    isOurs(wanted) &&
    isOurService(service, [wanted]);
  return serviceMend(snapshot, metadata, {
    isSafe,
    does: `send to the pods of ${wanted.metadata.name}${isSafe ? "" : ", if it was meant for them"}`,
    path: "/spec/selector",
    value: isWhole && isAlone ? spelt : wanted.spec.selector.matchLabels,
    former: spec.selector,
  });
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function checkIngresses(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.ingresses.flatMap(({ metadata, spec }) => {
    const backends = [
      spec.defaultBackend,
      ...spec.rules.flatMap(({ http }) => http?.paths.map(({ backend }) => backend) ?? []),
    ];
    const names = new Set(backends.flatMap((backend) => backend?.service?.name ?? []));
    const own = snapshot.services.filter((service) => service.metadata.namespace === metadata.namespace);
    return [...names]
      .filter((name) => !own.some((service) => service.metadata.name === name))
      .map((name) =>
        finding("ingress-without-service", {
          subject: nameOf("ingress", metadata),
          problem: `it sends to service ${name}, which is not there; there ${namesText(own)}`,
          seen: `kubectl get ingress ${metadata.name}`,
          mends: [
            mend(
              "name one that is there",
              inNamespace(snapshot, metadata.namespace, "edit", "ingress", metadata.name),
            ),
          ],
        }),
      );
  });
}

/** On kind a NodePort answers on this machine only where the cluster's configuration maps it. */
function checkNodePorts(snapshot: ClusterSnapshot): Finding[] {
  const mapped = snapshot.mappedNodePorts;
  if (mapped === undefined || placeOf(snapshot).kind !== "kind") return [];
  return snapshot.services.flatMap(({ metadata, spec }) => {
    const missing = spec.ports.filter(({ nodePort }) => nodePort !== undefined && !mapped.includes(nodePort));
    const [first] = missing;
    if (spec.type !== "NodePort" || first === undefined) return [];
    return [
      finding("node-port-not-mapped", {
        subject: nameOf("service", metadata),
        problem: `its node port ${first.nodePort} is not mapped to this machine`,
        seen: `docker port of the cluster's nodes: ${mapped.join(", ") || "none"}`,
        mends: [
          mend("reach it through kubectl", [
            ...inNamespace(snapshot, metadata.namespace, "port-forward", `service/${metadata.name}`),
            `${first.port < 1024 ? 9696 : first.port}:${first.port}`,
          ]),
          mend("or make the cluster with extraPortMappings for it, as deploy/kind/cluster.yaml does"),
        ],
      }),
    ];
  });
}
