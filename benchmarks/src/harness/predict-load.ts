/** A closed loop of gRPC clients on one connection: each sends its next prediction when the answer to the last is there. */
import type { PredictRequest } from "@vitrine/protocol/gen/tensorflow_serving/apis/predict";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { PREDICT } from "@vitrine/protocol/services";
import { DataType, type Tensor, tensorToProto } from "@vitrine/protocol/tensor";

export interface PredictLoad {
  /** Milliseconds of each answered request since the last {@link forget}. */
  readonly durations: readonly number[];
  /** Sends while `goesOn` says so. @returns answered requests. */
  send(concurrency: number, goesOn: () => boolean): Promise<number>;
  forget(): void;
  close(): void;
}

/** @param input one batch of pictures. */
export function predictRequest(
  model: string,
  alias: string,
  input: Tensor,
  outputFilter: string[],
): PredictRequest {
  return {
    modelSpec: { name: model, versionChoice: undefined, signatureName: "" },
    inputs: new Map([[alias, tensorToProto(input, "content")]]),
    outputFilter,
  };
}

/** Pictures of which no two bytes in a row are equal. */
export function pictures(dtype: "uint8" | "float32", shape: readonly number[]): Tensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  return dtype === "uint8"
    ? { dtype: DataType.DT_UINT8, shape, data: new Uint8Array(elements).map((_, index) => index % 251) }
    : { dtype: DataType.DT_FLOAT, shape, data: new Float32Array(elements).map((_, index) => index % 251) };
}

export function openPredictLoad(port: number, request: PredictRequest): PredictLoad {
  const channel = new GrpcChannel("127.0.0.1", port);
  const durations: number[] = [];
  return {
    durations,
    async send(concurrency, goesOn) {
      let answered = 0;
      const client = async (): Promise<void> => {
        while (goesOn()) {
          const began = performance.now();
          await channel.unary(PREDICT, request, { timeoutMs: 60_000 });
          durations.push(performance.now() - began);
          answered += 1;
        }
      };
      await Promise.all(Array.from({ length: concurrency }, client));
      return answered;
    },
    forget: () => {
      durations.length = 0;
    },
    close: () => channel.close(),
  };
}
