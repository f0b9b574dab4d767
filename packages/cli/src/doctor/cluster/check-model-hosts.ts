/** Where gateways look for the model tier: whether it is there, and whether all of it is reached. */
import { type Finding, finding, type Mend, mend } from "../finding.js";
import { isOurs, mendIf, targetOf, templateMend } from "./changes.js";
import type { Container, Service, Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, nameOf, selects } from "./snapshot.js";
import { isModelWorkload, type ModelHost, modelHostsOf } from "./tiers-in-cluster.js";

export function checkModelHosts(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.flatMap((workload) =>
    workload.spec.template.spec.containers.flatMap((container) =>
      modelHostsOf(container).flatMap((address) => {
        const found = checkModelHost(snapshot, { workload, container, address });
        return found === undefined ? [] : [found];
      }),
    ),
  );
}

/** A gateway, and one of the addresses at which it looks for the model tier. */
interface Lookout {
  readonly workload: Workload;
  readonly container: Container;
  readonly address: ModelHost;
}

function checkModelHost(snapshot: ClusterSnapshot, lookout: Lookout): Finding | undefined {
  const { workload, container, address } = lookout;
  const { host, port } = address;
  const { namespace } = workload.metadata;
  const subject = nameOf(workload.kind, workload.metadata);
  const seen = `container ${container.name}: TF_SERVING_HOST=${host}:${port}`;
  if (/^(localhost|127\.)/.test(host)) {
    if (mayHaveCompany(workload)) return undefined;
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at ${host}:${port}, which is the pod itself`,
      seen,
      mends: [hostMend(snapshot, lookout)],
    });
  }
  const [name = "", within = namespace, ...rest] = host.split(".");
  // The node puts the value of a variable in the place of $(NAME).
  const isClusterName = !/^\d|\$\(/.test(host) && (rest.length === 0 || rest[0] === "svc");
  if (!isClusterName || !snapshot.namespaces.includes(within)) return undefined;
  const service = snapshot.services.find(
    ({ metadata }) => metadata.name === name && metadata.namespace === within,
  );
  if (service === undefined) {
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at ${host}, and there is no Service ${name} in ${within}`,
      seen,
      mends: [hostMend(snapshot, lookout)],
    });
  }
  const isHeadless = service.spec.clusterIP === "None";
  const served = isHeadless || service.spec.ports.some((one) => one.port === port);
  if (!served) {
    return finding("model-host-unknown", {
      subject,
      problem: `it looks for the model server at port ${port} of Service ${name}, which has ${service.spec.ports.map((one) => one.port).join(", ")}`,
      seen,
      mends: [hostMend(snapshot, lookout)],
    });
  }
  if (isHeadless || service.spec.type === "ExternalName") return undefined;
  return notHeadless(snapshot, lookout, service);
}

/** A model server beside the gateway need not declare its port: `containerPort` only informs. */
function mayHaveCompany({ spec }: Workload): boolean {
  const { containers, initContainers } = spec.template.spec;
  return containers.length > 1 || initContainers.some(({ restartPolicy }) => restartPolicy === "Always");
}

/** Points the gateway to the Service that has the gRPC port, where there is one. */
function hostMend(snapshot: ClusterSnapshot, lookout: Lookout): Mend {
  const candidate = grpcService(snapshot, lookout.workload.metadata.namespace);
  if (candidate === undefined) {
    return withoutFix(pointTo(snapshot, lookout, `SERVICE:${GRPC_PORT}`, "name the model tier's Service"));
  }
  const { name } = candidate.metadata;
  const does = `look at Service ${name}, which has the gRPC port`;
  const found = pointTo(snapshot, lookout, `${name}:${GRPC_PORT}`, does);
  return servesModels(snapshot, candidate) ? found : withoutFix(found);
}

const FLAG = "--tf-serving-host";

/** Puts another address in the place of the lookout's, and keeps those beside it: they are left to the user, as are flags. */
function pointTo(
  snapshot: ClusterSnapshot,
  { workload, container, address }: Lookout,
  place: string,
  does: string,
): Mend {
  const former = modelHostsOf(container).map(({ host, port }) => `${host}:${port}`);
  const own = `${address.host}:${address.port}`;
  const value = [...new Set(former.map((one) => (one === own ? place : one)))].join(",");
  if ([...container.command, ...container.args].some((word) => word.split("=")[0] === FLAG)) {
    const words = inNamespace(snapshot, workload.metadata.namespace, "edit", targetOf(workload));
    return mend(`${does}: ${FLAG}=${value}`, words);
  }
  const found = templateMend(snapshot, workload, does, {
    verb: ["set", "env"],
    flags: [`--containers=${container.name}`, `TF_SERVING_HOST=${value}`],
  });
  return former.length === 1 ? found : withoutFix(found);
}

const GRPC_PORT = 8500;

/** The headless one, where several have the same pods. Undefined: there is none, or there are several model tiers. */
function grpcService({ services }: ClusterSnapshot, namespace: string): Service | undefined {
  const all = services.filter(
    ({ metadata, spec }) =>
      metadata.namespace === namespace && spec.ports.some(({ port }) => port === GRPC_PORT),
  );
  const tiers = new Set(all.map(({ spec }) => JSON.stringify(Object.entries(spec.selector).sort())));
  if (tiers.size > 1) return undefined;
  return all.find(({ spec }) => spec.clusterIP === "None") ?? all[0];
}

/** Other programs have a port 8500, too: Consul's HTTP for one. */
function servesModels({ workloads }: ClusterSnapshot, { metadata, spec }: Service): boolean {
  return workloads.some((one) => {
    const { template } = one.spec;
    if (one.metadata.namespace !== metadata.namespace) return false;
    if (!selects(spec.selector, template.metadata.labels) || !isModelWorkload(one)) return false;
    return (
      isOurs(one) || template.spec.containers.some(({ image }) => /(^|\/)tensorflow\/serving\b/.test(image))
    );
  });
}

function withoutFix({ does, command }: Mend): Mend {
  return command === undefined ? { does } : { does, command };
}

function notHeadless(snapshot: ClusterSnapshot, lookout: Lookout, service: Service): Finding {
  const { workload: gateway, address } = lookout;
  const { port } = address;
  const { name, namespace } = service.metadata;
  const model = snapshot.workloads.find(
    (one) =>
      one.metadata.namespace === namespace &&
      selects(service.spec.selector, one.spec.template.metadata.labels),
  );
  const headless = `${name}-pods`;
  // Another namespace may be somebody else's.
  const isNear = namespace === gateway.metadata.namespace;
  const place = `${headless}${isNear ? "" : `.${namespace}`}:${port}`;
  const change = pointTo(snapshot, lookout, place, "and let the gateway use it");
  const targetPort = service.spec.ports.find((one) => one.port === port)?.targetPort ?? port;
  return finding("model-service-not-headless", {
    subject: nameOf(gateway.kind, gateway.metadata),
    problem: `it reaches the model tier through Service ${name}, which has one address for all pods${model?.spec.replicas === undefined ? "" : ` (${model.spec.replicas} wanted)`}`,
    seen: `kubectl get service ${name}: clusterIP ${service.spec.clusterIP ?? "unknown"}`,
    mends: [
      mendIf(
        isNear && change.safe !== undefined,
        "make a headless Service beside it, whose name has the address of each pod",
        [
          ...inNamespace(snapshot, namespace, "expose", `service/${name}`, `--name=${headless}`),
          "--cluster-ip=None",
          `--port=${port}`,
          `--target-port=${targetPort}`,
        ],
        inNamespace(snapshot, namespace, "delete", "service", headless),
      ),
      isNear ? change : withoutFix(change),
    ],
  });
}
