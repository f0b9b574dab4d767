/** The RPCs that cross the wire: their paths and how their messages become bytes. */
import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { HealthCheckRequest, HealthCheckResponse } from "./gen/grpc/health/v1/health.js";
import {
  GetModelMetadataRequest,
  GetModelMetadataResponse,
} from "./gen/tensorflow_serving/apis/get_model_metadata.js";
import {
  GetModelStatusRequest,
  GetModelStatusResponse,
} from "./gen/tensorflow_serving/apis/get_model_status.js";
import { PredictRequest, PredictResponse } from "./gen/tensorflow_serving/apis/predict.js";
import { MessageReader } from "./message-reader.js";
import { MessageWriter } from "./message-writer.js";
import { ServeError } from "./status.js";

/** One RPC. Decoded `bytes` fields are views of the message; encoded parts may be views of the fields. */
export interface MethodDefinition<Request, Response> {
  /** `/package.Service/Method` */
  readonly path: string;
  /** @throws {ServeError} REQUEST_INVALID when the bytes are not such a message; MESSAGE_TOO_LARGE, see MessageReader. */
  decodeRequest(bytes: Uint8Array): Request;
  /** The message's bytes as consecutive parts. */
  encodeRequest(request: Request): Uint8Array[];
  /** @throws {ServeError} INTERNAL when the bytes are not such a message. */
  decodeResponse(bytes: Uint8Array): Response;
  encodeResponse(response: Response): Uint8Array[];
}

interface MessageCodec<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
  decode(reader: BinaryReader): T;
}

function method<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    decodeRequest: (bytes) => decode(request, bytes, "REQUEST_INVALID", `the request of ${path}`),
    encodeRequest: (message) => encode(request, message),
    decodeResponse: (bytes) => decode(response, bytes, "INTERNAL", `the response of ${path}`),
    encodeResponse: (message) => encode(response, message),
  };
}

function encode<T>(codec: MessageCodec<T>, message: T): Uint8Array[] {
  const writer = new MessageWriter();
  codec.encode(message, writer);
  return writer.finishParts();
}

function decode<T>(
  codec: MessageCodec<T>,
  bytes: Uint8Array,
  reason: "REQUEST_INVALID" | "INTERNAL",
  what: string,
): T {
  try {
    return codec.decode(new MessageReader(bytes));
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError(reason, `${what} was not a valid message: ${fault}`, { cause });
  }
}

export const PREDICT = method(
  "/tensorflow.serving.PredictionService/Predict",
  PredictRequest,
  PredictResponse,
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

export const HEALTH_CHECK = method("/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse);

/** Server-streaming: the present status at once, then each change. */
export const HEALTH_WATCH = method("/grpc.health.v1.Health/Watch", HealthCheckRequest, HealthCheckResponse);
