import { rm } from "node:fs/promises";
import type { Tensor } from "@vitrine/protocol/tensor";
import { afterEach, describe, expect, test } from "vitest";
import type { Graph } from "../../graph/graph.js";
import { runGraph } from "../../run-graph.js";
import { readAllSignatures, readSavedModel } from "./read-saved-model.js";
import { relativeDifference, unpackGolden } from "./testing/tensorflow-golden.js";

const TOLERANCE = 1e-4;

let folder: string | undefined;

async function unpack(name: string): ReturnType<typeof unpackGolden> {
  const golden = await unpackGolden(name);
  folder = golden.folder;
  return golden;
}

afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

async function expectOutputs(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
): Promise<void> {
  const results = await runGraph(graph, new Map(Object.entries(inputs)));
  for (const [alias, expected] of Object.entries(outputs)) {
    expect(relativeDifference(results.get(alias), expected)).toBeLessThanOrEqual(TOLERANCE);
  }
}

function operatorsOf(graph: Graph): readonly string[] {
  return [...new Set(graph.nodes.map((node) => node.op))].sort();
}

describe("models of TensorFlow 1", () => {
  const INFERENCE = ["Add", "BatchNormalization", "Conv", "MatMul", "ReduceMean", "Relu", "Softmax"];

  test.each([
    ["variables by reference, conditions as Switch and Merge", "tf1-variables", ["serve"]],
    ["resource variables, conditions as functions", "tf1-resources", ["serve"]],
    ["partitioned variables", "tf1-partitioned", ["serve"]],
    ["partitioned resource variables, two tags", "tf1-partitioned-resources", ["gpu", "serve"]],
    ["a frozen graph without variables", "tf1-frozen", ["serve"]],
  ])("%s: what training added is gone, and the answers are TensorFlow's", async (_, name, tags) => {
    const golden = await unpack(name);
    const graph = await readSavedModel(golden.folder, { tags });
    expect(operatorsOf(graph)).toEqual(expect.arrayContaining(INFERENCE));
    expect(operatorsOf(graph).filter((op) => !INFERENCE.includes(op) && op !== "Concat")).toEqual([]);
    for (const run of golden.cases.serving_default ?? []) await expectOutputs(graph, run.inputs, run.outputs);
  });

  test.each([
    ["variables in two data files", "tf1-shards"],
    ["an index of compressed blocks", "tf2-snappy"],
  ])("%s", async (_, name) => {
    const golden = await unpack(name);
    const graph = await readSavedModel(golden.folder);
    for (const run of golden.cases.serving_default ?? []) await expectOutputs(graph, run.inputs, run.outputs);
  });

  test("a signature that is fed in the middle of the graph", async () => {
    const golden = await unpack("tf1-examples");
    const graph = await readSavedModel(golden.folder, { signature: "dense" });
    expect(graph.inputs.map(({ alias, shape }) => [alias, shape])).toEqual([
      ["pixels", [-1, 12]],
      ["size", [-1, 2]],
      ["weight", [-1]],
    ]);
    for (const run of golden.cases.dense ?? []) await expectOutputs(graph, run.inputs, run.outputs);
  });
});

describe("several signatures", () => {
  test("those that take the same inputs share a graph, in which shared parts are computed once", async () => {
    const golden = await unpack("tf2-signatures");
    const { graphs, signatures } = await readAllSignatures(golden.folder);
    const [scores, standard] = [signatures.get("scores"), signatures.get("serving_default")];
    expect(standard?.graph).toBe(0);
    expect(scores?.graph).toBe(0);
    expect(signatures.get("invert")?.graph).toBe(2);
    expect(graphs[0]?.nodes.filter(({ op }) => op === "Conv")).toHaveLength(1);
    expect([...(scores?.outputs ?? [])].map(([alias, { graphName }]) => [alias, graphName])).toEqual([
      ["indices", "indices"],
      // serving_default has an output of that alias, too.
      ["logits", "scores/logits"],
      ["values", "values"],
    ]);
    expect(standard?.outputs.get("logits")).toMatchObject({
      graphName: "logits",
      tensorName: "StatefulPartitionedCall_3:0",
      dtype: 1,
      shape: [-1, 5],
    });
  });

  test.each(["serving_default", "scores", "invert"])("%s answers as in TensorFlow", async (key) => {
    const golden = await unpack("tf2-signatures");
    const { graphs, signatures } = await readAllSignatures(golden.folder);
    const signature = signatures.get(key);
    const graph = graphs[signature?.graph ?? -1];
    const renamed = (tensors: Readonly<Record<string, Tensor>>) =>
      Object.fromEntries(
        Object.entries(tensors).map(([alias, tensor]) => [signature?.outputs.get(alias)?.graphName, tensor]),
      );
    for (const run of golden.cases[key] ?? []) await expectOutputs(graph!, run.inputs, renamed(run.outputs));
  });

  test("one that cannot be converted is listed with the reason, and stops no other", async () => {
    const golden = await unpack("tf2-signatures");
    const { signatures } = await readAllSignatures(golden.folder);
    const jpeg = signatures.get("from_jpeg");
    expect(jpeg?.graph).toBeUndefined();
    expect(jpeg?.unsupported).toMatch(
      /over a function with DecodeJpeg, expected a signature that takes decoded/,
    );
    expect([...(jpeg?.inputs.keys() ?? [])]).toEqual(["jpegs"]);
    await expect(readSavedModel(golden.folder, { signature: "from_jpeg" })).rejects.toMatchObject({
      reason: "MODEL_UNSUPPORTED",
    });
  });

  test("an unknown one is refused with the names of those there are", async () => {
    const golden = await unpack("tf2-signatures");
    await expect(readSavedModel(golden.folder, { signature: "best" })).rejects.toThrow(
      "signature best was not in the SavedModel, expected one of it: serving_default, from_examples, from_jpeg, invert, scores",
    );
  });

  test("tags are matched as a set, exactly, and refused in TensorFlow's words", async () => {
    const golden = await unpack("tf1-partitioned-resources");
    await expect(readSavedModel(golden.folder)).rejects.toThrow(
      "Could not find meta graph def matching supplied tags: { serve }",
    );
    await expect(readSavedModel(golden.folder, { tags: ["gpu", "serve"] })).resolves.toBeDefined();
  });
});

describe("signatures that parse examples", () => {
  test("features become inputs, with the defaults of those that may be missing", async () => {
    const golden = await unpack("tf1-examples");
    const { graphs, signatures } = await readAllSignatures(golden.folder);
    const classify = signatures.get("serving_default");
    expect(classify?.methodName).toBe("tensorflow/serving/classify");
    expect(classify?.inputs.get("inputs")).toMatchObject({
      graphName: "",
      tensorName: "examples:0",
      dtype: 7,
    });
    expect(classify?.exampleFeatures).toEqual([
      { name: "pixels", dtype: 1, shape: [12], graphName: "pixels" },
      { name: "size", dtype: 9, shape: [2], defaultValue: [3n, 4n], graphName: "size" },
      { name: "weight", dtype: 1, shape: [], defaultValue: [0.5], graphName: "weight" },
    ]);
    expect(signatures.get("dense")?.graph).toBe(classify?.graph);
    // The same examples, parsed: the first has all features, the second takes the defaults.
    expect(graphs[0]?.inputs.map(({ alias }) => alias)).toEqual(["pixels", "size", "weight"]);
  });

  test("string features and string outputs are carried", async () => {
    const golden = await unpack("tf2-signatures");
    const { graphs, signatures } = await readAllSignatures(golden.folder);
    const signature = signatures.get("from_examples");
    expect(signature?.exampleFeatures?.map(({ name, defaultValue }) => [name, defaultValue])).toEqual([
      ["image", undefined],
      ["name", [new TextEncoder().encode("nobody")]],
    ]);
    const graph = graphs[signature?.graph ?? -1];
    const names = [new TextEncoder().encode("Ada")];
    const results = await runGraph(
      graph!,
      new Map<string, Tensor>([
        ["image", { dtype: 1, shape: [1, 8, 8, 3], data: new Float32Array(192).fill(1) }],
        ["name", { dtype: 7, shape: [1], data: names }],
      ]),
    );
    expect(results.get("name")?.data).toEqual(names);
  });
});
