/** Where gateways look for the model tier: whether it is there, and whether all of it is reached. */
import { type Finding, finding, type Mend, mend, safeMend } from "../finding.js";
import type { Service, Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, nameOf, selects } from "./snapshot.js";
import { hasPort, modelHostsOf } from "./tiers-in-cluster.js";

export function checkModelHosts(snapshot: ClusterSnapshot): Finding[] {
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
