/** Dense and its kin, and the layers that do nothing at inference. */
import type { Constant } from "../../graph/graph.js";
import { damaged } from "../fault.js";
import {
  isKerasTensor,
  type KerasTensor,
  type LayerCall,
  type LayerPart,
  type LayerRule,
} from "../layer-call.js";
import { isKnown, UNKNOWN } from "../shapes.js";
import { activated } from "./activation.js";
import { reshaped } from "./normalization.js";

/** Dropout, noise, augmentation: nothing happens at inference. */
export const nothing: LayerRule = (call) => call.input;

/** As {@link nothing}, of a layer whose result is float32 whatever comes in. */
export const nothingButFloats: LayerRule = (call) => call.floats();

export const dense: LayerRule = (call) => {
  const x = call.floats();
  const units = call.options.size(["units", "output_dim"]);
  const features = x.shape.at(-1);
  if (!isKnown(features) || x.shape.length < 2)
    throw damaged(`${call.site.path}: the last size of its input was unknown, expected a fixed one`);
  const biased = call.options.boolean("use_bias", call.options.boolean("bias", true));
  const weights = call.weights({ kernel: [features, units], bias: biased ? [units] : undefined });
  const { kernel = "", bias } = weights;
  return activated(call, affine(call, x, kernel, bias, units, hasActivation(call) ? "dense" : undefined));
};

function hasActivation(call: LayerCall): boolean {
  const activation = call.options.any("activation");
  return activation !== undefined && activation !== "linear";
}

/** x kernel + bias over the last axis. */
function affine(
  call: LayerCall,
  x: KerasTensor,
  kernel: string,
  bias: string | undefined,
  units: number,
  part: string | undefined,
): KerasTensor {
  const shape = [...x.shape.slice(0, -1), units];
  const to = part === undefined ? {} : { part };
  if (x.shape.length === 2)
    return call.emit("Gemm", [x, kernel, ...(bias === undefined ? [] : [bias])], shape, {}, to);
  if (bias === undefined) return call.emit("MatMul", [x, kernel], shape, {}, to);
  const product = call.emit("MatMul", [x, kernel], shape, {}, { part: `${part ?? "dense"}/matmul` });
  return call.emit("Add", [product, bias], shape, {}, to);
}

export const einsumDense: LayerRule = (call) => {
  const x = call.floats();
  const equation = call.options.text("equation", "").replaceAll(" ", "");
  const match = /^(.+),(.+)->(.+)$/.exec(equation);
  const [, left = "", middle = "", right = ""] = match ?? [];
  if (match === null || equation.includes("..."))
    return call.refuse(`the equation ${equation}`, "write it without an ellipsis, or use Dense");
  const sizes = new Map([...left].map((letter, axis) => [letter, x.shape[axis] ?? UNKNOWN]));
  const stated = call.options.any("output_shape");
  const outputs = Array.isArray(stated) ? stated : [stated];
  [...right].forEach((letter, axis) => {
    const size: unknown = outputs[axis - (right.length - outputs.length)];
    if (!sizes.has(letter)) sizes.set(letter, typeof size === "number" ? size : UNKNOWN);
  });
  const biasAxes = call.options.any("bias_axes");
  const biased = typeof biasAxes === "string" && biasAxes !== "";
  const shape = [...right].map((letter) => sizes.get(letter) ?? UNKNOWN);
  const first = Math.min(...[...(biased ? biasAxes : "")].map((letter) => right.indexOf(letter)));
  // The bias has its own axes' sizes, and 1 for the output's axes between and after them.
  const biasShape = shape
    .slice(first)
    .map((size, index) => (String(biasAxes).includes(right[first + index] ?? "") ? size : 1));
  const { kernel = "", bias } = call.weights({
    kernel: [...middle].map((letter) => sizes.get(letter) ?? UNKNOWN),
    bias: biased ? biasShape : undefined,
  });
  const part = hasActivation(call) ? "einsum" : undefined;
  const step = bias === undefined ? part : "einsum/product";
  const product = call.emit(
    "Einsum",
    [x, kernel],
    shape,
    { equation },
    step === undefined ? {} : { part: step },
  );
  const sum =
    bias === undefined
      ? product
      : call.emit("Add", [product, bias], shape, {}, part === undefined ? {} : { part });
  return activated(call, sum);
};

export const embedding: LayerRule = (call) => {
  const x = call.input;
  const width = call.options.size("output_dim");
  const { embeddings = "" } = call.weights({ embeddings: [call.options.size("input_dim"), width] });
  const indices = call.cast(x, "int32");
  return call.emit("Gather", [embeddings, indices], [...x.shape, width], { axis: 0 }, { type: "float32" });
};

/** softmax(q k^T / sqrt(key_dim)) v for each head, and a projection of all heads. */
export const multiHeadAttention: LayerRule = (call) => {
  const { options } = call;
  const [query, value, key] = attentionInputs(call, "value", "key");
  if (
    query.shape.length !== 3 ||
    (options.has("attention_axes") && options.axes("attention_axes", []).join() !== "1")
  )
    return call.refuse("several attention axes", "use sequences of vectors, [batch, time, features]");
  const heads = options.size("num_heads");
  const keyWidth = options.size("key_dim");
  const valueWidth = options.size("value_dim", keyWidth);
  const project = (x: KerasTensor, part: LayerPart, width: number): KerasTensor =>
    projected(call, x, part, heads, width);
  const q = project(query, { name: "query", attribute: "query_dense" }, keyWidth);
  const k = project(key, { name: "key", attribute: "key_dense" }, keyWidth);
  const v = project(value, { name: "value", attribute: "value_dense" }, valueWidth);
  const [batch = UNKNOWN, time = UNKNOWN] = query.shape;
  const step = (
    op: string,
    inputs: readonly (KerasTensor | string)[],
    shape: readonly number[],
    part: string,
    attributes = {},
  ) => call.emit(op, inputs, shape, attributes, { part });
  const scaled = step("Mul", [q, call.scalar("scale", 1 / Math.sqrt(keyWidth))], q.shape, "scaled");
  const turned = step("Transpose", [k], [batch, heads, keyWidth, key.shape[1] ?? UNKNOWN], "keys", {
    perm: [0, 1, 3, 2],
  });
  const scores = step("MatMul", [scaled, turned], [batch, heads, time, key.shape[1] ?? UNKNOWN], "scores");
  const shares = step("Softmax", [scores], scores.shape, "shares", { axis: 3 });
  const mixed = step("MatMul", [shares, v], [batch, heads, time, valueWidth], "mixed");
  const back = step("Transpose", [mixed], [batch, time, heads, valueWidth], "heads", { perm: [0, 2, 1, 3] });
  const joined = reshaped(call, back, [batch, time, heads * valueWidth], "joined");
  const width = options.has("output_shape")
    ? (options.axes("output_shape", 0)[0] ?? 0)
    : (query.shape[2] ?? 0);
  const part = { name: "attention_output", attribute: "output_dense" };
  const weights = call.weights(
    { kernel: [heads, valueWidth, width], bias: options.boolean("use_bias", true) ? [width] : undefined },
    { kernel: (kernel) => ({ ...kernel, shape: [heads * valueWidth, width] }) },
    part,
  );
  return affine(call, joined, weights.kernel ?? "", weights.bias, width, undefined);
};

/** [batch, time, features] -> [batch, heads, time, width] */
function projected(
  call: LayerCall,
  x: KerasTensor,
  part: LayerPart,
  heads: number,
  width: number,
): KerasTensor {
  const [batch = UNKNOWN, time = UNKNOWN, features = UNKNOWN] = x.shape;
  const flat = (weight: Constant): Constant => ({
    ...weight,
    shape: weight.shape.length === 3 ? [weight.shape[0] ?? 0, heads * width] : [heads * width],
  });
  const biased = call.options.boolean("use_bias", true);
  const { kernel = "", bias } = call.weights(
    { kernel: [features, heads, width], bias: biased ? [heads, width] : undefined },
    { kernel: flat, bias: flat },
    part,
  );
  const all = affine(call, x, kernel, bias, heads * width, part.name);
  const split = reshaped(call, all, [batch, time, heads, width], `${part.name}/heads`);
  return call.emit(
    "Transpose",
    [split],
    [batch, heads, time, width],
    { perm: [0, 2, 1, 3] },
    { part: `${part.name}/turned` },
  );
}

/** Query, value and key, as a list or as arguments; the key is the value where it is not given. */
function attentionInputs(
  call: LayerCall,
  ...names: [string, string]
): [KerasTensor, KerasTensor, KerasTensor] {
  for (const mask of ["mask", "attention_mask", "query_mask", "value_mask"])
    if (isKerasTensor(call.kwargs[mask]))
      call.refuse("a mask", "remove the mask, or export the model as a SavedModel");
  const listed = call.args.flat().filter(isKerasTensor);
  const [value, key] = names
    .map((name) => call.kwargs[name])
    .map((given) => (isKerasTensor(given) ? given : undefined));
  const [q, v = value, k = key ?? v] = listed;
  if (q === undefined || v === undefined || k === undefined)
    throw damaged(`${call.site.path}: it took ${listed.length} tensors, expected a query and a value`);
  return [call.toFloat(q), call.toFloat(v), call.toFloat(k)];
}

/** Luong's: softmax(q k^T) v */
export const attention: LayerRule = (call) => {
  if (call.options.text("score_mode", "dot") !== "dot")
    return call.refuse("score_mode concat", "use score_mode dot, or export the model as a SavedModel");
  const [query, value, key] = attentionInputs(call, "value", "key");
  const [batch = UNKNOWN, time = UNKNOWN, width = UNKNOWN] = query.shape;
  const other = key.shape[1] ?? UNKNOWN;
  const turned = call.emit("Transpose", [key], [batch, width, other], { perm: [0, 2, 1] }, { part: "keys" });
  let scores = call.emit("MatMul", [query, turned], [batch, time, other], {}, { part: "scores" });
  if (call.options.boolean("use_scale", false)) {
    const { scale = "" } = call.weights({ scale: [] });
    scores = call.emit("Mul", [scores, scale], scores.shape, {}, { part: "scaled" });
  }
  const shares = call.emit("Softmax", [scores], scores.shape, { axis: 2 }, { part: "shares" });
  return call.emit("MatMul", [shares, value], [batch, time, value.shape[2] ?? UNKNOWN]);
};

/** ConvNeXt's LayerScale: a factor for each channel. */
export const layerScale: LayerRule = (call) => {
  const x = call.floats();
  const { gamma = "" } = call.weights({ gamma: [call.options.size("projection_dim")] });
  return call.emit("Mul", [x, gamma], x.shape);
};

/** InceptionResNet's residual: the first input plus the second, scaled. */
export const customScale: LayerRule = (call) => {
  const [x, residual] = call.inputs;
  if (x === undefined || residual === undefined)
    throw damaged(`${call.site.path}: it took ${call.inputs.length} tensors, expected two`);
  const scale = call.scalar("scale", call.options.number("scale", 1));
  const scaled = call.emit("Mul", [residual, scale], residual.shape, {}, { part: "scaled" });
  return call.emit("Add", [x, scaled], x.shape);
};
