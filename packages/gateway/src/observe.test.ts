import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { createRequestMetrics } from "./observe.js";
import { createPermits } from "./permits.js";

test("failures of ours are shown with 0 before the first, so that the first is an increase", async () => {
  const registry = new Registry();
  createRequestMetrics(registry, createPermits({ maxRequests: 1, maxBytes: 1 }));
  const { values } = (await registry.getSingleMetric("vitrine_gateway_requests_total")?.get()) ?? {};
  const shown = values?.map(({ labels, value }) => [labels.route, labels.code, labels.reason, value]);
  expect(shown).toContainEqual(["/predict", "INTERNAL", "MODEL_CONTRACT_MISMATCH", 0]);
  expect(shown).toContainEqual(["/predict", "UNAVAILABLE", "MODEL_UNAVAILABLE", 0]);
  const reasons = shown?.map(([, , reason]) => reason);
  // What callers do shows when they do it, and corrections have a route of their own.
  for (const reason of ["IMAGE_UNDECODABLE", "CANCELLED", "FEEDBACK_FULL"]) {
    expect(reasons).not.toContain(reason);
  }
});
