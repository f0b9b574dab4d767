/** NetworkPolicies that keep a gateway from its model tier, where they are enforced. */
import { type Finding, finding, mend } from "../finding.js";
import type { NetworkPolicy, Workload } from "./objects.js";
import { type ClusterSnapshot, inNamespace, nameOf } from "./snapshot.js";
import { isGatewayWorkload, isModelWorkload, modelHostsOf } from "./tiers-in-cluster.js";

type Selector = NetworkPolicy["spec"]["podSelector"];

/** True for an empty selector, too; one with expressions may fit anything. */
function fits(
  { matchLabels, matchExpressions }: Selector,
  labels: Readonly<Record<string, string>>,
): boolean {
  return (
    matchExpressions.length > 0 || Object.entries(matchLabels).every(([key, value]) => labels[key] === value)
  );
}

/** Whether gateways may look names up and reach the model tier, as far as the policies of their namespace tell. */
export function checkPolicies(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.filter(isGatewayWorkload).flatMap((gateway) => {
    const { namespace } = gateway.metadata;
    const policies = snapshot.networkPolicies.filter((one) => one.metadata.namespace === namespace);
    const models = snapshot.workloads.filter(
      (one) => isModelWorkload(one) && one.metadata.namespace === namespace,
    );
    const problems = [
      ...waysOut(gateway, policies),
      ...models.flatMap((model) => wayIn(gateway, model, policies)),
    ];
    return problems.map((problem) =>
      finding("network-policy-blocks", {
        subject: nameOf(gateway.kind, gateway.metadata),
        problem,
        seen: `kubectl get networkpolicies --namespace=${namespace}`,
        mends: [
          mend("allow it, as deploy/k8s/base/network-policies.yaml does", [
            ...inNamespace(snapshot, namespace, "get", "networkpolicies", "--output=yaml"),
          ]),
        ],
      }),
    );
  });
}

type Policies = readonly NetworkPolicy[];

const namesOf = (policies: Policies): string => policies.map(({ metadata }) => metadata.name).join(", ");

function waysOut({ spec }: Workload, policies: Policies): string[] {
  const { labels } = spec.template.metadata;
  const outward = policies.filter(
    (one) => one.spec.policyTypes.includes("Egress") && fits(one.spec.podSelector, labels),
  );
  if (outward.length === 0) return [];
  const rules = outward.flatMap((one) => one.spec.egress);
  const lets = (port: number, names: readonly string[]): boolean =>
    rules.some(({ ports }) => ports.length === 0 || ports.some((one) => isWithin(port, names, one)));
  const ports = new Set(spec.template.spec.containers.flatMap(modelHostsOf).map(({ port }) => port));
  return [
    ...(lets(53, ["dns", "dns-tcp"])
      ? []
      : [`no rule of ${namesOf(outward)} lets it reach port 53, so it cannot look up names`]),
    ...[...ports]
      .filter((port) => !lets(port, ["grpc"]))
      .map((port) => `no rule of ${namesOf(outward)} lets it reach the model tier's port ${port}`),
  ];
}

/** A rule's port without a number is every port. */
function isWithin(
  port: number,
  names: readonly string[],
  { port: first, endPort }: NetworkPolicy["spec"]["egress"][number]["ports"][number],
): boolean {
  if (first === undefined) return true;
  if (typeof first === "string") return names.includes(first);
  return port >= first && port <= (endPort ?? first);
}

function wayIn(gateway: Workload, model: Workload, policies: Policies): string[] {
  const { labels } = gateway.spec.template.metadata;
  const inward = policies.filter(
    ({ spec }) =>
      spec.policyTypes.includes("Ingress") && fits(spec.podSelector, model.spec.template.metadata.labels),
  );
  const isLetIn = inward.some(({ spec }) =>
    spec.ingress.some(
      ({ from }) =>
        from.length === 0 ||
        from.some(
          ({ podSelector, namespaceSelector, ipBlock }) =>
            // Of other namespaces and addresses nothing is known here.
            namespaceSelector !== undefined ||
            ipBlock !== undefined ||
            (podSelector !== undefined && fits(podSelector, labels)),
        ),
    ),
  );
  if (inward.length === 0 || isLetIn) return [];
  return [`no rule of ${namesOf(inward)} lets it reach ${model.metadata.name}`];
}
