/** Signatures of a SavedModel: their tensors as the file states them, and as they were read. */
import { dtypeName } from "@vitrine/protocol/dtype";
import { ServeError } from "@vitrine/protocol/status";
import type { DataType } from "@vitrine/protocol/tensor";
import type { SignatureDef, TensorInfo } from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import { elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { ElementType, Shape } from "../../graph/graph.js";
import type { TfExampleFeature } from "./example-features.js";
import { parseTensorName } from "./tensor-names.js";
import { shapeOfProto } from "./tf-node.js";

/** One tensor of a signature. */
export interface SignatureTensor {
  /** Alias of the graph's input or output; "" for serialised examples, of which the features are inputs. */
  readonly graphName: string;
  /** `NODE:INDEX`, as the file has it. */
  readonly tensorName: string;
  readonly dtype: DataType;
  /** Undefined: of any rank. */
  readonly shape: Shape | undefined;
}

export interface ExampleInput extends TfExampleFeature {
  /** Alias of the graph's input that takes it, [examples, ...shape]. */
  readonly graphName: string;
}

export interface ReadSignature {
  readonly methodName: string;
  /** By alias. */
  readonly inputs: ReadonlyMap<string, SignatureTensor>;
  readonly outputs: ReadonlyMap<string, SignatureTensor>;
  /** Present when the signature takes serialised tf.Examples. */
  readonly exampleFeatures?: readonly ExampleInput[];
  /** Which of `graphs` computes it; absent when none can. */
  readonly graph?: number;
  /** Why none can. */
  readonly unsupported?: string;
}

/** In one order, whatever the file's. */
export function sorted(infos: ReadonlyMap<string, TensorInfo>): readonly (readonly [string, TensorInfo])[] {
  return [...infos].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function tensorNameOf(key: string, alias: string, info: TensorInfo): string {
  if (info.encoding?.$case === "name") return info.encoding.value;
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${alias} of signature ${key} is a ${info.encoding === undefined ? "nameless" : "sparse or composite"} tensor, ` +
      "expected a dense one",
  );
}

/** `NODE:INDEX`, the index always there. */
export function graphTensor(key: string, alias: string, info: TensorInfo): string {
  const { node, index } = parseTensorName(tensorNameOf(key, alias, info));
  return `${node}:${index}`;
}

/** @throws {ServeError} MODEL_UNSUPPORTED for types that ONNX Runtime does not take from JavaScript. */
export function typeOf(key: string, alias: string, info: TensorInfo): ElementType {
  const type = elementTypeOfTensorFlow(info.dtype);
  if (type !== undefined && type !== "bfloat16") return type;
  throw new ServeError(
    "MODEL_UNSUPPORTED",
    `${alias} of signature ${key} is of dtype ${dtypeName(info.dtype)}, expected strings or numbers that ONNX Runtime ` +
      "takes; cast it to float in the signature",
  );
}

export function tensorOf(key: string, alias: string, info: TensorInfo, graphName: string): SignatureTensor {
  return {
    graphName,
    tensorName: tensorNameOf(key, alias, info),
    dtype: info.dtype,
    shape: shapeOfProto(info.tensorShape),
  };
}

/** A signature that is listed only: its tensors as the file has them. */
export function refused(signature: SignatureDef, unsupported: string): ReadSignature {
  const listed = (infos: ReadonlyMap<string, TensorInfo>) =>
    new Map(
      sorted(infos).map(([alias, info]): [string, SignatureTensor] => [
        alias,
        {
          graphName: "",
          tensorName: info.encoding?.$case === "name" ? info.encoding.value : "",
          dtype: info.dtype,
          shape: shapeOfProto(info.tensorShape),
        },
      ]),
    );
  return {
    methodName: signature.methodName,
    inputs: listed(signature.inputs),
    outputs: listed(signature.outputs),
    unsupported,
  };
}
