/** The RPCs of TensorFlow Serving, gRPC health and gRPC reflection. */
import { HealthCheckRequest, HealthCheckResponse } from "./gen/grpc/health/v1/health.js";
import { ServerReflectionRequest, ServerReflectionResponse } from "./gen/grpc/reflection/v1/reflection.js";
import {
  ClassificationRequest,
  ClassificationResponse,
} from "./gen/tensorflow_serving/apis/classification.js";
import {
  GetModelMetadataRequest,
  GetModelMetadataResponse,
} from "./gen/tensorflow_serving/apis/get_model_metadata.js";
import {
  GetModelStatusRequest,
  GetModelStatusResponse,
} from "./gen/tensorflow_serving/apis/get_model_status.js";
import { MultiInferenceRequest, MultiInferenceResponse } from "./gen/tensorflow_serving/apis/inference.js";
import { ReloadConfigRequest, ReloadConfigResponse } from "./gen/tensorflow_serving/apis/model_management.js";
import { PredictRequest, PredictResponse } from "./gen/tensorflow_serving/apis/predict.js";
import { RegressionRequest, RegressionResponse } from "./gen/tensorflow_serving/apis/regression.js";
import { method } from "./method-definition.js";

export type { MethodDefinition } from "./method-definition.js";

export const PREDICT = method(
  "/tensorflow.serving.PredictionService/Predict",
  PredictRequest,
  PredictResponse,
);

export const CLASSIFY = method(
  "/tensorflow.serving.PredictionService/Classify",
  ClassificationRequest,
  ClassificationResponse,
);

export const REGRESS = method(
  "/tensorflow.serving.PredictionService/Regress",
  RegressionRequest,
  RegressionResponse,
);

export const MULTI_INFERENCE = method(
  "/tensorflow.serving.PredictionService/MultiInference",
  MultiInferenceRequest,
  MultiInferenceResponse,
);

export const GET_MODEL_METADATA = method(
  "/tensorflow.serving.PredictionService/GetModelMetadata",
  GetModelMetadataRequest,
  GetModelMetadataResponse,
);

export const GET_MODEL_STATUS = method(
  "/tensorflow.serving.ModelService/GetModelStatus",
  GetModelStatusRequest,
  GetModelStatusResponse,
);

export const RELOAD_CONFIG = method(
  "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
  ReloadConfigRequest,
  ReloadConfigResponse,
);

export const HEALTH_CHECK = method("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse);

/** Server-streaming: the present status at once, then each change. */
export const HEALTH_WATCH = method("/grpc.health.v1.Health/Watch", HealthCheckRequest, HealthCheckResponse);

/** Bidirectional: an answer to each question. */
export const REFLECTION_V1 = method(
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  ServerReflectionRequest,
  ServerReflectionResponse,
);

/** The same messages under the name that older clients ask for. */
export const REFLECTION_V1ALPHA = method(
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  ServerReflectionRequest,
  ServerReflectionResponse,
);
