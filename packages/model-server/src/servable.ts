/** One version of a model: its signatures, its contract, and predictions through a batcher. */
import type { ModelContract } from "@vitrine/protocol/contract";
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import type { Batcher, BatchResult, BatchTarget } from "./batcher.js";
import type { SessionPool } from "./session-pool.js";
import {
  checkInputNames,
  checkTensors,
  type Signature,
  type Signatures,
  selectOutputs,
} from "./signature.js";
import { joinRequests, splitOutputs, type TensorMap } from "./tensor-batch.js";
import { zeroTensor } from "./warm-up.js";
import type { SessionMetadata, SessionTensors } from "./worker-messages.js";

/** What the batcher carries for one request. */
export interface PredictInput {
  /** Equal within a batch. */
  readonly signature: Signature;
  readonly tensors: TensorMap;
  readonly rows: number;
  /** Aliases of the outputs wanted; equal within a batch. */
  readonly fetches: readonly string[];
}

export type PredictBatcher = Batcher<PredictInput, TensorMap>;

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
  readonly batcher: PredictBatcher;
  readonly pool: SessionPool;
}

export class Servable {
  readonly version: number;
  readonly signatures: Signatures;
  readonly contract: ModelContract | undefined;
  readonly #batcher: PredictBatcher;
  readonly #pool: SessionPool;

  constructor({ version, signatures, contract, batcher, pool }: ServableParts) {
    this.version = version;
    this.signatures = signatures;
    this.contract = contract;
    this.#batcher = batcher;
    this.#pool = pool;
  }

  /**
   * Checks the request in TensorFlow Serving's order (names, elements, output filter, dtypes, shapes), then runs it.
   *
   * @throws {ServeError} SIGNATURE_NOT_FOUND, REQUEST_INVALID, TENSOR_INVALID, MODEL_UNSUPPORTED for a signature
   *   that only describes, and what the batcher throws.
   */
  async predict<Value>(call: PredictCall<Value>): Promise<BatchResult<TensorMap>> {
    const signature = this.#signature(call.signatureName);
    checkInputNames(signature, call.inputs);
    const tensors = new Map<string, Tensor>();
    for (const alias of signature.inputs.keys()) {
      const value = call.inputs.get(alias);
      if (value !== undefined) tensors.set(alias, call.read(value, alias));
    }
    const fetches = selectOutputs(signature, call.outputFilter);
    checkTensors(signature, tensors);
    const rows = commonRows(tensors);
    const input: PredictInput = { signature, tensors, rows: rows ?? 1, fetches };
    const joinable = signature.joinable && rows !== undefined && rows > 0;
    return this.#batcher.submit(
      { input, rows: input.rows, joinKey: joinable ? joinKey(input) : undefined },
      call.signal,
    );
  }

  #signature(name: string): Signature {
    const signature = this.signatures.get(name);
    if (signature === undefined) {
      throw new ServeError("SIGNATURE_NOT_FOUND", `Serving signature key "${name}" not found.`);
    }
    if (signature.unsupported !== undefined) {
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        `Signature ${name} cannot run here: ${signature.unsupported}`,
      );
    }
    return signature;
  }

  /** Finishes what was accepted, then ends the sessions. */
  async unload(): Promise<void> {
    await this.#batcher.drain();
    await this.#pool.close();
  }
}

/** Size of the first dimension when all inputs have the same one. */
function commonRows(tensors: TensorMap): number | undefined {
  const sizes = new Set([...tensors.values()].map(({ shape }) => shape[0]));
  const [rows] = sizes;
  return sizes.size === 1 ? rows : undefined;
}

/**
 * Requests share a batch when they agree in the sizes behind the first dimension and in the outputs they want: one
 * that asks for the scores alone must not pay for another's activation map. (TensorFlow Serving queues by outputs too.)
 */
function joinKey({ signature, tensors, fetches }: PredictInput): string {
  const shapes = [...tensors.values()].map(({ shape }) => shape.slice(1).join("x"));
  return [signature.name, ...shapes, ...fetches].join("\n");
}

/** Runs batches of requests on a pool's sessions. */
export class PoolTarget implements BatchTarget<PredictInput, TensorMap> {
  readonly #pool: SessionPool;
  readonly #graph: SessionMetadata;

  constructor(pool: SessionPool, graph: SessionMetadata) {
    this.#pool = pool;
    this.#graph = graph;
  }

  get hasIdle(): boolean {
    return this.#pool.hasIdle;
  }

  async run(inputs: readonly PredictInput[]): Promise<readonly TensorMap[]> {
    const [first] = inputs;
    if (first === undefined) throw new Error("a batch without requests");
    const { signature } = first;
    const wanted = [...signature.outputs.values()].filter(({ alias }) => first.fetches.includes(alias));
    const requests = inputs.map(({ tensors }) => tensors);
    const outputs = await this.#pool.run({
      feeds: (allocate) => ({
        ...this.#unused(signature),
        ...joinRequests(signature.inputs, requests, allocate),
      }),
      fetches: [...new Set(wanted.map(({ graphName }) => graphName))],
    });
    const rows = inputs.map((input) => input.rows);
    return splitOutputs(wanted, outputs, rows);
  }

  /** ONNX Runtime wants every input of the graph: one row of zeros for those of other signatures. */
  #unused({ inputs }: Signature): SessionTensors {
    if (inputs.size === this.#graph.inputs.length) return {};
    const used = new Set([...inputs.values()].map(({ graphName }) => graphName));
    const unused = this.#graph.inputs.filter(({ name }) => !used.has(name));
    return Object.fromEntries(unused.map((input) => [input.name, zeroTensor(input, 1)]));
  }
}
