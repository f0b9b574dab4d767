import { describe, expect, it } from "vitest";
import { encodeOnnx, joinParts } from "../onnx/write-onnx.js";
import { runOnnx } from "../run-graph.js";
import { compare, seededFeeds } from "../verify.js";
import { isSpatial, layoutOf } from "./attributes.js";
import { float32Constant } from "./constant-values.js";
import type { Graph } from "./graph.js";
import { GraphBuilder } from "./graph-builder.js";
import { changeInputLayout, countTransposes, toLayout } from "./layout.js";
import { optimise } from "./optimise.js";
import { naiveNchw } from "./testing/naive-layout.js";
import { randomGraph } from "./testing/random-graph.js";

async function run(graph: Graph) {
  return runOnnx(joinParts(encodeOnnx(graph)), seededFeeds(graph.inputs, 2));
}

const WAYS: Readonly<Record<string, (graph: Graph) => Graph>> = {
  moved: (graph) => toLayout(graph, "NCHW"),
  "moved and optimised": (graph) => optimise(toLayout(optimise(graph), "NCHW")),
  "there and back and there": (graph) =>
    optimise(toLayout(toLayout(optimise(toLayout(graph, "NCHW")), "NHWC"), "NCHW")),
};

describe("a random graph gives the same in every layout", () => {
  it.each(Array.from({ length: 80 }, (_, seed) => seed))("seed %i", async (seed) => {
    const graph = randomGraph(seed);
    const expected = await run(naiveNchw(graph));
    for (const [way, pass] of Object.entries(WAYS)) {
      for (const difference of compare(expected, await run(pass(graph)))) {
        expect(difference.relative, `${way}: ${difference.output}`).toBeLessThanOrEqual(1e-5);
      }
    }
  });
});

const WINDOW = { layout: "NHWC", kernel_shape: [3, 3], auto_pad: "SAME_UPPER" };

function ones(builder: GraphBuilder, name: string, shape: readonly number[]): string {
  const elements = shape.reduce((product, size) => product * size, 1);
  return builder.constant(name, float32Constant(new Array<number>(elements).fill(1), shape));
}

/** Two convolutions with a shortcut, features and a Dense layer: picture [n, 8, 8, 3] to scores. */
function classifier(flatten: (builder: GraphBuilder, picture: string) => string): Graph {
  const builder = new GraphBuilder("classifier");
  const picture = builder.input("picture", "float32", [-1, 8, 8, 3]);
  const first = builder.node("Conv", "first", [picture, ones(builder, "w1", [3, 3, 3, 3])], WINDOW);
  const sum = builder.node("Add", "sum", [builder.node("Relu", "relu", [first]), first]);
  const second = builder.node("Conv", "second", [sum, ones(builder, "w2", [4, 3, 3, 3])], WINDOW);
  const features = flatten(builder, second);
  builder.output("scores", features, "float32", undefined);
  return builder.build();
}

const pooled = (builder: GraphBuilder, picture: string) =>
  builder.node("ReduceMean", "mean", [picture, builder.int64s("axes", [1, 2])], { keepdims: 0 });

describe("toLayout", () => {
  it("puts one Transpose before the first convolution and none behind it", () => {
    const moved = toLayout(classifier(pooled), "NCHW");
    expect(moved.nodes.map(({ op }) => op)).toEqual([
      "Transpose",
      "Conv",
      "Relu",
      "Add",
      "Conv",
      "ReduceMean",
    ]);
    expect(moved.nodes.filter(({ op }) => isSpatial(op)).map(layoutOf)).toEqual(["NCHW", "NCHW"]);
  });

  it("puts none when callers feed channels first", () => {
    const moved = toLayout(classifier(pooled), "NCHW", { changeInputLayout: true });
    expect(countTransposes(moved)).toBe(0);
    expect(moved.inputs[0]).toMatchObject({ alias: "picture", shape: [-1, 3, 8, 8] });
  });

  it("gives a picture as an output its own order back", () => {
    const moved = toLayout(
      classifier((_, picture) => picture),
      "NCHW",
    );
    expect(countTransposes(moved)).toBe(2);
  });

  it("reorders the weights of a Dense layer behind Flatten instead of the features", async () => {
    const graph = optimise(
      classifier((builder, picture) => {
        const weights = Float32Array.from({ length: 256 * 2 }, (_, index) => Math.sin(index));
        const flat = builder.node("Reshape", "flat", [picture, builder.int64s("shape", [-1, 256])]);
        const kernel = builder.constant("kernel", float32Constant(weights, [256, 2]));
        return builder.node("MatMul", "dense", [builder.node("Dropout", "dropout", [flat]), kernel]);
      }),
    );
    const moved = toLayout(graph, "NCHW");
    expect(countTransposes(moved)).toBe(1);
    const [difference] = compare(await run(naiveNchw(graph)), await run(moved));
    expect(difference?.relative).toBeLessThan(1e-5);
  });

  it("leaves the source's graph as it was", () => {
    const graph = classifier(pooled);
    const before = structuredClone(graph);
    toLayout(graph, "NCHW");
    expect(graph).toEqual(before);
  });

  it("refuses a spatial operator on a tensor of unknown rank", () => {
    const builder = new GraphBuilder("unknown");
    const x = builder.input("x", "float32", undefined);
    builder.output("y", builder.node("GlobalMaxPool", "pool", [x], { layout: "NHWC" }), "float32", undefined);
    expect(() => toLayout(builder.build(), "NCHW")).toThrow(
      /pool \(GlobalMaxPool\) takes a tensor of unknown rank/,
    );
  });
});

describe("changeInputLayout", () => {
  it("leaves inputs alone that are in the layout asked for", () => {
    const graph = classifier(pooled);
    expect(changeInputLayout(graph, "NHWC")).toBe(graph);
  });

  it("asks an NCHW model for channels last", () => {
    const nchw = toLayout(classifier(pooled), "NCHW", { changeInputLayout: true });
    const moved = changeInputLayout(nchw, "NHWC");
    expect(moved.inputs[0]?.shape).toEqual([-1, 8, 8, 3]);
    expect(countTransposes(toLayout(moved, "NHWC"))).toBe(0);
  });
});
