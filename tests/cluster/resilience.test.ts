/** Steady load while pods are replaced and killed: what callers lose. */
import { beforeAll, describe, expect, it } from "vitest";
import {
  bringUpTwoOfEach,
  counterOf,
  GATEWAY_URL,
  inNamespace,
  killAndAwait,
  type Pod,
  podsOf,
  settled,
} from "./cluster.js";
import { PHOTO } from "./photo.js";
import { type LoadReport, predict, underSteadyLoad } from "./steady-load.js";

const CALLERS = { keepingCallers: 2, newCallers: 2 };

beforeAll(async () => {
  await bringUpTwoOfEach();
});

function underLoad(what: string, disturb: () => Promise<void>): Promise<LoadReport> {
  return underSteadyLoad(what, { url: GATEWAY_URL, photo: PHOTO, ...CALLERS }, disturb);
}

const ADMIN_PORTS = { gateway: 9697, "model-server": 8502 } as const;

/** The pod that answers most of the requests: callers of one zone may all be at one gateway. */
async function busiestOf(tier: "gateway" | "model-server"): Promise<Pod> {
  const pods = (await podsOf(tier)).filter(({ isReady, isEnding }) => isReady && !isEnding);
  const requests = `vitrine_${tier.replace("-", "_")}_requests_total`;
  const answered = () => Promise.all(pods.map((pod) => counterOf(pod, ADMIN_PORTS[tier], requests)));
  const before = await answered();
  for (let request = 0; request < 20; request += 1) await predict(GATEWAY_URL, PHOTO);
  const after = await answered();
  const gained = after.map((count, index) => count - (before[index] ?? 0));
  const busiest = pods[gained.indexOf(Math.max(...gained))];
  if (busiest === undefined) throw new Error(`${tier} has no pod that is ready`);
  return busiest;
}

describe("under steady load no request fails", () => {
  it("while the model servers are replaced by a rolling update", async () => {
    const report = await underLoad("rolling update of the model servers", async () => {
      await inNamespace("rollout", "restart", "deployment/model-server");
      await settled("model-server");
    });
    expect(report.failures).toEqual([]);
    expect(report.requests).toBeGreaterThan(50);
  });

  it("while the gateways are replaced by a rolling update", async () => {
    const report = await underLoad("rolling update of the gateways", async () => {
      await inNamespace("rollout", "restart", "deployment/gateway");
      await settled("gateway");
    });
    expect(report.failures).toEqual([]);
    expect(report.requests).toBeGreaterThan(50);
  });

  it.each(["model-server", "gateway"] as const)("while a pod of the %s tier is deleted", async (tier) => {
    const pod = await busiestOf(tier);
    const report = await underLoad(`${tier} deleted`, async () => {
      await inNamespace("delete", "pod", pod.name);
      await settled(tier);
    });
    expect(report.failures).toEqual([]);
  });

  it("while a model server is killed by SIGKILL", async ({ skip }) => {
    const pod = await busiestOf("model-server");
    const report = await underLoad("model server killed", async () => {
      if (!(await killAndAwait(pod))) skip("the pod's processes are on another machine");
    });
    expect(report.failures).toEqual([]);
  });
});

it("a gateway that is killed by SIGKILL takes with it what it had in hand, and what came before the cluster noticed", async ({
  skip,
}) => {
  const pod = await busiestOf("gateway");
  const report = await underLoad("gateway killed", async () => {
    if (!(await killAndAwait(pod))) skip("the pod's processes are on another machine");
  });
  const { failures } = report;
  for (const { reason } of failures) expect(reason).toMatch(/ECONNRESET|ECONNREFUSED|socket hang up/);
  const inHand = failures.filter(({ reason }) => !reason.includes("ECONNREFUSED"));
  expect(inHand.length).toBeLessThanOrEqual(CALLERS.keepingCallers + CALLERS.newCallers);
  // Connections are refused until the cluster has noticed; about a second when nobody else needs the machine.
  expect((failures.at(-1)?.atMs ?? 0) - (failures[0]?.atMs ?? 0)).toBeLessThan(10_000);
});
