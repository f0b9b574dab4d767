/** What the model tier asks of the converter: a SavedModel folder as a model that ONNX Runtime runs. */
import { ServeError } from "@vitrine/protocol/status";
import type { DataType } from "@vitrine/protocol/tensor";

/** One tensor of a signature, and its name in the ONNX model. */
export interface ServedTensor {
  /** Name of the input or output in the ONNX model. */
  readonly graphName: string;
  /** `NODE:INDEX` as the SavedModel's TensorInfo names it. */
  readonly tensorName: string;
  readonly dtype: DataType;
  /** -1 is a size known only at run time; undefined: of any rank. */
  readonly shape: readonly number[] | undefined;
}

/** A feature of `tf.Example` that a signature parses by itself (ParseExample), fed densely here. */
export interface ExampleFeature {
  readonly name: string;
  readonly type: DataType;
  /** Of one example, without the batch dimension. */
  readonly shape: readonly number[];
  /** What an example without the feature counts as, row-major; undefined: the feature is required. */
  readonly defaultValue?: readonly (number | bigint)[] | readonly Uint8Array[] | undefined;
  /** Input of the ONNX model that takes it, [examples, ...shape]. */
  readonly graphName: string;
}

export interface ServedSignature {
  /** `tensorflow/serving/predict`, `…/classify`, `…/regress`, or as the model says. */
  readonly methodName: string;
  /** By alias. */
  readonly inputs: ReadonlyMap<string, ServedTensor>;
  /** By alias. */
  readonly outputs: ReadonlyMap<string, ServedTensor>;
  /** Present when the signature takes serialised `tf.Example`s. */
  readonly exampleFeatures?: readonly ExampleFeature[] | undefined;
  /** Why this signature cannot run, in words for the caller: it is answered as UNIMPLEMENTED. */
  readonly unsupported?: string | undefined;
}

export interface ServedModel {
  /** The ONNX model of all signatures: a file in the cache, or its bytes where no cache can be written. */
  readonly model: { readonly file: string } | { readonly bytes: Uint8Array };
  /** By signature key, those that Vitrine cannot run included; `__saved_model_init_op` is not. */
  readonly signatures: ReadonlyMap<string, ServedSignature>;
}

export interface OpenSavedModelOptions {
  /** Tag set of the MetaGraph; default `serve`. */
  readonly tags?: readonly string[] | undefined;
  /** Where converted models are kept between starts; not given, missing or read-only: bytes in memory. */
  readonly cacheFolder?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Converts a SavedModel for serving, or finds what an earlier start converted.
 *
 * @param folder version folder with `saved_model.pb` and, if it has any, `variables/`.
 * @throws {ServeError} MODEL_INVALID when the folder is damaged; MODEL_UNSUPPORTED when no signature can run.
 */
export async function openSavedModel(
  folder: string,
  options: OpenSavedModelOptions = {},
): Promise<ServedModel> {
  options.signal?.throwIfAborted();
  throw new ServeError("MODEL_UNSUPPORTED", `${folder} was a SavedModel, expected an ONNX model`);
}
