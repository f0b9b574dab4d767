/**
 * What a cloud asks, as data: look the prices up again before you decide by them.
 *
 * On-demand list prices of AWS in us-east-1, in US dollars without tax, as known on 2026-11-21. Sources, by the page that
 * has each: aws.amazon.com/ec2/pricing/on-demand, /ebs/pricing, /eks/pricing, /elasticloadbalancing/pricing, /vpc/pricing (NAT, addresses),
 * /lambda/pricing, /api-gateway/pricing.
 */
export const PRICES = {
  region: "us-east-1",
  asOf: "2026-11-21",
  nodes: {
    "m5.large": { vcpus: 2, perHour: 0.096 },
    "m5.xlarge": { vcpus: 4, perHour: 0.192 },
  },
  /** Of a node: gp3, as large as deploy/eks/cluster.yaml has it. */
  diskGigabytes: 40,
  diskPerGigabyteMonth: 0.08,
  hoursPerMonth: 730,
  /** The NAT gateway's, and the load balancer's in two zones. */
  publicAddresses: 3,
  publicAddressPerHour: 0.005,
  /** Of a cluster in standard support; 0.60 in extended support. */
  controlPlanePerHour: 0.1,
  loadBalancerPerHour: 0.0225,
  /** Network Load Balancer: a unit is 1 GB of traffic in an hour. */
  loadBalancerPerUnit: 0.006,
  natPerHour: 0.045,
  natPerGigabyte: 0.045,
  lambda: { perGigabyteSecond: 0.0000166667, perMillionRequests: 0.2, megabytesPerVcpu: 1769 },
  /** REST API, as the course makes it; an HTTP API is 1.00, a function URL nothing. */
  apiGatewayPerMillion: 3.5,
} as const;

export type NodeKind = keyof typeof PRICES.nodes;
