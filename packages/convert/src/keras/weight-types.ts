/** Weights are float32 in the graph, whatever precision they were stored in. */
import { constantOf, elementsOf } from "../graph/constant-values.js";
import type { Constant } from "../graph/graph.js";

/**
 * @returns the weight as float32; the constant itself where it is.
 *
 * Half floats become exact; float64 is rounded, as Keras does when such a model is loaded in float32.
 */
export function float32Of(constant: Constant): Constant {
  if (constant.type === "float32") return constant;
  const elements = elementsOf(constant);
  const floats = new Float32Array(elements.length);
  const read =
    constant.type === "float16" ? halfToNumber : constant.type === "bfloat16" ? brainToNumber : Number;
  for (let index = 0; index < floats.length; index++) floats[index] = read(Number(elements[index] ?? 0));
  return constantOf("float32", constant.shape, floats);
}

/** IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** The upper half of a float32. */
function brainToNumber(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}
