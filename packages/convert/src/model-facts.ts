/** What can be said about a model from its graph. */
import { sizeOf } from "./graph/constant-values.js";
import type { ElementType, Graph, Node, Shape } from "./graph/graph.js";
import { inferShapes, withOutputShapes } from "./graph/infer-shapes.js";
import { pictureLayout } from "./graph/layout.js";

export interface TensorFact {
  readonly name: string;
  /** Undefined: one that no graph here has. */
  readonly type: ElementType | undefined;
  /** -1: known at run time only; undefined: of any rank. */
  readonly shape: Shape | undefined;
  /** Of pictures. */
  readonly layout: "NHWC" | "NCHW" | undefined;
}

export interface ModelFacts {
  readonly inputs: readonly TensorFact[];
  readonly outputs: readonly TensorFact[];
  /** The size of pictures, where the input is one and fixes it. */
  readonly pictureSize: { readonly width: number; readonly height: number } | undefined;
  /** Output that holds a score per class. */
  readonly scores: string | undefined;
  readonly classes: number | undefined;
  /** By the last operator: softmax and sigmoid give probabilities. */
  readonly scoreKind: "logits" | "probabilities" | undefined;
  /** Numbers that training found; undefined where the graph could not be read. */
  readonly parameters: number | undefined;
  readonly operators: ReadonlyMap<string, number>;
  /** Family of keras.applications that the layers' names speak of: a guess. */
  readonly family: string | undefined;
}

export function factsOf(source: Graph): ModelFacts {
  const graph = withOutputShapes(source, inferShapes(source));
  const inputs = graph.inputs.map(({ alias, type, shape }) => ({
    name: alias,
    type,
    shape,
    layout: shape?.length === 4 ? pictureLayout(graph, shape) : undefined,
  }));
  const outputs = graph.outputs.map(({ alias, type, shape }) => ({
    name: alias,
    type,
    shape,
    layout: undefined,
  }));
  const scores = graph.outputs.find(({ shape }) => shape?.length === 2 && (shape[1] ?? -1) > 0);
  const [picture] = inputs.filter(({ layout }) => layout !== undefined);
  return {
    inputs,
    outputs,
    pictureSize: sizeOfPicture(picture),
    scores: scores?.alias,
    classes: scores?.shape?.[1],
    scoreKind: scores === undefined ? undefined : scoreKindOf(graph, scores.value),
    parameters: parametersOf(graph),
    operators: operatorsOf(graph.nodes),
    family: familyOf(graph),
  };
}

function sizeOfPicture(picture: TensorFact | undefined): ModelFacts["pictureSize"] {
  const [first, second] = picture?.layout === "NCHW" ? [2, 3] : [1, 2];
  const height = picture?.shape?.[first] ?? -1;
  const width = picture?.shape?.[second] ?? -1;
  return height > 0 && width > 0 ? { width, height } : undefined;
}

/** Operators that leave scores what they are. */
const PASSING: ReadonlySet<string> = new Set([
  "Identity",
  "Cast",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Dropout",
]);

function scoreKindOf(graph: Graph, value: string): "logits" | "probabilities" {
  const makers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  let maker = makers.get(value);
  while (maker !== undefined && PASSING.has(maker.op)) maker = makers.get(maker.inputs[0] ?? "");
  return maker?.op === "Softmax" || maker?.op === "Sigmoid" ? "probabilities" : "logits";
}

/** Types that weights are stored in; whole numbers of 32 and 64 bits are sizes and axes. */
const WEIGHT_TYPES: ReadonlySet<ElementType> = new Set([
  "float32",
  "float16",
  "bfloat16",
  "float64",
  "int8",
  "uint8",
]);

function parametersOf({ constants }: Graph): number {
  let parameters = 0;
  for (const { type, shape } of constants.values()) {
    if (WEIGHT_TYPES.has(type) && shape.length > 0) parameters += sizeOf(shape);
  }
  return parameters;
}

function operatorsOf(nodes: readonly Node[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { op } of nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return new Map([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/**
 * Names of layers that one family has and the others have not. Keras 2 and 3 name most layers alike.
 *
 * Families as `--preprocess` names them.
 */
const FAMILY_MARKS: readonly (readonly [family: string, mark: RegExp])[] = [
  ["xception", /block14_sepconv2/],
  ["inception_resnet_v2", /conv_7b/],
  ["nasnet", /normal_conv_|reduction_A_block|separable_conv_.*_(normal|reduction)/],
  ["mobilenet_v3", /expanded_conv(_\d+)?[_/](squeeze_excite|project)/],
  ["mobilenet_v2", /block_16_project|block_1_expand/],
  ["mobilenet", /conv_pw_13|conv_dw_13/],
  ["densenet", /conv5_block16_|pool4_conv/],
  ["convnext", /convnext.*stage_\d+_block/i],
  ["efficientnet_v2", /block2a_expand_conv[\s\S]*block6a_se|block1a_project_conv[\s\S]*block4a_se/],
  ["efficientnet", /block7a_|block6a_se_reduce/],
  ["resnet_v2", /conv5_block3_preact|post_bn/],
  ["resnet", /conv5_block3_/],
  ["vgg19", /block5_conv4/],
  ["vgg16", /block5_conv3/],
];

function familyOf({ name, nodes }: Graph): string | undefined {
  const names = [name, ...nodes.map((node) => node.name)].join("\n");
  const marked = FAMILY_MARKS.find(([, mark]) => mark.test(names))?.[0];
  if (marked !== undefined) return marked;
  // InceptionV3 numbers its convolutions and names only its joins.
  return /(^|[\n/])mixed10([\n/]|$)/.test(names) ? "inception_v3" : undefined;
}
