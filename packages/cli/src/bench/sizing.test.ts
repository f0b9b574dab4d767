import { expect, test } from "vitest";
import { type Measured, shareInTime, sizeTiers, type Wish } from "./sizing.js";

const MEBIBYTE = 1024 * 1024;

const MEASURED: Measured = {
  gateway: { cpuSecondsPerPicture: 0.004, idleBytes: 140 * MEBIBYTE, peakBytes: 200 * MEBIBYTE },
  modelServer: { cpuSecondsPerPicture: 0.01, idleBytes: 160 * MEBIBYTE, peakBytes: 240 * MEBIBYTE },
  mostPerSecond: 120,
  steps: [0.3, 0.5, 0.65, 0.8, 0.9].map((share) => ({
    share,
    perSecond: 120 * share,
    p95Ms: 20 / (1 - share),
    failed: 0,
  })),
  modelBytes: 10 * MEBIBYTE,
};

const WISH: Wish = { picturesPerSecond: 20, p95Ms: 300, cpuFactor: 1 };

test("a small load is sized for one pod at work and one to spare, by the arithmetic of the document", () => {
  const { share, keepsP95, gateway, modelServer } = sizeTiers(MEASURED, WISH);
  expect({ share, keepsP95 }).toEqual({ share: 0.8, keepsP95: true });
  // 20/s x 10 ms x 1.25 / 0.8 = 0.3125 cores; p95 on a full node asks for 3 x 14 ms / 300 ms = 0.14.
  expect(modelServer).toMatchObject({ requestMillicores: 350, workingPods: 1, pods: 2, boundBy: "load" });
  // 20/s x 4 ms x 1.25 / 0.8 = 0.125 cores: the time that a picture may take asks for more.
  expect(gateway).toMatchObject({ requestMillicores: 150, workingPods: 1, pods: 2, boundBy: "latency" });
  // 0.8 / 1.25 x 1 / 2 = 0.32.
  expect(modelServer.targetPercent).toBe(30);
  expect([modelServer.minReplicas, modelServer.maxReplicas]).toEqual([2, 4]);
});

test("memory is requested for the most that was seen, and limited by what the settings admit", () => {
  const { gateway, modelServer } = sizeTiers(MEASURED, WISH);
  expect(gateway.requestMebibytes).toBe(224);
  // 140 + 128 MiB and twice 50 megapixels of 11 bytes, and a tenth: 1449 MiB.
  expect(gateway.limitMebibytes).toBe(1472);
  expect(modelServer.requestMebibytes).toBe(288);
  // 240 MiB and a second version of 140 MiB and 2.5 times the model's 10 MiB, and a tenth: 446 MiB.
  expect(modelServer.limitMebibytes).toBe(448);
});

test("whatever the load, the pods carry it when one of them is gone, and the autoscaler holds as many", () => {
  for (const picturesPerSecond of [0.1, 1, 7, 20, 63, 150, 400, 1000, 2500]) {
    for (const p95Ms of [50, 300, 2000]) {
      const wish = { ...WISH, picturesPerSecond, p95Ms };
      const { share, gateway, modelServer } = sizeTiers(MEASURED, wish);
      for (const [tier, size] of [
        [MEASURED.gateway, gateway],
        [MEASURED.modelServer, modelServer],
      ] as const) {
        const usedCores = picturesPerSecond * tier.cpuSecondsPerPicture;
        const left = ((size.pods - 1) * size.requestMillicores) / 1000;
        expect(usedCores / left, `${picturesPerSecond}/s in ${p95Ms} ms`).toBeLessThanOrEqual(
          share / 1.25 + 1e-9,
        );
        expect(size.requestMillicores).toBeLessThanOrEqual(2000);
        expect(size.maxReplicas).toBeGreaterThanOrEqual(size.pods + 2);
        if (size.boundBy !== "load") continue;
        // Kubernetes: desired = ceil(replicas x utilisation / target).
        const utilisation = (100 * usedCores * 1000) / (size.pods * size.requestMillicores);
        const desired = Math.ceil((size.pods * utilisation) / size.targetPercent);
        expect(Math.max(desired, size.minReplicas)).toBeGreaterThanOrEqual(size.workingPods);
      }
    }
  }
});

test("a slow model gets pods of two cores, and no more of them than the load needs", () => {
  const slow = { ...MEASURED, modelServer: { ...MEASURED.modelServer, cpuSecondsPerPicture: 0.2 } };
  const { modelServer } = sizeTiers(slow, WISH);
  // 20/s x 200 ms x 1.25 / 0.8 = 6.25 cores; p95 asks for 3 x 204 ms / 300 ms = 2.04, and two is the most.
  expect(modelServer).toMatchObject({ requestMillicores: 2000, workingPods: 4, pods: 5, boundBy: "latency" });
});

test("slower cores need more of them", () => {
  const usual = sizeTiers(MEASURED, { ...WISH, picturesPerSecond: 50 });
  const slower = sizeTiers(MEASURED, { ...WISH, picturesPerSecond: 50, cpuFactor: 2 });
  const cores = ({ requestMillicores, workingPods }: { requestMillicores: number; workingPods: number }) =>
    requestMillicores * workingPods;
  expect(cores(slower.modelServer)).toBeGreaterThanOrEqual(1.9 * cores(usual.modelServer));
});

test("the share in time lies between the last step that kept p95 and the first that did not", () => {
  const steps = [
    { share: 0.3, perSecond: 36, p95Ms: 50, failed: 0 },
    { share: 0.5, perSecond: 60, p95Ms: 100, failed: 0 },
    { share: 0.7, perSecond: 84, p95Ms: 300, failed: 0 },
  ];
  expect(shareInTime(steps, 200)).toEqual({ share: 0.6, keepsP95: true });
  expect(shareInTime(steps, 1000)).toEqual({ share: 0.7, keepsP95: true });
  expect(shareInTime(steps, 40)).toEqual({ share: 0.3, keepsP95: false });
});

test("a step with failures is not in time, however quick its answers were", () => {
  const steps = [
    { share: 0.3, perSecond: 36, p95Ms: 50, failed: 0 },
    { share: 0.5, perSecond: 60, p95Ms: 60, failed: 2 },
  ];
  expect(shareInTime(steps, 300)).toEqual({ share: 0.3, keepsP95: true });
  expect(shareInTime(steps.slice(1), 300)).toEqual({ share: 0.5, keepsP95: false });
});
