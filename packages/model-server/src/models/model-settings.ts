/** Settings of the models: which are served, from where, in which versions, and how they are loaded. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { TextProtoError } from "../text-proto/text-proto-tokens.js";
import { type ConfigWarning, type ModelConfig, modelsFromText, singleModel } from "./model-config.js";

/** 23 days: timers take no more. */
const MAX_WAIT_SECONDS = 2_000_000;

export const modelSettings = {
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
  modelConfigFile: setting(z.string().min(1).optional(), {
    description:
      "File with the list of models, their version policies and labels, in protobuf text format as TensorFlow Serving's ModelServerConfig. --model-name and --model-base-path are ignored then.",
    placeholder: "file",
  }),
  modelConfigFilePollWaitSeconds: setting(z.number().min(0).max(MAX_WAIT_SECONDS).default(0), {
    description:
      "Read --model-config-file again after so many seconds, and apply it when it has changed; 0 reads it once.",
    placeholder: "seconds",
  }),
  fileSystemPollWaitSeconds: setting(z.number().max(MAX_WAIT_SECONDS).default(1), {
    description:
      "Look for new and deleted versions after so many seconds. 0 or less looks once, and a model that is not there then fails the start.",
    placeholder: "seconds",
  }),
  modelFile: setting(z.string().min(1).optional(), {
    description:
      "File to serve within each version's folder, where it is neither model.onnx nor onnx/model.onnx, such as onnx/model_quantized.onnx of a Hugging Face export.",
    placeholder: "path",
  }),
  allowVersionLabelsForUnavailableModels: setting(z.boolean().default(false), {
    description:
      "A label that is new may point at a version that is not loaded yet, and requests for it fail until it is.",
  }),
  savedModelTags: setting(z.array(z.string().min(1)).default(["serve"]), {
    description: "Tag set of the graph to serve in a SavedModel.",
    placeholder: "tags",
  }),
  modelCacheFolder: setting(
    z
      .string()
      .min(1)
      .default(path.join(homedir(), ".cache", "vitrine", "models")),
    {
      description:
        "Where SavedModels are kept as they were converted, so that the next start is quick. Where it cannot be written they are converted at each start.",
      placeholder: "folder",
    },
  ),
  numLoadThreads: setting(z.int().min(0).default(0), {
    description: "Versions that load at once, of all models; 0 is one after the other.",
    placeholder: "count",
  }),
  maxNumLoadRetries: setting(z.int().min(0).default(5), {
    description:
      "Further attempts to load a version after a failure that may pass. One whose files are wrong is tried again only when they change.",
    placeholder: "count",
  }),
  loadRetryIntervalMicros: setting(
    z
      .int()
      .min(0)
      .max(MAX_WAIT_SECONDS * 1e6)
      .default(60_000_000),
    {
      description: "Time before a version is tried again.",
      placeholder: "microseconds",
    },
  ),
  enableModelWarmup: setting(z.boolean().default(true), {
    description:
      "Before a version is available, run the requests recorded in its assets.extra/tf_serving_warmup_requests through each session, or zeros where it has none.",
  }),
  numRequestIterationsForWarmup: setting(z.int().min(0).default(0), {
    description: "How often each recorded request runs; 0 is once.",
    placeholder: "count",
  }),
};

export type ModelSettings = Config<typeof modelSettings>;

/** Name in TensorFlow Serving's image when MODEL_NAME is not set. */
const IMAGE_MODEL_NAME = "model";

/**
 * Which model is served without a configuration file, and from which folder.
 *
 * @throws {UsageError} when neither --model-base-path nor MODEL_BASE_PATH is given.
 */
export function locateModel({ modelName, modelBasePath, modelParentPath }: ModelSettings): {
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
    "--model-base-path was missing, expected the folder that holds the model's versions (or MODEL_BASE_PATH, its parent, or --model-config-file)",
  ]);
}

export interface ConfiguredModels {
  readonly models: readonly ModelConfig[];
  /** Text of the configuration file; undefined without one. */
  readonly text: string | undefined;
}

/**
 * The models that the settings name.
 *
 * @throws {UsageError} when there are none, or the configuration file cannot be read; it names line and column.
 */
export async function configuredModels(
  settings: ModelSettings,
  warn: ConfigWarning,
): Promise<ConfiguredModels> {
  const { modelConfigFile } = settings;
  if (modelConfigFile === undefined) {
    const { name, basePath } = locateModel(settings);
    return { models: [singleModel(name, basePath)], text: undefined };
  }
  try {
    const text = await readFile(modelConfigFile, "utf8");
    return { models: modelsFromText(text, modelConfigFile, warn), text };
  } catch (error) {
    const isSystemError = error instanceof Error && "code" in error && "syscall" in error;
    const isKnown = error instanceof TextProtoError || error instanceof ServeError || isSystemError;
    if (!isKnown) throw error;
    throw new UsageError([`--model-config-file: ${error.message}`], { cause: error });
  }
}
