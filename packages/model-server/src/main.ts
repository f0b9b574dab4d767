/** Composition root of the model tier: config to parts, load, listen, drain. */
import { setTimeout as delay } from "node:timers/promises";
import type { GrpcServer } from "@vitrine/protocol/grpc/server";
import { ServeError } from "@vitrine/protocol/status";
import { type AdminServer, startAdminServer } from "@vitrine/runtime/admin-server";
import { availableCores } from "@vitrine/runtime/cores";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import type { Metrics } from "@vitrine/runtime/metrics";
import { watchSilentConnections } from "@vitrine/runtime/silent-connections";
import type { FastifyInstance } from "fastify";
import type { ServeConfig } from "./config.js";
import { BatchingRules } from "./engine/batching.js";
import { Engine } from "./engine/engine.js";
import { engineSizes } from "./engine/engine-settings.js";
import { collectGarbageLater, collectGarbageNow } from "./garbage.js";
import { addClassifyService } from "./grpc/classify-service.js";
import { createGrpcFront } from "./grpc/grpc-front.js";
import { addPredictionServices } from "./grpc/prediction-service.js";
import { addReflection } from "./grpc/reflection.js";
import { addReloadService } from "./grpc/reload-service.js";
import { Health } from "./health.js";
import { addInferenceService } from "./inference/inference-grpc.js";
import { LoadSlots } from "./models/load-slots.js";
import { modelsFromMessage } from "./models/model-config.js";
import { ModelRegistry } from "./models/model-registry.js";
import { configuredModels } from "./models/model-settings.js";
import { keepLooking } from "./models/model-updates.js";
import { ServedModels } from "./models/served-models.js";
import { createVersionLoader } from "./models/version-loader.js";
import { RequestLog } from "./request-log.js";
import { createRestApp } from "./rest/rest.js";
import { createServerMetrics } from "./server-metrics.js";
import { readMonitoring } from "./watching.js";

const WORKER_URL = new URL("./engine/session-worker.js", import.meta.url);

/** A version's folder that nobody wrote to for so long is complete. */
const QUIET_MS = 2000;

export interface ModelServerParts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Of this software, for who asks. */
  readonly version?: string;
  /** Aborts a start that is still loading. */
  readonly signal?: AbortSignal;
  /** Another session worker; tests break theirs on purpose. */
  readonly workerUrl?: URL;
}

export interface ModelServer extends Tier {
  /** Undefined when it is off. */
  readonly grpcPort: number | undefined;
  readonly restPort: number | undefined;
  readonly adminPort: number | undefined;
}

/**
 * Opens the admin port, loads the models, then opens the other ports, as TensorFlow Serving does: who can connect is
 * answered.
 *
 * @throws {ServeError} MODEL_INVALID, WORKER_LOST when the model does not load; {@link UsageError} for settings
 *   that do not fit together; the system's error when a port is taken.
 */
export async function startModelServer(config: ServeConfig, parts: ModelServerParts): Promise<ModelServer> {
  collectGarbageLater();
  const registry = new ModelRegistry();
  const health = new Health(registry);
  const { host, adminPort } = config;
  const admin =
    adminPort === 0
      ? undefined
      : await startAdminServer({
          host,
          port: portOf(adminPort),
          registry: parts.metrics.registry,
          whyNotReady: () => health.whyNotReady,
        });
  if (admin !== undefined) parts.logger.info({ adminPort: admin.port }, "admin port is open");
  try {
    return await startBehind(admin, { registry, health }, config, parts);
  } catch (error) {
    await admin?.close();
    throw error;
  }
}

async function startBehind(
  admin: AdminServer | undefined,
  { registry, health }: { readonly registry: ModelRegistry; readonly health: Health },
  config: ServeConfig,
  { logger, metrics, version = "0.0.0", signal, workerUrl = WORKER_URL }: ModelServerParts,
): Promise<ModelServer> {
  const configured = await configuredModels(config, (message) => logger.warn(message));
  const batching = await BatchingRules.read(config);
  const cores = await availableCores();
  const sizes = engineSizes(config, cores, batching.threads);
  const { intraOpThreads } = sizes.session;
  if (sizes.slots * intraOpThreads > cores) {
    logger.warn(
      { workers: sizes.workers, intraOpThreads, cores },
      "more threads than cores: they will wait for each other",
    );
  }
  const { threadPoolName } = batching.threads;
  const monitoring = await readMonitoring(config, config.enableBatching ? threadPoolName : undefined);
  const serverMetrics = createServerMetrics(metrics.registry, monitoring?.metrics);
  const engine = new Engine({ workerUrl, ...sizes }, { logger, metrics: serverMetrics });
  const log = new RequestLog(logger, serverMetrics);
  const grpc = await createGrpcFront(config, logger, ({ path, error, durationMs }) => {
    // Handled calls have their line; what is left never reached its handler, or lost its caller after it.
    const method = path.slice(path.lastIndexOf("/") + 1);
    if (error !== undefined && !path.startsWith("/grpc.health.")) {
      log.recordUnhandled({ protocol: "grpc", method, requestId: undefined }, error, durationMs);
    }
  });

  const failed = deferredFailure();
  const looksAgain = config.fileSystemPollWaitSeconds > 0;
  const models = new ServedModels(
    registry,
    {
      load: createVersionLoader({
        engine,
        batching,
        logger,
        warmsUp: config.enableModelWarmup,
        warmUpIterations: Math.max(1, config.numRequestIterationsForWarmup),
        savedModelTags: config.savedModelTags,
        modelCacheFolder: config.modelCacheFolder,
      }),
      // While another model answers, the one that broke is tried again; alone, a new process is the better try.
      broke: (error) => {
        if (!registry.names.some((name) => registry.isAvailable(name))) failed.reject(error);
      },
      unloaded: collectGarbageNow,
      slots: new LoadSlots(Math.max(1, config.numLoadThreads)),
      maxLoadRetries: config.maxNumLoadRetries,
      loadRetryIntervalMs: config.loadRetryIntervalMicros / 1000,
      // Who looks once has to take what is there.
      quietMs: looksAgain ? QUIET_MS : Number.NEGATIVE_INFINITY,
      now: Date.now,
      modelFile: config.modelFile,
      allowLabelsForUnavailable: config.allowVersionLabelsForUnavailableModels,
      looksAgain,
    },
    logger,
  );
  const ending = new AbortController();
  const ended = signal === undefined ? ending.signal : AbortSignal.any([ending.signal, signal]);
  keepLooking(config, configured.text, models, logger, ended);
  try {
    await models.apply(configured.models, ended);
  } catch (error) {
    ending.abort(error);
    await models.close();
    throw error;
  }

  addPredictionServices(grpc, {
    registry,
    health,
    log,
    maxTensorBytes: config.maxMessageBytes,
    outputForm: config.enableSerializationAsTensorContent ? "content" : "values",
  });
  addReloadService(grpc, {
    log,
    reloadConfig: (list, caller) => models.apply(modelsFromMessage(list), caller),
  });
  addClassifyService(grpc, { registry, log });
  addInferenceService(grpc, { registry, health, log, version });
  addReflection(grpc);
  const rest = createRestApp({
    registry,
    health,
    log,
    metrics: metrics.registry,
    version,
    monitoring,
    bodyWorkerUrl: new URL("../rest/rest-body-worker.js", workerUrl),
    corsSupport: config.restApiEnableCorsSupport,
    maxBodyBytes: config.maxMessageBytes,
    timeoutMs: config.restApiTimeoutInMs,
  });

  const endSilentConnections = watchSilentConnections(rest.server);
  let ports: { readonly grpcPort: number | undefined; readonly restPort: number | undefined };
  try {
    ports = await listen(config, grpc, rest);
  } catch (error) {
    grpc.close();
    await rest.close();
    ending.abort(error);
    await models.close();
    throw error;
  }
  logger.info({ models: registry.names, ...ports }, "models are available");

  return {
    ...ports,
    adminPort: admin?.port,
    addresses: addressesOf(config, ports),
    ready: Promise.resolve(),
    failed: failed.promise,
    async drain(graceMs) {
      ending.abort(new ServeError("DRAINING", "the server is draining"));
      health.drain();
      // Whoever asks hears that the server is not ready, and may still send for a while.
      if (config.drainWaitMs > 0) await delay(config.drainWaitMs);
      const grace = setTimeout(() => rest.server.closeAllConnections(), graceMs);
      const closed = Promise.all([grpc.drain(graceMs), rest.close()]);
      endSilentConnections();
      await closed;
      clearTimeout(grace);
      await models.close();
      await admin?.close();
      metrics.close();
    },
  };
}

async function listen(
  { host, port, grpcSocketPath, restApiPort }: ServeConfig,
  grpc: GrpcServer,
  rest: FastifyInstance,
) {
  if (grpcSocketPath !== undefined) await grpc.listen({ path: grpcSocketPath });
  const grpcPort = port === 0 ? undefined : await grpc.listen({ host, port: portOf(port) });
  if (restApiPort === 0) return { grpcPort, restPort: undefined };
  await rest.listen({ host, port: portOf(restApiPort) });
  const bound = rest.server.address();
  return { grpcPort, restPort: typeof bound === "object" && bound !== null ? bound.port : undefined };
}

function portOf(setting: number | "auto"): number {
  return setting === "auto" ? 0 : setting;
}

function addressesOf(
  { host, grpcSocketPath }: ServeConfig,
  { grpcPort, restPort }: { grpcPort: number | undefined; restPort: number | undefined },
): string[] {
  const authority = host.includes(":") ? `[${host}]` : host;
  return [
    ...(grpcPort === undefined ? [] : [`grpc://${authority}:${grpcPort}`]),
    ...(grpcSocketPath === undefined ? [] : [`unix:${grpcSocketPath}`]),
    ...(restPort === undefined ? [] : [`http://${authority}:${restPort}`]),
  ];
}

/** A promise that only rejects; unheard it is no unhandled rejection. */
function deferredFailure(): { readonly promise: Promise<never>; reject(error: ServeError): void } {
  let reject: (error: ServeError) => void = () => {};
  const promise = new Promise<never>((_, rejectPromise) => {
    reject = rejectPromise;
  });
  promise.catch(() => {});
  return { promise, reject };
}
