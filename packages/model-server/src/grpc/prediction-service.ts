/** TensorFlow Serving's gRPC services and gRPC health, over the registry. */
import { CONTRACT_METADATA_FIELD, contractToJson } from "@vitrine/protocol/contract";
import type { Any } from "@vitrine/protocol/gen/google/protobuf/any";
import { StringValue } from "@vitrine/protocol/gen/google/protobuf/wrappers";
import { HealthCheckResponse_ServingStatus as ServingStatus } from "@vitrine/protocol/gen/grpc/health/v1/health";
import type { SignatureDef, TensorInfo } from "@vitrine/protocol/gen/tensorflow/core/protobuf/meta_graph";
import {
  type GetModelMetadataRequest,
  type GetModelMetadataResponse,
  SignatureDefMap,
} from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import {
  type GetModelStatusRequest,
  type GetModelStatusResponse,
  ModelVersionStatus_State,
} from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_status";
import type { PredictRequest, PredictResponse } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import type { GrpcServer, ServerCall } from "@vitrine/protocol/grpc/server";
import {
  GET_MODEL_METADATA,
  GET_MODEL_STATUS,
  HEALTH_CHECK,
  HEALTH_WATCH,
  PREDICT,
} from "@vitrine/protocol/services";
import { GRPC_STATUS, ServeError } from "@vitrine/protocol/status";
import { tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";
import type { Health } from "../health.js";
import type { ModelRegistry } from "../models/model-registry.js";
import type { RequestDetails, RequestLog } from "../request-log.js";
import type { Servable } from "../servable.js";
import { DEFAULT_SIGNATURE, type Signature, type TensorSpec } from "../signature.js";
import { choiceOf, findServable, requiredSpec, specOf } from "./model-spec.js";

const SIGNATURE_METADATA_FIELD = "signature_def";

export interface PredictionServiceParts {
  readonly registry: ModelRegistry;
  readonly health: Health;
  readonly log: RequestLog;
  /** Largest input tensor. */
  readonly maxTensorBytes: number;
  /** How outputs travel: TensorFlow Serving's `*_val` fields, or `tensor_content`. */
  readonly outputForm: "values" | "content";
}

/** Adds every method to a server. */
export function addPredictionServices(server: GrpcServer, parts: PredictionServiceParts): void {
  const { health, log } = parts;
  const record = <T>(
    method: string,
    { metadata }: ServerCall,
    handler: (details: RequestDetails) => T | Promise<T>,
  ): Promise<T> => log.record({ protocol: "grpc", method, requestId: metadata.get("x-request-id") }, handler);

  server.unary(PREDICT, (request, call) =>
    record("Predict", call, (details) => predict(request, call.signal, details, parts)),
  );
  server.unary(GET_MODEL_METADATA, (request, call) =>
    record("GetModelMetadata", call, (details) => getModelMetadata(request, details, parts.registry)),
  );
  server.unary(GET_MODEL_STATUS, (request, call) =>
    record("GetModelStatus", call, (details) => getModelStatus(request, details, parts.registry)),
  );
  // Probes come every few seconds for ever: they are not logged.
  server.unary(HEALTH_CHECK, ({ service }) => {
    const status = health.statusOf(service);
    if (status === ServingStatus.SERVICE_UNKNOWN) {
      throw new ServeError("MODEL_NOT_FOUND", `unknown service ${service}`);
    }
    return { status };
  });
  server.serverStream(HEALTH_WATCH, async function* ({ service }, { signal }) {
    for await (const status of health.watch(service, signal)) yield { status };
  });
}

async function predict(
  request: PredictRequest,
  signal: AbortSignal,
  details: RequestDetails,
  { registry, maxTensorBytes, outputForm }: PredictionServiceParts,
): Promise<PredictResponse> {
  const spec = requiredSpec(request.modelSpec, details);
  const servable = findServable(registry, spec, details);
  const signatureName = spec.signatureName === "" ? DEFAULT_SIGNATURE : spec.signatureName;
  const { output, ...batch } = await servable.predict({
    signatureName,
    inputs: request.inputs,
    read: (proto, alias) => tensorFromProto(proto, alias, { maxBytes: maxTensorBytes }),
    outputFilter: request.outputFilter,
    signal,
  });
  details.batch = batch;
  const outputs = new Map([...output].map(([alias, tensor]) => [alias, tensorToProto(tensor, outputForm)]));
  return { outputs, modelSpec: specOf(spec.name, servable, signatureName) };
}

/** The field names are checked before the model is looked up, as TensorFlow Serving does. */
function getModelMetadata(
  { modelSpec, metadataField }: GetModelMetadataRequest,
  details: RequestDetails,
  registry: ModelRegistry,
): GetModelMetadataResponse {
  const spec = requiredSpec(modelSpec, details);
  if (metadataField.length === 0) {
    throw new ServeError(
      "REQUEST_INVALID",
      "GetModelMetadataRequest must specify at least one metadata_field",
    );
  }
  for (const field of metadataField) {
    if (field !== SIGNATURE_METADATA_FIELD && field !== CONTRACT_METADATA_FIELD) throw unsupported(field);
  }
  const servable = findServable(registry, spec, details);
  const metadata = new Map(metadataField.map((field) => [field, metadataOf(field, servable)]));
  return { modelSpec: specOf(spec.name, servable, ""), metadata };
}

function metadataOf(field: string, { signatures, contract }: Servable): Any {
  if (field === SIGNATURE_METADATA_FIELD) {
    const signatureDef = new Map([...signatures].map(([key, signature]) => [key, signatureDefOf(signature)]));
    return {
      typeUrl: "type.googleapis.com/tensorflow.serving.SignatureDefMap",
      value: SignatureDefMap.encode({ signatureDef }).finish(),
    };
  }
  // Without a contract this server is no other than TensorFlow Serving, and answers as that does.
  if (contract === undefined) throw unsupported(field);
  return {
    typeUrl: "type.googleapis.com/google.protobuf.StringValue",
    value: StringValue.encode({ value: contractToJson(contract) }).finish(),
  };
}

function unsupported(field: string): ServeError {
  return new ServeError("REQUEST_INVALID", `Metadata field ${field} is not supported`);
}

export function signatureDefOf({ inputs, outputs, methodName }: Signature): SignatureDef {
  const infos = (specs: ReadonlyMap<string, TensorSpec>) =>
    new Map([...specs].map(([alias, spec]) => [alias, tensorInfoOf(spec)]));
  return { inputs: infos(inputs), outputs: infos(outputs), methodName };
}

function tensorInfoOf({ tensorName, dtype, shape, unknownRank }: TensorSpec): TensorInfo {
  const dim = shape.map((size) => ({ size, name: "" }));
  return { name: tensorName, dtype, tensorShape: { dim, unknownRank } };
}

/** A label is ignored here, as TensorFlow Serving does. */
function getModelStatus(
  { modelSpec }: GetModelStatusRequest,
  details: RequestDetails,
  registry: ModelRegistry,
): GetModelStatusResponse {
  const spec = requiredSpec(modelSpec, details);
  const statuses = registry.statuses(spec.name, choiceOf(spec, registry).version);
  return {
    modelVersionStatus: statuses.map(({ version, state, error }) => ({
      version,
      state: ModelVersionStatus_State[state],
      status: {
        errorCode: error === undefined ? 0 : GRPC_STATUS[error.code],
        errorMessage: error?.message ?? "",
      },
    })),
  };
}
