/** Small graphs, one per operator and variant, that are written as SavedModels. */
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import type { Attribute, Constant, ElementType, Graph, Shape } from "../../../graph/graph.js";
import { GraphBuilder } from "../../../graph/graph-builder.js";

export interface WriteCase {
  readonly name: string;
  readonly graph: Graph;
  readonly feeds: ReadonlyMap<string, Tensor>;
}

type Attributes = Readonly<Record<string, Attribute>>;

/** Numbers that look random and are the same on every machine: multiples of 1/64 in -2..2. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 12345;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (((state >>> 8) % 257) - 128) / 64;
  });
}

function floats(shape: Shape, seed: number): Constant {
  const count = shape.reduce((product, size) => product * size, 1);
  return { type: "float32", shape, bytes: new Uint8Array(numbers(count, seed).buffer) };
}

function feed(shape: Shape, seed: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return { dtype: DataType.DT_FLOAT, shape, data: numbers(count, seed) };
}

interface Input {
  readonly shape: Shape;
  /** As the graph states it; default: the batch is dynamic. */
  readonly stated?: Shape;
  readonly positive?: boolean;
}

/** A graph of one operator over fed floats and constants. */
function one(
  name: string,
  op: string,
  input: Input | readonly Input[],
  constants: readonly (Constant | undefined)[] = [],
  attributes: Attributes = {},
  more: { outputs?: number; type?: ElementType; others?: ElementType } = {},
): WriteCase {
  const builder = new GraphBuilder(name);
  const inputs = "shape" in input ? [input] : input;
  const feeds = new Map<string, Tensor>();
  const values = inputs.map(({ shape, stated, positive }, index) => {
    const alias = `x${index}`;
    const tensor = feed(shape, index + name.length);
    feeds.set(
      alias,
      positive ? { ...tensor, data: numbers(size(shape), 7).map((v) => Math.abs(v) + 0.5) } : tensor,
    );
    return builder.input(alias, "float32", stated ?? [-1, ...shape.slice(1)]);
  });
  const given = constants.map((constant, index) =>
    constant === undefined ? "" : builder.constant(`c${index}`, constant),
  );
  const outputs = builder.nodeWithOutputs(
    op,
    `${op}/a:0`,
    [...values, ...given],
    more.outputs ?? 1,
    attributes,
  );
  for (const [index, output] of outputs.entries()) {
    builder.output(
      `y${index}`,
      output,
      index === 0 ? (more.type ?? "float32") : (more.others ?? "int64"),
      undefined,
    );
  }
  return { name, graph: builder.build(), feeds };
}

function size(shape: Shape): number {
  return shape.reduce((product, entry) => product * entry, 1);
}

function int64s(values: readonly number[], shape: Shape = [values.length]): Constant {
  return { type: "int64", shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

function float(value: number): Constant {
  return { type: "float32", shape: [], bytes: new Uint8Array(Float32Array.of(value).buffer) };
}

function floatList(...values: number[]): Constant {
  return { type: "float32", shape: [values.length], bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

const NHWC = { layout: "NHWC" };
const PICTURE: Input = { shape: [2, 9, 11, 4] };
const PICTURE_ANY: Input = { shape: [2, 9, 11, 4], stated: [-1, -1, -1, 4] };
const ROWS: Input = { shape: [3, 5] };

function conv(
  name: string,
  kernel: Shape,
  attributes: Attributes,
  input: Input = PICTURE,
  bias = true,
): WriteCase {
  return one(
    `Conv ${name}`,
    "Conv",
    input,
    [floats(kernel, 3), ...(bias ? [floats([kernel[0] ?? 1], 4)] : [])],
    { ...NHWC, ...attributes },
  );
}

function transposedConv(
  name: string,
  kernel: Shape,
  outputs: number,
  attributes: Attributes,
  input: Input = PICTURE,
): WriteCase {
  return one(`ConvTranspose ${name}`, "ConvTranspose", input, [floats(kernel, 3), floats([outputs], 4)], {
    ...NHWC,
    ...attributes,
  });
}

function pool(op: string, name: string, attributes: Attributes, input: Input = PICTURE): WriteCase {
  return one(`${op} ${name}`, op, input, [], { ...NHWC, ...attributes });
}

function reduce(op: string, attributes: Attributes = {}, positive = false): WriteCase {
  return one(
    `${op} ${JSON.stringify(attributes)}`,
    op,
    { ...PICTURE, positive },
    [int64s([1, 2])],
    attributes,
  );
}

function resize(
  name: string,
  attributes: Attributes,
  scales?: Constant,
  sizes?: Constant,
  input = PICTURE,
): WriteCase {
  return one(`Resize ${name}`, "Resize", input, [undefined, scales, sizes], attributes);
}

const UNARY = [
  "Abs",
  "Atan",
  "Ceil",
  "Cos",
  "Erf",
  "Exp",
  "Floor",
  "Neg",
  "Relu",
  "Round",
  "Sigmoid",
  "Sign",
];
const POSITIVE = ["Log", "Sqrt", "Reciprocal", "Acosh"];

const scales2 = floatList(1, 2, 2, 1);

export const CASES: readonly WriteCase[] = [
  conv("VALID", [8, 4, 3, 3], {}),
  conv("SAME", [8, 4, 3, 3], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  conv("SAME any size", [8, 4, 3, 3], { auto_pad: "SAME_UPPER", strides: [2, 3] }, PICTURE_ANY),
  conv("SAME_LOWER", [8, 4, 2, 2], { auto_pad: "SAME_LOWER", strides: [2, 2] }),
  conv("pads", [8, 4, 3, 5], { pads: [1, 2, 0, 1], strides: [2, 1] }, PICTURE_ANY, false),
  conv("pads that are SAME", [8, 4, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }),
  conv("dilated", [8, 4, 3, 3], { dilations: [2, 3], pads: [2, 3, 2, 3] }),
  conv("grouped", [6, 2, 3, 3], { group: 2 }),
  conv("depthwise", [4, 1, 3, 3], { group: 4, auto_pad: "SAME_UPPER", strides: [2, 2] }),
  conv("depthwise x2", [8, 1, 3, 3], { group: 4, pads: [1, 1, 0, 0] }),
  conv("depthwise dilated", [4, 1, 3, 3], { group: 4, dilations: [2, 2], pads: [2, 2, 2, 2] }),
  conv("depthwise two strides", [4, 1, 3, 3], { group: 4, strides: [1, 2], auto_pad: "SAME_UPPER" }),
  conv("1D", [6, 4, 3], { pads: [2, 0] }, { shape: [2, 12, 4] }),
  conv("1D depthwise", [4, 1, 3], { group: 4, dilations: [2] }, { shape: [2, 12, 4] }),
  conv("3D", [6, 4, 2, 3, 2], { auto_pad: "SAME_UPPER", strides: [1, 2, 1] }, { shape: [1, 5, 6, 7, 4] }),
  conv(
    "3D dilated",
    [6, 2, 2, 2, 2],
    { dilations: [2, 1, 2], pads: [1, 0, 0, 1, 1, 0], group: 2 },
    { shape: [1, 5, 6, 7, 4] },
  ),
  transposedConv("plain", [4, 6, 3, 3], 6, { strides: [2, 2] }),
  transposedConv("pads", [4, 6, 3, 3], 6, { strides: [2, 2], pads: [1, 0, 1, 1] }, PICTURE_ANY),
  transposedConv("output_padding", [4, 6, 3, 3], 6, {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
  }),
  transposedConv("output_padding without pads", [4, 6, 2, 2], 6, { strides: [3, 3], output_padding: [1, 0] }),
  transposedConv("SAME", [4, 6, 4, 3], 6, { strides: [2, 2], auto_pad: "SAME_UPPER" }),
  transposedConv("dilated", [4, 6, 3, 3], 6, { dilations: [2, 1] }),
  transposedConv("grouped", [4, 3, 3, 3], 6, { group: 2, strides: [2, 1] }),
  transposedConv("1D", [4, 6, 3], 6, { strides: [2] }, { shape: [2, 7, 4] }),
  transposedConv(
    "3D",
    [4, 6, 2, 3, 2],
    6,
    { strides: [2, 1, 2], pads: [0, 1, 0, 0, 1, 0] },
    { shape: [1, 3, 4, 5, 4] },
  ),
  ...["MaxPool", "AveragePool"].flatMap((op) => [
    pool(op, "VALID", { kernel_shape: [3, 2], strides: [2, 1] }),
    pool(op, "SAME", { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" }, PICTURE_ANY),
    pool(op, "SAME_LOWER", { kernel_shape: [2, 2], strides: [2, 2], auto_pad: "SAME_LOWER" }),
    pool(op, "pads", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 0, 1] }, PICTURE_ANY),
    pool(op, "ceil", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }),
    pool(op, "ceil, no pads", { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 }),
    pool(op, "ceil any size", { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }, PICTURE_ANY),
    pool(op, "1D", { kernel_shape: [3], strides: [2] }, { shape: [2, 12, 4] }),
    pool(
      op,
      "3D",
      { kernel_shape: [2, 3, 2], strides: [1, 2, 1], auto_pad: "SAME_UPPER" },
      { shape: [1, 5, 6, 7, 4] },
    ),
  ]),
  pool("AveragePool", "counts pads", {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  pool("AveragePool", "counts pads, ceil", {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 0, 0],
    count_include_pad: 1,
    ceil_mode: 1,
  }),
  pool("LpPool", "2", { kernel_shape: [2, 2], strides: [1, 2], p: 2 }),
  pool("GlobalAveragePool", "", {}),
  pool("GlobalMaxPool", "", {}),
  pool("GlobalAveragePool", "1D", {}, { shape: [2, 12, 4] }),
  one(
    "BatchNormalization",
    "BatchNormalization",
    PICTURE,
    [floats([4], 1), floats([4], 2), floats([4], 3), floatList(1, 2, 0.5, 3)],
    { ...NHWC, epsilon: 0.001 },
  ),
  one(
    "BatchNormalization 3D",
    "BatchNormalization",
    { shape: [1, 3, 4, 5, 4] },
    [floats([4], 1), floats([4], 2), floats([4], 3), floatList(1, 2, 0.5, 3)],
    { ...NHWC, epsilon: 0.001 },
  ),
  one("InstanceNormalization", "InstanceNormalization", PICTURE, [floats([4], 1), floats([4], 2)], {
    ...NHWC,
    epsilon: 0.001,
  }),
  one("GroupNormalization", "GroupNormalization", PICTURE, [floats([4], 1), floats([4], 2)], {
    ...NHWC,
    num_groups: 2,
    epsilon: 0.001,
  }),
  one("GroupNormalization any size", "GroupNormalization", PICTURE_ANY, [floats([4], 1), floats([4], 2)], {
    ...NHWC,
    num_groups: 2,
    epsilon: 0.001,
  }),
  one("LayerNormalization", "LayerNormalization", PICTURE, [floats([4], 1), floats([4], 2)], {
    axis: -1,
    epsilon: 0.001,
  }),
  one("LayerNormalization 2 axes", "LayerNormalization", PICTURE, [floats([11, 4], 1)], {
    axis: 2,
    epsilon: 0.001,
  }),
  one("LpNormalization", "LpNormalization", ROWS, [], { axis: 1, p: 2 }),
  ...UNARY.map((op) => one(op, op, ROWS)),
  ...POSITIVE.map((op) => one(op, op, { ...ROWS, positive: op !== "Acosh" })).slice(0, 3),
  ...["Add", "Sub", "Mul", "Div", "Max", "Min"].map((op) => one(op, op, [ROWS, { shape: [3, 5] }])),
  one("Add broadcast", "Add", ROWS, [floats([5], 3)]),
  one("Sum of three", "Sum", [ROWS, ROWS, ROWS]),
  one("Mean of three", "Mean", [ROWS, ROWS, ROWS]),
  one("Pow", "Pow", { ...ROWS, positive: true }, [float(1.5)]),
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((op) =>
    one(op, op, ROWS, [float(0.5)], {}, { type: "bool" }),
  ),
  one("LeakyRelu", "LeakyRelu", ROWS, [], { alpha: 0.3 }),
  one("PRelu", "PRelu", ROWS, [floats([5], 2)]),
  one("Elu", "Elu", ROWS),
  one("Elu 0.5", "Elu", ROWS, [], { alpha: 0.5 }),
  one("Selu", "Selu", ROWS),
  one("Celu", "Celu", ROWS, [], { alpha: 1.5 }),
  one("ThresholdedRelu", "ThresholdedRelu", ROWS, [], { alpha: 0.75 }),
  one("HardSigmoid", "HardSigmoid", ROWS, [], { alpha: 0.25, beta: 0.4 }),
  one("HardSwish", "HardSwish", ROWS),
  one("Shrink", "Shrink", ROWS, [], { lambd: 0.5, bias: 0.25 }),
  one("Mish", "Mish", ROWS),
  one("Gelu", "Gelu", ROWS),
  one("Gelu tanh", "Gelu", ROWS, [], { approximate: "tanh" }),
  one("Softplus", "Softplus", ROWS),
  one("Softsign", "Softsign", ROWS),
  one("Clip", "Clip", ROWS, [float(-0.5), float(1.25)]),
  one("Clip low", "Clip", ROWS, [float(-0.5)]),
  one("Clip 0..6", "Clip", ROWS, [float(0), float(6)]),
  one("Softmax", "Softmax", ROWS, [], { axis: -1 }),
  one("Softmax axis 1", "Softmax", PICTURE, [], { axis: 1 }),
  one("LogSoftmax", "LogSoftmax", ROWS, [], { axis: -1 }),
  one("MatMul", "MatMul", ROWS, [floats([5, 4], 3)]),
  one("MatMul batched", "MatMul", { shape: [2, 3, 4, 5] }, [floats([5, 6], 3)]),
  one("MatMul vector", "MatMul", ROWS, [floats([5], 3)]),
  one("Gemm", "Gemm", ROWS, [floats([5, 4], 3), floats([4], 4)]),
  one("Gemm transposed", "Gemm", ROWS, [floats([4, 5], 3), floats([4], 4)], {
    transB: 1,
    alpha: 0.5,
    beta: 2,
  }),
  one("Einsum", "Einsum", [{ shape: [2, 3, 4] }, { shape: [2, 4, 5] }], [], { equation: "bij,bjk->bik" }),
  ...[
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
  ].map((op) => reduce(op)),
  reduce("ReduceMean", { keepdims: 0 }),
  reduce("ReduceProd", { keepdims: 0 }),
  reduce("ReduceLogSum", {}, true),
  reduce("ReduceLogSumExp", { keepdims: 0 }),
  one("ReduceMax all", "ReduceMax", ROWS),
  one("ArgMax", "ArgMax", ROWS, [], { axis: 1, keepdims: 0 }, { type: "int64" }),
  one("ArgMin kept", "ArgMin", ROWS, [], { axis: -1 }, { type: "int64" }),
  one("TopK", "TopK", ROWS, [int64s([2])], {}, { outputs: 2 }),
  one(
    "TopK smallest, axis 1",
    "TopK",
    { shape: [2, 5, 3] },
    [int64s([2])],
    { axis: 1, largest: 0 },
    { outputs: 2 },
  ),
  one("Reshape", "Reshape", PICTURE, [int64s([0, -1, 4])]),
  one("Reshape any size", "Reshape", PICTURE_ANY, [int64s([0, 0, -1])]),
  one("Flatten", "Flatten", PICTURE, [], { axis: 1 }),
  one("Flatten any size", "Flatten", PICTURE_ANY, [], { axis: 2 }),
  one("Transpose", "Transpose", PICTURE, [], { perm: [0, 3, 1, 2] }),
  one("Unsqueeze", "Unsqueeze", ROWS, [int64s([0, -1])]),
  one("Squeeze", "Squeeze", { shape: [3, 1, 5] }, [int64s([1])]),
  one("Concat", "Concat", [ROWS, { shape: [3, 2] }], [], { axis: -1 }),
  one("Split", "Split", { shape: [2, 6] }, [int64s([2, 4])], { axis: 1 }, { outputs: 2, others: "float32" }),
  one("Slice", "Slice", PICTURE, [int64s([1, -3]), int64s([9, 2 ** 53]), int64s([2, 3]), int64s([2, 1])]),
  one("Slice backwards", "Slice", ROWS, [int64s([-1]), int64s([-(2 ** 53)]), int64s([1]), int64s([-1])]),
  one("Pad", "Pad", PICTURE, [int64s([0, 1, 2, 0, 0, 0, 1, 0])]),
  one("Pad value", "Pad", PICTURE, [int64s([0, 1, 2, 0, 0, 0, 1, 0]), float(3)]),
  one("Pad axes", "Pad", PICTURE, [int64s([1, 2, 0, 1]), float(-1), int64s([1, 2])]),
  one("Pad reflect", "Pad", PICTURE, [int64s([0, 1, 2, 0, 0, 0, 1, 0])], { mode: "reflect" }),
  one("Pad edge", "Pad", PICTURE, [int64s([0, 1, 1, 0, 0, 0, 1, 0])], { mode: "edge" }),
  one("Pad negative", "Pad", PICTURE, [int64s([0, -1, 2, 0, 0, -2, -3, 0])]),
  one("Gather", "Gather", PICTURE, [int64s([2, 0, -1])], { axis: 3 }),
  one("Gather one", "Gather", ROWS, [int64s([3], [])], { axis: 1 }),
  one("Expand", "Expand", { shape: [3, 1] }, [int64s([2, 1, 4])]),
  one("Tile", "Tile", ROWS, [int64s([2, 3])]),
  one("Shape", "Shape", PICTURE, [], {}, { type: "int64" }),
  one("Shape part", "Shape", PICTURE_ANY, [], { start: 1, end: -1 }, { type: "int64" }),
  one("CumSum", "CumSum", ROWS, [int64s([1], [])], { exclusive: 1, reverse: 1 }),
  one("DepthToSpace", "DepthToSpace", { shape: [2, 3, 4, 8] }, [], { ...NHWC, blocksize: 2 }),
  one("DepthToSpace CRD", "DepthToSpace", { shape: [2, 3, 4, 8] }, [], {
    ...NHWC,
    blocksize: 2,
    mode: "CRD",
  }),
  one("SpaceToDepth", "SpaceToDepth", { shape: [2, 4, 6, 3] }, [], { ...NHWC, blocksize: 2 }),
  resize(
    "nearest x2 asymmetric",
    { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    scales2,
  ),
  resize(
    "nearest x2 any size",
    { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    scales2,
    undefined,
    PICTURE_ANY,
  ),
  resize(
    "nearest half pixel x3",
    { mode: "nearest", coordinate_transformation_mode: "half_pixel" },
    floatList(1, 3, 3, 1),
  ),
  resize(
    "nearest half pixel sizes",
    { mode: "nearest", coordinate_transformation_mode: "half_pixel", nearest_mode: "round_prefer_ceil" },
    undefined,
    int64s([2, 5, 17, 4]),
  ),
  resize(
    "linear half pixel",
    { mode: "linear", coordinate_transformation_mode: "half_pixel" },
    undefined,
    int64s([2, 13, 7, 4]),
  ),
  resize(
    "linear align corners",
    { mode: "linear", coordinate_transformation_mode: "align_corners" },
    undefined,
    int64s([2, 13, 7, 4]),
  ),
  resize("linear asymmetric", { mode: "linear", coordinate_transformation_mode: "asymmetric" }, scales2),
  resize(
    "cubic half pixel",
    { mode: "cubic", coordinate_transformation_mode: "half_pixel", cubic_coeff_a: -0.5, exclude_outside: 1 },
    undefined,
    int64s([2, 13, 17, 4]),
  ),
  resize(
    "nearest along one axis",
    { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    floatList(1, 2, 1),
    undefined,
    { shape: [2, 5, 4] },
  ),
  resize(
    "nearest of a volume",
    { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    floatList(1, 2, 3, 2, 1),
    undefined,
    { shape: [1, 3, 4, 2, 3], stated: [-1, -1, 4, 2, 3] },
  ),
  ...["uint8", "int8"].map((type) => quantized(type === "uint8" ? "uint8" : "int8")),
  typedPicture(),
];

/** x -> quantized -> x, with a scale per channel, and halves between two values. */
function quantized(type: "uint8" | "int8"): WriteCase {
  const builder = new GraphBuilder("quantized");
  const x = builder.input("x0", "float32", [-1, 4]);
  const scale = builder.constant("scale", floatList(0.25, 0.5, 0.125, 0.03));
  const bytes =
    type === "uint8" ? Uint8Array.of(3, 128, 200, 7) : new Uint8Array(Int8Array.of(3, -12, 20, 0).buffer);
  const zero = builder.constant("zero", { type, shape: [4], bytes });
  const small = builder.node("QuantizeLinear", "q", [x, scale, zero], { axis: 1 });
  builder.output("q", small, type, undefined);
  builder.output(
    "y0",
    builder.node("DequantizeLinear", "dq", [small, scale, zero], { axis: 1 }),
    "float32",
    undefined,
  );
  return {
    name: `QuantizeLinear ${type}`,
    graph: builder.build(),
    feeds: new Map([["x0", feed([50, 4], 5)]]),
  };
}

/** uint8 pixels into floats. */
function typedPicture(): WriteCase {
  const builder = new GraphBuilder("pixels");
  const x = builder.input("x0", "uint8", [-1, 3, 3, 3]);
  const cast = builder.node("Cast", "cast", [x], { to: "float32" });
  const scaled = builder.node("Div", "scaled", [cast, builder.float32("by", 127.5)]);
  builder.output(
    "y0",
    builder.node("Sub", "moved", [scaled, builder.float32("less", 1)]),
    "float32",
    undefined,
  );
  const data = Uint8Array.from({ length: 54 }, (_, index) => (index * 37) % 256);
  const pixels = { dtype: DataType.DT_UINT8, shape: [2, 3, 3, 3], data };
  return { name: "uint8 pixels", graph: builder.build(), feeds: new Map([["x0", pixels]]) };
}
