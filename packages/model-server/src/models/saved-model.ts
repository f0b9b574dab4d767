/** A SavedModel as sessions run it: converted to ONNX when it is loaded. The converter is loaded only then. */
import type { OpenSavedModelOptions, ServedSignature, ServedTensor } from "@vitrine/convert/serving";
import { ServeError } from "@vitrine/protocol/status";
import { dtypeOf } from "../element-types.js";
import type { GraphValue, SessionMetadata, SessionModel } from "../engine/worker-messages.js";
import { countsRows, type Signature, type Signatures, type TensorSpec } from "../signature.js";

export interface OpenedSavedModel {
  readonly model: SessionModel;
  /** @throws {ServeError} MODEL_INVALID when the converted graph lacks a tensor of a signature. */
  signatures(graph: SessionMetadata): Signatures;
}

/** @throws {ServeError} MODEL_INVALID when the folder is damaged; MODEL_UNSUPPORTED for what cannot be converted. */
export async function openSavedModelFolder(
  folder: string,
  options: OpenSavedModelOptions,
): Promise<OpenedSavedModel> {
  const { openSavedModel } = await import("@vitrine/convert/serving");
  const { model, signatures } = await openSavedModel(folder, options);
  return {
    model: "file" in model ? { file: model.file } : { bytes: sharedCopy(model.bytes) },
    signatures: (graph) =>
      new Map([...signatures].map(([name, served]) => [name, signatureOf(name, served, graph)])),
  };
}

/** One copy for all sessions, instead of one each. */
function sharedCopy(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  return shared;
}

function signatureOf(name: string, served: ServedSignature, graph: SessionMetadata): Signature {
  const { methodName, exampleFeatures, unsupported } = served;
  const specs = (tensors: ReadonlyMap<string, ServedTensor>, values: readonly GraphValue[]) =>
    new Map([...tensors].map(([alias, tensor]) => [alias, tensorSpec(alias, tensor, values, unsupported)]));
  const inputs = specs(served.inputs, exampleFeatures === undefined ? graph.inputs : []);
  const outputs = specs(served.outputs, graph.outputs);
  return {
    name,
    methodName,
    inputs,
    outputs,
    joinable: countsRows({ inputs, outputs }),
    exampleFeatures,
    unsupported,
  };
}

/** A tensor that no session computes (of a signature that cannot run, or parsed from examples) keeps what is declared. */
function tensorSpec(
  alias: string,
  { graphName, tensorName, dtype, shape }: ServedTensor,
  values: readonly GraphValue[],
  unsupported: string | undefined,
): TensorSpec {
  const value = values.find(({ name }) => name === graphName);
  if (value === undefined && unsupported === undefined && values.length > 0) {
    throw new ServeError("MODEL_INVALID", `the converted model had no tensor ${graphName} for ${alias}`);
  }
  if (value !== undefined && dtypeOf(value.type) !== dtype) {
    throw new ServeError(
      "MODEL_INVALID",
      `tensor ${alias} became ${value.type} in the converted model, expected the signature's type`,
    );
  }
  return {
    alias,
    graphName,
    tensorName,
    type: value?.type ?? "string",
    dtype,
    shape: shape ?? [],
    unknownRank: shape === undefined,
  };
}
