/** Signatures that take serialised tf.Examples: the features become inputs of the graph, parsed by who serves it. */
import { type DataType, dtypeName } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import { elementsOf } from "../../graph/constant-values.js";
import { elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { Constant, Shape } from "../../graph/graph.js";
import { constantOfProto } from "./constants.js";
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

/** A feature and its places in the operator that parses it. */
export interface ParsedFeature extends TfExampleFeature {
  /** Index of the operator's output. */
  readonly output: number;
  /** Index of its input that holds the default. */
  readonly defaultInput: number;
}

export function isParseExample(node: TfNode): boolean {
  return node.op === "ParseExample" || node.op === "ParseExampleV2";
}

/** Operators that parse strings which callers feed. */
export function parsesFedExamples(node: TfNode): boolean {
  return isParseExample(node) && node.inputs[0]?.node.fed !== undefined;
}

/**
 * What a ParseExample operator reads, defaults left out.
 *
 * Only dense features of fixed shape: sparse and ragged ones are no outputs here, and refused where they are taken.
 */
export function featuresOf(node: TfNode): readonly ParsedFeature[] {
  const { attributes } = node;
  const types = attributes.types("Tdense");
  const shapes = attributes.shapes("dense_shapes");
  const isV2 = node.op === "ParseExampleV2";
  const sparse = isV2 ? attributes.int("num_sparse", 0) : attributes.int("Nsparse", 0);
  // V2 has its keys as one list each; V1 has an input for each key.
  const keys = isV2 ? stringsOf(node, 3) : types.flatMap((_, index) => stringsOf(node, 2 + sparse + index));
  const firstDefault = isV2 ? 5 : 2 + sparse + types.length;
  return types.flatMap((dtype, index) => {
    const shape = shapeOfProto(shapes[index]);
    const name = keys[index];
    if (shape === undefined || shape.includes(-1) || name === undefined) return [];
    return [{ name, dtype, shape, output: 3 * sparse + index, defaultInput: firstDefault + index }];
  });
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

/** Elements of a default; undefined for an empty one, which says that the feature has to be there. */
export function defaultOf(
  feature: TfExampleFeature,
  constant: Constant | undefined,
): TfExampleFeature["defaultValue"] {
  if (constant === undefined) {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `feature ${feature.name} has a default computed at run time, expected a constant`,
    );
  }
  if (constant.shape.includes(0)) return undefined;
  if (constant.strings !== undefined) return constant.strings;
  return Array.from<number | bigint>(elementsOf(constant));
}

function stringsOf(node: TfNode, index: number): readonly string[] {
  const source = node.inputs[index]?.node;
  if (source?.op !== "Const") {
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `node ${node.name} is a ${node.op} whose keys are a ${source?.op ?? "missing input"}, expected constants`,
    );
  }
  const { strings } = constantOfProto(source.attributes.tensor("value"), `node ${source.name} (Const)`);
  const text = new TextDecoder();
  return (strings ?? []).map((bytes) => text.decode(bytes));
}
