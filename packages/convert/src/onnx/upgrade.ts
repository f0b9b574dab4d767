/**
 * Operators of older opsets in the words of opset 21. Source: onnx/docs/Changelog.md.
 *
 * Most changes move attributes to inputs. Those that change a meaning are Softmax (13: of one axis, before: of all from
 * the axis on), Upsample and Resize (11: where a pixel's centre is), and GroupNormalization (21: scales per channel).
 */
import { ServeError } from "@vitrine/protocol/status";
import { attributesWithout, numberAttribute, numbersAttribute, textAttribute } from "../graph/attributes.js";
import { float32Constant, floatsOf, int64Constant, sizeOf } from "../graph/constant-values.js";
import type { Attribute, Constant, Node } from "../graph/graph.js";

export const OLDEST_OPSET = 7;
/** What follows keeps the meaning of the operators that a classifier is made of. */
export const NEWEST_OPSET = 28;

export interface Upgrading {
  readonly opset: number;
  /** @returns the name of a value added to the graph. */
  constant(wish: string, constant: Constant): string;
  constantOf(value: string): Constant | undefined;
  unique(wish: string): string;
}

/** @throws {ServeError} MODEL_UNSUPPORTED when opset 21 has no words for it. */
export function upgradeNode(node: Node, upgrading: Upgrading): Node[] {
  const { opset } = upgrading;
  const rules = UPGRADES.get(node.op) ?? [];
  let nodes = [node];
  for (const { before, upgrade } of rules) {
    if (opset < before)
      nodes = nodes.flatMap((one) => (one.op === node.op ? upgrade(one, upgrading) : [one]));
  }
  return nodes;
}

type Upgrade = (node: Node, upgrading: Upgrading) => Node | Node[];

/** The attribute becomes the input at `index`. */
function toInput(name: string, index: number, type: "int64" | "float32"): Upgrade {
  return (node, upgrading) => {
    const value = node.attributes[name];
    const attributes = attributesWithout(node, name);
    if (value === undefined) return { ...node, attributes };
    const isOne = typeof value === "number";
    const numbers = isOne ? [value] : (numbersAttribute(node, name) ?? []);
    const shape = isOne ? [] : [numbers.length];
    const constant = type === "int64" ? int64Constant(numbers, shape) : float32Constant(numbers, shape);
    const inputs = [...node.inputs];
    while (inputs.length < index) inputs.push("");
    inputs[index] = upgrading.constant(`${node.name}/${name}`, constant);
    return { ...node, inputs, attributes };
  };
}

function inTurn(...upgrades: readonly Upgrade[]): Upgrade {
  return (node, upgrading) =>
    upgrades.reduce<Node[]>((nodes, upgrade) => nodes.flatMap((one) => upgrade(one, upgrading)), [node]);
}

function withoutAttributes(...names: readonly string[]): Upgrade {
  return (node) => ({ ...node, attributes: attributesWithout(node, ...names) });
}

/** Softmax over all axes from `axis` on: of rows of a matrix, in between. */
const softmaxOfRows: Upgrade = (node, { unique }) => {
  const axis = numberAttribute(node, "axis", 1);
  if (axis === -1) return node;
  const [data = ""] = node.inputs;
  const [result = ""] = node.outputs;
  const [rows, soft, shape] = [unique(`${result}/rows`), unique(`${result}/soft`), unique(`${result}/shape`)];
  const beside = (
    op: string,
    output: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
  ): Node => ({
    op,
    name: output === result ? unique(`${node.name}/${op}`) : output,
    inputs,
    outputs: [output],
    attributes,
  });
  return [
    beside("Flatten", rows, [data], { axis }),
    { ...node, inputs: [rows], outputs: [soft], attributes: { ...node.attributes, axis: -1 } },
    beside("Shape", shape, [data]),
    beside("Reshape", result, [soft, shape]),
  ];
};

/** Upsample, and Resize before it could say where a pixel's centre is. */
const resizeFromCorner: Upgrade = (node, upgrading) => {
  const [data = "", scales = ""] = node.inputs;
  const factors = floatsOf(upgrading.constantOf(scales));
  // ONNX Runtime's rule of that time; ONNX says nothing of it.
  const shrinks = factors?.some((factor) => factor < 1) === true;
  const mode = textAttribute(node, "mode", "nearest");
  return {
    ...node,
    op: "Resize",
    inputs: [data, "", scales],
    attributes: {
      mode: mode === "bilinear" ? "linear" : mode,
      coordinate_transformation_mode: "asymmetric",
      nearest_mode: shrinks ? "ceil" : "floor",
    },
  };
};

/** Scales and sizes that are given empty are not given. */
const withoutEmptyInputs: Upgrade = (node, { constantOf }) => {
  if (textAttribute(node, "coordinate_transformation_mode", "half_pixel") === "tf_half_pixel_for_nn") {
    throw unsupported(node, "tf_half_pixel_for_nn", "a rule that opset 13 has; export the model again");
  }
  const inputs = node.inputs.map((input, index) => {
    const constant = constantOf(input);
    return index > 0 && constant !== undefined && sizeOf(constant.shape) === 0 ? "" : input;
  });
  return { ...node, inputs: withoutTrailing(inputs) };
};

function withoutTrailing(inputs: readonly string[]): string[] {
  return inputs.slice(0, inputs.findLastIndex((input) => input !== "") + 1);
}

const inferenceOnly: Upgrade = (node) => {
  if (numberAttribute(node, "training_mode", 0) !== 0)
    throw unsupported(node, "in training mode", "inference");
  if (numberAttribute(node, "spatial", 1) === 0) throw unsupported(node, "per activation", "per channel");
  const attributes = attributesWithout(node, "spatial", "training_mode", "is_test", "consumed_inputs");
  return { ...node, outputs: node.outputs.slice(0, 1), attributes };
};

const splitEvenly: Upgrade = (node) => {
  if ((node.inputs[1] ?? "") !== "" || node.attributes.num_outputs !== undefined) return node;
  return { ...node, attributes: { ...node.attributes, num_outputs: node.outputs.length } };
};

const scalesPerGroup: Upgrade = (node) => {
  throw unsupported(node, "of opset 18 with a scale per group", "opset 21 with a scale per channel");
};

function unsupported(node: Node, was: string, expected: string): ServeError {
  return new ServeError("MODEL_UNSUPPORTED", `${node.name} is a ${node.op} ${was}, expected ${expected}`);
}

interface UpgradeBefore {
  /** The first opset that needs it no more. */
  readonly before: number;
  readonly upgrade: Upgrade;
}

const ALWAYS = Number.POSITIVE_INFINITY;
const axesToInput = toInput("axes", 1, "int64");
const softmax: UpgradeBefore[] = [{ before: 13, upgrade: softmaxOfRows }];
const reduction: UpgradeBefore[] = [{ before: 18, upgrade: axesToInput }];
const squeezing: UpgradeBefore[] = [{ before: 13, upgrade: axesToInput }];

const UPGRADES: ReadonlyMap<string, readonly UpgradeBefore[]> = new Map<string, readonly UpgradeBefore[]>([
  ["Softmax", softmax],
  ["LogSoftmax", softmax],
  ["Hardmax", softmax],
  ["Squeeze", squeezing],
  ["Unsqueeze", squeezing],
  ["ReduceSum", squeezing],
  ..."ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare"
    .split(" ")
    .map((op) => [op, reduction] as const),
  [
    "Split",
    [
      { before: 13, upgrade: toInput("split", 1, "int64") },
      { before: 18, upgrade: splitEvenly },
    ],
  ],
  [
    "Slice",
    [
      {
        before: 10,
        upgrade: inTurn(
          toInput("starts", 1, "int64"),
          toInput("ends", 2, "int64"),
          toInput("axes", 3, "int64"),
        ),
      },
    ],
  ],
  ["Clip", [{ before: 11, upgrade: inTurn(toInput("min", 1, "float32"), toInput("max", 2, "float32")) }]],
  ["Pad", [{ before: 11, upgrade: inTurn(toInput("pads", 1, "int64"), toInput("value", 2, "float32")) }]],
  ["TopK", [{ before: 10, upgrade: topKToInput }]],
  ["Dropout", [{ before: 12, upgrade: withoutAttributes("ratio") }]],
  [
    "Upsample",
    [
      { before: 9, upgrade: toInput("scales", 1, "float32") },
      { before: ALWAYS, upgrade: resizeFromCorner },
    ],
  ],
  [
    "Resize",
    [
      { before: 11, upgrade: resizeFromCorner },
      { before: ALWAYS, upgrade: withoutEmptyInputs },
    ],
  ],
  ["BatchNormalization", [{ before: ALWAYS, upgrade: inferenceOnly }]],
  ["GroupNormalization", [{ before: 21, upgrade: scalesPerGroup }]],
  ["Scatter", [{ before: 11, upgrade: (node) => ({ ...node, op: "ScatterElements" }) }]],
]);

/** K is a list of one. */
function topKToInput(node: Node, upgrading: Upgrading): Node {
  const count = numberAttribute(node, "k", 1);
  const k = upgrading.constant(`${node.name}/k`, int64Constant([count]));
  return { ...node, inputs: [node.inputs[0] ?? "", k], attributes: attributesWithout(node, "k") };
}
