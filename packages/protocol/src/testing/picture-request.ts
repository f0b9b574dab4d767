import type { PredictRequest, PredictResponse } from "../gen/tensorflow_serving/apis/predict.js";
import { DataType, tensorToProto } from "../tensor.js";

/** A Predict of one uint8 tensor of so many bytes, each of them `fill`. */
export function pictureRequest(bytes: number, fill = 7): PredictRequest {
  const data = new Uint8Array(bytes).fill(fill);
  return {
    modelSpec: { name: `m${fill}`, versionChoice: undefined, signatureName: "" },
    inputs: new Map([
      ["image", tensorToProto({ dtype: DataType.DT_UINT8, shape: [bytes], data }, "content")],
    ]),
    outputFilter: [],
  };
}

/** Whether the response holds the bytes of the request's tensor. */
export function isEcho(request: PredictRequest, response: PredictResponse): boolean {
  const sent = request.inputs.get("image")?.tensorContent;
  const received = response.outputs.get("image")?.tensorContent;
  return sent !== undefined && received !== undefined && Buffer.compare(sent, received) === 0;
}
