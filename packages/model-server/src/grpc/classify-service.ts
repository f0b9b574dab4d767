/** Classify, Regress and MultiInference over gRPC. */
import type { ClassificationRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/classification";
import type {
  InferenceResult,
  InferenceTask,
  MultiInferenceRequest,
  MultiInferenceResponse,
} from "@vitrine/protocol/gen/tensorflow_serving/apis/inference";
import type { Input } from "@vitrine/protocol/gen/tensorflow_serving/apis/input";
import type { ModelSpec } from "@vitrine/protocol/gen/tensorflow_serving/apis/model";
import type { RegressionRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/regression";
import type { GrpcServer, ServerCall } from "@vitrine/protocol/grpc/server";
import { CLASSIFY, MULTI_INFERENCE, REGRESS } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import type { ModelRegistry } from "../models/model-registry.js";
import type { RequestDetails, RequestLog } from "../request-log.js";
import type { Servable } from "../servable.js";
import { CLASSIFY_METHOD_NAME, DEFAULT_SIGNATURE, REGRESS_METHOD_NAME } from "../signature.js";
import { classify, type ExampleCall, regress } from "./classify.js";
import { findServable, requiredSpec, specOf } from "./model-spec.js";

export interface ClassifyServiceParts {
  readonly registry: ModelRegistry;
  readonly log: RequestLog;
}

export function addClassifyService(server: GrpcServer, { registry, log }: ClassifyServiceParts): void {
  const record = <T>(
    method: string,
    { metadata }: ServerCall,
    handler: (details: RequestDetails) => Promise<T>,
  ): Promise<T> => log.record({ protocol: "grpc", method, requestId: metadata.get("x-request-id") }, handler);

  server.unary(CLASSIFY, (request, call) =>
    record("Classify", call, (details) => answerExamples(request, call.signal, details, registry, classify)),
  );
  server.unary(REGRESS, (request, call) =>
    record("Regress", call, (details) => answerExamples(request, call.signal, details, registry, regress)),
  );
  server.unary(MULTI_INFERENCE, (request, call) =>
    record("MultiInference", call, (details) => answerMulti(request, call.signal, details, registry)),
  );
}

/** Classify and Regress differ in what they make of the examples alone. */
async function answerExamples<Result>(
  { modelSpec, input }: ClassificationRequest | RegressionRequest,
  signal: AbortSignal,
  details: RequestDetails,
  registry: ModelRegistry,
  answer: (servable: Servable, call: ExampleCall) => Promise<Result>,
) {
  const spec = requiredSpec(modelSpec, details);
  const servable = findServable(registry, spec, details);
  const call = exampleCall(spec, input, signal, details);
  const result = await answer(servable, call);
  return { result, modelSpec: specOf(spec.name, servable, call.signatureName) };
}

/** Each task runs by itself; TensorFlow Serving runs their graphs in one. The answers are the same. */
async function answerMulti(
  { tasks, input }: MultiInferenceRequest,
  signal: AbortSignal,
  details: RequestDetails,
  registry: ModelRegistry,
): Promise<MultiInferenceResponse> {
  const [first] = tasks;
  const spec = requiredSpec(first?.modelSpec, details);
  const servable = findServable(registry, spec, details);
  const names = tasks.map(({ modelSpec }) => modelSpec?.signatureName || DEFAULT_SIGNATURE);
  for (const [index, { modelSpec, methodName }] of tasks.entries()) {
    const name = names[index] ?? DEFAULT_SIGNATURE;
    if (modelSpec?.name !== spec.name) {
      throw invalid(
        `All ModelSpecs in a MultiInferenceRequest must access the same model name. Expected: ${spec.name}. Got: ${modelSpec?.name ?? ""}`,
      );
    }
    if (names.indexOf(name) !== index) throw invalid(`Duplicate evaluation of signature: ${name}`);
    if (!servable.signatures.has(name))
      throw invalid(`Requested signature not found in model graph: ${name}`);
    if (methodName !== CLASSIFY_METHOD_NAME && methodName !== REGRESS_METHOD_NAME) {
      throw new ServeError("METHOD_UNIMPLEMENTED", `Unsupported signature method_name: ${methodName}`);
    }
  }
  const results = tasks.map(async (task, index): Promise<InferenceResult> => {
    const signatureName = names[index] ?? DEFAULT_SIGNATURE;
    const call = { ...exampleCall(spec, input, signal, details), signatureName };
    return {
      modelSpec: specOf(spec.name, servable, signatureName),
      result: await resultOf(task, servable, call),
    };
  });
  return { results: await Promise.all(results) };
}

async function resultOf(
  { methodName }: InferenceTask,
  servable: Parameters<typeof classify>[0],
  call: ExampleCall,
): Promise<InferenceResult["result"]> {
  return methodName === CLASSIFY_METHOD_NAME
    ? { $case: "classificationResult", value: await classify(servable, call) }
    : { $case: "regressionResult", value: await regress(servable, call) };
}

function exampleCall(
  { signatureName }: ModelSpec,
  input: Input | undefined,
  signal: AbortSignal,
  details: RequestDetails,
): ExampleCall {
  return {
    signatureName: signatureName || DEFAULT_SIGNATURE,
    input,
    signal,
    details,
  };
}

function invalid(message: string): ServeError {
  return new ServeError("REQUEST_INVALID", message);
}
