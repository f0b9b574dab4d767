/** One version of a model: its signature, its contract, and predictions through a batcher. */
import type { ModelContract } from "@vitrine/protocol/contract";
import type { Tensor } from "@vitrine/protocol/tensor";
import type { Batcher, BatchResult, BatchTarget } from "./batcher.js";
import type { SessionPool } from "./session-pool.js";
import { checkInputNames, checkTensors, type Signature, selectOutputs } from "./signature.js";
import { joinRequests, splitOutputs, type TensorMap } from "./tensor-batch.js";

/** What the batcher carries for one request. */
export interface PredictInput {
  readonly tensors: TensorMap;
  readonly rows: number;
  /** Equal within a batch. */
  readonly fetches: readonly string[];
}

export type PredictBatcher = Batcher<PredictInput, TensorMap>;

export interface PredictCall<Value> {
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
  readonly signature: Signature;
  readonly contract: ModelContract | undefined;
  readonly batcher: PredictBatcher;
  readonly pool: SessionPool;
}

export class Servable {
  readonly version: number;
  readonly signature: Signature;
  readonly contract: ModelContract | undefined;
  readonly #batcher: PredictBatcher;
  readonly #pool: SessionPool;

  constructor({ version, signature, contract, batcher, pool }: ServableParts) {
    this.version = version;
    this.signature = signature;
    this.contract = contract;
    this.#batcher = batcher;
    this.#pool = pool;
  }

  /**
   * Checks the request in TensorFlow Serving's order (names, elements, output filter, dtypes, shapes), then runs it.
   *
   * @throws {ServeError} REQUEST_INVALID, TENSOR_INVALID, and what the batcher throws.
   */
  async predict<Value>(call: PredictCall<Value>): Promise<BatchResult<TensorMap>> {
    const { signature } = this;
    checkInputNames(signature, call.inputs);
    const tensors = new Map<string, Tensor>();
    for (const alias of signature.inputs.keys()) {
      const value = call.inputs.get(alias);
      if (value !== undefined) tensors.set(alias, call.read(value, alias));
    }
    const fetches = selectOutputs(signature, call.outputFilter);
    checkTensors(signature, tensors);
    const rows = commonRows(tensors);
    const input: PredictInput = { tensors, rows: rows ?? 1, fetches };
    const joinable = signature.joinable && rows !== undefined && rows > 0;
    return this.#batcher.submit(
      { input, rows: input.rows, joinKey: joinable ? joinKey(input) : undefined },
      call.signal,
    );
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
function joinKey({ tensors, fetches }: PredictInput): string {
  const shapes = [...tensors.values()].map(({ shape }) => shape.slice(1).join("x"));
  return [...shapes, ...fetches].join("\n");
}

/** Runs batches of requests on a pool's sessions. */
export class PoolTarget implements BatchTarget<PredictInput, TensorMap> {
  readonly #pool: SessionPool;
  readonly #signature: Signature;

  constructor(pool: SessionPool, signature: Signature) {
    this.#pool = pool;
    this.#signature = signature;
  }

  get hasIdle(): boolean {
    return this.#pool.hasIdle;
  }

  async run(inputs: readonly PredictInput[]): Promise<readonly TensorMap[]> {
    const requests = inputs.map(({ tensors }) => tensors);
    const outputs = await this.#pool.run({
      feeds: (allocate) => joinRequests(this.#signature.inputs, requests, allocate),
      fetches: inputs[0]?.fetches ?? [],
    });
    const rows = inputs.map((input) => input.rows);
    return splitOutputs(outputs, rows);
  }
}
