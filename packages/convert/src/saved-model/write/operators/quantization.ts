/** Quantization in plain arithmetic, which gives the values that ONNX defines for it. */
import { numberAttribute, textAttribute } from "../../../graph/attributes.js";
import { isElementType } from "../../../graph/element-type.js";
import type { ElementType } from "../../../graph/graph.js";
import { type Operator, typed } from "../operator.js";
import type { OperatorWriter } from "../operator-writers.js";
import type { TensorRef } from "../tensorflow-graph.js";
import { cast, withNumber } from "./elementwise.js";
import { reshaped } from "./shapes.js";

const RANGES: Partial<Record<ElementType, readonly [low: number, high: number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** clamp(round(x / scale) + zero point); halves go to the even neighbour in both. */
function quantize(operator: Operator): TensorRef {
  const x = operator.input(0);
  const stated = textAttribute(operator.node, "output_dtype", "uint8");
  const type = operator.has(2) ? operator.input(2).type : isElementType(stated) ? stated : "uint8";
  const range = RANGES[type];
  if (range === undefined) throw operator.refuse(`gives ${type}`, "expected 8 or 16 bits");
  const scaled = operator.helper("RealDiv", [x, along(operator, 1)], typed(x));
  const rounded = operator.helper("Round", [scaled], typed(x));
  const moved = operator.has(2)
    ? operator.helper("AddV2", [rounded, cast(operator, along(operator, 2), x.type)], typed(x))
    : rounded;
  const above = withNumber(operator, "Maximum", moved, range[0], "low");
  return cast(operator, withNumber(operator, "Minimum", above, range[1], "high"), type);
}

/** (x - zero point) x scale. */
function dequantize(operator: Operator): TensorRef {
  const scale = along(operator, 1);
  const x = operator.input(0);
  // Whole numbers of 32 bits exceed what a float holds exactly; their difference is taken as whole numbers.
  const difference =
    operator.has(2) && !isZero(operator)
      ? operator.helper(
          "Sub",
          [cast(operator, x, "int32"), cast(operator, along(operator, 2), "int32")],
          typed({ ref: "", type: "int32" }),
          "int32",
        )
      : x;
  return operator.result("Mul", [cast(operator, difference, scale.type), scale], typed(scale));
}

function isZero(operator: Operator): boolean {
  return operator.numbers(2)?.every((value) => value === 0) ?? false;
}

/** A scale or zero point per channel, shaped so that it meets its axis. */
function along(operator: Operator, index: number): TensorRef {
  if (numberAttribute(operator.node, "block_size", 0) > 0) {
    throw operator.refuse("quantizes by blocks", "expected one scale per tensor or channel");
  }
  const value = operator.input(index);
  const shape = operator.shape(index);
  if (shape === undefined || shape.length !== 1 || shape[0] === 1) return value;
  const axis = operator.axis(numberAttribute(operator.node, "axis", 1));
  const after = operator.rank(0) - 1 - axis;
  if (after === 0) return value;
  return reshaped(operator, value, [-1, ...Array.from({ length: after }, () => 1)]);
}

export const QUANTIZATION: ReadonlyMap<string, OperatorWriter> = new Map<string, OperatorWriter>([
  ["QuantizeLinear", quantize],
  ["DequantizeLinear", dequantize],
]);
