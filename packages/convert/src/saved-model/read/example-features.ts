/** Signatures that take serialised tf.Examples: the features become inputs of the graph, parsed by who serves it. */
import { type DataType, dtypeName } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import { elementsOf } from "../../graph/constant-values.js";
import { elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { Constant, Shape } from "../../graph/graph.js";
import { constantOfProto } from "./constants.js";
import type { FlatGraph } from "./flatten.js";
import { shapeOfProto, type TfNode } from "./tf-node.js";

/** A feature that ParseExample reads densely. */
export interface TfExampleFeature {
  readonly name: string;
  readonly dtype: DataType;
  /** Of one example. */
  readonly shape: Shape;
  /** What an example without the feature counts as, row-major; absent: the feature is required. */
  readonly defaultValue?: readonly (number | bigint)[] | readonly Uint8Array[];
}

/** An operator that parses examples, and which of its outputs is which feature. */
export interface ParsedExamples {
  readonly node: TfNode;
  /** By index of the output. */
  readonly features: ReadonlyMap<number, TfExampleFeature>;
}

export function isParseExample(node: TfNode): boolean {
  return node.op === "ParseExample" || node.op === "ParseExampleV2";
}

/**
 * What the graph's ParseExample operators read from a string that callers feed.
 *
 * Only dense features of fixed shape: sparse and ragged ones are no outputs here, and refused where they are taken.
 */
export function parsedExamples(flat: FlatGraph): readonly ParsedExamples[] {
  return flat.nodes
    .filter((node) => isParseExample(node) && node.inputs[0]?.node.fed !== undefined)
    .map((node) => ({ node, features: featuresOf(node) }));
}

function featuresOf(node: TfNode): ReadonlyMap<number, TfExampleFeature> {
  const { attributes } = node;
  const types = attributes.types("Tdense");
  const shapes = attributes.shapes("dense_shapes");
  const isV2 = node.op === "ParseExampleV2";
  const sparse = isV2 ? attributes.int("num_sparse", 0) : attributes.int("Nsparse", 0);
  // V2 has its keys as one list each; V1 has an input for each key.
  const keys = isV2
    ? stringsOf(constantAt(node, 3))
    : types.flatMap((_, index) => stringsOf(constantAt(node, 2 + sparse + index)));
  const firstDefault = isV2 ? 5 : 2 + sparse + types.length;
  const features = new Map<number, TfExampleFeature>();
  for (const [index, dtype] of types.entries()) {
    const shape = shapeOfProto(shapes[index]);
    const name = keys[index];
    if (shape === undefined || shape.includes(-1) || name === undefined) continue;
    const defaultValue = defaultOf(constantAt(node, firstDefault + index));
    features.set(3 * sparse + index, {
      name,
      dtype,
      shape,
      ...(defaultValue === undefined ? {} : { defaultValue }),
    });
  }
  return features;
}

/** Element type of a feature in the graph. @throws {ServeError} MODEL_UNSUPPORTED for types that examples do not hold. */
export function featureType({ name, dtype }: TfExampleFeature): "float32" | "int64" | "string" {
  const type = elementTypeOfTensorFlow(dtype);
  if (type === "float32" || type === "int64" || type === "string") return type;
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `feature ${name} is of dtype ${dtypeName(dtype)}, expected float, int64 or string`,
  );
}

/** An empty default says that the feature has to be there. */
function defaultOf(constant: Constant): TfExampleFeature["defaultValue"] {
  if (constant.shape.includes(0)) return undefined;
  if (constant.strings !== undefined) return constant.strings;
  return Array.from<number | bigint>(elementsOf(constant));
}

function stringsOf(constant: Constant): readonly string[] {
  const text = new TextDecoder();
  return (constant.strings ?? []).map((bytes) => text.decode(bytes));
}

function constantAt(node: TfNode, index: number): Constant {
  const source = node.inputs[index]?.node;
  if (source?.op !== "Const") {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `node ${node.name} is a ${node.op} whose input ${index} is a ${source?.op ?? "missing one"}, expected a constant`,
    );
  }
  return constantOfProto(source.attributes.tensor("value"), `node ${source.name} (Const)`);
}
