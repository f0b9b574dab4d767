/** What `vitrine inspect` says about a model of any format. */
import { type ModelContract, readContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import type { TensorInfo } from "./gen/tensorflow/core/protobuf/meta_graph.js";
import { elementTypeOfTensorFlow } from "./graph/element-type.js";
import { factsOf, type ModelFacts, type TensorFact } from "./model-facts.js";
import { findSource, type ModelSource, type ReadSourceOptions, readSource } from "./model-source.js";
import { shapeOfProto } from "./saved-model/read/tf-node.js";

export interface Inspection {
  readonly source: ModelSource;
  /** Of the signature that was asked for, of a SavedModel. */
  readonly facts: ModelFacts;
  /** Of a SavedModel: all of its signatures. */
  readonly signatures: readonly string[];
  /** That lies beside the model. */
  readonly contract: ModelContract | undefined;
  /** Why the model cannot be converted, where its signatures can be read all the same. */
  readonly unsupported: string | undefined;
}

/** @throws {ServeError} MODEL_INVALID or MODEL_UNSUPPORTED when nothing can be said about the model. */
export async function inspectModel(given: string, options: ReadSourceOptions = {}): Promise<Inspection> {
  const source = await findSource(given);
  const contract = await readContract(source.folder);
  const signatures = source.format === "saved-model" ? await signatureKeys(source.path, options.tags) : [];
  try {
    const facts = factsOf(await readSource(source, options));
    return { source, facts, signatures, contract, unsupported: undefined };
  } catch (error) {
    if (!(error instanceof ServeError) || error.reason !== "MODEL_UNSUPPORTED") throw error;
    if (source.format !== "saved-model") throw error;
    const facts = await statedFacts(source.path, options);
    return { source, facts, signatures, contract, unsupported: error.message };
  }
}

async function signatureKeys(folder: string, tags: readonly string[] | undefined): Promise<string[]> {
  const { openModel } = await import("./saved-model/read/opened-model.js");
  const { signatures } = await openModel(folder, tags);
  return [...signatures.keys()].filter((key) => !key.startsWith("__saved_model_")).sort();
}

/** Names, types and shapes as the signature states them. */
async function statedFacts(folder: string, { tags, signature }: ReadSourceOptions): Promise<ModelFacts> {
  const { openModel } = await import("./saved-model/read/opened-model.js");
  const { signatures, nodes } = await openModel(folder, tags);
  const stated = signatures.get(signature ?? "serving_default");
  const operators = new Map<string, number>();
  for (const { op } of nodes.values()) operators.set(op, (operators.get(op) ?? 0) + 1);
  return {
    inputs: statedTensors(stated?.inputs),
    outputs: statedTensors(stated?.outputs),
    pictureSize: undefined,
    scores: undefined,
    classes: undefined,
    scoreKind: undefined,
    parameters: undefined,
    operators,
    family: undefined,
  };
}

function statedTensors(infos: ReadonlyMap<string, TensorInfo> | undefined): TensorFact[] {
  return [...(infos ?? [])].map(([name, { dtype, tensorShape }]) => ({
    name,
    type: elementTypeOfTensorFlow(dtype),
    shape: shapeOfProto(tensorShape),
    layout: undefined,
  }));
}
