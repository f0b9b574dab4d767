/** A model tier that knows the shipped model's contract and answers at once: what is left to measure is the gateway. */
import { contractToJson, readContract } from "@vitrine/protocol/contract";
import { StringValue } from "@vitrine/protocol/gen/google/protobuf/wrappers";
import type { TensorInfo } from "@vitrine/protocol/gen/tensorflow/core/protobuf/meta_graph";
import { SignatureDefMap } from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import { GET_MODEL_METADATA, PREDICT } from "@vitrine/protocol/services";
import { DataType, tensorToProto } from "@vitrine/protocol/tensor";

const MODEL_NAME = "clothing-model";

/**
 * @param versionFolder of the shipped model; only its contract is read.
 * @returns the port it listens on, on loopback.
 */
export async function startInstantModelTier(versionFolder: string): Promise<{ port: number; close(): void }> {
  const contract = await readContract(versionFolder);
  const size = contract?.preprocessor.size;
  if (contract === undefined || typeof size !== "object" || !("height" in size)) {
    throw new Error(`${versionFolder} had no contract with a fixed size`);
  }
  const labels = contract.labels.length;
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
          inputs: new Map([
            ["pixels", tensorInfo("pixels", DataType.DT_UINT8, [-1, size.height, size.width, 3])],
          ]),
          outputs: new Map([["logits", tensorInfo("logits", DataType.DT_FLOAT, [-1, labels])]]),
          methodName: "tensorflow/serving/predict",
        },
      ],
    ]),
  }).finish();
  const contractJson = StringValue.encode({ value: contractToJson(contract) }).finish();

  const server = new GrpcServer();
  server.unary(GET_MODEL_METADATA, () => ({
    modelSpec,
    metadata: new Map([
      [
        "signature_def",
        { typeUrl: "type.googleapis.com/tensorflow.serving.SignatureDefMap", value: signatures },
      ],
      [
        "vitrine.contract",
        { typeUrl: "type.googleapis.com/google.protobuf.StringValue", value: contractJson },
      ],
    ]),
  }));
  server.unary(PREDICT, (request) => {
    const rows = request.inputs.get("pixels")?.tensorShape?.dim[0]?.size ?? 1;
    const logits = {
      dtype: DataType.DT_FLOAT,
      shape: [rows, labels],
      data: Float32Array.from({ length: rows * labels }, (_, index) => index % labels),
    };
    return { modelSpec, outputs: new Map([["logits", tensorToProto(logits, "values")]]) };
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  return { port, close: () => server.close() };
}

function tensorInfo(name: string, dtype: DataType, shape: readonly number[]): TensorInfo {
  return {
    name: `${name}:0`,
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
  };
}
