import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { costTables } from "./cost-table.js";
import { breakEven, clusterCost, lambdaCost, type ServiceCost } from "./costs.js";
import { PRICES } from "./prices.js";

const LIGHT: ServiceCost = { name: "light", gatewayCpuMs: 5, modelCpuMs: 10 };
const HEAVY: ServiceCost = { name: "heavy", gatewayCpuMs: 5, modelCpuMs: 250 };
const DEMAND = { picturesPerDay: 1_000_000, peakFactor: 3, pictureBytes: 30_000 };

test("a light service is two nodes with disks, the control plane, the load balancer, addresses and the traffic", () => {
  const { peakCores, nodes, perDay } = clusterCost(LIGHT, DEMAND, "m5.xlarge");
  // 11.574 a second x 3 x 15 ms.
  expect(peakCores).toBeCloseTo(0.5208, 4);
  expect(nodes).toBe(2);
  // 24 h x (2 x (0.192 + 40 x 0.08 / 730) + 0.1 + 0.0225 + 0.045 + 3 x 0.005) + 30 GB x 0.051.
  expect(perDay).toBeCloseTo(13.236 + 0.2104 + 0.36 + 1.53, 3);
});

test("a heavy one needs as many nodes as its busiest time takes at half of their cores", () => {
  // 34.72 a second x 255 ms = 8.85 cores; / 0.5 = 17.7 of nodes with 3.8.
  expect(clusterCost(HEAVY, DEMAND, "m5.xlarge").nodes).toBe(5);
});

test("a function costs its time with one vCPU's memory, the request and the gateway before it", () => {
  // 1769 / 1024 GB x 0.255 s x 0.0000166667 = 0.0000073421 a picture, and 0.0000037.
  expect(lambdaCost(HEAVY, 1_000_000)).toBeCloseTo(7.342 + 3.7, 3);
});

test("from the break-even on a cluster is cheaper, and before it is not", () => {
  const { picturesPerDay: _, ...demand } = DEMAND;
  const from = breakEven(HEAVY, LIGHT, demand, "m5.xlarge")!;
  const difference = (picturesPerDay: number): number =>
    clusterCost(LIGHT, { ...demand, picturesPerDay }, "m5.xlarge").perDay - lambdaCost(HEAVY, picturesPerDay);
  expect(difference(from)).toBeLessThanOrEqual(0);
  expect(difference(from - 1000)).toBeGreaterThan(0);
});

test("without a picture a cluster costs what docs/eks.md adds up for a month", async () => {
  const document = await readFile(new URL("../../../../docs/eks.md", import.meta.url), "utf8");
  const [, month] = /\| \*\*together\*\* .*\*\*([\d.]+)\*\*/.exec(document) ?? [];
  const { perDay } = clusterCost(LIGHT, { ...DEMAND, picturesPerDay: 0 }, "m5.xlarge");
  expect((perDay / 24) * PRICES.hoursPerMonth).toBeCloseTo(Number(month), 1);
});

test("the tables of docs/right-size.md are what the figures and prices say", async () => {
  const document = await readFile(new URL("../../../../docs/right-size.md", import.meta.url), "utf8");
  expect(document, "run node scripts/cost-table.js").toContain(costTables());
});
