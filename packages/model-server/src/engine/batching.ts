/** How the requests of one model are joined into runs: TensorFlow Serving's batching parameters, checked. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { UsageError } from "@vitrine/runtime/settings";
import { batchingParametersSchema } from "../server-config-files.js";
import { parseTextProto } from "../text-proto/text-proto-schema.js";

export interface Batching {
  /** Most rows that requests are joined up to; undefined = requests are never joined. */
  readonly maxBatchSize: number | undefined;
  /** A request of more rows is refused; undefined = none is, and one larger than a batch runs alone. */
  readonly maxRequestRows: number | undefined;
  /** A request of more rows is cut into several runs of at most so many; undefined = none is. */
  readonly splitRows: number | undefined;
  readonly batchTimeoutMicros: number;
  readonly maxEnqueuedBatches: number;
  /** Sizes that runs are filled up to, rising; [] = any size. */
  readonly allowedBatchSizes: readonly number[];
  /** Requests whose sizes behind the first dimension differ are padded to the largest, and so may share a run. */
  readonly padVariableLengthInputs: boolean;
}

/** The file's part that is about threads, which all models share. */
export interface BatchThreads {
  readonly numBatchThreads: number | undefined;
  /** Label of the queue in TensorFlow Serving's metrics. */
  readonly threadPoolName: string;
}

/** What the flags say; each beats the file. */
export interface BatchingFlags {
  readonly enableBatching: boolean | undefined;
  readonly batchingParametersFile: string | undefined;
  readonly enablePerModelBatchingParameters: boolean;
  readonly maxBatchSize: number | undefined;
  readonly batchTimeoutMicros: number | undefined;
  readonly maxEnqueuedBatches: number | undefined;
}

type BatchingParameters = ReturnType<typeof batchingParametersSchema.readValue>;

const PER_MODEL_FILE = "batching_params.pbtxt";

/** TensorFlow Serving's defaults of a file that leaves a field out. */
const FILE_DEFAULTS = { maxBatchSize: 1000, batchTimeoutMicros: 0, maxEnqueuedBatches: 10 };

/**
 * Without a file, requests are joined up to so many rows by `--enable-batching`, and refused above TensorFlow Serving's
 * 1000: runs of 1000 rows would make each caller wait for all.
 */
const FLAG_DEFAULTS = { maxBatchSize: 32, batchTimeoutMicros: 0, maxEnqueuedBatches: 128 };

/**
 * Rows that requests join up to where nobody asked for batching. Measured with the clothing model on one core: 8.3 ms
 * per picture alone, 7.4 at 4 rows, 7.6 at 8, 8.1 at 32 (int8); 18.2, 18.6, 18.7 and 19.0 (float32). Each run also
 * costs two changes of thread, which joined requests share.
 */
const JOINED_ROWS = 4;

/** The batching of every model of a server. */
export class BatchingRules {
  readonly #flags: BatchingFlags;
  readonly #parameters: BatchingParameters | undefined;
  readonly threads: BatchThreads;

  private constructor(flags: BatchingFlags, parameters: BatchingParameters | undefined) {
    this.#flags = flags;
    this.#parameters = parameters;
    this.threads = {
      numBatchThreads: parameters?.num_batch_threads,
      threadPoolName:
        parameters === undefined
          ? "model_server_batch_threads"
          : (parameters.thread_pool_name ?? "batch_threads"),
    };
  }

  /** @throws {UsageError} when flags contradict each other or the file is not valid. */
  static async read(flags: BatchingFlags): Promise<BatchingRules> {
    const { enableBatching, batchingParametersFile, enablePerModelBatchingParameters } = flags;
    if (enableBatching !== true) {
      // TensorFlow Serving's own words.
      if (batchingParametersFile !== undefined) {
        throw new UsageError(["--batching_parameters_file was set without --enable_batching, expected both"]);
      }
      if (enablePerModelBatchingParameters) {
        throw new UsageError([
          "--enable_per_model_batching_parameters was set without --enable_batching, expected both",
        ]);
      }
    }
    if (batchingParametersFile === undefined) return new BatchingRules(flags, undefined);
    try {
      const parameters = await readParameters(batchingParametersFile);
      const rules = new BatchingRules(flags, parameters);
      rules.#asked(parameters);
      return rules;
    } catch (error) {
      throw new UsageError([`--batching_parameters_file: ${textOf(error)}`], { cause: error });
    }
  }

  /**
   * The batching of one version.
   *
   * @param folder      of the version; with `--enable_per_model_batching_parameters` its `batching_params.pbtxt` is
   *   read, and a version without one is not batched.
   * @param countsRows  the model's contract says that the first dimension counts pictures: requests may be joined
   *   unasked. A graph of which that is not known may mix its rows, and neighbours would change each other's answers.
   * @throws {ServeError} MODEL_INVALID for a file of the version that is not valid.
   */
  async of(folder: string, countsRows: boolean): Promise<Batching> {
    const { enableBatching, enablePerModelBatchingParameters } = this.#flags;
    if (enableBatching !== true) return this.#unasked(enableBatching === undefined && countsRows);
    if (!enablePerModelBatchingParameters) return this.#asked(this.#parameters);
    const file = path.join(folder, PER_MODEL_FILE);
    try {
      return this.#asked(await readParameters(file));
    } catch (error) {
      if (isMissing(error)) return this.#unasked(false);
      throw new ServeError("MODEL_INVALID", `${PER_MODEL_FILE} was not valid: ${textOf(error)}`, {
        cause: error,
      });
    }
  }

  #unasked(joins: boolean): Batching {
    const { batchTimeoutMicros, maxEnqueuedBatches } = this.#flags;
    return {
      maxBatchSize: joins ? JOINED_ROWS : undefined,
      maxRequestRows: undefined,
      splitRows: undefined,
      batchTimeoutMicros: batchTimeoutMicros ?? FLAG_DEFAULTS.batchTimeoutMicros,
      maxEnqueuedBatches: maxEnqueuedBatches ?? FLAG_DEFAULTS.maxEnqueuedBatches,
      allowedBatchSizes: [],
      padVariableLengthInputs: false,
    };
  }

  #asked(parameters: BatchingParameters | undefined): Batching {
    const defaults = parameters === undefined ? FLAG_DEFAULTS : FILE_DEFAULTS;
    const asked = this.#flags.maxBatchSize ?? parameters?.max_batch_size;
    const maxBatchSize = atLeast(1, "max_batch_size", asked ?? defaults.maxBatchSize);
    const splits = parameters?.enable_large_batch_splitting === true;
    const executed = splits
      ? atLeast(
          1,
          "max_execution_batch_size",
          parameters.max_execution_batch_size ?? defaultExecutionSize(parameters, maxBatchSize),
        )
      : maxBatchSize;
    if (executed > maxBatchSize) {
      throw new Error(
        `max_execution_batch_size was ${executed}, expected at most max_batch_size (${maxBatchSize})`,
      );
    }
    return {
      maxBatchSize: executed,
      maxRequestRows: splits ? undefined : (asked ?? FILE_DEFAULTS.maxBatchSize),
      splitRows: splits ? executed : undefined,
      batchTimeoutMicros: atLeast(
        0,
        "batch_timeout_micros",
        this.#flags.batchTimeoutMicros ?? parameters?.batch_timeout_micros ?? defaults.batchTimeoutMicros,
      ),
      maxEnqueuedBatches: atLeast(
        0,
        "max_enqueued_batches",
        this.#flags.maxEnqueuedBatches ?? parameters?.max_enqueued_batches ?? defaults.maxEnqueuedBatches,
      ),
      allowedBatchSizes: checkedSizes(parameters?.allowed_batch_sizes ?? [], executed),
      padVariableLengthInputs: parameters?.pad_variable_length_inputs ?? false,
    };
  }
}

/** Where splitting is on and only the allowed sizes say how large a run may be, the last of them does. */
function defaultExecutionSize(parameters: BatchingParameters, maxBatchSize: number): number {
  return parameters.allowed_batch_sizes.at(-1) ?? maxBatchSize;
}

/** TensorFlow Serving's rules: rising, and the last one is the largest run. */
function checkedSizes(sizes: readonly number[], largest: number): readonly number[] {
  for (const [index, size] of sizes.entries()) {
    if (size > (sizes[index - 1] ?? 0)) continue;
    throw new Error(
      `allowed_batch_sizes were ${sizes.join(", ")}, expected whole numbers of at least 1, each greater than the one before`,
    );
  }
  const last = sizes.at(-1);
  if (last !== undefined && last !== largest) {
    throw new Error(
      `allowed_batch_sizes ended with ${last}, expected max_batch_size, or max_execution_batch_size with splitting (${largest})`,
    );
  }
  return sizes;
}

function atLeast(least: number, name: string, value: number): number {
  if (value < least) throw new Error(`${name} was ${value}, expected at least ${least}`);
  return value;
}

async function readParameters(file: string): Promise<BatchingParameters> {
  const parameters = parseTextProto(batchingParametersSchema, await readFile(file, "utf8"), file);
  if (parameters.num_batch_threads !== undefined) {
    atLeast(1, "num_batch_threads", parameters.num_batch_threads);
  }
  return parameters;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
