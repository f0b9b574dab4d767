/** The model tier as the Open Inference Protocol v2 shows it: Triton, OpenVINO Model Server, MLServer, KServe. */
import { CONTRACT_METADATA_FIELD } from "@vitrine/protocol/contract";
import type {
  ModelInferResponse,
  ModelInferResponse_InferOutputTensor,
  ModelMetadataResponse,
  ModelMetadataResponse_TensorMetadata,
} from "@vitrine/protocol/gen/inference/open_inference_grpc";
import type { TensorProto } from "@vitrine/protocol/gen/tensorflow/core/framework/tensor";
import { MODEL_INFER, MODEL_METADATA } from "@vitrine/protocol/inference-services";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor, tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";
import { describeError, predictError } from "./model-tier-errors.js";
import {
  type CallContext,
  callOptions,
  type ModelDescription,
  type Prediction,
  type PredictionClient,
  type PredictionClientOptions,
  readContractJson,
  type TensorSpec,
} from "./prediction-client.js";

/** The protocol has no signatures; what a model takes and gives stands under this name. */
const ONLY_SIGNATURE = "serving_default";

/** Numeric datatypes of the protocol. */
const DATATYPES: ReadonlyMap<string, DataType> = new Map([
  ["BOOL", DataType.DT_BOOL],
  ["UINT8", DataType.DT_UINT8],
  ["UINT16", DataType.DT_UINT16],
  ["UINT32", DataType.DT_UINT32],
  ["UINT64", DataType.DT_UINT64],
  ["INT8", DataType.DT_INT8],
  ["INT16", DataType.DT_INT16],
  ["INT32", DataType.DT_INT32],
  ["INT64", DataType.DT_INT64],
  ["FP16", DataType.DT_HALF],
  ["BF16", DataType.DT_BFLOAT16],
  ["FP32", DataType.DT_FLOAT],
  ["FP64", DataType.DT_DOUBLE],
  ["BYTES", DataType.DT_STRING],
]);

const NAMES = new Map(Array.from(DATATYPES, ([name, dtype]) => [dtype, name]));

/**
 * Makes the client. The picture's tensor travels in `raw_input_contents`; answers are read in both forms, since servers
 * differ. The protocol knows no contracts: they come from the gateway's own flags or folder, or from a Vitrine
 * among the model's properties.
 */
export function createOpenInferenceClient({ channel, modelName }: PredictionClientOptions): PredictionClient {
  async function metadata(context: CallContext, version: string): Promise<ModelMetadataResponse> {
    try {
      return await channel.unary(MODEL_METADATA, { name: modelName, version }, callOptions(context));
    } catch (error) {
      throw describeError(error, context.signal, modelName);
    }
  }

  async function describe(context: CallContext, version = ""): Promise<ModelDescription> {
    const answer = await metadata(context, version);
    return {
      name: modelName,
      version: version === "" ? latestOf(answer.versions) : version,
      signatureName: ONLY_SIGNATURE,
      inputs: answer.inputs.map(specOf),
      outputs: answer.outputs.map(specOf),
      contract: readContractJson(answer.properties.get(CONTRACT_METADATA_FIELD) ?? ""),
    };
  }

  async function predict(
    inputAlias: string,
    tensor: Tensor,
    outputs: readonly string[],
    context: CallContext,
  ): Promise<Prediction> {
    const { tensorContent } = tensorToProto(tensor, "content");
    const request = {
      modelName,
      modelVersion: "",
      id: "",
      parameters: new Map(),
      inputs: [
        {
          name: inputAlias,
          datatype: NAMES.get(tensor.dtype) ?? "",
          shape: tensor.shape.map(BigInt),
          parameters: new Map(),
          contents: undefined,
        },
      ],
      outputs: outputs.map((name) => ({ name, parameters: new Map() })),
      rawInputContents: [tensorContent],
    };
    try {
      const answer = await channel.unary(MODEL_INFER, request, callOptions(context));
      const version = answer.modelVersion === "" ? undefined : answer.modelVersion;
      return { outputs: tensorsOf(answer), version };
    } catch (error) {
      throw predictError(error, context.signal);
    }
  }

  return { describe, predict };
}

/** What requests without a version are served by, as far as the list tells. */
function latestOf(versions: readonly string[]): string {
  const numbers = versions.filter((version) => /^\d+$/.test(version)).map(Number);
  return numbers.length === 0 ? (versions.at(-1) ?? "") : String(Math.max(...numbers));
}

function specOf({ name, datatype, shape }: ModelMetadataResponse_TensorMetadata): TensorSpec {
  const dtype = DATATYPES.get(datatype);
  if (dtype === undefined) {
    const known = [...DATATYPES.keys()].join(", ");
    throw new ServeError(
      "MODEL_CONTRACT_MISMATCH",
      `"${name}" of the model was ${datatype.slice(0, 40)}, expected one of ${known}`,
    );
  }
  return { alias: name, dtype, shape: shape.map(Number) };
}

function tensorsOf({ outputs, rawOutputContents }: ModelInferResponse): Map<string, Tensor> {
  return new Map(
    outputs.map((output, index) => [
      output.name,
      tensorFromProto(protoOf(output, rawOutputContents[index]), output.name),
    ]),
  );
}

/** In the form of a TensorProto, whose reader checks sizes. */
function protoOf(
  { datatype, shape, contents }: ModelInferResponse_InferOutputTensor,
  raw: Uint8Array | undefined,
): TensorProto {
  const dtype = DATATYPES.get(datatype) ?? DataType.DT_INVALID;
  const empty = tensorToProto({ dtype: DataType.DT_FLOAT, shape: [0], data: new Float32Array(0) }, "content");
  return {
    ...empty,
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size: Number(size), name: "" })), unknownRank: false },
    tensorContent: raw ?? new Uint8Array(0),
    floatVal: contents?.fp32Contents ?? [],
    doubleVal: contents?.fp64Contents ?? [],
  };
}
