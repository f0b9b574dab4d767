/** Settings of the model tier. Flags carry TensorFlow Serving's names where it has them. */
import path from "node:path";
import { drainGraceSetting } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";

const portOrAuto = z.union([z.int().min(0).max(65535), z.literal("auto")]);

export const serveSettings = {
  port: setting(portOrAuto.default(8500), {
    description: "Port of gRPC; `auto` picks a free one, 0 turns it off.",
    env: "GRPC_PORT",
    placeholder: "port",
  }),
  restApiPort: setting(portOrAuto.default(8501), {
    description: "Port of REST, probes and metrics; `auto` picks a free one, 0 turns it off.",
    env: "REST_PORT",
    placeholder: "port",
  }),
  host: setting(z.string().min(1).default("0.0.0.0"), {
    description: "Address to listen on.",
    placeholder: "address",
  }),
  modelName: setting(z.string().min(1).optional(), {
    description: "Name that requests ask for. Without it, the name of the model's folder.",
    placeholder: "name",
  }),
  modelBasePath: setting(z.string().min(1).optional(), {
    description: "The model's own folder: it holds one folder per version, such as 1/model.onnx.",
    env: "MODEL_FOLDER",
    placeholder: "folder",
  }),
  modelParentPath: setting(z.string().min(1).optional(), {
    description:
      "Folder that holds the model's folder under the model's name, as MODEL_BASE_PATH does in TensorFlow Serving's image. --model-base-path wins.",
    env: "MODEL_BASE_PATH",
    placeholder: "folder",
  }),
  enableBatching: setting(z.boolean().optional(), {
    description:
      "Join waiting requests into one run of up to --max-batch-size rows and refuse larger ones, as TensorFlow Serving does. Without it, requests to a model with a contract (whose first dimension counts pictures) join up to 4 rows and larger ones run alone; requests to other models always run alone, which `false` asks for too.",
  }),
  maxBatchSize: setting(z.int().min(1).default(32), {
    description: "With --enable-batching: most rows in a run.",
    placeholder: "rows",
  }),
  batchTimeoutMicros: setting(z.int().min(0).default(0), {
    description: "Longest wait of an underfull run for company; 0 leaves when a session is idle.",
    placeholder: "microseconds",
  }),
  maxEnqueuedBatches: setting(z.int().min(0).default(128), {
    description:
      "Waiting runs, of one request or of several joined, before more are refused with UNAVAILABLE. Lower it to refuse earlier under overload.",
    placeholder: "count",
  }),
  workers: setting(z.int().min(1).max(256).optional(), {
    description:
      "Sessions, each in a thread of its own. Without it, one per core, at most 8; each holds the model's weights.",
    placeholder: "count",
  }),
  intraOpThreads: setting(z.int().min(1).max(256).optional(), {
    description:
      "Threads within one session. Without it, the cores divided by the workers. More than 1 shortens single requests and costs throughput.",
    placeholder: "count",
  }),
  enableModelWarmup: setting(z.boolean().default(true), {
    description: "Run zeros through each session before the model counts as available.",
  }),
  enableSerializationAsTensorContent: setting(z.boolean().default(false), {
    description: "Answer Predict with raw bytes in tensor_content instead of typed values.",
  }),
  maxMessageBytes: setting(
    z
      .int()
      .min(1024)
      .default(64 * 1024 * 1024),
    {
      description: "Longest request, gRPC message or REST body. Raise it for larger inputs.",
      placeholder: "bytes",
    },
  ),
  restApiTimeoutInMs: setting(z.int().min(1).default(30_000), {
    description: "Longest time for one REST prediction. gRPC callers bring their own deadline.",
    placeholder: "ms",
  }),
  drainGraceMs: drainGraceSetting,
  logLevel: logLevelSetting,
};

export type ServeConfig = Config<typeof serveSettings>;

/**
 * Rows that requests join up to where nobody asked for batching. Measured with the clothing model on one core: 8.3 ms
 * per picture alone, 7.4 at 4 rows, 7.6 at 8, 8.1 at 32 (int8); 18.2, 18.6, 18.7 and 19.0 (float32). Each run also
 * costs two changes of thread, which joined requests share.
 */
const JOINED_ROWS = 4;

/**
 * How requests are joined. Where the first dimension is not known to count pictures they are not, unless asked for: a
 * graph may mix its rows, and then neighbours would change each other's answers.
 */
export function batchingOf(
  { enableBatching, maxBatchSize }: ServeConfig,
  hasContract: boolean,
): { readonly maxBatchSize: number | undefined; readonly refuseLarger: boolean } {
  if (enableBatching === true) return { maxBatchSize, refuseLarger: true };
  const joins = enableBatching === undefined && hasContract;
  return { maxBatchSize: joins ? JOINED_ROWS : undefined, refuseLarger: false };
}

/** Name in TensorFlow Serving's image when MODEL_NAME is not set. */
const IMAGE_MODEL_NAME = "model";

/**
 * Which model is served, and from which folder.
 *
 * @throws {UsageError} when neither --model-base-path nor MODEL_BASE_PATH is given.
 */
export function locateModel({ modelName, modelBasePath, modelParentPath }: ServeConfig): {
  readonly name: string;
  readonly basePath: string;
} {
  if (modelBasePath !== undefined) {
    const basePath = path.resolve(modelBasePath);
    return { name: modelName ?? path.basename(basePath), basePath };
  }
  if (modelParentPath !== undefined) {
    const name = modelName ?? IMAGE_MODEL_NAME;
    return { name, basePath: path.resolve(modelParentPath, name) };
  }
  throw new UsageError([
    "--model-base-path was missing, expected the folder that holds the model's versions (or MODEL_BASE_PATH, its parent)",
  ]);
}
