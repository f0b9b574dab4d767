/** Settings of the sessions: how many, on what, with how many threads, and how requests are joined for them. */
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import type { BatchThreads } from "./batching.js";
import { shareCores } from "./cores.js";
import { checkDevice, DEVICE_PATTERN, parseDevice } from "./devices.js";
import type { SessionOptions } from "./worker-messages.js";

const threads = z.int().min(0).max(256);

export const engineSettings = {
  enableBatching: setting(z.boolean().optional(), {
    description:
      "Join waiting requests into one run of up to --max-batch-size rows and refuse larger ones, as TensorFlow Serving does. Without it, requests to a model with a contract (whose first dimension counts pictures) join up to 4 rows and larger ones run alone; requests to other models always run alone, which `false` asks for too.",
  }),
  batchingParametersFile: setting(z.string().min(1).optional(), {
    description:
      "With --enable-batching: TensorFlow Serving's BatchingParameters in text form. A flag beats its field.",
    placeholder: "file",
  }),
  enablePerModelBatchingParameters: setting(z.boolean().default(false), {
    description:
      "With --enable-batching: read batching_params.pbtxt in each version's folder instead; a version without one is not batched. Of --batching-parameters-file only num_batch_threads and thread_pool_name count then.",
  }),
  maxBatchSize: setting(z.int().min(1).optional(), {
    description:
      "With --enable-batching: most rows in a run, and in a request. Without it and without a file, requests join up to 32 rows, and one of more than 1000 is refused.",
    placeholder: "rows",
  }),
  batchTimeoutMicros: setting(z.int().min(0).optional(), {
    description:
      "Longest wait of an underfull run for company; 0, the default, leaves when a session is idle. Raise it for a GPU, where larger runs are cheaper per row.",
    placeholder: "microseconds",
  }),
  maxEnqueuedBatches: setting(z.int().min(0).optional(), {
    description:
      "Runs of one model that may wait, of one request or of several joined, before more are refused with UNAVAILABLE. Default 128, and with a batching file 10 as in TensorFlow Serving. Lower it to refuse earlier under overload.",
    placeholder: "count",
  }),
  workers: setting(z.int().min(1).max(256).optional(), {
    description:
      "Sessions of each version, each in a thread of its own and with the model's weights; so many run at once, of all models together. Without it, one per core, at most 8 (on a GPU 2). Lower it to save memory.",
    placeholder: "count",
  }),
  intraOpThreads: setting(z.int().min(1).max(256).optional(), {
    description:
      "Threads within one session. Without it, the cores divided by the workers. More than 1 shortens single requests and costs throughput.",
    placeholder: "count",
  }),
  tensorflowSessionParallelism: setting(threads.default(0), {
    description:
      "TensorFlow Serving's name for threads within one session, both within and across operators; 0 leaves it to --intra-op-threads.",
    placeholder: "count",
  }),
  tensorflowIntraOpParallelism: setting(threads.default(0), {
    description: "TensorFlow Serving's name for --intra-op-threads, which beats it; 0 leaves it to that.",
    placeholder: "count",
  }),
  tensorflowInterOpParallelism: setting(threads.default(0), {
    description:
      "Operators of one session that run side by side; 0 and 1 are one after the other. Only graphs with wide branches gain, and each run costs more.",
    placeholder: "count",
  }),
  device: setting(
    z.string().regex(DEVICE_PATTERN, "cpu, cuda, or cuda:N for the GPU of that number").default("cpu"),
    {
      description:
        "What sessions run on: cpu, cuda or cuda:N. cuda needs the CUDA build of ONNX Runtime (linux/x64, CUDA 12, cuDNN 9), which npm does not install by itself.",
      placeholder: "device",
    },
  ),
  graphOptimizationLevel: setting(z.enum(["disabled", "basic", "extended", "all"]).default("all"), {
    description:
      "How far ONNX Runtime rewrites the graph when it loads. Lower it for a faster load, or to see whether a wrong answer comes from a rewrite.",
    placeholder: "level",
  }),
  cpuMemArena: setting(z.boolean().default(true), {
    description:
      "Each session keeps the memory of its runs for the next. `false` gives it back to the system after each run: less memory between requests of very different sizes, slower runs.",
  }),
  memoryPattern: setting(z.boolean().default(true), {
    description:
      "Sessions plan their memory by the shapes that they have seen. `false` where the shapes differ from request to request.",
  }),
  allowSpinning: setting(z.boolean().default(false), {
    description:
      "Threads within a session wait for work by spinning. `true` shortens runs where --intra-op-threads is above 1 and the cores have nothing else to do; else it takes the cores from the other sessions.",
  }),
};

export type EngineConfig = Config<typeof engineSettings>;

export interface EngineSizes {
  /** Sessions of each version. */
  readonly workers: number;
  /** Sessions that run at once, of all versions together. */
  readonly slots: number;
  readonly session: SessionOptions;
}

/** A GPU copies for one run while it computes another; more sessions cost its memory. */
const CUDA_WORKERS = 2;

/**
 * How many sessions of how many threads.
 *
 * @throws {UsageError} for TensorFlow Serving's flags that exclude each other, and for a device that is not installed.
 */
export function engineSizes(config: EngineConfig, cores: number, batch: BatchThreads): EngineSizes {
  const { tensorflowSessionParallelism, tensorflowIntraOpParallelism, tensorflowInterOpParallelism } = config;
  const given = [tensorflowSessionParallelism, tensorflowIntraOpParallelism, tensorflowInterOpParallelism];
  if (given.every((count) => count > 0)) {
    throw new UsageError([
      "--tensorflow_session_parallelism was set beside --tensorflow_intra_op_parallelism and --tensorflow_inter_op_parallelism, expected either it or those",
    ]);
  }
  const device = parseDevice(config.device);
  checkDevice(device);
  const asked = [config.intraOpThreads, tensorflowIntraOpParallelism, tensorflowSessionParallelism];
  const cudaWorkers = device.kind === "cuda" ? CUDA_WORKERS : undefined;
  const { workers, intraOpThreads } = shareCores(cores, {
    workers: config.workers ?? cudaWorkers ?? fewer(batch.numBatchThreads, cores),
    intraOpThreads: asked.find((count) => count !== undefined && count > 0),
  });
  return {
    workers,
    slots: workers,
    session: {
      device,
      intraOpThreads,
      interOpThreads: Math.max(1, tensorflowInterOpParallelism || tensorflowSessionParallelism),
      graphOptimizationLevel: config.graphOptimizationLevel,
      cpuMemArena: config.cpuMemArena,
      memoryPattern: config.memoryPattern,
      allowSpinning: config.allowSpinning,
    },
  };
}

/** TensorFlow's batch threads mostly wait for its own pools; a session of ours is at work on a core. */
function fewer(numBatchThreads: number | undefined, cores: number): number | undefined {
  return numBatchThreads === undefined ? undefined : Math.min(numBatchThreads, cores);
}
