/** The cost table of docs/right-size.md. */
import { COURSE, COURSE_FUNCTION, SHOP, VITRINE, VITRINE_FUNCTION } from "./cost-figures.js";
import { breakEven, clusterCost, type Demand, lambdaCost, type ServiceCost } from "./costs.js";
import { type NodeKind, PRICES } from "./prices.js";

const DAILY = [100_000, 1_000_000, 10_000_000];

const CLUSTERS: readonly (readonly [ServiceCost, NodeKind])[] = [
  [VITRINE, "m5.large"],
  [VITRINE, "m5.xlarge"],
  [COURSE, "m5.xlarge"],
];

const FUNCTIONS = [COURSE_FUNCTION, VITRINE_FUNCTION];

/** How many nodes are paid for: those of the busiest time around the clock, or always just those that are needed. */
const PAID: readonly (readonly [string, Omit<Demand, "picturesPerDay">])[] = [
  ["nodes for the peak, always", SHOP],
  ["nodes follow the load", { ...SHOP, peakFactor: 1 }],
];

/** Two tables in Markdown: dollars a day by pictures a day, and from where on a cluster is cheaper than functions. */
export function costTables(): string {
  const clusters = CLUSTERS.flatMap(([service, kind]) =>
    PAID.map(([paid, demand]) => [
      `${service.name}, EKS on ${kind}, ${paid}`,
      cpu(service),
      ...DAILY.map((picturesPerDay) => {
        const { nodes, perDay } = clusterCost(service, { ...demand, picturesPerDay }, kind);
        return `${dollars(perDay)} (${nodes} nodes)`;
      }),
    ]),
  );
  const functions = FUNCTIONS.map((service) => [
    service.name,
    cpu(service),
    ...DAILY.map((count) => dollars(lambdaCost(service, count))),
  ]);
  const perDay = [
    ["dollars a day", "CPU ms a picture", ...DAILY.map((count) => `${millions(count)} pictures`)],
    ...clusters,
    ...functions,
  ];
  const crossings = [
    ["a cluster is cheaper from so many pictures a day", ...FUNCTIONS.map(({ name }) => `than ${name}`)],
    ...CLUSTERS.flatMap(([service, kind]) =>
      PAID.map(([paid, demand]) => [
        `${service.name} on ${kind}, ${paid}`,
        ...FUNCTIONS.map((each) => crossing(breakEven(each, service, demand, kind))),
      ]),
    ),
  ];
  return `Prices of ${PRICES.region} as known on ${PRICES.asOf}.\n\n${table(perDay)}\n\n${table(crossings)}\n`;
}

function crossing(picturesPerDay: number | undefined): string {
  return picturesPerDay === undefined ? "never" : grouped(picturesPerDay);
}

function cpu({ gatewayCpuMs, modelCpuMs }: ServiceCost): string {
  return `${gatewayCpuMs} + ${modelCpuMs}`;
}

function dollars(amount: number): string {
  return `$${amount < 100 ? amount.toFixed(2) : amount.toFixed(0)}`;
}

function millions(count: number): string {
  return count < 1e6 ? grouped(count) : `${count / 1e6} million`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** Padded as the formatter of the repository's documents does. */
function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
