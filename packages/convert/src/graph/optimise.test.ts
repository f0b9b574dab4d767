import { describe, expect, it } from "vitest";
import { encodeOnnx, joinParts } from "../onnx/write-onnx.js";
import { runOnnx } from "../run-graph.js";
import { compare, seededFeeds } from "../verify.js";
import { float32Constant, int64Constant } from "./constant-values.js";
import type { Attribute, Graph } from "./graph.js";
import { GraphBuilder } from "./graph-builder.js";
import { optimise } from "./optimise.js";
import { naiveNchw } from "./testing/naive-layout.js";

let next = 0;
function weights(builder: GraphBuilder, shape: readonly number[], offset = 0): string {
  const elements = shape.reduce((product, size) => product * size, 1);
  const values = Array.from({ length: elements }, () => offset + Math.sin(next++ * 12.9898));
  return builder.constant("w", float32Constant(values, shape));
}

function batchNorm(builder: GraphBuilder, x: string, channels: number, layout: string): string {
  const [gamma, beta, mean] = [1, 2, 3].map(() => weights(builder, [channels]));
  const variance = weights(builder, [channels], 1.5);
  const inputs = [x, gamma!, beta!, mean!, variance];
  return builder.node("BatchNormalization", "bn", inputs, { layout, epsilon: 1e-3 });
}

function built(shape: readonly number[], body: (builder: GraphBuilder, x: string) => string): Graph {
  const builder = new GraphBuilder("test");
  const x = builder.input("x", "float32", shape);
  builder.output("y", body(builder, x), "float32", undefined);
  return builder.build();
}

const ops = (graph: Graph) => graph.nodes.map(({ op }) => op);

async function expectSame(graph: Graph): Promise<Graph> {
  const optimised = optimise(graph);
  const run = (one: Graph) => runOnnx(joinParts(encodeOnnx(naiveNchw(one))), seededFeeds(graph.inputs, 2));
  for (const { relative } of compare(await run(graph), await run(optimised)))
    expect(relative).toBeLessThan(1e-5);
  return optimised;
}

const NHWC = { layout: "NHWC", kernel_shape: [3, 3] };
const NCHW = { layout: "NCHW", kernel_shape: [3, 3] };

describe("affine operators join the operator before them", () => {
  it.each<[string, readonly number[], readonly number[], Record<string, Attribute>]>([
    ["Conv", [-1, 6, 6, 4], [5, 4, 3, 3], NHWC],
    ["Conv", [-1, 6, 6, 4], [8, 1, 3, 3], { ...NHWC, group: 4 }],
    ["Conv", [-1, 4, 6, 6], [8, 2, 3, 3], { ...NCHW, group: 2 }],
    ["ConvTranspose", [-1, 6, 6, 4], [4, 5, 3, 3], NHWC],
    ["ConvTranspose", [-1, 4, 6, 6], [4, 3, 3, 3], { ...NCHW, group: 2 }],
  ])(
    "%s over %j, kernel %j: batch normalisation, a product and a sum",
    async (op, shape, kernel, attributes) => {
      const group = typeof attributes.group === "number" ? attributes.group : 1;
      const channels = op === "Conv" ? kernel[0]! : kernel[1]! * group;
      const layout = String(attributes.layout);
      const graph = built(shape, (builder, x) => {
        const conv = builder.node(
          op,
          "conv",
          [x, weights(builder, kernel), weights(builder, [channels])],
          attributes,
        );
        const norm = batchNorm(builder, conv, channels, layout);
        const perChannel = layout === "NHWC" ? [channels] : [1, channels, 1, 1];
        const product = builder.node("Mul", "mul", [weights(builder, perChannel), norm]);
        const sum = builder.node("Sub", "sub", [product, weights(builder, [])]);
        return builder.node("Div", "div", [sum, weights(builder, perChannel, 2)]);
      });
      expect(ops(await expectSame(graph))).toEqual([op]);
    },
  );

  it("Dense: the bias and what follows become one Gemm", async () => {
    const graph = built([-1, 6], (builder, x) => {
      const dense = builder.node("MatMul", "dense", [x, weights(builder, [6, 3])]);
      const biased = builder.node("Add", "bias", [dense, weights(builder, [3])]);
      return batchNorm(builder, biased, 3, "NHWC");
    });
    const optimised = await expectSame(graph);
    expect(ops(optimised)).toEqual(["Gemm"]);
    expect(optimised.nodes[0]?.name).toBe("dense");
  });

  it("not when another operator takes the result as it is", async () => {
    const graph = built([-1, 6, 6, 4], (builder, x) => {
      const conv = builder.node("Conv", "conv", [x, weights(builder, [4, 4, 3, 3])], NHWC);
      return builder.node("Add", "add", [batchNorm(builder, conv, 4, "NHWC"), conv]);
    });
    expect(ops(await expectSame(graph))).toEqual(["Conv", "BatchNormalization", "Add"]);
  });

  it("not along another axis than the channels", async () => {
    const graph = built([-1, 4, 6, 6], (builder, x) => {
      const conv = builder.node("Conv", "conv", [x, weights(builder, [4, 4, 3, 3])], NCHW);
      // Four columns as well as four channels.
      return builder.node("Mul", "mul", [conv, weights(builder, [4])]);
    });
    expect(ops(await expectSame(graph))).toEqual(["Conv", "Mul"]);
  });

  it("not when the weights are shared with another operator's own use of them", async () => {
    const graph = built([-1, 6, 6, 4], (builder, x) => {
      const shared = weights(builder, [4, 4, 3, 3]);
      const conv = builder.node("Conv", "conv", [x, shared], { ...NHWC, auto_pad: "SAME_UPPER" });
      return builder.node("Conv", "again", [batchNorm(builder, conv, 4, "NHWC"), shared], NHWC);
    });
    expect(ops(await expectSame(graph))).toEqual(["Conv", "Conv"]);
  });
});

describe("optimise", () => {
  it("gives zeros around a picture to the convolution behind them", async () => {
    const graph = built([-1, 7, 7, 2], (builder, x) => {
      const pads = builder.int64s("pads", [0, 1, 2, 0, 0, 0, 1, 0]);
      const padded = builder.node("Pad", "pad", [x, pads]);
      return builder.node("Conv", "conv", [padded, weights(builder, [3, 2, 3, 3])], {
        ...NHWC,
        strides: [2, 2],
      });
    });
    const optimised = await expectSame(graph);
    expect(ops(optimised)).toEqual(["Conv"]);
    expect(optimised.nodes[0]?.attributes.pads).toEqual([1, 2, 0, 1]);
  });

  it("keeps a Pad of other than zeros, or of channels", async () => {
    const graph = built([-1, 7, 7, 2], (builder, x) => {
      const ones = builder.node("Pad", "a", [
        x,
        builder.int64s("p", [0, 1, 1, 0, 0, 1, 1, 0]),
        builder.float32("v", 1),
      ]);
      const channels = builder.node("Pad", "b", [ones, builder.int64s("p", [0, 0, 0, 1, 0, 0, 0, 0])]);
      return builder.node("Conv", "conv", [channels, weights(builder, [3, 3, 3, 3])], NHWC);
    });
    expect(ops(await expectSame(graph))).toEqual(["Pad", "Pad", "Conv"]);
  });

  it("turns the sizes that a Reshape is told at run time into constants", async () => {
    const graph = built([-1, 4, 6], (builder, x) => {
      const shape = builder.node("Shape", "shape", [x]);
      const batch = builder.node("Gather", "batch", [shape, builder.constant("i", int64Constant([0]))]);
      const target = builder.node("Concat", "target", [batch, builder.int64s("rest", [-1])], { axis: 0 });
      return builder.node("Reshape", "flat", [x, target]);
    });
    const optimised = await expectSame(graph);
    expect(ops(optimised)).toEqual(["Reshape"]);
  });

  it("multiplies the last axis as it lies, where TensorFlow flattens it first", async () => {
    const graph = built([-1, 4, 5, 6], (builder, x) => {
      const flat = builder.node("Reshape", "flat", [x, builder.int64s("rows", [-1, 6])]);
      const product = builder.node("MatMul", "product", [flat, weights(builder, [6, 3])]);
      const shape = builder.node("Shape", "shape", [x], { end: 3 });
      const target = builder.node("Concat", "target", [shape, builder.int64s("units", [3])], { axis: 0 });
      return builder.node("Reshape", "back", [product, target]);
    });
    expect(ops(await expectSame(graph))).toEqual(["MatMul"]);
  });

  it("keeps a product of rows that are put together in another way", async () => {
    const graph = built([-1, 4, 6], (builder, x) => {
      const flat = builder.node("Reshape", "flat", [x, builder.int64s("rows", [-1, 6])]);
      const product = builder.node("MatMul", "product", [flat, weights(builder, [6, 6])]);
      return builder.node("Reshape", "back", [product, builder.int64s("shape", [-1, 2, 12])]);
    });
    expect(ops(await expectSame(graph))).toEqual(["Reshape", "MatMul", "Reshape"]);
  });

  it("removes what does nothing and what no output needs", async () => {
    const graph = built([-1, 4], (builder, x) => {
      builder.node("Exp", "unused", [x]);
      const same = builder.node("Identity", "same", [builder.node("Dropout", "dropout", [x])]);
      const twice = builder.node("Reshape", "one", [same, builder.int64s("s", [0, 2, 2])]);
      const back = builder.node("Reshape", "two", [twice, builder.int64s("s", [-1, 4])]);
      return builder.node("Relu", "relu", [builder.node("Cast", "cast", [back], { to: "float32" })]);
    });
    expect(ops(await expectSame(graph))).toEqual(["Relu"]);
  });

  it("keeps one of several equal weights and operators", async () => {
    const graph = built([-1, 4], (builder, x) => {
      const branches = [1, 2].map(() => {
        const kernel = builder.constant("w", float32Constant([1, 2, 3, 4], [4, 1]));
        return builder.node("MatMul", "dense", [x, kernel]);
      });
      return builder.node("Add", "add", branches);
    });
    const optimised = await expectSame(graph);
    expect(ops(optimised)).toEqual(["MatMul", "Add"]);
    expect(optimised.constants.size).toBe(1);
  });

  it("keeps a graph whose output is its input", async () => {
    const graph = built([-1, 4], (builder, x) => builder.node("Identity", "same", [x]));
    expect(optimise(graph).outputs[0]).toMatchObject({ alias: "y", value: "x" });
    await expectSame(graph);
  });

  it("leaves quantised weights quantised", () => {
    const graph = built([-1, 4], (builder, x) => {
      const bytes = builder.constant("q", { type: "int8", shape: [4, 2], bytes: new Uint8Array(8).fill(3) });
      const kernel = builder.node("DequantizeLinear", "dq", [bytes, builder.float32("scale", 0.5)]);
      return builder.node("MatMul", "dense", [x, kernel]);
    });
    expect(ops(optimise(graph))).toEqual(["DequantizeLinear", "MatMul"]);
  });
});

it("a quantised graph keeps its products where they are: they decide what is rounded", async () => {
  const graph = built([-1, 6, 6, 4], (builder, x) => {
    const scale = builder.float32("scale", 0.05);
    const zero = builder.constant("zero", { type: "int8", shape: [], bytes: new Uint8Array(1) });
    const conv = builder.node("Conv", "conv", [x, weights(builder, [5, 4, 3, 3])], { ...NHWC });
    const product = builder.node("Mul", "product", [conv, weights(builder, [5], 2)]);
    const rounded = builder.node("QuantizeLinear", "quantize", [product, scale, zero]);
    return builder.node("DequantizeLinear", "dequantize", [rounded, scale, zero]);
  });
  expect(ops(await expectSame(graph))).toEqual(["Conv", "Mul", "QuantizeLinear", "DequantizeLinear"]);
});
