import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DataType } from "@vitrine/protocol/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { float32Constant, floatsOf } from "../graph/constant-values.js";
import type { Graph } from "../graph/graph.js";
import { GraphBuilder } from "../graph/graph-builder.js";
import { runOnnx } from "../run-graph.js";
import { decodeModel, readOnnx } from "./read-onnx.js";
import { encodeOnnx, joinParts, writeOnnx } from "./write-onnx.js";

const folder = mkdtempSync(path.join(tmpdir(), "vitrine-write-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));

const kernel = float32Constant(
  Array.from({ length: 64 * 64 }, (_, index) => Math.sin(index)),
  [64, 64],
);

function dense(): Graph {
  const builder = new GraphBuilder("dense");
  const x = builder.input("x", "float32", [-1, 64]);
  const hidden = builder.node("MatMul", "hidden", [x, builder.constant("kernel", kernel)]);
  builder.output(
    "scores",
    builder.node("Clip", "clip", [hidden, "", builder.float32("most", 1)]),
    "float32",
    [-1, 64],
  );
  return builder.build();
}

const feeds = new Map([
  ["x", { dtype: DataType.DT_FLOAT, shape: [1, 64], data: new Float32Array(64).fill(0.5) }],
]);

describe("encodeOnnx", () => {
  it("passes weights on by reference", () => {
    const parts = encodeOnnx(dense());
    expect(parts.some((part) => part.buffer === kernel.bytes.buffer)).toBe(true);
  });

  it("is read back as the same graph", async () => {
    const file = path.join(folder, "same.onnx");
    const graph = dense();
    await writeOnnx(graph, file);
    const back = await readOnnx(file);
    expect(back.nodes.map(({ op, name, attributes }) => ({ op, name, attributes }))).toEqual(
      graph.nodes.map(({ op, name, attributes }) => ({ op, name, attributes })),
    );
    expect(back.inputs).toEqual(graph.inputs);
    expect(floatsOf(back.constants.get("kernel"))).toEqual(floatsOf(kernel));
  });

  it("carries provenance as metadata", () => {
    const metadata = { source: "sha256:00", vitrine: "0.1.0" };
    const model = decodeModel(joinParts(encodeOnnx(dense(), { metadata })), "model");
    expect(Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]))).toEqual(metadata);
    expect(model.producerName).toBe("vitrine");
  });

  it.each([18, 19, 20, 21, 22, 23, 24, 25, 26])(
    "writes opset %i so that ONNX Runtime runs it",
    async (opset) => {
      const outputs = await runOnnx(joinParts(encodeOnnx(dense(), { opset })), feeds);
      expect(outputs.get("scores")?.shape).toEqual([1, 64]);
    },
  );

  it("refuses an opset that it does not write, or that is older than an operator", () => {
    expect(() => encodeOnnx(dense(), { opset: 17 })).toThrow(/opset was 17, expected 18 to 26/);
    const builder = new GraphBuilder("gelu");
    const x = builder.input("x", "float32", [-1]);
    builder.output("y", builder.node("Gelu", "soft", [x]), "float32", [-1]);
    expect(() => encodeOnnx(builder.build(), { opset: 19 })).toThrow(
      /soft is a Gelu, expected an opset of at least 20/,
    );
  });

  it("keeps aliases apart from inner names", async () => {
    const builder = new GraphBuilder("names");
    const x = builder.input("x", "float32", [-1, 2]);
    // An inner value is called as an output is, an output is an input, and two outputs are one value.
    const inner = builder.node("Neg", "y", [x]);
    const result = builder.node("Exp", "z", [inner]);
    builder.output("y", result, "float32", [-1, 2]);
    builder.output("again", result, "float32", [-1, 2]);
    builder.output("copy", x, "float32", [-1, 2]);
    const data = Float32Array.of(0, 1);
    const fed = new Map([["x", { dtype: DataType.DT_FLOAT, shape: [1, 2], data }]]);
    const outputs = await runOnnx(joinParts(encodeOnnx(builder.build())), fed);
    expect([...outputs.keys()].sort()).toEqual(["again", "copy", "y"]);
    expect(outputs.get("copy")?.data).toEqual(data);
    expect(outputs.get("again")).toEqual(outputs.get("y"));
  });
});

describe("writeOnnx", () => {
  it("puts weights beside the model when they do not fit into one message", async () => {
    const file = path.join(folder, "large.onnx");
    const files = await writeOnnx(dense(), file, { maxModelBytes: 4096 });
    expect(files).toEqual([file, `${file}.data`]);
    expect(statSync(file).size).toBeLessThan(4096);
    expect(statSync(`${file}.data`).size).toBe(kernel.bytes.byteLength);
    const back = await readOnnx(file);
    expect(floatsOf(back.constants.get("kernel"))).toEqual(floatsOf(kernel));
    expect(await runOnnx(file, feeds)).toEqual(await runOnnx(joinParts(encodeOnnx(dense())), feeds));
  });
});
