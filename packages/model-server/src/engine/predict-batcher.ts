/** A version's predictions as batches on its sessions: which requests may share a run, and what such a run is made of. */
import { setMaxListeners } from "node:events";
import type { Signature } from "../signature.js";
import { zeroTensor } from "../warm-up/warm-up.js";
import type { BatchOutcome, BatchRun, BatchTarget } from "./batch-target.js";
import { Batcher, type BatchResult } from "./batcher.js";
import type { Batching } from "./batching.js";
import type { CoreShare } from "./core-slots.js";
import { joinOutputs, splitRequest } from "./large-request.js";
import type { SessionPool } from "./session-pool.js";
import { joinRequests, splitOutputs, type TensorMap } from "./tensor-batch.js";
import type { SessionMetadata, SessionTensors } from "./worker-messages.js";

/** One request, checked against its signature. */
export interface PredictInput {
  readonly signature: Signature;
  readonly tensors: TensorMap;
  /** Aliases of the outputs wanted. */
  readonly fetches: readonly string[];
}

/** What the batcher carries; signature and fetches are equal within a batch. */
interface RowsInput extends PredictInput {
  readonly rows: number;
  /** It may share its run with others, and the run may be filled up with repeated rows. */
  readonly joins: boolean;
}

export interface PredictBatcherObserver {
  /** Requests of these rows ran together; `batchRows` are the rows of the run, repeated ones included. */
  batchRan(rows: readonly number[], batchRows: number): void;
}

/** Ranks that TensorFlow pads. */
const MAX_PADDED_RANK = 6;

export class PredictBatcher {
  readonly #batcher: Batcher<RowsInput, TensorMap>;
  readonly #batching: Batching;

  constructor(
    pool: SessionPool,
    share: CoreShare,
    graph: SessionMetadata,
    batching: Batching,
    observer: PredictBatcherObserver,
  ) {
    this.#batching = batching;
    const target = new PoolTarget(pool, share, graph, batching.allowedBatchSizes, observer);
    this.#batcher = new Batcher(target, batching);
  }

  /** Requests that wait for a session. */
  get waiting(): number {
    return this.#batcher.waiting;
  }

  /** Requests that wait or run. */
  get inFlight(): number {
    return this.#batcher.inFlight;
  }

  /**
   * Runs a request, together with others where that is allowed.
   *
   * @throws {ServeError} QUEUE_FULL, BATCH_TOO_LARGE, DRAINING, the signal's reason, or what the run threw for this
   *   request alone.
   */
  async submit(input: PredictInput, signal: AbortSignal): Promise<BatchResult<TensorMap>> {
    const { signature, tensors, fetches } = input;
    const counted = commonRows(tensors);
    const rows = counted ?? 1;
    const joins = signature.joinable && counted !== undefined && counted > 0;
    const joinKey = joins ? joinKeyOf(input, this.#batching.padVariableLengthInputs) : undefined;
    const { splitRows } = this.#batching;
    if (!joins || splitRows === undefined || rows <= splitRows) {
      return this.#batcher.submit({ input: { ...input, rows, joins }, rows, joinKey }, signal);
    }
    const parts = splitRequest(tensors, rows, splitRows).map((part) => ({
      signature,
      fetches,
      tensors: part,
      rows: commonRows(part) ?? 1,
      joins,
    }));
    return this.#submitParts(parts, joinKey, signal);
  }

  wake(): void {
    this.#batcher.wake();
  }

  /** Takes back what was sent ahead and has not begun. */
  callBackAhead(): void {
    this.#batcher.callBackAhead();
  }

  async drain(): Promise<void> {
    await this.#batcher.drain();
  }

  /** Answers everything that waits with the error, and all that comes. */
  fail(error: Parameters<Batcher<RowsInput, TensorMap>["fail"]>[0]): void {
    this.#batcher.fail(error);
  }

  /** All parts are answered, or none: the first that fails calls the others off. */
  async #submitParts(
    parts: readonly RowsInput[],
    joinKey: string | undefined,
    signal: AbortSignal,
  ): Promise<BatchResult<TensorMap>> {
    const others = new AbortController();
    const either = AbortSignal.any([signal, others.signal]);
    // Each part listens.
    setMaxListeners(0, either);
    const answers = parts.map((input) => this.#batcher.submit({ input, rows: input.rows, joinKey }, either));
    try {
      const results = await Promise.all(answers);
      return {
        output: joinOutputs(results.map(({ output }) => output)),
        queueMs: Math.max(...results.map(({ queueMs }) => queueMs)),
        runMs: Math.max(...results.map(({ runMs }) => runMs)),
        batchRows: Math.max(...results.map(({ batchRows }) => batchRows)),
      };
    } catch (error) {
      others.abort(error);
      await Promise.allSettled(answers);
      throw error;
    }
  }
}

/** Size of the first dimension when all inputs have the same one. */
function commonRows(tensors: TensorMap): number | undefined {
  let rows: number | undefined;
  for (const { shape } of tensors.values()) {
    const [own] = shape;
    if (own === undefined || (rows !== undefined && rows !== own)) return undefined;
    rows = own;
  }
  return rows;
}

/**
 * Requests share a batch when they agree in the sizes behind the first dimension, or with padding in the ranks, and in
 * the outputs they want: one that asks for the scores alone must not pay for another's activation map. (TensorFlow
 * Serving queues by outputs too.)
 */
function joinKeyOf({ signature, tensors, fetches }: PredictInput, pads: boolean): string {
  const shapes = [...tensors.values()].map(({ shape }) =>
    pads && shape.length <= MAX_PADDED_RANK ? `rank ${shape.length}` : shape.slice(1).join("x"),
  );
  return [signature.name, ...shapes, ...fetches].join("\n");
}

/** Rows of a run: the next allowed size, or as many as there are. */
function runRows(rows: number, allowedSizes: readonly number[]): number {
  return allowedSizes.find((size) => size >= rows) ?? rows;
}

/** Runs batches of requests on a pool's sessions, when the cores are free for it. */
class PoolTarget implements BatchTarget<RowsInput, TensorMap> {
  readonly #pool: SessionPool;
  readonly #share: CoreShare;
  readonly #graph: SessionMetadata;
  readonly #allowedSizes: readonly number[];
  readonly #observer: PredictBatcherObserver;

  constructor(
    pool: SessionPool,
    share: CoreShare,
    graph: SessionMetadata,
    allowedSizes: readonly number[],
    observer: PredictBatcherObserver,
  ) {
    this.#pool = pool;
    this.#share = share;
    this.#graph = graph;
    this.#allowedSizes = allowedSizes;
    this.#observer = observer;
  }

  get room(): "idle" | "ahead" | "none" {
    if (this.#share.isFree && this.#pool.hasIdle) return "idle";
    return this.#pool.hasRoomAhead && !this.#share.isContended ? "ahead" : "none";
  }

  noRoom(): void {
    this.#share.claimTurn();
  }

  run(inputs: readonly RowsInput[], lives: number): BatchRun<TensorMap> {
    const [first] = inputs;
    if (first === undefined) throw new Error("a batch without requests");
    const { signature, joins } = first;
    const wanted = [...signature.outputs.values()].filter(({ alias }) => first.fetches.includes(alias));
    const requests = inputs.map(({ tensors }) => tensors);
    const rows = inputs.map((input) => input.rows);
    const given = rows.reduce((sum, count) => sum + count, 0);
    const batchRows = joins ? runRows(given, this.#allowedSizes) : given;
    const run = this.#pool.run(
      {
        feeds: (allocate) => ({
          ...this.#unused(signature),
          ...joinRequests(signature.inputs, requests, joins ? batchRows : 0, allocate),
        }),
        fetches: [...new Set(wanted.map(({ graphName }) => graphName))],
      },
      lives,
    );
    const finish = async (): Promise<BatchOutcome<TensorMap>> => {
      let hasRun = true;
      try {
        const answer = await run.done;
        hasRun = answer.kind === "outputs";
        if (answer.kind === "called-back") return answer;
        return { ...answer, outputs: splitOutputs(wanted, answer.outputs, rows, batchRows) };
      } finally {
        if (hasRun) this.#observer.batchRan(rows, batchRows);
      }
    };
    return {
      done: finish(),
      get hasBegun() {
        return run.hasBegun;
      },
      callBack: () => run.callBack(),
    };
  }

  /** ONNX Runtime wants every input of the graph: one row of zeros for those of other signatures. */
  #unused({ inputs }: Signature): SessionTensors {
    if (inputs.size === this.#graph.inputs.length) return {};
    const used = new Set([...inputs.values()].map(({ graphName }) => graphName));
    const unused = this.#graph.inputs.filter(({ name }) => !used.has(name));
    return Object.fromEntries(unused.map((input) => [input.name, zeroTensor(input, 1)]));
  }
}
