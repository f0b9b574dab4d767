/** The RPCs of the Open Inference Protocol v2, with those that Triton adds. */
import {
  ModelInferRequest,
  ModelInferResponse,
  ModelMetadataRequest,
  ModelMetadataResponse,
  ModelReadyRequest,
  ModelReadyResponse,
  ModelStreamInferResponse,
  RepositoryIndexRequest,
  RepositoryIndexResponse,
  ServerLiveRequest,
  ServerLiveResponse,
  ServerMetadataRequest,
  ServerMetadataResponse,
  ServerReadyRequest,
  ServerReadyResponse,
} from "./gen/inference/open_inference_grpc.js";
import { method } from "./method-definition.js";

const SERVICE = "/inference.GRPCInferenceService";

export const SERVER_LIVE = method(`${SERVICE}/ServerLive`, ServerLiveRequest, ServerLiveResponse);
export const SERVER_READY = method(`${SERVICE}/ServerReady`, ServerReadyRequest, ServerReadyResponse);
export const MODEL_READY = method(`${SERVICE}/ModelReady`, ModelReadyRequest, ModelReadyResponse);
export const SERVER_METADATA = method(
  `${SERVICE}/ServerMetadata`,
  ServerMetadataRequest,
  ServerMetadataResponse,
);
export const MODEL_METADATA = method(`${SERVICE}/ModelMetadata`, ModelMetadataRequest, ModelMetadataResponse);
export const MODEL_INFER = method(`${SERVICE}/ModelInfer`, ModelInferRequest, ModelInferResponse);

/** Bidirectional; Triton's: answers in the order of the requests. */
export const MODEL_STREAM_INFER = method(
  `${SERVICE}/ModelStreamInfer`,
  ModelInferRequest,
  ModelStreamInferResponse,
);

/** Triton's. */
export const REPOSITORY_INDEX = method(
  `${SERVICE}/RepositoryIndex`,
  RepositoryIndexRequest,
  RepositoryIndexResponse,
);
