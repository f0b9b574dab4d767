/** A model tier on a real socket that answers, waits, refuses, dies and comes back as a test says. */
import { CONTRACT_METADATA_FIELD, contractToJson, type ModelContract } from "@vitrine/protocol/contract";
import { StringValue } from "@vitrine/protocol/gen/google/protobuf/wrappers";
import { SignatureDefMap } from "@vitrine/protocol/gen/tensorflow_serving/apis/get_model_metadata";
import { GrpcServer, type ServerCall } from "@vitrine/protocol/grpc/server";
import { GET_MODEL_METADATA, PREDICT } from "@vitrine/protocol/services";
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor, tensorFromProto, tensorToProto } from "@vitrine/protocol/tensor";

export interface PuppetModel {
  version: number;
  /** undefined: answers as TensorFlow Serving, which refuses the field. */
  contract: ModelContract | undefined;
  input: { dtype: DataType; shape: number[] };
  /** Alias to dtype and shape, -1 open. */
  outputs: Record<string, { dtype: DataType; shape: number[] }>;
  /** Answers one request; the default is `scores` for each row. */
  predict: (input: Tensor, call: ServerCall) => Promise<Record<string, Tensor>> | Record<string, Tensor>;
  form: "content" | "values";
}

export interface PuppetCall {
  readonly input: Tensor;
  readonly outputFilter: readonly string[];
  readonly metadata: ServerCall["metadata"];
  readonly signatureName: string;
}

export class ModelTier {
  readonly name: string;
  /** The model served; a test changes it as it likes. undefined: none is loaded. */
  model: PuppetModel | undefined;
  readonly calls: PuppetCall[] = [];
  metadataRequests = 0;
  /** Called when a description was put together, before it leaves. */
  onDescribed = (): void => {};
  #server: GrpcServer | undefined;
  #port = 0;

  constructor(name: string, model: PuppetModel) {
    this.name = name;
    this.model = model;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens, the second time on the same port. */
  async start(): Promise<void> {
    const server = new GrpcServer();
    server.unary(GET_MODEL_METADATA, (request) => {
      this.metadataRequests += 1;
      const model = this.#modelOf(request.modelSpec?.name);
      if (request.metadataField.includes(CONTRACT_METADATA_FIELD) && model.contract === undefined) {
        throw new ServeError("REQUEST_INVALID", `Metadata field ${CONTRACT_METADATA_FIELD} is not supported`);
      }
      this.onDescribed();
      return {
        modelSpec: this.#spec(model, ""),
        metadata: new Map(
          request.metadataField.map((field) => [
            field,
            field === CONTRACT_METADATA_FIELD ? contractAny(model) : signatureAny(model),
          ]),
        ),
      };
    });
    server.unary(PREDICT, async (request, call) => {
      const model = this.#modelOf(request.modelSpec?.name);
      const signatureName = request.modelSpec?.signatureName ?? "";
      const proto = request.inputs.get("image");
      if (proto === undefined) throw new ServeError("REQUEST_INVALID", "input size does not match signature");
      // A copy: the test looks at it after the message is gone.
      const input = structuredClone(tensorFromProto(proto, "image"));
      this.calls.push({ input, outputFilter: request.outputFilter, metadata: call.metadata, signatureName });
      if (input.dtype !== model.input.dtype) {
        throw new ServeError("REQUEST_INVALID", "Expects arg[0] to be float but uint8 is provided");
      }
      const outputs = Object.entries(await model.predict(input, call));
      const wanted = outputs.filter(([alias]) => request.outputFilter.includes(alias));
      return {
        modelSpec: this.#spec(model, signatureName),
        outputs: new Map(wanted.map(([alias, tensor]) => [alias, tensorToProto(tensor, model.form)])),
      };
    });
    this.#port = await server.listen({ host: "127.0.0.1", port: this.#port });
    this.#server = server;
  }

  /** Dies: every connection is cut. */
  stop(): void {
    this.#server?.close();
  }

  #modelOf(name: string | undefined): PuppetModel {
    if (this.model === undefined || name !== this.name) {
      throw new ServeError("MODEL_NOT_FOUND", `Servable not found for request: Latest(${name})`);
    }
    return this.model;
  }

  #spec(model: PuppetModel, signatureName: string) {
    return {
      name: this.name,
      versionChoice: { $case: "version" as const, value: { value: model.version } },
      signatureName,
    };
  }
}

export function floats(shape: number[], data: readonly number[]): Tensor {
  return { dtype: DataType.DT_FLOAT, shape, data: Float32Array.from(data) };
}

function contractAny({ contract }: PuppetModel) {
  const value = contract === undefined ? "" : contractToJson(contract);
  return {
    typeUrl: "type.googleapis.com/google.protobuf.StringValue",
    value: StringValue.encode({ value }).finish(),
  };
}

function signatureAny({ input, outputs }: PuppetModel) {
  const info = ({ dtype, shape }: { dtype: DataType; shape: number[] }) => ({
    name: "",
    dtype,
    tensorShape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
  });
  const signature = {
    inputs: new Map([["image", info(input)]]),
    outputs: new Map(Object.entries(outputs).map(([alias, output]) => [alias, info(output)])),
    methodName: "tensorflow/serving/predict",
  };
  return {
    typeUrl: "type.googleapis.com/tensorflow.serving.SignatureDefMap",
    value: SignatureDefMap.encode({ signatureDef: new Map([["serving_default", signature]]) }).finish(),
  };
}
