/**
 * What the Open Inference Protocol says of models and asks of them, whichever way it travels. Messages of errors are
 * Triton's, which clients of it match on.
 */
import { ServeError } from "@vitrine/protocol/status";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import type { Health } from "../health.js";
import type { ModelRegistry } from "../models/model-registry.js";
import type { RequestDetails, RequestLog } from "../request-log.js";
import type { Servable } from "../servable.js";
import { DEFAULT_SIGNATURE, type Signature, type TensorSpec } from "../signature.js";
import { datatypeName } from "./inference-tensors.js";

export interface InferenceParts {
  readonly registry: ModelRegistry;
  readonly health: Health;
  readonly log: RequestLog;
  /** Of this server, for its metadata. */
  readonly version: string;
}

export const SERVER_NAME = "vitrine";

/** What this server has of Triton's extensions. */
export const EXTENSIONS: readonly string[] = ["binary_tensor_data", "classification", "model_repository"];

/** All models are run by ONNX Runtime, SavedModels too. */
export const PLATFORM = "onnxruntime_onnx";

export interface InferenceCall {
  readonly model: string;
  /** Empty = the server's choice. */
  readonly version: string;
  /** Undefined = the default one; a parameter of ours for models that have several. */
  readonly signatureName: string | undefined;
  /** Called once the model is found. */
  readonly inputs: () => readonly NamedTensor[];
  /** Empty = all. */
  readonly outputs: readonly RequestedOutput[];
  readonly signal: AbortSignal;
  readonly details: RequestDetails;
}

export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

export interface RequestedOutput {
  readonly name: string;
  /** Not the tensor, but its so many greatest values as `value:index:label`. */
  readonly classes?: number | undefined;
}

export interface Inferred {
  readonly servable: Servable;
  readonly outputs: readonly NamedTensor[];
}

/** @throws {ServeError} MODEL_NOT_FOUND, MODEL_UNAVAILABLE. */
export function findModel(registry: ModelRegistry, name: string, version: string): Servable {
  const known = registry.names.includes(name);
  if (version === "") {
    if (!known) throw new ServeError("MODEL_NOT_FOUND", `Request for unknown model: '${name}' is not found`);
    if (!registry.isAvailable(name)) throw notReady(name);
    return registry.find({ name });
  }
  const number = /^\d+$/.test(version) ? Number(version) : Number.NaN;
  const state = known && Number.isSafeInteger(number) ? registry.stateOf(name, number) : undefined;
  if (state === undefined) {
    const what = known ? `'${name}' version ${version}` : `'${name}'`;
    throw new ServeError("MODEL_NOT_FOUND", `Request for unknown model: ${what} is not found`);
  }
  if (state !== "AVAILABLE") throw notReady(`${name}' version '${version}`);
  return registry.find({ name, version: number });
}

function notReady(what: string): ServeError {
  return new ServeError("MODEL_UNAVAILABLE", `Request for unknown model: '${what}' is not at ready state`);
}

/** False for a model that is not known. */
export function isModelReady({ registry, health }: InferenceParts, name: string, version: string): boolean {
  if (health.draining) return false;
  try {
    findModel(registry, name, version);
    return true;
  } catch (error) {
    if (error instanceof ServeError) return false;
    throw error;
  }
}

/** The signature that metadata describes and requests use: the default one, else the first. */
export function signatureFor({ signatures }: Servable, name: string | undefined): Signature {
  const wanted = name ?? (signatures.has(DEFAULT_SIGNATURE) ? DEFAULT_SIGNATURE : undefined);
  const [first] = signatures.values();
  const signature = wanted === undefined ? first : signatures.get(wanted);
  if (signature === undefined) {
    throw new ServeError("SIGNATURE_NOT_FOUND", `Serving signature key "${wanted ?? ""}" not found.`);
  }
  return signature;
}

/** @throws {ServeError} what findModel and the run throw; REQUEST_INVALID, TENSOR_INVALID. */
export async function infer(
  registry: ModelRegistry,
  { model, version, signatureName, inputs: readInputs, outputs, signal, details }: InferenceCall,
): Promise<Inferred> {
  details.model = model;
  const servable = findModel(registry, model, version);
  details.version = servable.version;
  const signature = signatureFor(servable, signatureName);
  const inputs = readInputs();
  checkInputs(model, signature, inputs);
  for (const { name } of outputs) {
    if (signature.outputs.has(name)) continue;
    throw new ServeError("REQUEST_INVALID", `unexpected inference output '${name}' for model '${model}'`);
  }
  const { output, ...batch } = await servable.predict({
    signatureName: signature.name,
    inputs: new Map(inputs.map(({ name, tensor }) => [name, tensor])),
    read: (tensor) => tensor,
    outputFilter: [...new Set(outputs.map(({ name }) => name))],
    signal,
  });
  details.batch = batch;
  const wanted: readonly RequestedOutput[] =
    outputs.length > 0 ? outputs : [...signature.outputs.keys()].map((name) => ({ name }));
  const labels = servable.contract?.labels;
  return {
    servable,
    outputs: wanted.map(({ name, classes }) => {
      const tensor = output.get(name);
      if (tensor === undefined) throw new Error(`no output ${name}`);
      return { name, tensor: classes === undefined ? tensor : greatest(tensor, classes, labels) };
    }),
  };
}

function checkInputs(model: string, { inputs }: Signature, given: readonly NamedTensor[]): void {
  for (const { name, tensor } of given) {
    const spec = inputs.get(name);
    if (spec === undefined) {
      throw new ServeError("REQUEST_INVALID", `unexpected inference input '${name}' for model '${model}'`);
    }
    if (tensor.dtype !== spec.dtype) {
      throw new ServeError(
        "TENSOR_INVALID",
        `inference input '${name}' data-type is '${datatypeName(tensor.dtype)}', but model '${model}' expects '${datatypeName(spec.dtype)}'`,
      );
    }
    if (!fits(tensor.shape, spec)) {
      throw new ServeError(
        "TENSOR_INVALID",
        `unexpected shape for input '${name}' for model '${model}'. Expected [${spec.shape.join(",")}], got [${tensor.shape.join(",")}]`,
      );
    }
  }
  const names = new Set(given.map(({ name }) => name));
  if (names.size !== inputs.size || given.length !== inputs.size) {
    throw new ServeError(
      "REQUEST_INVALID",
      `expected ${inputs.size} inputs but got ${given.length} inputs for model '${model}'`,
    );
  }
}

function fits(shape: readonly number[], { shape: expected, unknownRank }: TensorSpec): boolean {
  if (unknownRank || expected.length === 0) return true;
  return (
    shape.length === expected.length &&
    shape.every((size, axis) => expected[axis] === -1 || expected[axis] === size)
  );
}

/**
 * Triton's classification extension: for each row the greatest values as `value:index:label`, best first.
 *
 * @returns DT_STRING [rows, count].
 */
function greatest(tensor: Tensor, count: number, labels: readonly string[] | undefined): Tensor {
  const { shape, data } = tensor;
  if (!ArrayBuffer.isView(data) || shape.length === 0) {
    throw new ServeError("REQUEST_INVALID", "class results were asked for of an output that has no numbers");
  }
  const rows = shape.length === 1 ? 1 : (shape[0] ?? 1);
  const size = rows === 0 ? 0 : data.length / rows;
  const kept = Math.min(count, size);
  const strings = Array.from({ length: rows }, (_, row) => {
    const order = Array.from({ length: size }, (__, index) => index).sort(
      (a, b) => Number(data[row * size + b]) - Number(data[row * size + a]),
    );
    return order.slice(0, kept).map((index) => {
      const label = labels?.length === size ? `:${labels[index]}` : "";
      return Buffer.from(`${Number(data[row * size + index]).toFixed(6)}:${index}${label}`);
    });
  }).flat();
  return {
    dtype: DataType.DT_STRING,
    shape: shape.length === 1 ? [kept] : [rows, kept],
    data: strings,
  };
}

export interface IndexedModel {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string;
}

/** Every version that was ever asked for, in Triton's words. */
export function repositoryIndex(registry: ModelRegistry, onlyReady: boolean): readonly IndexedModel[] {
  return registry.names.flatMap((name) => {
    const statuses = registry.hasVersions(name) ? registry.statuses(name) : [];
    const models = statuses.map(({ version, state, error }) => ({
      name,
      version: String(version),
      state: TRITON_STATE[state],
      reason: error?.message ?? (state === "END" ? "unloaded" : ""),
    }));
    return onlyReady ? models.filter(({ state }) => state === "READY") : models;
  });
}

const TRITON_STATE = {
  START: "LOADING",
  LOADING: "LOADING",
  AVAILABLE: "READY",
  UNLOADING: "UNLOADING",
  END: "UNAVAILABLE",
} as const;
