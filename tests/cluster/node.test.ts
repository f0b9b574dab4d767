/** A node is drained, and dies, under load: as for an upgrade, and as by a power cut. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bringUpTwoOfEach,
  canStopNodes,
  GATEWAY_URL,
  inNamespace,
  kubectl,
  podsOf,
  settled,
  startNode,
  stopNode,
} from "./cluster.js";
import { PHOTO } from "./photo.js";
import { underSteadyLoad } from "./steady-load.js";

const CALLERS = { url: GATEWAY_URL, photo: PHOTO, keepingCallers: 2, newCallers: 2 };

interface NodeJson {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] };
}

/** The cluster says whether the node is back, not the program that starts it, which may have less patience. */
async function bringBack(node: string): Promise<void> {
  const started = await startNode(node).catch((error: unknown) => error);
  await kubectl("wait", "--for=condition=Ready", `node/${node}`, "--timeout=240s").catch((error: unknown) => {
    throw new Error(`${node} is not back: ${error}`, { cause: started });
  });
}

/** Pods stay where they are; only new ones are spread over the nodes that there are. */
async function restart(): Promise<void> {
  await inNamespace("rollout", "restart", "deployment/gateway", "deployment/model-server");
  await settled("gateway", "model-server");
}

/** A worker that the callers do not come in by. */
async function nodeToStop(): Promise<string> {
  const { items }: { items: NodeJson[] } = JSON.parse(await kubectl("get", "nodes", "--output=json"));
  const entry = new URL(GATEWAY_URL).hostname;
  const others = items.filter(
    ({ metadata, status }) =>
      !("node-role.kubernetes.io/control-plane" in metadata.labels) &&
      !status.addresses.some(({ address }) => address === entry),
  );
  return others.at(-1)?.metadata.name ?? "";
}

describe.skipIf(!canStopNodes)("a node", () => {
  let node = "";

  beforeAll(async () => {
    await bringUpTwoOfEach();
    await restart();
    node = await nodeToStop();
  });

  afterAll(async () => {
    await bringBack(node);
  });

  it("costs no request when it is drained for an upgrade", async () => {
    const { failures } = await underSteadyLoad("node drained", CALLERS, async () => {
      try {
        await kubectl(
          "drain",
          node,
          // Others may work on the cluster, too.
          "--pod-selector=app.kubernetes.io/part-of=vitrine",
          "--ignore-daemonsets",
          "--delete-emptydir-data",
          "--timeout=180s",
        );
        await settled("gateway", "model-server");
      } finally {
        await kubectl("uncordon", node);
      }
      await restart();
    });
    expect(failures).toEqual([]);
  });

  it("costs callers in another zone no request when it dies, and its pods come back elsewhere", async () => {
    const inside = (await podsOf("model-server")).filter((pod) => pod.node === node);
    expect(inside.length, "model servers on the node").toBeGreaterThan(0);
    const { failures } = await underSteadyLoad("node stopped", CALLERS, async () => {
      await stopNode(node);
      await kubectl("wait", "--for=condition=Ready=Unknown", `node/${node}`, "--timeout=120s");
      for (const pod of inside) {
        await inNamespace(
          "wait",
          "--for=jsonpath={.metadata.deletionTimestamp}",
          `pod/${pod.name}`,
          "--timeout=120s",
        );
      }
      await inNamespace("rollout", "status", "deployment/model-server", "--timeout=180s");
      await inNamespace("rollout", "status", "deployment/gateway", "--timeout=180s");
    });
    expect(failures).toEqual([]);
  });

  it("takes its part again when it is back and something is rolled out", async () => {
    await bringBack(node);
    await restart();
    for (const tier of ["gateway", "model-server"] as const) {
      expect((await podsOf(tier)).map((pod) => pod.node)).toContain(node);
    }
  });
});
