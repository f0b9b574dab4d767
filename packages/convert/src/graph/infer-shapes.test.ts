import { describe, expect, it } from "vitest";
import { float32Constant, int64Constant } from "./constant-values.js";
import { foldConstants } from "./fold.js";
import { GraphBuilder } from "./graph-builder.js";
import { inferShapes, withOutputShapes } from "./infer-shapes.js";
import { optimise } from "./optimise.js";
import { shapeOf } from "./value-info.js";

/** The shape of what `body` makes of x [batch, 8, 9, 4]. */
function shapeAfter(body: (builder: GraphBuilder, x: string) => string) {
  const builder = new GraphBuilder("shapes");
  const x = builder.input("x", "float32", [-1, 8, 9, 4]);
  builder.output("y", body(builder, x), "float32", undefined);
  return withOutputShapes(builder.build()).outputs[0]?.shape;
}

const weights = (builder: GraphBuilder, shape: readonly number[]) =>
  builder.constant("w", float32Constant(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape));

describe("inferShapes", () => {
  const NHWC = { layout: "NHWC", kernel_shape: [3, 3] };
  it.each<[string, (builder: GraphBuilder, x: string) => string, number[]]>([
    ["a convolution", (b, x) => b.node("Conv", "c", [x, weights(b, [5, 4, 3, 3])], NHWC), [-1, 6, 7, 5]],
    [
      "SAME padding and a stride",
      (b, x) =>
        b.node("Conv", "c", [x, weights(b, [5, 4, 3, 3])], {
          ...NHWC,
          auto_pad: "SAME_UPPER",
          strides: [2, 2],
        }),
      [-1, 4, 5, 5],
    ],
    [
      "a transposed convolution in groups",
      (b, x) =>
        b.node("ConvTranspose", "c", [x, weights(b, [4, 3, 3, 3])], { ...NHWC, group: 2, strides: [2, 2] }),
      [-1, 17, 19, 6],
    ],
    [
      "a pool that rounds up",
      (b, x) =>
        b.node("MaxPool", "p", [x], { layout: "NHWC", kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
      [-1, 4, 5, 4],
    ],
    ["a global pool", (b, x) => b.node("GlobalMaxPool", "p", [x], { layout: "NHWC" }), [-1, 1, 1, 4]],
    [
      "pixels from channels",
      (b, x) => b.node("DepthToSpace", "d", [x], { layout: "NHWC", blocksize: 2 }),
      [-1, 16, 18, 1],
    ],
    ["Flatten", (b, x) => b.node("Flatten", "f", [x]), [-1, 288]],
    ["broadcasting", (b, x) => b.node("Mul", "m", [weights(b, [2, 1, 1, 1, 4]), x]), [2, -1, 8, 9, 4]],
    [
      "a reduction",
      (b, x) => b.node("ReduceMean", "r", [x, b.int64s("a", [-2, 1])], { keepdims: 0 }),
      [-1, 4],
    ],
    [
      "a Reshape to sizes known at run time",
      (b, x) => {
        const batch = b.node("Shape", "shape", [x], { end: 1 });
        const target = b.node("Concat", "t", [batch, b.int64s("rest", [72, -1])], { axis: 0 });
        return b.node("Reshape", "r", [x, target]);
      },
      [-1, 72, 4],
    ],
  ])("%s", (_, body, shape) => {
    expect(shapeAfter(body)).toEqual(shape);
  });

  it("knows a batch again that was flattened and given back", () => {
    const builder = new GraphBuilder("back");
    const x = builder.input("x", "float32", [-1, 4, 6]);
    const rows = builder.node("Reshape", "rows", [x, builder.int64s("s", [-1, 6])]);
    const back = builder.node("Reshape", "back", [rows, builder.int64s("s", [-1, 4, 6])]);
    builder.output("y", back, "float32", undefined);
    const infos = inferShapes(builder.build());
    expect(infos.get(back)?.sizes).toEqual(infos.get(x)?.sizes);
    expect(shapeOf(infos.get(rows))).toEqual([-1, 6]);
  });
});

describe("a hostile graph takes bounded memory", () => {
  const doubled = (
    start: (builder: GraphBuilder) => string,
    step: (builder: GraphBuilder, value: string) => string,
  ) => {
    const builder = new GraphBuilder("doubled");
    let value = start(builder);
    for (let count = 0; count < 40; count++) value = step(builder, value);
    builder.output("y", value, "int64", undefined);
    return builder.build();
  };
  const joined = (builder: GraphBuilder, value: string) =>
    builder.node("Concat", "c", [value, value], { axis: 0 });

  it("lists of sizes joined with themselves forty times", () => {
    const graph = doubled(
      (builder) => builder.node("Shape", "s", [builder.input("x", "float32", [-1, -1])]),
      joined,
    );
    expect(inferShapes(graph).size).toBeGreaterThan(40);
  });

  it("constants joined with themselves forty times", () => {
    const graph = doubled(
      (builder) => builder.constant("c", int64Constant(new Array<number>(100).fill(1))),
      joined,
    );
    expect(() => foldConstants(graph)).not.toThrow();
  });

  it("a batch multiplied with itself forty times", () => {
    const graph = doubled(
      (builder) => builder.input("x", "float32", [-1]),
      (builder, value) => {
        const size = builder.node("Shape", "s", [value]);
        const twice = builder.node("Concat", "t", [size, size], { axis: 0 });
        const square = builder.node("ConstantOfShape", "f", [twice]);
        return builder.node("Reshape", "r", [square, builder.int64s("s", [-1])]);
      },
    );
    expect(() => optimise(graph)).not.toThrow();
  });

  it("sixty more axes with every node", () => {
    const axes = Array.from({ length: 60 }, (_, axis) => axis);
    const graph = doubled(
      (builder) => builder.input("x", "float32", [-1]),
      (builder, value) => builder.node("Unsqueeze", "u", [value, builder.int64s("a", axes)]),
    );
    expect(() => inferShapes(graph)).toThrow(/121 dimensions, expected at most 64/);
  });

  it("slices of an empty tensor with a size of a hundred million", () => {
    const builder = new GraphBuilder("empty");
    const empty = builder.constant("e", { type: "int64", shape: [0, 1e8], bytes: new Uint8Array(0) });
    const lists = [[0], [1e8], [1]].map((values) => builder.int64s("l", values));
    builder.output("y", builder.node("Slice", "s", [empty, ...lists]), "int64", undefined);
    expect(foldConstants(builder.build()).nodes).toHaveLength(1);
  });
});
