/** New model servers get their share of the requests, without a mesh and without new connections by chance. */
import { setTimeout as noticing } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  bringUpTwoOfEach,
  counterOf,
  GATEWAY_URL,
  inNamespace,
  kubectl,
  type Pod,
  podsOf,
  settled,
} from "./cluster.js";
import { PHOTO } from "./photo.js";
import { underSteadyLoad } from "./steady-load.js";

const ADMIN_PORT = 8502;
const NOTICED_WITHIN_MS = 15_000;
/** A hundred and more of each server: the share of a few would say little. */
const MEASURED_REQUESTS = 450;

beforeAll(async () => {
  await bringUpTwoOfEach();
  // It would bring a single server to two.
  await inNamespace("delete", "horizontalpodautoscaler/model-server");
  await inNamespace("scale", "deployment/model-server", "--replicas=1");
  await settled("model-server");
});

afterAll(async () => {
  await kubectl("apply", "--kustomize=deploy/k8s/overlays/kind");
});

async function answered(pods: readonly Pod[]): Promise<number[]> {
  return await Promise.all(
    pods.map((pod) => counterOf(pod, ADMIN_PORT, "vitrine_model_server_requests_total")),
  );
}

it("from one model server to three: each has an even share 15 s after it is ready", async () => {
  // With pauses: where all servers are at their limit, the one on the less busy node rightly gets more.
  const callers = { url: GATEWAY_URL, photo: PHOTO, keepingCallers: 2, newCallers: 2, pauseMs: 50 };
  let counts: number[] = [];
  const { failures } = await underSteadyLoad("from one model server to three", callers, async (load) => {
    await inNamespace("scale", "deployment/model-server", "--replicas=3");
    await inNamespace(
      "wait",
      "--for=jsonpath={.status.readyReplicas}=3",
      "deployment/model-server",
      "--timeout=180s",
    );
    await noticing(NOTICED_WITHIN_MS);
    const pods = await podsOf("model-server");
    const before = await answered(pods);
    await load.requestsDone(MEASURED_REQUESTS);
    const after = await answered(pods);
    counts = after.map((count, index) => count - (before[index] ?? 0));
    process.stderr.write(`answers of each: ${counts.join(", ")}\n`);
  });

  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  expect(failures).toEqual([]);
  expect(counts).toHaveLength(3);
  for (const count of counts) expect(Math.abs(count - mean) / mean).toBeLessThan(0.2);
});
