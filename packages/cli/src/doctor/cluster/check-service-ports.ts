/** Where Services send to: whether anything listens there. */
import { type Finding, finding, mend } from "../finding.js";
import { isOurService, serviceMend } from "./changes.js";
import type { Container, Pod, Service, Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, nameOf } from "./snapshot.js";
import { isVitrine, mayListenAt, settingOf } from "./tiers-in-cluster.js";

/**
 * A name that no container has leads nowhere. A number may be listened at without having been declared, since
 * `containerPort` only informs: it is wrong for certain where all containers of the pods, those of a mesh included, are
 * Vitrine's, whose settings say their ports. Whether the pods are ready says nothing of it: their probes ask other ports.
 */
export function checkServicePorts(
  snapshot: ClusterSnapshot,
  service: Service,
  pods: readonly Pod[],
  workloads: readonly Workload[],
): Finding[] {
  const { metadata, spec } = service;
  const containers = pods.flatMap((pod) => [...pod.spec.containers, ...sidecarsOf(pod)]);
  // A mesh adds nothing to the templates.
  const specs =
    workloads.length > 0 ? workloads.map((one) => one.spec.template.spec) : pods.map((one) => one.spec);
  return spec.ports.flatMap(({ name, port, targetPort = port }, index) => {
    const isWrong =
      typeof targetPort === "string"
        ? !containers.some(({ ports }) => ports.some((one) => one.name === targetPort))
        : containers.every((one) => isVitrine(one) && !mayListenAt(one, targetPort));
    if (containers.length === 0 || !isWrong) return [];
    const known = declaredPorts(specs.flatMap(({ containers }) => containers));
    const right =
      known.find((one) => (name !== undefined && one.name === name) || one.number === port)?.number ??
      onlyOne(known.filter(({ isAdmin }) => !isAdmin))?.number;
    const list = known.map((one) =>
      one.name === undefined ? `${one.number}` : `${one.name} (${one.number})`,
    );
    return [
      finding("service-wrong-port", {
        subject: nameOf("service", metadata),
        problem: `its port ${port} goes to ${targetPort}, which no container of its pods has; they ${list.length === 0 ? "declare none" : `have ${list.join(", ")}`}`,
        seen: `kubectl get service ${metadata.name}: targetPort ${targetPort}`,
        mends: [
          right === undefined
            ? mend(
                "name one of them as targetPort",
                inNamespace(snapshot, metadata.namespace, "edit", "service", metadata.name),
              )
            : serviceMend(snapshot, metadata, {
                isSafe:
                  isOurService(service, workloads) &&
                  specs.every(({ containers }) => containers.length === 1),
                does: `send to ${right}`,
                path: `/spec/ports/${index}/targetPort`,
                value: right,
                former: targetPort,
              }),
        ],
      }),
    ];
  });
}

function sidecarsOf({ spec }: Pod): readonly Container[] {
  return spec.initContainers.filter(({ restartPolicy }) => restartPolicy === "Always");
}

interface DeclaredPort {
  readonly number: number;
  readonly name: string | undefined;
  /** Of metrics and probes, not of what the Service is for. */
  readonly isAdmin: boolean;
}

function declaredPorts(containers: readonly Container[]): DeclaredPort[] {
  const found = containers.flatMap((container) => {
    const admin = settingOf(container, "--admin-port", "ADMIN_PORT");
    return container.ports.map(({ name, containerPort }) => ({
      number: containerPort,
      name,
      isAdmin: `${containerPort}` === admin || /^(metrics|admin)$/.test(name ?? ""),
    }));
  });
  return [...new Map(found.map((one) => [one.number, one])).values()];
}

function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}
