/** All operators that are converted, by TensorFlow's name. */
import type { Convert } from "../operation.js";
import { BATCH_NORM } from "./batch-norm.js";
import { CONVOLUTION } from "./convolution.js";
import { ELEMENTWISE } from "./elementwise.js";
import { MATRIX } from "./matrix.js";
import { POOLING } from "./pooling.js";
import { REDUCTION } from "./reduction.js";
import { RESIZE } from "./resize.js";
import { SELECTION } from "./selection.js";
import { SHAPING } from "./shaping.js";
import { SLICING } from "./slicing.js";

export const OPERATORS: ReadonlyMap<string, Convert> = new Map([
  ...BATCH_NORM,
  ...CONVOLUTION,
  ...ELEMENTWISE,
  ...MATRIX,
  ...POOLING,
  ...REDUCTION,
  ...RESIZE,
  ...SELECTION,
  ...SHAPING,
  ...SLICING,
]);

/** What would help where an operator cannot be converted. */
export function adviceFor(op: string): string {
  if (op.startsWith("Random") || op.startsWith("StatelessRandom") || op === "Multinomial") {
    return "an operator of inference; convert the .h5 or .keras file, in which random layers rest at inference";
  }
  if (/^(Decode|ParseSingle|ReadFile|DecodeAndCrop)/.test(op)) {
    return "a signature that takes decoded pixels; the gateway decodes and resizes pictures by itself";
  }
  if (op.includes("Table")) return "a signature without tables; class names belong into config.json";
  if (
    /^(While|StatelessWhile|TensorList|TensorArray|Enter|Exit|NextIteration|Switch|Merge|If|StatelessIf|Case)/.test(
      op,
    )
  ) {
    return "a graph without loops and without conditions on what callers feed";
  }
  if (/^(Quantize|Dequantize|FakeQuant|Quantized)/.test(op)) return "the model as it was before quantisation";
  if (/PyFunc/.test(op)) return "operators of TensorFlow; a Python function exists only where it was traced";
  if (op === "Placeholder") return "an input that the signature names";
  return "an operator that Vitrine converts (docs/converting.md lists them)";
}
