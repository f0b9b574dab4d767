import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { resolveSettings, UsageError } from "@vitrine/runtime/settings";
import { describe, expect, test } from "vitest";
import { checkDevice, parseDevice } from "./devices.js";
import { engineSettings, engineSizes } from "./engine-settings.js";

function sizes(flags: Record<string, string>, cores = 8, numBatchThreads?: number) {
  const { config } = resolveSettings(engineSettings, { flags, env: {} });
  return engineSizes(config, cores, { numBatchThreads, threadPoolName: "batch_threads" });
}

describe("sessions", () => {
  test.each<[string, Record<string, string>, number | undefined, [number, number, number]]>([
    ["are one per core", {}, undefined, [8, 1, 1]],
    ["share the cores by their threads", { intraOpThreads: "4" }, undefined, [2, 4, 1]],
    ["have TensorFlow's threads", { tensorflowIntraOpParallelism: "2" }, undefined, [4, 2, 1]],
    [
      "have TensorFlow's threads across operators",
      { tensorflowIntraOpParallelism: "2", tensorflowInterOpParallelism: "3" },
      undefined,
      [4, 2, 3],
    ],
    ["have both from one flag", { tensorflowSessionParallelism: "2" }, undefined, [4, 2, 2]],
    ["prefer our own flag", { tensorflowIntraOpParallelism: "2", intraOpThreads: "1" }, undefined, [8, 1, 1]],
    ["are as many as batch threads", {}, 3, [3, 2, 1]],
    ["are never more than cores for batch threads", {}, 64, [8, 1, 1]],
    ["are as many as asked for", { workers: "12" }, 3, [12, 1, 1]],
  ])("%s", (_, flags, batchThreads, expected) => {
    const { workers, slots, session } = sizes(flags, 8, batchThreads);
    expect([workers, session.intraOpThreads, session.interOpThreads]).toEqual(expected);
    expect(slots).toBe(workers);
  });

  test("cannot take all three of TensorFlow's flags", () => {
    expect(() =>
      sizes({
        tensorflowSessionParallelism: "1",
        tensorflowIntraOpParallelism: "1",
        tensorflowInterOpParallelism: "1",
      }),
    ).toThrow("expected either it or those");
  });
});

describe("the device", () => {
  test("is the CPU, or a GPU by its number", () => {
    expect(parseDevice("cpu")).toEqual({ kind: "cpu" });
    expect(parseDevice("cuda")).toEqual({ kind: "cuda", id: 0 });
    expect(parseDevice("cuda:3")).toEqual({ kind: "cuda", id: 3 });
    expect(() => resolveSettings(engineSettings, { flags: { device: "gpu" }, env: {} })).toThrow(
      "expected cpu, cuda, or cuda:N",
    );
  });

  test("without its build of ONNX Runtime is refused with what to do", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "vitrine-onnxruntime-"));
    const check = () => checkDevice({ kind: "cuda", id: 1 }, folder);
    expect(check).toThrow(UsageError);
    expect(check).toThrow(
      "--device was cuda:1, expected cpu: the CUDA build of ONNX Runtime is not installed",
    );
    await writeFile(path.join(folder, "libonnxruntime_providers_cuda.so"), "");
    expect(check).not.toThrow();
  });
});
