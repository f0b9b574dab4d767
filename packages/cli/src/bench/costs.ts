/** What a million pictures a day costs: pure arithmetic over measured CPU and listed prices. docs/right-size.md explains it. */
import { type NodeKind, PRICES } from "./prices.js";

/** CPU that a service takes per picture, one entry a tier. */
export interface ServiceCost {
  readonly name: string;
  readonly gatewayCpuMs: number;
  readonly modelCpuMs: number;
}

export interface Demand {
  readonly picturesPerDay: number;
  /** The busiest time, as a multiple of the day's mean. */
  readonly peakFactor: number;
  /** Of one picture, fetched by its link. */
  readonly pictureBytes: number;
}

export interface ClusterCost {
  /** Cores at work at the busiest time. */
  readonly peakCores: number;
  readonly nodes: number;
  readonly perDay: number;
}

const SECONDS_PER_DAY = 86_400;

/** Share of its cores at which a cluster is run at the busiest time: the autoscaler's 50 %. */
const CLUSTER_SHARE = 0.5;

/** Of each node, for the kubelet, kube-proxy, the network plug-in and logs. */
const SYSTEM_VCPUS = 0.2;

/** So that one may go. */
const LEAST_NODES = 2;

/** A day of a cluster that is sized for its busiest time, around the clock. */
export function clusterCost(service: ServiceCost, demand: Demand, kind: NodeKind): ClusterCost {
  const node = PRICES.nodes[kind];
  const peakPerSecond = (demand.picturesPerDay / SECONDS_PER_DAY) * demand.peakFactor;
  const peakCores = (peakPerSecond * (service.gatewayCpuMs + service.modelCpuMs)) / 1000;
  const nodes = Math.max(LEAST_NODES, Math.ceil(peakCores / CLUSTER_SHARE / (node.vcpus - SYSTEM_VCPUS)));
  const { diskGigabytes, diskPerGigabyteMonth, hoursPerMonth, publicAddresses, publicAddressPerHour } =
    PRICES;
  const perNodeHour = node.perHour + (diskGigabytes * diskPerGigabyteMonth) / hoursPerMonth;
  const perHour =
    nodes * perNodeHour +
    publicAddresses * publicAddressPerHour +
    PRICES.controlPlanePerHour +
    PRICES.loadBalancerPerHour +
    PRICES.natPerHour;
  const gigabytes = (demand.picturesPerDay * demand.pictureBytes) / 1e9;
  const perDay = 24 * perHour + gigabytes * (PRICES.natPerGigabyte + PRICES.loadBalancerPerUnit);
  return { peakCores, nodes, perDay };
}

/**
 * A day of functions, one call a picture: the memory that comes with one vCPU, for as long as the CPU works. Waiting for
 * the picture's host, cold starts and traffic are left out, all in Lambda's favour.
 */
export function lambdaCost({ gatewayCpuMs, modelCpuMs }: ServiceCost, picturesPerDay: number): number {
  const { perGigabyteSecond, perMillionRequests, megabytesPerVcpu } = PRICES.lambda;
  const gigabyteSeconds = ((megabytesPerVcpu / 1024) * (gatewayCpuMs + modelCpuMs)) / 1000;
  const perPicture =
    gigabyteSeconds * perGigabyteSecond + (perMillionRequests + PRICES.apiGatewayPerMillion) / 1e6;
  return picturesPerDay * perPicture;
}

/**
 * Pictures a day from which on a cluster is the cheaper one.
 *
 * @returns to the nearest 1000; undefined when it is not below 100 million.
 */
export function breakEven(
  functions: ServiceCost,
  cluster: ServiceCost,
  demand: Omit<Demand, "picturesPerDay">,
  kind: NodeKind,
): number | undefined {
  // A cluster's cost goes up in steps of a node, so the difference is not monotonic: the first crossing counts.
  for (let picturesPerDay = 1000; picturesPerDay < 1e8; picturesPerDay += 1000) {
    const day = clusterCost(cluster, { ...demand, picturesPerDay }, kind).perDay;
    if (lambdaCost(functions, picturesPerDay) >= day) return picturesPerDay;
  }
  return undefined;
}
