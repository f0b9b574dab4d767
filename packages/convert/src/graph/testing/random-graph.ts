/** Graphs of NHWC operators in random order: what no one would write by hand is what finds mistakes. */
import { float32Constant, int64Constant } from "../constant-values.js";
import type { Graph } from "../graph.js";
import { GraphBuilder } from "../graph-builder.js";

export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

interface Value {
  readonly name: string;
  /** Without the batch. */
  readonly sizes: readonly number[];
}

export function randomGraph(seed: number, operators = 9): Graph {
  const random = seeded(seed);
  for (let warm = 0; warm < 5; warm++) random();
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const builder = new GraphBuilder(`random ${seed}`);
  const weights = (shape: readonly number[]) =>
    builder.constant(
      "w",
      float32Constant(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() * 2 - 1),
        shape,
      ),
    );
  const size = pick([6, 8, 9]);
  const first: Value = {
    name: builder.input("x", "float32", [-1, size, size + 2, 3]),
    sizes: [size, size + 2, 3],
  };
  const pictures: Value[] = [first];
  const out = (value: Value) => {
    pictures.push(value);
    return value;
  };
  const layout = "NHWC";
  const moves: (() => Value | undefined)[] = [
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      const group = pick([1, channels]);
      const filters = group * pick([1, 2]);
      const stride = pick([1, 2]);
      if (Math.min(height, width) < 3) return undefined;
      const w = weights([filters, channels / group, 3, 3]);
      const inputs = random() < 0.5 ? [name, w] : [name, w, weights([filters])];
      const conv = builder.node("Conv", "conv", inputs, {
        ...{ layout, group, kernel_shape: [3, 3], strides: [stride, stride], auto_pad: "SAME_UPPER" },
      });
      return out({ name: conv, sizes: [Math.ceil(height / stride), Math.ceil(width / stride), filters] });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const channels = sizes[2] ?? 1;
      const variance = builder.constant(
        "v",
        float32Constant(
          Float32Array.from({ length: channels }, () => random() + 0.5),
          [channels],
        ),
      );
      const inputs = [name, weights([channels]), weights([channels]), weights([channels]), variance];
      return out({
        name: builder.node("BatchNormalization", "bn", inputs, { layout, epsilon: 1e-3 }),
        sizes,
      });
    },
    () => {
      const { name, sizes } = pick(pictures);
      return out({ name: builder.node(pick(["Relu", "Sigmoid", "Tanh", "Neg"]), "unary", [name]), sizes });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const shape = pick([
        [],
        [sizes[2] ?? 1],
        [1, 1, sizes[2] ?? 1],
        sizes,
        [1, ...sizes],
        [sizes[1] ?? 1, 1],
      ]);
      const inputs = [name, weights(shape)];
      return out({
        name: builder.node(
          pick(["Add", "Mul", "Sub", "Max"]),
          "affine",
          random() < 0.3 ? inputs.reverse() : inputs,
        ),
        sizes,
      });
    },
    () => {
      const a = pick(pictures);
      const others = pictures.filter((b) => b.sizes.join() === a.sizes.join());
      return out({
        name: builder.node(pick(["Add", "Mul"]), "both", [a.name, pick(others).name]),
        sizes: a.sizes,
      });
    },
    () => {
      const a = pick(pictures);
      const others = pictures.filter((b) => b.sizes.slice(0, 2).join() === a.sizes.slice(0, 2).join());
      const b = pick(others);
      const concat = builder.node("Concat", "concat", [a.name, b.name], { axis: pick([3, -1]) });
      return out({ name: concat, sizes: [...a.sizes.slice(0, 2), (a.sizes[2] ?? 1) + (b.sizes[2] ?? 1)] });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      if (Math.min(height, width) < 4) return undefined;
      const pool = builder.node(pick(["MaxPool", "AveragePool"]), "pool", [name], {
        ...{ layout, kernel_shape: [2, 2], strides: [2, 2] },
      });
      return out({ name: pool, sizes: [Math.floor(height / 2), Math.floor(width / 2), channels] });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      const pads = builder.int64s("pads", [0, 1, 2, 0, 0, 0, 1, 0]);
      return out({
        name: builder.node("Pad", "pad", [name, pads]),
        sizes: [height + 1, width + 3, channels],
      });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      if (height < 4) return undefined;
      const lists = [[1], [-1], [1]].map((values, index) => builder.int64s(`slice${index}`, values));
      return out({
        name: builder.node("Slice", "slice", [name, ...lists]),
        sizes: [height - 2, width, channels],
      });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      const scales = builder.constant("scales", float32Constant([1, 2, 1, 1], [4]));
      const resized = builder.node("Resize", "resize", [name, "", scales], {
        mode: pick(["nearest", "linear"]),
      });
      return out({ name: resized, sizes: [height * 2, width, channels] });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const axes = builder.int64s("axes", [1, 2]);
      const mean = builder.node("ReduceMean", "mean", [name, axes], { keepdims: 0 });
      const shape = builder.int64s("shape", [-1, 1, 1, sizes[2] ?? 1]);
      const back = builder.node("Reshape", "reshape", [mean, shape]);
      return out({ name: builder.node("Mul", "excite", [name, back]), sizes });
    },
    () => {
      const { name, sizes } = pick(pictures);
      return out({ name: builder.node("Softmax", "softmax", [name], { axis: pick([-1, 1, 2]) }), sizes });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const units = pick([2, 4]);
      const dense = builder.node("MatMul", "dense", [name, weights([sizes[2] ?? 1, units])]);
      return out({
        name: builder.node("Add", "bias", [dense, weights([units])]),
        sizes: [...sizes.slice(0, 2), units],
      });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const channels = sizes[2] ?? 1;
      const norm = builder.node("LayerNormalization", "norm", [
        name,
        weights([channels]),
        weights([channels]),
      ]);
      return out({ name: norm, sizes });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      const perm = builder.node("Transpose", "turned", [name], { perm: [0, 2, 1, 3] });
      return out({ name: perm, sizes: [width, height, channels] });
    },
    () => {
      const { name, sizes } = pick(pictures);
      const [height = 1, width = 1, channels = 1] = sizes;
      const index = builder.constant("index", int64Constant([0, height - 1]));
      return out({
        name: builder.node("Gather", "gather", [name, index], { axis: 1 }),
        sizes: [2, width, channels],
      });
    },
  ];
  for (let count = 0; count < operators; ) if (pick(moves)() !== undefined) count++;
  pictures.slice(-2).forEach(({ name, sizes }, index) => {
    const features = sizes.reduce((a, b) => a * b, 1);
    const flat = builder.node("Reshape", "flat", [name, builder.int64s("flat", [-1, features])]);
    const dense = builder.node("MatMul", "scores", [flat, weights([features, 3])]);
    const scores = builder.node("Mul", "scaled", [dense, weights([3])]);
    builder.output(`scores${index}`, scores, "float32", undefined);
    if (index === 0) builder.output("picture", name, "float32", undefined);
  });
  return builder.build();
}
