/** All operators that can be said in TensorFlow. */
import type { Operator } from "./operator.js";
import { CONVOLUTIONS } from "./operators/convolution.js";
import { ELEMENTWISE } from "./operators/elementwise.js";
import { MATRICES } from "./operators/matrices.js";
import { NORMALIZATIONS } from "./operators/normalizations.js";
import { POOLS } from "./operators/pooling.js";
import { QUANTIZATION } from "./operators/quantization.js";
import { REDUCTIONS } from "./operators/reductions.js";
import { RESIZES } from "./operators/resizes.js";
import { SHAPES } from "./operators/shapes.js";
import type { TensorRef } from "./tensorflow-graph.js";

/**
 * Says an operator in TensorFlow's nodes.
 *
 * @returns its outputs, in order.
 * @throws {ServeError} MODEL_UNSUPPORTED, naming the operator, for what TensorFlow has no way to say.
 */
export type OperatorWriter = (operator: Operator) => TensorRef | readonly TensorRef[];

export const OPERATOR_WRITERS: ReadonlyMap<string, OperatorWriter> = new Map([
  ...ELEMENTWISE,
  ...SHAPES,
  ...CONVOLUTIONS,
  ...POOLS,
  ...REDUCTIONS,
  ...MATRICES,
  ...NORMALIZATIONS,
  ...QUANTIZATION,
  ...RESIZES,
]);
