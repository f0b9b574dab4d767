import { elementCount } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { encodeOnnx, joinParts } from "../onnx/write-onnx.js";
import { runOnnx } from "../run-graph.js";
import { constantOf, elementsOf, float32Constant, int64Constant } from "./constant-values.js";
import { TENSORFLOW_TYPES } from "./element-type.js";
import { evaluate } from "./evaluate.js";
import type { Attribute, Constant, Node } from "./graph.js";
import { GraphBuilder } from "./graph-builder.js";

const floats = (shape: readonly number[], scale = 1) =>
  float32Constant(
    Array.from({ length: elementCount(shape) }, (_, index) => scale * Math.sin(index * 1.7 + 0.3)),
    shape,
  );
const positive = (shape: readonly number[]) =>
  float32Constant(
    Array.from({ length: elementCount(shape) }, (_, index) => 0.5 + (index % 7)),
    shape,
  );
const int64s = int64Constant;
const scalar = (value: number) => int64Constant([value], []);
const bools = (...values: number[]) => constantOf("bool", [values.length], Uint8Array.from(values));

type Case = readonly [
  op: string,
  inputs: readonly (Constant | undefined)[],
  attributes?: Record<string, Attribute>,
];

const CASES: readonly Case[] = [
  ["Add", [floats([2, 3, 4]), floats([3, 1])]],
  ["Sub", [floats([4]), floats([2, 1, 4])]],
  ["Mul", [floats([2, 1, 3]), floats([1, 5, 1])]],
  ["Div", [floats([3]), positive([3])]],
  ["Div", [int64s([-7, 7, 9]), int64s([2, -2, 4])]],
  ["Pow", [positive([3]), floats([])]],
  ["Max", [floats([4]), floats([2, 1]), floats([1], 2)]],
  ["Min", [int64s([3, -1]), int64s([2])]],
  ["Equal", [int64s([1, 2]), int64s([1, 3])]],
  ["Greater", [floats([3]), floats([3], -1)]],
  ["GreaterOrEqual", [floats([3]), floats([3])]],
  ["Less", [floats([3]), floats([])]],
  ["And", [bools(1, 0, 1), bools(1, 1, 0)]],
  ["Or", [bools(1, 0, 0), bools(1, 1, 0)]],
  ["Not", [bools(1, 0)]],
  ["Neg", [floats([3])]],
  ["Abs", [floats([3])]],
  ["Sqrt", [positive([5])]],
  ["Reciprocal", [positive([5])]],
  ["Floor", [floats([5], 3)]],
  ["Ceil", [floats([5], 3)]],
  ["Cast", [floats([5], 3)], { to: "int64" }],
  ["Cast", [int64s([0, 5, -2])], { to: "float32" }],
  ["Cast", [floats([5], 3)], { to: "bool" }],
  ["Where", [bools(1, 0), floats([3, 2]), floats([1])]],
  ["Reshape", [floats([2, 6]), int64s([0, -1, 3])]],
  ["Flatten", [floats([2, 3, 4])], { axis: 2 }],
  ["Squeeze", [floats([1, 3, 1]), int64s([-1])]],
  ["Squeeze", [floats([1, 3, 1])]],
  ["Unsqueeze", [floats([2, 3]), int64s([0, 3])]],
  ["Transpose", [floats([2, 3, 4])], { perm: [2, 0, 1] }],
  ["Transpose", [floats([2, 3, 4])]],
  ["Transpose", [int64s([1, 2, 3, 4, 5, 6], [2, 3])], { perm: [1, 0] }],
  ["Gather", [floats([3, 4]), int64s([2, -1, 0])], { axis: 1 }],
  ["Gather", [int64s([5, 6, 7]), scalar(-1)]],
  ["Slice", [floats([4, 5]), int64s([-1, 0]), int64s([-100, 3]), int64s([0, 1]), int64s([-2, 1])]],
  ["Slice", [floats([4, 5]), int64s([1]), int64s([2 ** 60])]],
  ["Split", [floats([5, 2])], { num_outputs: 2 }],
  ["Split", [floats([5, 2]), int64s([1, 4])]],
  ["Concat", [floats([2, 1]), floats([2, 3])], { axis: -1 }],
  ["Expand", [floats([3, 1]), int64s([2, 1, 4])]],
  ["ConstantOfShape", [int64s([2, 3])], { value: int64s([7]) }],
  ["ConstantOfShape", [int64s([2])]],
  ["Range", [scalar(5), scalar(-4), scalar(-3)]],
  ["Shape", [floats([2, 3, 4])], { start: -2 }],
  ["ReduceSum", [floats([2, 3, 4]), int64s([1])], { keepdims: 0 }],
  ["ReduceMean", [floats([2, 3, 4]), int64s([0, -1])]],
  ["ReduceProd", [int64s([2, 3, 4])], { keepdims: 0 }],
  ["ReduceMax", [floats([2, 3]), int64s([1])]],
  ["ReduceMin", [floats([2, 3])], { keepdims: 0 }],
];

describe("evaluate gives what ONNX Runtime gives", () => {
  const named = CASES.map(([op, inputs, attributes]) => {
    const shapes = inputs.map((input) => `${input?.type}[${input?.shape.join()}]`);
    return [
      `${op} of ${shapes.join(", ")} ${JSON.stringify(attributes ?? {})}`,
      op,
      inputs,
      attributes,
    ] as const;
  });
  it.each(named)("%s", async (_, op, inputs, attributes = {}) => {
    const outputs = op === "Split" ? ["y", "z"] : ["y"];
    const names = inputs.map((input, index) => (input === undefined ? "" : `in${index}`));
    const node: Node = { op, name: "node", inputs: names, outputs, attributes };
    const given = evaluate(node, inputs);
    expect(given).toHaveLength(outputs.length);
    const builder = new GraphBuilder("one");
    // ONNX Runtime takes no graph without inputs of its own: the first operand is fed.
    const fed = builder.input("in0", inputs[0]!.type, inputs[0]!.shape);
    const taken = inputs.map((input, index) =>
      index === 0 ? fed : input === undefined ? "" : builder.constant(`in${index}`, input),
    );
    const results = builder.nodeWithOutputs(op, "node", taken, outputs.length, attributes);
    results.forEach((result, index) => {
      builder.output(outputs[index]!, result, given![index]!.type, undefined);
    });
    const [first] = inputs;
    const feed = { dtype: TENSORFLOW_TYPES[first!.type], shape: first!.shape, data: elementsOf(first!) };
    const expected = await runOnnx(joinParts(encodeOnnx(builder.build())), new Map([["in0", feed]]));
    outputs.forEach((output, index) => {
      const wanted = expected.get(output);
      expect(given![index]!.shape).toEqual(wanted?.shape);
      if (op.startsWith("Reduce") && given![index]!.type === "float32") {
        // Sums are rounded at each step there, once here.
        const sums = Array.from(elementsOf(given![index]!), Number);
        sums.forEach((sum, at) => {
          expect(sum).toBeCloseTo(Number(wanted!.data[at]), 5);
        });
      } else expect(elementsOf(given![index]!)).toEqual(wanted?.data);
    });
  });

  it("leaves a result that would be far larger than its inputs to the run", () => {
    const node: Node = { op: "Expand", name: "huge", inputs: ["x", "shape"], outputs: ["y"], attributes: {} };
    expect(evaluate(node, [floats([1]), int64s([1e6, 1e5])])).toBeUndefined();
  });
});
