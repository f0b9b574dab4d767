/** One version without a server around it: for tools that look into a model or try it. */

import type { Logger } from "@vitrine/runtime/logger";
import { Registry } from "prom-client";
import { BatchingRules } from "../engine/batching.js";
import { Engine } from "../engine/engine.js";
import { DEFAULT_SESSION_OPTIONS } from "../engine/worker-messages.js";
import type { Servable } from "../servable.js";
import { createServerMetrics } from "../server-metrics.js";
import { singleModel } from "./model-config.js";
import { findModel, listVersions } from "./version-folders.js";
import { createVersionLoader } from "./version-loader.js";
import type { VersionSource } from "./version-watch.js";

export interface SingleVersionOptions {
  readonly logger: Logger;
  readonly savedModelTags: readonly string[];
  readonly modelCacheFolder: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * The version in a folder: the folder itself when it holds a model, else the highest under it.
 *
 * @throws {ServeError} MODEL_INVALID when it cannot be read, or several files could be meant.
 */
export async function findVersion(
  folder: string,
  modelFile: string | undefined,
): Promise<VersionSource | undefined> {
  const files = await findModel(folder, modelFile);
  if (files !== undefined) return { version: 1, folder, files };
  const [latest] = [...(await listVersions(folder, modelFile))].sort(([a], [b]) => b - a);
  if (latest === undefined) return undefined;
  const [version, versionFolder] = latest;
  const found = await findModel(versionFolder, modelFile);
  return found === undefined ? undefined : { version, folder: versionFolder, files: found };
}

/** Loads a version with one session, and does not warm it. Unload the servable when done. @throws {ServeError} */
export async function loadSingleVersion(
  name: string,
  source: VersionSource,
  { logger, savedModelTags, modelCacheFolder, signal }: SingleVersionOptions,
): Promise<Servable> {
  const batching = await BatchingRules.read({
    enableBatching: false,
    batchingParametersFile: undefined,
    enablePerModelBatchingParameters: false,
    maxBatchSize: undefined,
    batchTimeoutMicros: undefined,
    maxEnqueuedBatches: undefined,
  });
  const engine = new Engine(
    {
      workerUrl: new URL("../engine/session-worker.js", import.meta.url),
      workers: 1,
      slots: 1,
      session: DEFAULT_SESSION_OPTIONS,
    },
    { logger, metrics: createServerMetrics(new Registry(), undefined) },
  );
  const load = createVersionLoader({
    engine,
    batching,
    logger,
    warmsUp: false,
    warmUpIterations: 1,
    savedModelTags,
    modelCacheFolder,
  });
  return load(singleModel(name, source.folder), source, () => {}, signal);
}
