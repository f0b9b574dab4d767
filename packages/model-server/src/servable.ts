/** One version of a model: its signatures, its contract, and predictions through a batcher. */
import type { ModelContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import type { BatchResult } from "./engine/batcher.js";
import type { LoadedSessions } from "./engine/engine.js";
import type { PredictInput } from "./engine/predict-batcher.js";
import type { TensorMap } from "./engine/tensor-batch.js";
import { readExamples, signatureOfFeatures } from "./grpc/examples.js";
import {
  checkInputNames,
  checkTensors,
  type Signature,
  type Signatures,
  selectOutputs,
} from "./signature.js";

export interface PredictCall<Value> {
  readonly signatureName: string;
  /** By alias, not yet checked. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** Makes the tensor of an input that the signature has; called once for each. */
  read(value: Value, alias: string): Tensor;
  /** Aliases wanted; empty = all. */
  readonly outputFilter: readonly string[];
  readonly signal: AbortSignal;
}

export interface ServableParts {
  readonly version: number;
  readonly signatures: Signatures;
  readonly contract: ModelContract | undefined;
  readonly sessions: LoadedSessions;
}

export class Servable {
  readonly version: number;
  readonly signatures: Signatures;
  readonly contract: ModelContract | undefined;
  readonly #sessions: LoadedSessions;

  constructor({ version, signatures, contract, sessions }: ServableParts) {
    this.version = version;
    this.signatures = signatures;
    this.contract = contract;
    this.#sessions = sessions;
  }

  /**
   * Checks the request in TensorFlow Serving's order (names, elements, output filter, dtypes, shapes), then runs it.
   *
   * @throws {ServeError} SIGNATURE_NOT_FOUND, REQUEST_INVALID, TENSOR_INVALID, MODEL_UNSUPPORTED for a signature
   *   that only describes, and what the batcher throws.
   */
  async predict<Value>(call: PredictCall<Value>): Promise<BatchResult<TensorMap>> {
    return this.#sessions.batcher.submit(checkedInput(this.signatures, call), call.signal);
  }

  /** Finishes what was accepted, then ends the sessions. */
  async unload(): Promise<void> {
    await this.#sessions.unload();
  }
}

/**
 * Checks a request against its signature, in TensorFlow Serving's order.
 *
 * @throws {ServeError} as {@link Servable.predict}, the batcher's left out.
 */
export function checkedInput<Value>(
  signatures: Signatures,
  call: Omit<PredictCall<Value>, "signal">,
): PredictInput {
  const signature = runnableSignature(signatures, call.signatureName);
  checkInputNames(signature, call.inputs);
  const tensors = new Map<string, Tensor>();
  for (const alias of signature.inputs.keys()) {
    const value = call.inputs.get(alias);
    if (value !== undefined) tensors.set(alias, call.read(value, alias));
  }
  const fetches = selectOutputs(signature, call.outputFilter);
  checkTensors(signature, tensors);
  return { ...fedTensors(signature, tensors), fetches };
}

function runnableSignature(signatures: Signatures, name: string): Signature {
  const signature = signatures.get(name);
  if (signature === undefined) {
    throw new ServeError("SIGNATURE_NOT_FOUND", `Serving signature key "${name}" not found.`);
  }
  if (signature.unsupported !== undefined) {
    throw new ServeError("MODEL_UNSUPPORTED", `Signature ${name} cannot run here: ${signature.unsupported}`);
  }
  return signature;
}

/** What the session is fed: the tensors, or the features of the examples that the one input holds. */
function fedTensors(signature: Signature, tensors: TensorMap) {
  const features = signature.exampleFeatures;
  if (features === undefined) return { signature, tensors };
  const examples = [...tensors.values()].flatMap(({ data }) => (ArrayBuffer.isView(data) ? [] : data));
  return { signature: signatureOfFeatures(signature, features), tensors: readExamples(examples, features) };
}
