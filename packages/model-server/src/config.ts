/** Settings of the model tier. Flags carry TensorFlow Serving's names where it has them. */
import { type Config, setting } from "@vitrine/runtime/settings";
import { z } from "zod";
import { engineSettings } from "./engine/engine-settings.js";
import { wireSettings } from "./grpc/wire-settings.js";
import { modelSettings } from "./models/model-settings.js";
import { watchSettings } from "./watching.js";

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
  ...modelSettings,
  ...engineSettings,
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
  ...wireSettings,
  ...watchSettings,
};

export type ServeConfig = Config<typeof serveSettings>;
