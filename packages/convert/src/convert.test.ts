import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { contractFromFiles } from "@vitrine/protocol/contract";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ConvertRequest, convertModel } from "./convert.js";
import { float32Constant } from "./graph/constant-values.js";
import { GraphBuilder } from "./graph/graph-builder.js";
import { readOnnx } from "./onnx/read-onnx.js";
import { writeOnnx } from "./onnx/write-onnx.js";
import { preparedGraph } from "./prepared-graph.js";
import { readSavedModel } from "./saved-model/read/read-saved-model.js";

let scratch: string;
let source: string;
let place: string;
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "vitrine-convert-"));
  source = path.join(scratch, "classifier.onnx");
  await writeOnnx(preparedGraph(classifier("Relu"), "plain"), source);
});
beforeEach(async () => {
  place = await mkdtemp(path.join(scratch, "to-"));
});
afterAll(() => rm(scratch, { recursive: true }));

/** Pictures of 6 x 6 into two scores. @param activation operator in between. */
function classifier(activation: string) {
  const builder = new GraphBuilder("classifier");
  const pictures = builder.input("pictures", "float32", [-1, 6, 6, 3]);
  const kernel = builder.constant(
    "kernel",
    float32Constant(
      Array.from({ length: 54 }, (_, i) => ((i * 7) % 11) - 5),
      [2, 3, 3, 3],
    ),
  );
  const maps = builder.node("Conv", "conv", [pictures, kernel], { layout: "NHWC", auto_pad: "SAME_UPPER" });
  const active = builder.node(activation, "activation", [maps]);
  const axes = builder.int64s("axes", [1, 2]);
  builder.output(
    "scores",
    builder.node("ReduceMean", "mean", [active, axes], { keepdims: 0 }),
    "float32",
    [-1, 2],
  );
  return builder.build();
}

function convert(changes: Partial<ConvertRequest>, signal = new AbortController().signal) {
  const request: ConvertRequest = {
    source,
    destination: path.join(place, "model"),
    to: undefined,
    inputDtype: undefined,
    inputLayout: undefined,
    opset: undefined,
    tags: undefined,
    signature: undefined,
    overwrite: false,
    contract: () => undefined,
    recorded: undefined,
    tolerance: undefined,
    ...changes,
  };
  return convertModel(request, { say: () => undefined, signal });
}

const contract = contractFromFiles(
  { id2label: { 0: "dress", 1: "hat" } },
  { size: 6, do_rescale: false, do_normalize: false, vitrine: { preset: "tf" } },
);

describe("a converted model", () => {
  test("is a SavedModel with the names of its source, and nothing else is left beside it", async () => {
    const { readBack, recorded, target } = await convert({});
    expect(target.kind).toBe("saved-model");
    expect(readBack.relative).toBeLessThan(1e-6);
    expect(recorded).toBeUndefined();
    expect(await readdir(place)).toEqual(["model"]);
    const { inputs, outputs } = await readSavedModel(path.join(place, "model"));
    expect(inputs).toMatchObject([{ alias: "pictures", shape: [-1, 6, 6, 3] }]);
    expect(outputs).toMatchObject([{ alias: "scores", shape: [-1, 2] }]);
  });

  test("says where it came from", async () => {
    const { digest } = await convert({});
    const text = await readFile(path.join(place, "model", "assets.extra", "vitrine.json"), "utf8");
    expect(JSON.parse(text)).toMatchObject({
      "vitrine.source": "classifier.onnx",
      "vitrine.source_format": "onnx",
      "vitrine.source_sha256": digest,
    });
  });

  test("is one file where the name is a file's", async () => {
    const file = path.join(place, "model.onnx");
    await convert({ destination: file });
    expect(await readdir(place)).toEqual(["model.onnx"]);
    expect((await readOnnx(file)).inputs).toMatchObject([{ alias: "pictures" }]);
  });

  test("is the next version in a folder of versions", async () => {
    await mkdir(path.join(place, "7"));
    const { target } = await convert({ destination: place });
    expect(target.path).toBe(path.join(place, "8"));
    expect(await readdir(place)).toEqual(["7", "8"]);
  });

  test("takes the order of axes that was asked for", async () => {
    await convert({ to: "onnx", inputLayout: "NCHW" });
    const { inputs } = await readOnnx(path.join(place, "model", "model.onnx"));
    expect(inputs).toMatchObject([{ shape: [-1, 3, 6, 6] }]);
  });

  test("brings its contract, in assets.extra for a SavedModel", async () => {
    await convert({ contract: () => contract });
    const folder = path.join(place, "model", "assets.extra");
    expect(await readdir(folder)).toEqual(["config.json", "preprocessor_config.json", "vitrine.json"]);
  });

  test("takes pixels when asked, and its contract leaves the arithmetic to it", async () => {
    const report = await convert({ to: "onnx", inputDtype: "uint8", contract: () => contract });
    expect(report.facts.inputs).toMatchObject([{ type: "uint8", shape: [-1, 6, 6, 3] }]);
    expect(report.contract?.preprocessor.vitrine.preset).toBeUndefined();
  });

  test("replaces what is there only when asked", async () => {
    const folder = path.join(place, "model");
    await mkdir(folder);
    await writeFile(path.join(folder, "precious"), "");
    await expect(convert({})).rejects.toThrow(/was there already, expected a new name, or --overwrite/);
    expect(await readdir(folder)).toEqual(["precious"]);
    await convert({ overwrite: true });
    expect(await readdir(folder)).toEqual(["assets.extra", "saved_model.pb", "variables"]);
    expect(await readdir(place)).toEqual(["model"]);
  });
});

describe("a conversion that fails leaves nothing", () => {
  const recorded = (...scores: number[]): { input: Tensor; output: Tensor } => ({
    input: { dtype: DataType.DT_FLOAT, shape: [1, 6, 6, 3], data: new Float32Array(108) },
    output: { dtype: DataType.DT_FLOAT, shape: [1, 2], data: Float32Array.from(scores) },
  });

  test("for an operator that TensorFlow does not have, which is named", async () => {
    const odd = path.join(scratch, "odd.onnx");
    await writeOnnx(preparedGraph(classifier("Bernoulli"), "plain"), odd);
    await expect(convert({ source: odd })).rejects.toThrow(/activation.*Bernoulli/);
    expect(await readdir(place)).toEqual([]);
  });

  test("for outputs other than those that were recorded", async () => {
    await expect(convert({ recorded: recorded(1, 2) })).rejects.toThrow(/output scores differed by/);
    expect(await readdir(place)).toEqual([]);
    const report = await convert({ recorded: recorded(0, 0) });
    expect(report.recorded?.largest).toBe(0);
  });

  test("for a contract of another number of labels", async () => {
    const three = contractFromFiles({ id2label: { 0: "a", 1: "b", 2: "c" } }, { size: 6 });
    await expect(convert({ contract: () => three })).rejects.toThrow(/had 3 labels, expected 2/);
    expect(await readdir(place)).toEqual([]);
  });

  test("when it is interrupted", async () => {
    const controller = new AbortController();
    controller.abort(new Error("received SIGINT"));
    await expect(convert({}, controller.signal)).rejects.toThrow("received SIGINT");
    expect(await readdir(place)).toEqual([]);
  });

  test.each([
    ["a file that is not there", "nothing.h5", /was not found, expected a model's file or folder/],
    ["PyTorch weights", "model.pt", /a PyTorch file; export it to ONNX/],
    ["a file of another kind", "model.txt", /no model that is known here, expected .h5, .keras, .onnx/],
  ])("for %s", async (_what, name, words) => {
    const file = path.join(scratch, name);
    if (name !== "nothing.h5") await writeFile(file, "text");
    await expect(convert({ source: file })).rejects.toThrow(words);
    expect(await readdir(place)).toEqual([]);
  });
});
