import { expect, test } from "vitest";
import type { Measurement } from "./measure.js";
import { sizeJson } from "./size-json.js";
import { sizePatch } from "./size-patch.js";
import { type SizeFacts, sizeReport } from "./size-report.js";
import { sizeTiers } from "./sizing.js";

const MEBIBYTE = 1024 * 1024;

const MEASUREMENT: Measurement = {
  measured: {
    gateway: { cpuSecondsPerPicture: 0.005, idleBytes: 145 * MEBIBYTE, peakBytes: 227 * MEBIBYTE },
    modelServer: { cpuSecondsPerPicture: 0.012, idleBytes: 161 * MEBIBYTE, peakBytes: 249 * MEBIBYTE },
    mostPerSecond: 124,
    steps: [
      { share: 0.3, perSecond: 37, p95Ms: 47, failed: 0 },
      { share: 0.8, perSecond: 99, p95Ms: 136, failed: 0 },
    ],
    modelBytes: 5_000_000,
  },
  machine: { processor: "Some CPU", cores: 2 },
  otherCores: 0.1,
  warnings: [],
};

function factsFor(picturesPerSecond: number, p95Ms: number): SizeFacts {
  const wish = { picturesPerSecond, p95Ms, cpuFactor: 1 };
  const sizing = sizeTiers(MEASUREMENT.measured, wish);
  return { wish, measurement: MEASUREMENT, sizing, pictures: "341 pictures" };
}

test("the report names each size and the arithmetic behind it", () => {
  const report = sizeReport(factsFor(20, 300));
  expect(report).toMatch(/^model server +400m +288Mi +448Mi +2 +30 % +2 to 4 pods$/m);
  expect(report).toContain("model server: 20/s x 12.0 ms = 0.24 cores; x 1.25");
  expect(report).toContain("= 0.37 cores on 1 pod; one pod more for a node that goes.");
  // 2 pods of 200m and 2 of 400m, a vCPU for 0.048 an hour.
  expect(report).toContain("Together the pods ask for 1.20 cores: $1.38 a day");
  expect(report).toContain("p95 keeps to 300 ms up to 80 % of the full load");
});

test("a p95 that was not kept is said, in the report, the patches and the JSON", () => {
  const facts = factsFor(20, 40);
  expect(sizeReport(facts)).toMatch(/p95 was above 40 ms even at 30 %.*will NOT keep it/);
  expect(sizePatch(facts)).toContain("p95 within 40 ms (NOT kept)");
  expect(sizeJson(facts).keeps_p95).toBe(false);
});

test("the patches change what was measured and nothing else of deploy/k8s", () => {
  const patch = sizePatch(factsFor(100, 300));
  expect(patch).toContain(`                resources:
                  requests:
                    cpu: 800m
                    memory: 256Mi
                  # No limit of CPU, unless a rule of the cluster demands one:
                  # cpu: 2000m
                  limits:
                    memory: 1472Mi
  - target:
      kind: HorizontalPodAutoscaler
      name: gateway
    # 2 under the wanted load: 1 at work and one to spare.
    patch: |
      - op: replace
        path: /spec/minReplicas
        value: 2
      - op: replace
        path: /spec/maxReplicas
        value: 4
      - op: replace
        path: /spec/metrics/0/resource/target/averageUtilization
        value: 30
`);
});

test("the JSON gives the sizes in Kubernetes' units", () => {
  expect(sizeJson(factsFor(100, 300)).model_server).toEqual({
    requests: { cpu: "950m", memory: "288Mi" },
    limits: { memory: "448Mi" },
    working_pods: 2,
    pods: 3,
    hpa: { min_replicas: 2, max_replicas: 6, average_utilization: 40 },
    bound_by: "load",
  });
});
