/** What the model tier asks of the converter: a SavedModel folder as a model that ONNX Runtime runs. */
import { ServeError } from "@vitrine/protocol/status";
import type { DataType } from "@vitrine/protocol/tensor";
import type { Graph } from "./graph/graph.js";
import { encodeOnnx, joinParts } from "./onnx/write-onnx.js";
import { preparedGraph } from "./prepared-graph.js";
import { type AllSignatures, readAllSignatures } from "./saved-model/read/read-saved-model.js";
import type { ReadSignature } from "./saved-model/read/signature.js";
import { cacheEntry, readCached, writeCached } from "./serving-cache.js";

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
 * The cache holds a folder for each model, named by the digest of its files and the converter's version. It is
 * written under another name first, so that a start that was cut off, or a second one beside it, leaves no half.
 *
 * @param folder version folder with `saved_model.pb` and, if it has any, `variables/`.
 * @throws {ServeError} MODEL_INVALID when the folder is damaged; MODEL_UNSUPPORTED when no signature can run.
 */
export async function openSavedModel(
  folder: string,
  options: OpenSavedModelOptions = {},
): Promise<ServedModel> {
  const { cacheFolder, tags, signal } = options;
  signal?.throwIfAborted();
  const entry =
    cacheFolder === undefined ? undefined : await cacheEntry(cacheFolder, folder, tags ?? ["serve"], signal);
  const cached = entry === undefined ? undefined : await readCached(entry);
  if (cached !== undefined) return cached;

  const read = await readAllSignatures(folder, { tags });
  signal?.throwIfAborted();
  const { graph, signatures } = chooseGraph(read);
  const prepared = preparedGraph(graph, "optimised");
  const file = entry === undefined ? undefined : await writeCached(entry, prepared, signatures);
  if (file !== undefined) return { model: { file }, signatures };
  return { model: { bytes: joinParts(encodeOnnx(prepared)) }, signatures };
}

/** One graph is served: that of `serving_default`, else the one that most signatures share. */
function chooseGraph({ graphs, signatures }: AllSignatures): {
  graph: Graph;
  signatures: ReadonlyMap<string, ServedSignature>;
} {
  const counts = graphs.map(
    (_, index) => [...signatures.values()].filter((one) => one.graph === index).length,
  );
  const chosen = signatures.get("serving_default")?.graph ?? counts.indexOf(Math.max(...counts));
  const graph = graphs[chosen];
  if (graph === undefined) {
    const reasons = [...signatures].map(([key, { unsupported }]) => `${key}: ${unsupported ?? "no outputs"}`);
    throw new ServeError(
      "MODEL_UNSUPPORTED",
      `no signature can run, expected at least one; ${reasons.slice(0, 3).join("; ") || "there is none"}`,
    );
  }
  const served = [...signatures].map(([key, signature]): [string, ServedSignature] => [
    key,
    servedSignature(signature, chosen),
  ]);
  return { graph, signatures: new Map(served) };
}

function servedSignature(read: ReadSignature, chosen: number): ServedSignature {
  const { methodName, inputs, outputs, exampleFeatures, graph } = read;
  const other =
    "the signature takes other inputs than the one that is served, expected one set of inputs per model";
  return {
    methodName,
    inputs,
    outputs,
    exampleFeatures: exampleFeatures?.map(({ dtype, ...feature }) => ({ ...feature, type: dtype })),
    unsupported: read.unsupported ?? (graph === chosen ? undefined : other),
  };
}
