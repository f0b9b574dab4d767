/** The HorizontalPodAutoscalers follow the load, up and down. */
import { beforeAll, expect, it } from "vitest";
import { bringUp, GATEWAY_URL, settled, waitForReplicas } from "./cluster.js";
import { PHOTO } from "./photo.js";
import { underSteadyLoad } from "./steady-load.js";

beforeAll(async () => {
  await bringUp();
});

it("more gateways and model servers under load, and two of each again after it, with no request lost", async () => {
  await Promise.all([
    waitForReplicas("gateway", (replicas) => replicas === 2, 240_000),
    waitForReplicas("model-server", (replicas) => replicas === 2, 240_000),
  ]);
  const callers = { url: GATEWAY_URL, photo: PHOTO, keepingCallers: 2, newCallers: 2, pauseMs: 0 };
  let up: unknown;
  const { failures } = await underSteadyLoad("autoscaling", callers, async () => {
    up = await Promise.all([
      waitForReplicas("gateway", (replicas) => replicas > 2, 180_000),
      waitForReplicas("model-server", (replicas) => replicas > 2, 180_000),
    ]);
    await settled("gateway", "model-server");
  });
  const down = await Promise.all([
    waitForReplicas("gateway", (replicas) => replicas === 2, 240_000),
    waitForReplicas("model-server", (replicas) => replicas === 2, 240_000),
  ]);
  process.stderr.write(`up ${JSON.stringify(up)}, down ${JSON.stringify(down)}\n`);
  expect(failures).toEqual([]);
}, 600_000);
