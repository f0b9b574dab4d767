/** Constant to TensorProto: in the model, or in a file beside it. */
import type { TensorProto } from "../gen/onnx/onnx.js";
import { ONNX_TYPES } from "../graph/element-type.js";
import type { Constant } from "../graph/graph.js";

export type TensorEncoder = (name: string, constant: Constant) => TensorProto;

const NO_BYTES = new Uint8Array(0);

/** The tensor with its bytes, by reference. */
export function inlineTensor(name: string, constant: Constant): TensorProto {
  return {
    name,
    dims: constant.shape.map(BigInt),
    dataType: ONNX_TYPES[constant.type],
    rawData: constant.bytes,
    stringData: constant.strings === undefined ? [] : [...constant.strings],
    floatData: [],
    int32Data: [],
    int64Data: [],
    doubleData: [],
    uint64Data: [],
    externalData: [],
    dataLocation: 0,
  };
}

/** Smaller tensors stay in the model: shapes and axes are read before any other file. */
const MIN_EXTERNAL_BYTES = 1024;
/** Runtimes map the file into memory, which wants whole pages. */
const EXTERNAL_ALIGNMENT_BYTES = 4096;

/** Collects what goes into the file beside the model. */
export class ExternalWeights {
  readonly parts: Uint8Array[] = [];
  readonly #location: string;
  #bytes = 0;

  constructor(location: string) {
    this.#location = location;
  }

  tensor(name: string, constant: Constant): TensorProto {
    const proto = inlineTensor(name, constant);
    const { bytes } = constant;
    if (bytes.byteLength < MIN_EXTERNAL_BYTES) return proto;
    const padding =
      (EXTERNAL_ALIGNMENT_BYTES - (this.#bytes % EXTERNAL_ALIGNMENT_BYTES)) % EXTERNAL_ALIGNMENT_BYTES;
    if (padding > 0) this.#push(new Uint8Array(padding));
    const offset = this.#bytes;
    this.#push(bytes);
    return {
      ...proto,
      rawData: NO_BYTES,
      dataLocation: 1,
      externalData: [
        { key: "location", value: this.#location },
        { key: "offset", value: String(offset) },
        { key: "length", value: String(bytes.byteLength) },
      ],
    };
  }

  #push(part: Uint8Array): void {
    this.parts.push(part);
    this.#bytes += part.byteLength;
  }
}
