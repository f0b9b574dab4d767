import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DataType } from "@vitrine/protocol/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { float32Constant } from "./graph/constant-values.js";
import { GraphBuilder } from "./graph/graph-builder.js";
import { runOnnx } from "./run-graph.js";
import { writeSavedModel } from "./saved-model/write/write-saved-model.js";
import { openSavedModel } from "./serving.js";

let scratch: string;
let folder: string;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "vitrine-serving-"));
  folder = path.join(scratch, "model");
  await writeSavedModel(doubling(2), folder);
});
afterAll(() => rm(scratch, { recursive: true }));

function doubling(factor: number) {
  const builder = new GraphBuilder("doubling");
  const x = builder.input("x", "float32", [-1, 100]);
  const factors = builder.constant(
    "factors",
    float32Constant(
      Array.from({ length: 100 }, () => factor),
      [100],
    ),
  );
  builder.output("y", builder.node("Mul", "times", [x, factors]), "float32", [-1, 100]);
  return builder.build();
}

const feeds = new Map([
  ["x", { dtype: DataType.DT_FLOAT, shape: [1, 100], data: new Float32Array(100).fill(3) }],
]);

describe("a SavedModel that is opened for serving", () => {
  test("is a model and its signatures, in memory where no cache is named", async () => {
    const { model, signatures } = await openSavedModel(folder);
    expect([...signatures.keys()]).toEqual(["serving_default"]);
    const served = signatures.get("serving_default");
    expect(served?.methodName).toBe("tensorflow/serving/predict");
    expect(served?.inputs.get("x")).toMatchObject({
      graphName: "x",
      tensorName: "serving_default_x:0",
      dtype: DataType.DT_FLOAT,
      shape: [-1, 100],
    });
    if (!("bytes" in model)) expect.unreachable();
    expect((await runOnnx(model.bytes, feeds)).get("y")?.data).toEqual(new Float32Array(100).fill(6));
  });

  test("is converted once and found again in the cache", async () => {
    const cacheFolder = path.join(scratch, "deep", "cache");
    const first = await openSavedModel(folder, { cacheFolder });
    if (!("file" in first.model)) expect.unreachable();
    const { mtimeMs } = await stat(first.model.file);
    const second = await openSavedModel(folder, { cacheFolder });
    expect(second).toEqual(first);
    expect((await stat(first.model.file)).mtimeMs).toBe(mtimeMs);
    expect(await readdir(cacheFolder)).toHaveLength(1);
    expect((await runOnnx(first.model.file, feeds)).get("y")?.shape).toEqual([1, 100]);
  });

  test("is converted anew when its files changed", async () => {
    const cacheFolder = path.join(scratch, "changing");
    const other = path.join(scratch, "other");
    await writeSavedModel(doubling(2), other);
    await openSavedModel(other, { cacheFolder });
    await rm(other, { recursive: true });
    await writeSavedModel(doubling(5), other);
    const { model } = await openSavedModel(other, { cacheFolder });
    if (!("file" in model)) expect.unreachable();
    expect((await runOnnx(model.file, feeds)).get("y")?.data).toEqual(new Float32Array(100).fill(15));
    expect(await readdir(cacheFolder)).toHaveLength(2);
  });

  test("is made anew where the cache's entry is damaged", async () => {
    const cacheFolder = path.join(scratch, "damaged");
    await openSavedModel(folder, { cacheFolder });
    const [entry = ""] = await readdir(cacheFolder);
    await writeFile(path.join(cacheFolder, entry, "signatures.json"), "[[");
    const { signatures } = await openSavedModel(folder, { cacheFolder });
    expect(signatures.size).toBe(1);
    const text = await readFile(path.join(cacheFolder, entry, "signatures.json"), "utf8");
    expect(JSON.parse(text)).toHaveLength(1);
  });

  test("is opened in memory where the cache cannot be written", async () => {
    const blocked = path.join(scratch, "blocked");
    await writeFile(blocked, "a file where the folder should be");
    await chmod(blocked, 0o400);
    const { model } = await openSavedModel(folder, { cacheFolder: path.join(blocked, "cache") });
    expect("bytes" in model).toBe(true);
  });

  test("is refused in words when there is none", async () => {
    await expect(openSavedModel(path.join(scratch, "nothing"), { cacheFolder: scratch })).rejects.toThrow(
      /Could not find SavedModel .pb/,
    );
  });
});
