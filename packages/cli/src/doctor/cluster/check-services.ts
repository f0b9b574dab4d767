/** Services and ingresses with nobody behind them, and gateways that name a model tier which is not there. */
import { type Finding, finding, type Mend, mend, safeMend } from "../finding.js";
import type { Pod, Service, Workload } from "./objects.js";
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
import { modelHostsOf } from "./tiers-in-cluster.js";

/**
 * @param troubled subjects that have a fault of their own already: a Service of theirs without endpoints follows
 *   from it.
 */
export function checkServices(snapshot: ClusterSnapshot, troubled: ReadonlySet<string>): Finding[] {
  return [
    ...snapshot.services.flatMap((service) => checkService(snapshot, service, troubled)),
    ...checkIngresses(snapshot),
    ...checkModelHosts(snapshot),
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
  const wrongPort = checkPorts(snapshot, service, pods);
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

function scaleMend(snapshot: ClusterSnapshot, { kind, metadata }: Workload): Mend {
  const target = `${kind.toLowerCase()}/${metadata.name}`;
  return mend("give it a pod again, unless that was on purpose", [
    ...inNamespace(snapshot, metadata.namespace, "scale", target, "--replicas=1"),
  ]);
}

function selectorText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

function selectsNothing(snapshot: ClusterSnapshot, { metadata, spec }: Service): Finding {
  const near = snapshot.workloads.filter((one) => one.metadata.namespace === metadata.namespace);
  const wanted =
    near.find((one) => one.metadata.name === metadata.name) ??
    onlyOne(
      near.filter((one) => spec.ports.some(({ targetPort, port }) => hasPort(one, targetPort ?? port))),
    );
  const mends =
    wanted === undefined
      ? [mend("give the pods these labels, or the Service the labels of its pods")]
      : [
          jsonPatch(
            snapshot,
            metadata,
            `send to the pods of ${wanted.metadata.name}`,
            "/spec/selector",
            wanted.spec.selector.matchLabels,
            spec.selector,
          ),
        ];
  return finding("service-selects-nothing", {
    subject: nameOf("service", metadata),
    problem: `its selector ${selectorText(spec.selector)} fits no pod${wanted === undefined ? "" : `; those of ${wanted.metadata.name} have ${selectorText(wanted.spec.selector.matchLabels)}`}`,
    seen: `kubectl get pods --selector=${selectorText(spec.selector)}: none`,
    mends,
  });
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function hasPort({ spec }: Workload, port: number | string): boolean {
  return spec.template.spec.containers.some(({ ports }) =>
    ports.some(({ name, containerPort }) => name === port || containerPort === port),
  );
}

function jsonPatch(
  snapshot: ClusterSnapshot,
  { name, namespace }: Service["metadata"],
  does: string,
  path: string,
  value: unknown,
  former: unknown,
): Mend {
  const patch = (set: unknown): string[] => [
    ...inNamespace(snapshot, namespace, "patch", `service/${name}`, "--type=json"),
    `--patch=${JSON.stringify([{ op: "replace", path, value: set }])}`,
  ];
  return safeMend(does, patch(value), patch(former));
}

function checkPorts(snapshot: ClusterSnapshot, { metadata, spec }: Service, pods: readonly Pod[]): Finding[] {
  const declared = pods.map((pod) => pod.spec.containers.flatMap(({ ports }) => ports));
  if (pods.length === 0 || declared.every((ports) => ports.length === 0)) return [];
  return spec.ports.flatMap(({ name, port, targetPort = port }, index) => {
    const isThere = declared.some((ports) =>
      ports.some((one) => one.name === targetPort || one.containerPort === targetPort),
    );
    if (isThere) return [];
    const known = new Map(declared.flat().map((one) => [one.containerPort, one.name]));
    const right =
      [...known].find(([containerPort, portName]) => portName === name || containerPort === port)?.[0] ??
      onlyOne([...known.keys()]);
    const list = [...known].map(([number, word]) =>
      word === undefined ? `${number}` : `${word} (${number})`,
    );
    return [
      finding("service-wrong-port", {
        subject: nameOf("service", metadata),
        problem: `its port ${port} goes to ${targetPort}, which no container of its pods has; they have ${list.join(", ")}`,
        seen: `kubectl get service ${metadata.name}: targetPort ${targetPort}`,
        mends: [
          right === undefined
            ? mend(
                "name one of them as targetPort",
                inNamespace(snapshot, metadata.namespace, "edit", "service", metadata.name),
              )
            : jsonPatch(
                snapshot,
                metadata,
                `send to ${right}`,
                `/spec/ports/${index}/targetPort`,
                right,
                targetPort,
              ),
        ],
      }),
    ];
  });
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

/** Where each gateway is told to find the model tier. */
function checkModelHosts(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.flatMap((workload) =>
    workload.spec.template.spec.containers.flatMap((container) =>
      modelHostsOf(container).flatMap(({ host, port }) => {
        const found = checkModelHost(snapshot, workload, container.name, host, port);
        return found === undefined ? [] : [found];
      }),
    ),
  );
}

function checkModelHost(
  snapshot: ClusterSnapshot,
  workload: Workload,
  container: string,
  host: string,
  port: number,
): Finding | undefined {
  const { namespace } = workload.metadata;
  const subject = nameOf(workload.kind, workload.metadata);
  const seen = `container ${container}: TF_SERVING_HOST=${host}:${port}`;
  if (/^(localhost|127\.)/.test(host)) {
    if (hasPort(workload, port)) return undefined;
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at ${host}:${port}, which is the pod itself`,
      seen,
      mends: [hostMend(snapshot, workload, container)],
    });
  }
  const [name = "", within = namespace, ...rest] = host.split(".");
  const isClusterName = !/^\d/.test(name) && (rest.length === 0 || rest[0] === "svc");
  if (!isClusterName || !snapshot.namespaces.includes(within)) return undefined;
  const service = snapshot.services.find(
    ({ metadata }) => metadata.name === name && metadata.namespace === within,
  );
  if (service === undefined) {
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at ${host}, and there is no Service ${name} in ${within}`,
      seen,
      mends: [hostMend(snapshot, workload, container)],
    });
  }
  const isHeadless = service.spec.clusterIP === "None";
  const served = isHeadless || service.spec.ports.some((one) => one.port === port);
  if (!served) {
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at port ${port} of Service ${name}, which has ${service.spec.ports.map((one) => one.port).join(", ")}`,
      seen,
      mends: [hostMend(snapshot, workload, container)],
    });
  }
  if (isHeadless || service.spec.type === "ExternalName") return undefined;
  return notHeadless(snapshot, workload, container, service, port);
}

/** Points the gateway to the Service that has the gRPC port, where there is one. */
function hostMend(snapshot: ClusterSnapshot, { kind, metadata }: Workload, container: string): Mend {
  const candidate = snapshot.services.find(
    ({ metadata: { namespace }, spec }) =>
      namespace === metadata.namespace && spec.ports.some(({ port }) => port === 8500),
  );
  const target = `${kind.toLowerCase()}/${metadata.name}`;
  const words = (host: string): string[] => [
    ...inNamespace(snapshot, metadata.namespace, "set", "env", target, `--containers=${container}`),
    `TF_SERVING_HOST=${host}:8500`,
  ];
  return candidate === undefined
    ? mend("name the model tier's Service", words("SERVICE"))
    : safeMend(
        `look at Service ${candidate.metadata.name}, which has the gRPC port`,
        words(candidate.metadata.name),
        inNamespace(snapshot, metadata.namespace, "rollout", "undo", target),
      );
}

function notHeadless(
  snapshot: ClusterSnapshot,
  gateway: Workload,
  container: string,
  service: Service,
  port: number,
): Finding {
  const { name, namespace } = service.metadata;
  const model = snapshot.workloads.find(
    (one) =>
      one.metadata.namespace === namespace &&
      selects(service.spec.selector, one.spec.template.metadata.labels),
  );
  const headless = `${name}-pods`;
  const target = `${gateway.kind.toLowerCase()}/${gateway.metadata.name}`;
  const targetPort = service.spec.ports.find((one) => one.port === port)?.targetPort ?? port;
  return finding("model-service-not-headless", {
    subject: nameOf(gateway.kind, gateway.metadata),
    problem: `it reaches the model tier through Service ${name}, which has one address for all pods${model?.spec.replicas === undefined ? "" : ` (${model.spec.replicas} wanted)`}`,
    seen: `kubectl get service ${name}: clusterIP ${service.spec.clusterIP ?? "unknown"}`,
    mends: [
      safeMend(
        "make a headless Service beside it, whose name has the address of each pod",
        [
          ...inNamespace(snapshot, namespace, "expose", `service/${name}`, `--name=${headless}`),
          "--cluster-ip=None",
          `--port=${port}`,
          `--target-port=${targetPort}`,
        ],
        inNamespace(snapshot, namespace, "delete", "service", headless),
      ),
      safeMend(
        "and let the gateway use it",
        [
          ...inNamespace(
            snapshot,
            gateway.metadata.namespace,
            "set",
            "env",
            target,
            `--containers=${container}`,
          ),
          `TF_SERVING_HOST=${headless}${namespace === gateway.metadata.namespace ? "" : `.${namespace}`}:${port}`,
        ],
        inNamespace(snapshot, gateway.metadata.namespace, "rollout", "undo", target),
      ),
    ],
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
