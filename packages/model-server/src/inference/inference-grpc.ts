/** The Open Inference Protocol's GRPCInferenceService, as KServe and Triton have it. */
import { CONTRACT_METADATA_FIELD, contractToJson } from "@vitrine/protocol/contract";
import type {
  InferParameter,
  ModelInferRequest,
  ModelInferResponse,
  ModelMetadataResponse,
  ModelMetadataResponse_TensorMetadata,
  ModelStreamInferResponse,
} from "@vitrine/protocol/gen/inference/open_inference_grpc";
import type { GrpcServer, ServerCall } from "@vitrine/protocol/grpc/server";
import {
  MODEL_INFER,
  MODEL_METADATA,
  MODEL_READY,
  MODEL_STREAM_INFER,
  REPOSITORY_INDEX,
  SERVER_LIVE,
  SERVER_METADATA,
  SERVER_READY,
} from "@vitrine/protocol/inference-services";
import { ServeError } from "@vitrine/protocol/status";
import type { TensorSpec } from "../signature.js";
import {
  EXTENSIONS,
  findModel,
  type InferenceParts,
  infer,
  isModelReady,
  type NamedTensor,
  PLATFORM,
  repositoryIndex,
  SERVER_NAME,
  signatureFor,
} from "./inference-protocol.js";
import {
  checkedShape,
  contentsOfTensor,
  datatypeName,
  dtypeOfDatatype,
  hasContentsForm,
  rawOfTensor,
  tensorFromContents,
  tensorFromRaw,
} from "./inference-tensors.js";

export function addInferenceService(server: GrpcServer, parts: InferenceParts): void {
  const { registry, health, log, version } = parts;
  // Probes are not logged.
  server.unary(SERVER_LIVE, () => ({ live: true }));
  server.unary(SERVER_READY, () => ({ ready: health.isReady }));
  server.unary(MODEL_READY, (request) => ({ ready: isModelReady(parts, request.name, request.version) }));
  server.unary(SERVER_METADATA, () => ({ name: SERVER_NAME, version, extensions: [...EXTENSIONS] }));
  server.unary(REPOSITORY_INDEX, ({ ready }) => ({ models: [...repositoryIndex(registry, ready)] }));
  server.unary(MODEL_METADATA, (request, { metadata }) =>
    log.record({ protocol: "grpc", method: "ModelMetadata", requestId: metadata.get("x-request-id") }, () =>
      modelMetadata(request, parts),
    ),
  );
  server.unary(MODEL_INFER, (request, call) => modelInfer(request, call, parts));
  server.bidiStream(MODEL_STREAM_INFER, async function* (requests, call) {
    for await (const request of requests) yield await streamedAnswer(request, call, parts);
  });
}

function modelMetadata(
  { name, version }: { readonly name: string; readonly version: string },
  { registry }: InferenceParts,
): ModelMetadataResponse {
  const servable = findModel(registry, name, version);
  const { inputs, outputs } = signatureFor(servable, undefined);
  const { contract } = servable;
  return {
    name,
    versions: registry.availableVersions(name).map(String).reverse(),
    platform: PLATFORM,
    inputs: [...inputs.values()].map(tensorMetadata),
    outputs: [...outputs.values()].map(tensorMetadata),
    // The contract travels with the model in this protocol, too.
    properties: new Map(contract === undefined ? [] : [[CONTRACT_METADATA_FIELD, contractToJson(contract)]]),
  };
}

function tensorMetadata({ alias, dtype, shape }: TensorSpec): ModelMetadataResponse_TensorMetadata {
  return { name: alias, datatype: datatypeName(dtype), shape: shape.map(BigInt) };
}

/** A refused request ends that answer, not the stream. */
async function streamedAnswer(
  request: ModelInferRequest,
  call: ServerCall,
  parts: InferenceParts,
): Promise<ModelStreamInferResponse> {
  try {
    return { errorMessage: "", inferResponse: await modelInfer(request, call, parts) };
  } catch (thrown) {
    const { message } = ServeError.from(thrown);
    // Triton's clients find the request by the id of an otherwise empty response.
    const empty = { modelName: request.modelName, modelVersion: request.modelVersion, id: request.id };
    return {
      errorMessage: message,
      inferResponse: { ...empty, parameters: new Map(), outputs: [], rawOutputContents: [] },
    };
  }
}

function modelInfer(
  request: ModelInferRequest,
  { metadata, signal }: ServerCall,
  { registry, log }: InferenceParts,
): Promise<ModelInferResponse> {
  const facts = { protocol: "grpc" as const, method: "ModelInfer", requestId: metadata.get("x-request-id") };
  return log.record(facts, async (details) => {
    const { modelName, modelVersion, id, parameters, outputs } = request;
    details.model = modelName;
    const { servable, outputs: answered } = await infer(registry, {
      model: modelName,
      version: modelVersion,
      signatureName: textParameter(parameters.get("signature_name")),
      inputs: () => inputsOf(request),
      outputs: outputs.map((output) => {
        refuseSharedMemory(output.parameters);
        return { name: output.name, classes: countParameter(output.parameters.get("classification")) };
      }),
      signal,
      details,
    });
    // As the request came, so goes the answer.
    const typed =
      request.rawInputContents.length === 0 &&
      request.inputs.length > 0 &&
      answered.every(({ tensor }) => hasContentsForm(tensor.dtype));
    return {
      modelName,
      modelVersion: String(servable.version),
      id,
      parameters: new Map(),
      outputs: answered.map(({ name, tensor }) => ({
        name,
        datatype: datatypeName(tensor.dtype),
        shape: tensor.shape.map(BigInt),
        parameters: new Map(),
        contents: typed ? contentsOfTensor(tensor) : undefined,
      })),
      rawOutputContents: typed ? [] : answered.map(({ tensor }) => rawOfTensor(tensor)),
    };
  });
}

function inputsOf({ inputs, rawInputContents }: ModelInferRequest): NamedTensor[] {
  const raw = rawInputContents.length > 0;
  if (raw && rawInputContents.length !== inputs.length) {
    throw new ServeError(
      "REQUEST_INVALID",
      `raw_input_contents had ${rawInputContents.length} entries, expected one for each of ${inputs.length} inputs`,
    );
  }
  return inputs.map(({ name, datatype, shape, parameters, contents }, index) => {
    refuseSharedMemory(parameters);
    const dtype = dtypeOfDatatype(datatype);
    if (dtype === undefined) {
      throw new ServeError("TENSOR_INVALID", `inference input '${name}' had unknown data-type '${datatype}'`);
    }
    const sizes = checkedShape(name, shape);
    if (raw && contents !== undefined) {
      throw new ServeError(
        "REQUEST_INVALID",
        `contents field must not be specified when using raw_input_contents for '${name}'`,
      );
    }
    const bytes = rawInputContents[index];
    const tensor =
      raw && bytes !== undefined
        ? tensorFromRaw(name, dtype, sizes, bytes)
        : tensorFromContents(name, dtype, sizes, contents ?? EMPTY_CONTENTS);
    return { name, tensor };
  });
}

const EMPTY_CONTENTS = {
  boolContents: [],
  intContents: [],
  int64Contents: [],
  uintContents: [],
  uint64Contents: [],
  fp32Contents: [],
  fp64Contents: [],
  bytesContents: [],
};

function refuseSharedMemory(parameters: ReadonlyMap<string, InferParameter>): void {
  if (!parameters.has("shared_memory_region")) return;
  throw new ServeError(
    "METHOD_UNIMPLEMENTED",
    "shared memory is not supported, expected tensors in the request",
  );
}

function textParameter(parameter: InferParameter | undefined): string | undefined {
  const choice = parameter?.parameterChoice;
  return choice?.$case === "stringParam" ? choice.value : undefined;
}

function countParameter(parameter: InferParameter | undefined): number | undefined {
  const choice = parameter?.parameterChoice;
  if (choice?.$case !== "int64Param" && choice?.$case !== "uint64Param") return undefined;
  return choice.value > 0n ? Number(choice.value) : undefined;
}
