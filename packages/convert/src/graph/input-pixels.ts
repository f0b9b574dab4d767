/** Puts the preprocessing of a model's contract into its graph, so that callers send pixels: `--input-dtype uint8`. */
import type { PreprocessorConfig } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import { constantOf, float32Constant, int64Constant } from "./constant-values.js";
import type { Attribute, Constant, Graph, GraphInput, Node } from "./graph.js";
import { pictureLayout } from "./layout.js";
import { permutationInto, permuted } from "./permutation.js";
import { type PixelStep, pixelArithmetic } from "./pixel-arithmetic.js";

/**
 * Makes the picture input uint8 [N, H, W, 3] and does the contract's arithmetic behind it, to the bit as the gateway
 * does it for a float32 input.
 *
 * The arithmetic is not folded into the first convolution: a shift is not the same at the borders, where the
 * convolution sees zeros that were never shifted, and scaled weights round differently.
 *
 * @throws {ServeError} MODEL_UNSUPPORTED when the graph has no float32 input of one picture of three channels, or the
 *   contract asks for what 8 bits cannot carry.
 */
export function takePixels(graph: Graph, preprocessor: PreprocessorConfig): Graph {
  const input = pictureInput(graph);
  const layout = pictureLayout(graph, input.shape);
  const { isBgr, steps } = pixelArithmetic(preprocessor);
  const constants = new Map(graph.constants);
  const taken = new Set([
    ...constants.keys(),
    ...graph.nodes.flatMap((node) => [node.name, ...node.outputs]),
  ]);
  const unique = (wish: string) => {
    let name = wish;
    for (let count = 1; taken.has(name); count++) name = `${wish}_${count}`;
    taken.add(name);
    return name;
  };
  const nodes: Node[] = [];
  const pixels = unique(`${input.alias}/pixels`);
  let value = pixels;
  const add = (op: string, operand?: Constant, attributes: Record<string, Attribute> = {}) => {
    const inputs = [value];
    if (operand !== undefined) {
      const name = unique(`${input.alias}/${op}/value`);
      constants.set(name, operand);
      inputs.push(name);
    }
    value = unique(`${input.alias}/${op}`);
    nodes.push({ op, name: value, inputs, outputs: [value], attributes });
  };
  if (isBgr) add("Gather", int64Constant([2, 1, 0]), { axis: 3 });
  for (const [index, step] of steps.entries()) {
    if (index === 0) add("Cast", undefined, { to: step.isDouble ? "float64" : "float32" });
    add(step.op, stepConstant(step));
    if (step.isDouble) add("Cast", undefined, { to: "float32" });
  }
  if (steps.length === 0) add("Cast", undefined, { to: "float32" });
  if (layout === "NCHW") add("Transpose", undefined, { perm: permutationInto("NCHW", 4) });
  const shape = layout === "NCHW" ? permuted(input.shape, permutationInto("NHWC", 4)) : input.shape;
  const fed: GraphInput = { ...input, value: pixels, type: "uint8", shape: shape.with(3, 3) };
  return renamed({ ...graph, constants }, input, fed, nodes, value);
}

/** The last new value takes the name that the graph knows its input by. */
function renamed(
  graph: Graph,
  input: GraphInput,
  fed: GraphInput,
  added: readonly Node[],
  last: string,
): Graph {
  const nodes = added.map((node) => (node.outputs[0] === last ? { ...node, outputs: [input.value] } : node));
  return {
    ...graph,
    inputs: graph.inputs.map((one) => (one.value === input.value ? fed : one)),
    nodes: [...nodes, ...graph.nodes],
  };
}

function stepConstant({ values, isDouble }: PixelStep): Constant {
  const shape = values.length === 1 ? [] : [values.length];
  return isDouble ? constantOf("float64", shape, Float64Array.from(values)) : float32Constant(values, shape);
}

function pictureInput(graph: Graph): GraphInput & { readonly shape: readonly number[] } {
  const pictures = graph.inputs.flatMap((input) => {
    const { shape, type } = input;
    const isPicture =
      shape?.length === 4 && type === "float32" && (shape.includes(3, 1) || shape.includes(-1, 1));
    return isPicture ? [{ ...input, shape }] : [];
  });
  const [picture, ...more] = pictures;
  if (picture !== undefined && more.length === 0) return picture;
  const given = graph.inputs.map(({ alias, type, shape }) => `${alias} ${type} [${shape?.join(",") ?? "?"}]`);
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `the inputs were ${given.join(", ")}, expected one float32 picture of three channels to make it uint8`,
  );
}

/**
 * The contract's preprocessing for a model that does the arithmetic itself: what is left are the steps that make
 * pixels.
 *
 * @param preprocessor `preprocessor_config.json` as it was written.
 */
export function pixelsPreprocessor(preprocessor: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { vitrine, image_mean: _mean, image_std: _std, rescale_factor: _factor, ...rest } = preprocessor;
  const { preset: _preset, ...own } = isRecord(vitrine) ? vitrine : {};
  const arithmetic = {
    do_rescale: false,
    do_normalize: false,
    do_flip_channel_order: false,
    rescale_offset: false,
  };
  return { ...rest, ...arithmetic, include_top: false, vitrine: { ...own, layout: "NHWC" } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
