import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type BatchingFlags, BatchingRules } from "./batching.js";

const UNSET: BatchingFlags = {
  enableBatching: undefined,
  batchingParametersFile: undefined,
  enablePerModelBatchingParameters: false,
  maxBatchSize: undefined,
  batchTimeoutMicros: undefined,
  maxEnqueuedBatches: undefined,
};

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-batching-"));
  for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
  return folder;
}

async function rulesOf(text: string, flags: Partial<BatchingFlags> = {}): Promise<BatchingRules> {
  const folder = await folderWith({ "batching.config": text });
  const file = path.join(folder, "batching.config");
  return BatchingRules.read({ ...UNSET, enableBatching: true, batchingParametersFile: file, ...flags });
}

describe("without a file", () => {
  test("requests are joined only where a contract says that rows are pictures, and none is refused for its size", async () => {
    const rules = await BatchingRules.read(UNSET);
    expect(await rules.of("/nowhere", true)).toMatchObject({ maxBatchSize: 4, maxRequestRows: undefined });
    expect(await rules.of("/nowhere", false)).toMatchObject({
      maxBatchSize: undefined,
      maxRequestRows: undefined,
      maxEnqueuedBatches: 128,
    });
  });

  test("requests are joined where asked for, and never where refused", async () => {
    const asked = await BatchingRules.read({ ...UNSET, enableBatching: true });
    expect(await asked.of("/nowhere", false)).toMatchObject({ maxBatchSize: 32, maxRequestRows: 1000 });
    const sized = await BatchingRules.read({ ...UNSET, enableBatching: true, maxBatchSize: 9 });
    expect(await sized.of("/nowhere", false)).toMatchObject({ maxBatchSize: 9, maxRequestRows: 9 });
    const refused = await BatchingRules.read({ ...UNSET, enableBatching: false });
    expect((await refused.of("/nowhere", true)).maxBatchSize).toBeUndefined();
  });

  test.each([{ batchingParametersFile: "x" }, { enablePerModelBatchingParameters: true }])(
    "%j without --enable_batching is refused",
    async (flags) => {
      await expect(BatchingRules.read({ ...UNSET, ...flags })).rejects.toThrow("without --enable_batching");
    },
  );
});

describe("a batching parameters file", () => {
  test("says everything", async () => {
    const rules = await rulesOf(`
      max_batch_size { value: 128 }
      batch_timeout_micros { value: 2000 }
      max_enqueued_batches { value: 7 }
      num_batch_threads { value: 3 }
      thread_pool_name { value: "pictures" }
      allowed_batch_sizes: 8
      allowed_batch_sizes: 64
      pad_variable_length_inputs: true
      enable_large_batch_splitting { value: true }
      max_execution_batch_size { value: 64 }
    `);
    expect(rules.threads).toEqual({ numBatchThreads: 3, threadPoolName: "pictures" });
    expect(await rules.of("/nowhere", false)).toEqual({
      maxBatchSize: 64,
      maxRequestRows: undefined,
      splitRows: 64,
      batchTimeoutMicros: 2000,
      maxEnqueuedBatches: 7,
      allowedBatchSizes: [8, 64],
      padVariableLengthInputs: true,
    });
  });

  test("that is empty has TensorFlow Serving's defaults", async () => {
    const rules = await rulesOf("");
    expect(rules.threads).toEqual({ numBatchThreads: undefined, threadPoolName: "batch_threads" });
    expect(await rules.of("/nowhere", false)).toMatchObject({
      maxBatchSize: 1000,
      maxRequestRows: 1000,
      splitRows: undefined,
      batchTimeoutMicros: 0,
      maxEnqueuedBatches: 10,
    });
  });

  test("is beaten by a flag", async () => {
    const rules = await rulesOf("max_batch_size { value: 128 }", { maxBatchSize: 16 });
    expect(await rules.of("/nowhere", false)).toMatchObject({ maxBatchSize: 16, maxRequestRows: 16 });
  });

  test.each([
    ["max_batch_size: 128", "batching.config:1:17: found a plain value, expected { value: 128 }"],
    ["max_batch_size { value: 0 }", "max_batch_size was 0, expected at least 1"],
    ["num_batch_threads { value: -1 }", "num_batch_threads was -1, expected at least 1"],
    [
      "max_batch_size { value: 8 } allowed_batch_sizes: 4",
      "allowed_batch_sizes ended with 4, expected max_batch_size",
    ],
    [
      "max_batch_size { value: 8 } allowed_batch_sizes: [4, 4, 8]",
      "allowed_batch_sizes were 4, 4, 8, expected whole numbers of at least 1, each greater than the one before",
    ],
    [
      "max_batch_size { value: 8 } enable_large_batch_splitting { value: true } max_execution_batch_size { value: 9 }",
      "max_execution_batch_size was 9, expected at most max_batch_size (8)",
    ],
  ])("with %s is refused", async (text, problem) => {
    await expect(rulesOf(text)).rejects.toThrow(problem);
  });

  test("that is missing is refused", async () => {
    const flags = { ...UNSET, enableBatching: true, batchingParametersFile: "/nowhere/x" };
    await expect(BatchingRules.read(flags)).rejects.toThrow("--batching_parameters_file: ENOENT");
  });
});

describe("per-model parameters", () => {
  const flags = { ...UNSET, enableBatching: true, enablePerModelBatchingParameters: true };

  test("come from the version's folder", async () => {
    const rules = await BatchingRules.read(flags);
    const folder = await folderWith({ "batching_params.pbtxt": "max_batch_size { value: 5 }" });
    expect(await rules.of(folder, true)).toMatchObject({ maxBatchSize: 5, maxRequestRows: 5 });
  });

  test("that a version does not have leave it unbatched", async () => {
    const rules = await BatchingRules.read(flags);
    expect(await rules.of(await folderWith({}), true)).toMatchObject({
      maxBatchSize: undefined,
      maxRequestRows: undefined,
    });
  });

  test("that are wrong fail the load of that version", async () => {
    const rules = await BatchingRules.read(flags);
    const folder = await folderWith({ "batching_params.pbtxt": "max_batch_size { value: -5 }" });
    await expect(rules.of(folder, true)).rejects.toThrow(
      "batching_params.pbtxt was not valid: max_batch_size was -5",
    );
  });
});
