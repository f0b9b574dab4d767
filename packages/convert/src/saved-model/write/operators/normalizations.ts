/** Normalizations and softmax. */
import { numberAttribute } from "../../../graph/attributes.js";
import { boolAttr, floatAttr, textAttr, typeAttr } from "../attr-values.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { withNumber } from "./elementwise.js";
import { packSizes, transposed } from "./shapes.js";

function batchNormalization(operator: Operator): TensorRef {
  const x = operator.input(0);
  const epsilon = numberAttribute(operator.node, "epsilon", 1e-5);
  const [scale, offset, mean, variance] = [1, 2, 3, 4].map((index) => operator.input(index));
  if (scale === undefined || offset === undefined || mean === undefined || variance === undefined) {
    throw operator.refuse("lacks a statistic", "expected scale, offset, mean and variance");
  }
  if (operator.rank(0) === 4 && x.type === "float32") {
    const [y = x] = operator.results(
      "FusedBatchNormV3",
      [x, scale, offset, mean, variance],
      typed(x, {
        U: typeAttr("float32"),
        epsilon: floatAttr(epsilon),
        data_format: textAttr("NHWC"),
        is_training: boolAttr(false),
      }),
      ["float32", "float32", "float32", "float32", "float32", "float32"],
    );
    return y;
  }
  return scaledAndShifted(operator, centred(operator, x, mean, variance, epsilon), scale, offset);
}

/** (x - mean) / sqrt(variance + epsilon). */
function centred(
  operator: Operator,
  x: TensorRef,
  mean: TensorRef,
  variance: TensorRef,
  epsilon: number,
): TensorRef {
  const steady = withNumber(operator, "AddV2", variance, epsilon, "epsilon");
  const factor = operator.helper("Rsqrt", [steady], typed(x));
  return operator.helper("Mul", [operator.helper("Sub", [x, mean], typed(x)), factor], typed(x));
}

function scaledAndShifted(
  operator: Operator,
  x: TensorRef,
  scale: TensorRef,
  offset: TensorRef | undefined,
): TensorRef {
  if (offset === undefined) return operator.result("Mul", [x, scale], typed(x));
  return operator.result("AddV2", [operator.helper("Mul", [x, scale], typed(x)), offset], typed(x));
}

/** Mean and variance along `axes`, which stay as sizes of one. */
function moments(operator: Operator, x: TensorRef, axes: readonly number[]): [TensorRef, TensorRef] {
  const list = operator.int32s(axes, "axes");
  const attributes = typed(x, { Tidx: typeAttr("int32"), keep_dims: boolAttr(true) });
  const mean = operator.helper("Mean", [x, list], attributes);
  const squares = operator.helper("SquaredDifference", [x, mean], typed(x));
  return [mean, operator.helper("Mean", [squares, list], attributes)];
}

function spatialAxes(rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, index) => index + 1);
}

function instanceNormalization(operator: Operator): TensorRef {
  const x = operator.input(0);
  const [mean, variance] = moments(operator, x, spatialAxes(operator.rank(0)));
  const epsilon = numberAttribute(operator.node, "epsilon", 1e-5);
  const normal = centred(operator, x, mean, variance, epsilon);
  return scaledAndShifted(operator, normal, operator.input(1), operator.input(2));
}

function layerNormalization(operator: Operator): TensorRef {
  if (operator.node.outputs.slice(1).some((output) => output !== "")) {
    throw operator.refuse("also gives its statistics", "expected the normalized tensor alone");
  }
  const x = operator.input(0);
  const rank = operator.rank(0);
  const first = operator.axis(numberAttribute(operator.node, "axis", -1));
  const axes = Array.from({ length: rank - first }, (_, index) => first + index);
  const [mean, variance] = moments(operator, x, axes);
  const epsilon = numberAttribute(operator.node, "epsilon", 1e-5);
  const normal = centred(operator, x, mean, variance, epsilon);
  return scaledAndShifted(
    operator,
    normal,
    operator.input(1),
    operator.has(2) ? operator.input(2) : undefined,
  );
}

/** Channels in groups: [N, ...spatial, groups, channels / groups], normalized along all but batch and group. */
function groupNormalization(operator: Operator): TensorRef {
  const x = operator.input(0);
  const shape = operator.shape(0) ?? [];
  const channels = shape.at(-1) ?? -1;
  const groups = numberAttribute(operator.node, "num_groups", 1);
  if (channels < 0) throw operator.refuse("has channels that are not known", "expected a fixed number");
  const parted = packSizes(operator, x, [...shape.slice(0, -1), groups, channels / groups]);
  const attributes = typed(x, { Tshape: typeAttr("int32") });
  const inGroups = operator.helper("Reshape", [x, parted], attributes);
  const axes = [...spatialAxes(shape.length), shape.length];
  const [mean, variance] = moments(operator, inGroups, axes);
  const epsilon = numberAttribute(operator.node, "epsilon", 1e-5);
  const normal = centred(operator, inGroups, mean, variance, epsilon);
  const whole = operator.helper("Reshape", [normal, operator.shapeOf(x)], attributes);
  return scaledAndShifted(operator, whole, operator.input(1), operator.input(2));
}

/** TensorFlow's softmax works along the last axis. */
function softmax(name: string): OperatorWriter {
  return (operator) => {
    const x = operator.input(0);
    const axis = numberAttribute(operator.node, "axis", -1);
    if (axis === -1 || operator.axis(axis) === operator.rank(0) - 1) {
      return operator.result(name, [x], typed(x));
    }
    const rank = operator.rank(0);
    const perm = Array.from({ length: rank }, (_, index) => index);
    [perm[operator.axis(axis)], perm[rank - 1]] = [rank - 1, operator.axis(axis)];
    const moved = operator.helper(name, [transposed(operator, x, perm)], typed(x));
    return transposed(operator, moved, perm);
  };
}

function l2Normalization(operator: Operator): TensorRef {
  if (numberAttribute(operator.node, "p", 2) !== 2) {
    throw operator.refuse("normalizes by another norm than L2", "expected p 2");
  }
  const x = operator.input(0);
  const axes = operator.int32s([numberAttribute(operator.node, "axis", -1)], "axis");
  const squares = operator.helper("Square", [x], typed(x));
  const sum = operator.helper(
    "Sum",
    [squares, axes],
    typed(x, { Tidx: typeAttr("int32"), keep_dims: boolAttr(true) }),
  );
  return operator.result("RealDiv", [x, operator.helper("Sqrt", [sum], typed(x))], typed(x));
}

export const NORMALIZATIONS: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["BatchNormalization", batchNormalization],
  ["InstanceNormalization", instanceNormalization],
  ["GroupNormalization", groupNormalization],
  ["LayerNormalization", layerNormalization],
  ["LpNormalization", l2Normalization],
  ["Softmax", softmax("Softmax")],
  ["LogSoftmax", softmax("LogSoftmax")],
]);
