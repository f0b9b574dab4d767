/** A version's files to a servable: opens them, reads the contract, starts the sessions and warms them. */
import { readContract } from "@vitrine/protocol/contract";
import type { Logger } from "@vitrine/runtime/logger";
import type { BatchingRules } from "../engine/batching.js";
import type { Engine } from "../engine/engine.js";
import type { SessionMetadata, SessionModel } from "../engine/worker-messages.js";
import { Servable } from "../servable.js";
import { type Signatures, signaturesOf } from "../signature.js";
import { warmUpJobs } from "../warm-up/warm-up.js";
import { readWarmUpFile } from "../warm-up/warm-up-file.js";
import { recordedRuns } from "../warm-up/warm-up-requests.js";
import type { LoadOptions } from "./model-versions.js";
import { openSavedModelFolder } from "./saved-model.js";
import type { ModelFiles } from "./version-folders.js";

/** Most rows of the second warm-up run, where requests are joined. */
const WARM_UP_ROWS = 8;

export interface VersionLoaderOptions {
  readonly engine: Engine;
  readonly batching: BatchingRules;
  readonly logger: Logger;
  readonly warmsUp: boolean;
  /** How often each recorded warm-up request runs. */
  readonly warmUpIterations: number;
  /** Tag set of SavedModels. */
  readonly savedModelTags: readonly string[];
  /** Where converted SavedModels are kept. */
  readonly modelCacheFolder: string | undefined;
}

interface OpenedModel {
  readonly model: SessionModel;
  signatures(graph: SessionMetadata): Signatures;
}

/** @returns what loads one version. @throws (it) {ServeError} MODEL_INVALID, MODEL_UNSUPPORTED, WORKER_LOST. */
export function createVersionLoader(options: VersionLoaderOptions): LoadOptions["load"] {
  const { engine, batching, logger, warmsUp, warmUpIterations } = options;
  return async ({ name }, { version, folder, files }, broken, signal) => {
    const startedAt = performance.now();
    const contract = await readContract(folder);
    const joining = await batching.of(folder, contract !== undefined);
    const requests = warmsUp ? await readWarmUpFile(folder) : [];
    const opened = await openModel(files, options, signal);
    const openMs = Math.round(performance.now() - startedAt);
    const warmUpRows = [1, Math.min(joining.maxBatchSize ?? 1, WARM_UP_ROWS)];
    const sessions = await engine.load({
      name,
      version,
      folder,
      model: opened.model,
      batching: joining,
      warmUp: (graph) => {
        if (!warmsUp) return [];
        if (requests.length > 0) {
          return recordedRuns(requests, opened.signatures(graph), graph, warmUpIterations);
        }
        return warmUpJobs(graph, warmUpRows, contract).map((job) => ({ job, required: false }));
      },
      signal,
      broken,
    });
    const loadMs = Math.round(performance.now() - startedAt);
    logger.info(
      {
        model: name,
        version,
        openMs,
        loadMs,
        ...(requests.length > 0 ? { warmUpRequests: requests.length } : {}),
        contract: contract?.digest,
      },
      "model is loaded and warm",
    );
    return new Servable({ version, signatures: opened.signatures(sessions.graph), contract, sessions });
  };
}

async function openModel(
  files: ModelFiles,
  { savedModelTags, modelCacheFolder }: VersionLoaderOptions,
  signal: AbortSignal,
): Promise<OpenedModel> {
  if (files.kind === "onnx") return { model: { file: files.file }, signatures: signaturesOf };
  return openSavedModelFolder(files.folder, {
    tags: savedModelTags,
    cacheFolder: modelCacheFolder,
    signal,
  });
}
