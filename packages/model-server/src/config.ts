/** Settings of the model tier. Flags carry TensorFlow Serving's names where it has them. */
import path from "node:path";
import { drainGraceSetting } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { engineSettings } from "./engine-settings.js";

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
  ...engineSettings,
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
