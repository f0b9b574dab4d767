/** The model tier as TensorFlow Serving's gRPC shows it: what a model is, and its predictions. */
import { CONTRACT_METADATA_FIELD, contractFromJson, type ModelContract } from "@vitrine/protocol/contract";
import { StringValue } from "@vitrine/protocol/gen/google/protobuf/wrappers";
import type { TensorInfo } from "@vitrine/protocol/gen/tensorflow/core/protobuf/meta_graph";
import {
  type GetModelMetadataResponse,
  SignatureDefMap,
} from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import type { ModelSpec } from "@vitrine/protocol/gen/tensorflow_serving/apis/model";
import type { BalancedChannel } from "@vitrine/protocol/grpc/balanced-channel";
import { GET_MODEL_METADATA, PREDICT } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { type DataType, type Tensor, tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";
import { describeError, predictError } from "./model-tier-errors.js";

const SIGNATURE_FIELD = "signature_def";

/** One input or output of a signature. */
export interface TensorSpec {
  readonly alias: string;
  readonly dtype: DataType;
  /** -1 where the signature leaves a size open; undefined where it does not even say how many there are. */
  readonly shape: readonly number[] | undefined;
}

/** What the model tier says of one version. */
export interface ModelDescription {
  readonly name: string;
  readonly version: string;
  readonly signatureName: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** undefined: the server knows no contracts, or the model brought none. */
  readonly contract: ModelContract | undefined;
}

export interface Prediction {
  readonly outputs: ReadonlyMap<string, Tensor>;
  /** The version that answered; undefined: the server did not say. */
  readonly version: string | undefined;
}

/** What one call of the caller's gives to each call to the model tier. */
export interface CallContext {
  readonly signal: AbortSignal;
  remainingMs(): number;
  /** Sent along, such as `x-request-id` and `traceparent`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface PredictionClientOptions {
  readonly channel: Pick<BalancedChannel, "unary">;
  readonly modelName: string;
  /** Of the version to ask for; undefined: the latest that is available. */
  readonly versionLabel?: string | undefined;
  readonly signatureName: string;
}

export interface PredictionClient {
  /**
   * Asks what the model is.
   *
   * @param version undefined: the one under the label, without one that requests without a version are served by.
   * @throws {ServeError} MODEL_UNAVAILABLE when the tier cannot be reached or does not serve the model;
   *   MODEL_CONTRACT_MISMATCH when it has no such signature or its contract is not valid.
   */
  describe(context: CallContext, version?: string): Promise<ModelDescription>;
  /**
   * Predicts with the version under the label, without one with that served by default.
   *
   * @param inputAlias name of the signature's input.
   * @param outputs    aliases wanted; no other output crosses the wire.
   * @throws {ServeError} MODEL_UNAVAILABLE, QUEUE_FULL, WORKER_LOST or DRAINING; OVERLOADED, DEADLINE_EXCEEDED, CANCELLED; MODEL_CONTRACT_MISMATCH
   *   when the model tier refuses what the gateway chose.
   */
  predict(
    inputAlias: string,
    tensor: Tensor,
    outputs: readonly string[],
    context: CallContext,
  ): Promise<Prediction>;
}

export function createPredictionClient(options: PredictionClientOptions): PredictionClient {
  const { channel, modelName, versionLabel, signatureName } = options;

  function modelSpec(version?: string): ModelSpec {
    return { name: modelName, versionChoice: versionChoiceOf(version, versionLabel), signatureName: "" };
  }

  async function metadata(fields: string[], context: CallContext, version: string | undefined) {
    const request = { modelSpec: modelSpec(version), metadataField: fields };
    return await channel.unary(GET_MODEL_METADATA, request, callOptions(context));
  }

  /** TensorFlow Serving knows one field only and refuses the request that names another. */
  async function metadataWithContract(context: CallContext, version: string | undefined) {
    try {
      return await metadata([SIGNATURE_FIELD, CONTRACT_METADATA_FIELD], context, version);
    } catch (error) {
      if (!(error instanceof ServeError) || error.code !== "INVALID_ARGUMENT") throw error;
      return await metadata([SIGNATURE_FIELD], context, version);
    }
  }

  async function describe(context: CallContext, version?: string): Promise<ModelDescription> {
    let answer: GetModelMetadataResponse;
    try {
      answer = await metadataWithContract(context, version);
    } catch (error) {
      throw describeError(error, context.signal, modelName, version === undefined ? versionLabel : undefined);
    }
    const signatures = SignatureDefMap.decode(anyOf(answer, SIGNATURE_FIELD) ?? new Uint8Array(0));
    const signature = signatures.signatureDef.get(signatureName);
    if (signature === undefined) {
      throw new ServeError(
        "MODEL_CONTRACT_MISMATCH",
        `model "${modelName}" had no signature "${signatureName}", expected one of ` +
          `${[...signatures.signatureDef.keys()].sort().join(", ")}`,
      );
    }
    return {
      name: modelName,
      version: versionOf(answer.modelSpec) ?? "",
      signatureName,
      inputs: Array.from(signature.inputs, tensorSpec),
      outputs: Array.from(signature.outputs, tensorSpec),
      contract: contractOf(answer),
    };
  }

  async function predict(
    inputAlias: string,
    tensor: Tensor,
    outputs: readonly string[],
    context: CallContext,
  ): Promise<Prediction> {
    try {
      const answer = await channel.unary(
        PREDICT,
        {
          modelSpec: { ...modelSpec(), signatureName },
          inputs: new Map([[inputAlias, tensorToProto(tensor, "content")]]),
          outputFilter: [...outputs],
        },
        callOptions(context),
      );
      const tensors = Array.from(
        answer.outputs,
        ([alias, proto]) => [alias, tensorFromProto(proto, alias)] as const,
      );
      return { outputs: new Map(tensors), version: versionOf(answer.modelSpec) };
    } catch (error) {
      throw predictError(error, context.signal);
    }
  }

  return { describe, predict };
}

function versionChoiceOf(version: string | undefined, label: string | undefined): ModelSpec["versionChoice"] {
  if (version !== undefined) return { $case: "version", value: { value: Number(version) } };
  return label === undefined ? undefined : { $case: "versionLabel", value: label };
}

/** Of a call that is part of the caller's. */
export function callOptions(context: CallContext) {
  return { signal: context.signal, timeoutMs: context.remainingMs(), metadata: context.metadata ?? {} };
}

function anyOf(answer: GetModelMetadataResponse, field: string): Uint8Array | undefined {
  return answer.metadata.get(field)?.value;
}

function contractOf(answer: GetModelMetadataResponse): ModelContract | undefined {
  const value = anyOf(answer, CONTRACT_METADATA_FIELD);
  return readContractJson(value === undefined ? "" : StringValue.decode(value).value);
}

/**
 * The contract as a server sent it; undefined when it sent none.
 *
 * @throws {ServeError} MODEL_CONTRACT_MISMATCH when it is not valid.
 */
export function readContractJson(json: string): ModelContract | undefined {
  if (json === "") return undefined;
  try {
    return contractFromJson(json);
  } catch (cause) {
    const { message } = ServeError.from(cause);
    throw new ServeError("MODEL_CONTRACT_MISMATCH", `the model's contract was not valid: ${message}`, {
      cause,
    });
  }
}

function versionOf(spec: ModelSpec | undefined): string | undefined {
  return spec?.versionChoice?.$case === "version" ? String(spec.versionChoice.value.value) : undefined;
}

function tensorSpec([alias, info]: readonly [string, TensorInfo]): TensorSpec {
  const shape = info.tensorShape;
  const isKnown = shape !== undefined && !shape.unknownRank;
  return { alias, dtype: info.dtype, shape: isKnown ? shape.dim.map((dim) => dim.size) : undefined };
}
