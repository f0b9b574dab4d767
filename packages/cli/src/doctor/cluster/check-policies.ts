/** NetworkPolicies that keep a gateway from its model tier, where they are enforced. */
import { type Finding, finding, mend } from "../finding.js";
import type { NetworkPolicy } from "./objects.js";
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

/** Whether gateways may look names up and reach the model tier, as far as the policies' own namespace tells. */
export function checkPolicies(snapshot: ClusterSnapshot): Finding[] {
  return snapshot.workloads.filter(isGatewayWorkload).flatMap((gateway) => {
    const { namespace } = gateway.metadata;
    const labels = gateway.spec.template.metadata.labels;
    const models = snapshot.workloads.filter(
      (one) => isModelWorkload(one) && one.metadata.namespace === namespace,
    );
    const policies = snapshot.networkPolicies.filter((one) => one.metadata.namespace === namespace);
    const outward = policies.filter(
      ({ spec }) => spec.policyTypes.includes("Egress") && fits(spec.podSelector, labels),
    );
    const ports = new Set(
      gateway.spec.template.spec.containers.flatMap(modelHostsOf).map(({ port }) => port),
    );
    const allowsPort = (port: number, names: readonly string[]): boolean =>
      outward.some(({ spec }) =>
        spec.egress.some(
          (rule) =>
            rule.ports.length === 0 ||
            rule.ports.some((one) => one.port === port || names.includes(String(one.port))),
        ),
      );
    const findings: Finding[] = [];
    const name = (list: readonly NetworkPolicy[]): string =>
      list.map(({ metadata }) => metadata.name).join(", ");
    const facts = {
      subject: nameOf(gateway.kind, gateway.metadata),
      mends: [
        mend("allow it, as deploy/k8s/base/network-policies.yaml does", [
          ...inNamespace(snapshot, namespace, "get", "networkpolicies", "--output=yaml"),
        ]),
      ],
    };
    if (outward.length > 0 && !allowsPort(53, ["dns", "dns-tcp"])) {
      findings.push(
        finding("network-policy-blocks", {
          ...facts,
          problem: `${name(outward)} let${outward.length === 1 ? "s" : ""} it out, but to no port 53, so it cannot look up names`,
          seen: `kubectl get networkpolicies --namespace=${namespace}`,
        }),
      );
    }
    for (const port of outward.length > 0 ? ports : []) {
      if (allowsPort(port, ["grpc"])) continue;
      findings.push(
        finding("network-policy-blocks", {
          ...facts,
          problem: `${name(outward)} allow${outward.length === 1 ? "s" : ""} no way to the model tier's port ${port}`,
          seen: `kubectl get networkpolicies --namespace=${namespace}`,
        }),
      );
    }
    for (const model of models) {
      const inward = policies.filter(
        ({ spec }) =>
          spec.policyTypes.includes("Ingress") && fits(spec.podSelector, model.spec.template.metadata.labels),
      );
      const lets = inward.some(({ spec }) =>
        spec.ingress.some(
          ({ from }) =>
            from.length === 0 ||
            from.some(
              (peer) =>
                peer.namespaceSelector !== undefined ||
                peer.ipBlock !== undefined ||
                (peer.podSelector !== undefined && fits(peer.podSelector, labels)),
            ),
        ),
      );
      if (inward.length === 0 || lets) continue;
      findings.push(
        finding("network-policy-blocks", {
          ...facts,
          problem: `${name(inward)} let${inward.length === 1 ? "s" : ""} nobody with its labels reach ${model.metadata.name}`,
          seen: `kubectl get networkpolicies --namespace=${namespace}`,
        }),
      );
    }
    return findings;
  });
}
