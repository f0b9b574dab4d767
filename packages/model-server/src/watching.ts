/** How a model server is watched: its settings, the admin port, and TensorFlow Serving's metrics page. */
import { readFile } from "node:fs/promises";
import { drainGraceSetting, drainWaitSetting } from "@vitrine/runtime/lifecycle";
import { logLevelSetting } from "@vitrine/runtime/logger";
import { type Config, setting, UsageError } from "@vitrine/runtime/settings";
import { z } from "zod";
import { monitoringConfigSchema } from "./server-config-files.js";
import { createTensorFlowMetrics, type TensorFlowMetrics } from "./tensorflow-metrics.js";
import { parseTextProto } from "./text-proto/text-proto-schema.js";

export const watchSettings = {
  adminPort: setting(z.union([z.int().min(0).max(65535), z.literal("auto")]).default(0), {
    description:
      "Port for /livez, /readyz and /metrics that is open from the start, while models still load (REST has them once they are loaded); `auto` picks a free one, 0 turns it off.",
    placeholder: "port",
  }),
  monitoringConfigFile: setting(z.string().min(1).optional(), {
    description:
      "TensorFlow Serving's MonitoringConfig in text form: `prometheus_config { enable: true }` serves its metrics, under its names, on the REST port.",
    placeholder: "file",
  }),
  drainWaitMs: drainWaitSetting,
  drainGraceMs: drainGraceSetting,
  logLevel: logLevelSetting,
};

/** TensorFlow Serving's metrics and where they are served. */
export interface MonitoringPage {
  readonly path: string;
  readonly metrics: TensorFlowMetrics;
}

const DEFAULT_PATH = "/monitoring/prometheus/metrics";

/**
 * @param threadPoolName of batches; undefined = batching is off.
 * @returns undefined when nobody asked for the page.
 * @throws {UsageError} when the file is not valid.
 */
export async function readMonitoring(
  { monitoringConfigFile: file }: Config<typeof watchSettings>,
  threadPoolName: string | undefined,
): Promise<MonitoringPage | undefined> {
  if (file === undefined) return undefined;
  const problem = (cause: unknown) =>
    new UsageError([`--monitoring_config_file: ${cause instanceof Error ? cause.message : cause}`], {
      cause,
    });
  try {
    const { prometheus_config } = parseTextProto(monitoringConfigSchema, await readFile(file, "utf8"), file);
    if (prometheus_config?.enable !== true) return undefined;
    const path = prometheus_config.path ?? DEFAULT_PATH;
    if (!path.startsWith("/")) throw new Error(`path was ${path}, expected one that begins with /`);
    return { path, metrics: createTensorFlowMetrics({ threadPoolName }) };
  } catch (error) {
    throw problem(error);
  }
}
