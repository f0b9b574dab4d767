/** A model tier that answers at once, without a model: what is left to measure is the gateway. */
import { contractToJson, type ModelContract, readContract } from "@vitrine/protocol/contract";
import { StringValue } from "@vitrine/protocol/gen/google/protobuf/wrappers";
import type { TensorInfo } from "@vitrine/protocol/gen/tensorflow/core/protobuf/meta_graph";
import { SignatureDefMap } from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import { GET_MODEL_METADATA, PREDICT } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";

const MODEL_NAME = "clothing-model";
const CONTRACT_FIELD = "vitrine.contract";

export interface InstantModel {
  /** Aliases of the one input and the one output. */
  readonly input: { readonly alias: string; readonly dtype: DataType; readonly shape: readonly number[] };
  readonly output: string;
  readonly labels: number;
  /** undefined: answers as TensorFlow Serving, which knows no contracts. */
  readonly contract: ModelContract | undefined;
}

export interface InstantModelTier {
  readonly port: number;
  close(): void;
}

/** The course's: Xception, 299 pixels, float32, and nothing said about it. */
export const COURSE_MODEL: InstantModel = {
  input: { alias: "input_8", dtype: DataType.DT_FLOAT, shape: [-1, 299, 299, 3] },
  output: "dense_7",
  labels: 10,
  contract: undefined,
};

/** @param versionFolder of the shipped model; only its contract is read. */
export async function shippedModel(versionFolder: string): Promise<InstantModel> {
  const contract = await readContract(versionFolder);
  const size = contract?.preprocessor.size;
  if (contract === undefined || typeof size !== "object" || !("height" in size)) {
    throw new Error(`${versionFolder} had no contract with a fixed size`);
  }
  const shape = [-1, size.height, size.width, 3];
  return {
    input: { alias: "pixels", dtype: DataType.DT_UINT8, shape },
    output: "logits",
    labels: contract.labels.length,
    contract,
  };
}

/** @param options.work is awaited by each prediction; none by default. */
export async function startInstantModelTier(
  model: InstantModel,
  options: { readonly host?: string; readonly port?: number; readonly work?: () => Promise<void> } = {},
): Promise<InstantModelTier> {
  const { input, output, labels, contract } = model;
  const modelSpec = {
    name: MODEL_NAME,
    versionChoice: { $case: "version" as const, value: { value: 1 } },
    signatureName: "serving_default",
  };
  const signatures = SignatureDefMap.encode({
    signatureDef: new Map([
      [
        "serving_default",
        {
          inputs: new Map([[input.alias, tensorInfo(input.alias, input.dtype, input.shape)]]),
          outputs: new Map([[output, tensorInfo(output, DataType.DT_FLOAT, [-1, labels])]]),
          methodName: "tensorflow/serving/predict",
        },
      ],
    ]),
  }).finish();
  const metadata = new Map([
    [
      "signature_def",
      { typeUrl: "type.googleapis.com/tensorflow.serving.SignatureDefMap", value: signatures },
    ],
  ]);
  if (contract !== undefined) {
    const value = StringValue.encode({ value: contractToJson(contract) }).finish();
    metadata.set(CONTRACT_FIELD, { typeUrl: "type.googleapis.com/google.protobuf.StringValue", value });
  }

  const server = new GrpcServer();
  server.unary(GET_MODEL_METADATA, ({ metadataField }) => {
    const unknown = metadataField.find((field) => !metadata.has(field));
    if (unknown !== undefined) {
      throw new ServeError("REQUEST_INVALID", `Metadata field ${unknown} is not supported`);
    }
    return { modelSpec, metadata };
  });
  server.unary(PREDICT, async (request) => {
    await options.work?.();
    const rows = request.inputs.get(input.alias)?.tensorShape?.dim[0]?.size ?? 1;
    const scores = {
      dtype: DataType.DT_FLOAT,
      shape: [rows, labels],
      data: Float32Array.from({ length: rows * labels }, (_, index) => index % labels),
    };
    return { modelSpec, outputs: new Map([[output, tensorToProto(scores, "values")]]) };
  });
  const port = await server.listen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return { port, close: () => server.close() };
}

function tensorInfo(name: string, dtype: DataType, shape: readonly number[]): TensorInfo {
  return {
    name: `${name}:0`,
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
  };
}
