/** Composition root of the model tier: config to parts, load, listen, drain. */
import { readContract } from "@vitrine/protocol/contract";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import type { ServeError } from "@vitrine/protocol/status";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import type { Metrics } from "@vitrine/runtime/metrics";
import { watchSilentConnections } from "@vitrine/runtime/silent-connections";
import type { FastifyInstance } from "fastify";
import { Batcher } from "./batcher.js";
import { batchingOf, locateModel, type ServeConfig } from "./config.js";
import { availableCores, shareCores } from "./cores.js";
import { collectGarbageLater } from "./garbage.js";
import { Health } from "./health.js";
import { ModelRegistry } from "./model-registry.js";
import { addPredictionServices } from "./prediction-service.js";
import { RequestLog } from "./request-log.js";
import { createRestApp } from "./rest.js";
import { PoolTarget, type PredictInput, Servable } from "./servable.js";
import { createServerMetrics, type ServerGauges, type ServerMetrics } from "./server-metrics.js";
import { SessionPool } from "./session-pool.js";
import { signaturesOf } from "./signature.js";
import type { TensorMap } from "./tensor-batch.js";
import { findLatestVersion, type VersionFolder } from "./version-folders.js";
import { warmUpJobs } from "./warm-up.js";

const WORKER_URL = new URL("./session-worker.js", import.meta.url);

/** So many deaths of workers in a minute without an answered run between end the process. */
const CRASH_LIMIT = 5;
const CRASH_WINDOW_MS = 60_000;
const RESTART_DELAY_MS = 100;

/** Most rows of the second warm-up run, where requests are joined. */
const WARM_UP_ROWS = 8;

export interface ModelServerParts {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborts a start that is still loading. */
  readonly signal?: AbortSignal;
  /** Another session worker; tests break theirs on purpose. */
  readonly workerUrl?: URL;
}

export interface ModelServer extends Tier {
  /** Undefined when it is off. */
  readonly grpcPort: number | undefined;
  readonly restPort: number | undefined;
}

/**
 * Loads the model, then opens the ports, as TensorFlow Serving does: who can connect is answered.
 *
 * @throws {ServeError} MODEL_INVALID, WORKER_LOST when the model does not load; {@link UsageError} for settings
 *   that do not fit together; the system's error when a port is taken.
 */
export async function startModelServer(
  config: ServeConfig,
  { logger, metrics, signal, workerUrl = WORKER_URL }: ModelServerParts,
): Promise<ModelServer> {
  collectGarbageLater();
  const { name, basePath } = locateModel(config);
  const registry = new ModelRegistry();
  const health = new Health(registry);
  let gauges: ServerGauges | undefined;
  const serverMetrics = createServerMetrics(metrics.registry, () => gauges);
  const log = new RequestLog(logger, serverMetrics);

  const failed = deferredFailure();
  const source = await findLatestVersion(basePath);
  await registry.replace(name, source.version, async () => {
    const loaded = await loadServable(source, config, {
      logger,
      serverMetrics,
      workerUrl,
      signal,
      broken: (error) => {
        registry.fail(name, source.version, error);
        failed.reject(error);
      },
    });
    gauges = loaded.gauges;
    return loaded.servable;
  });

  const grpc = new GrpcServer({
    maxReceiveBytes: config.maxMessageBytes,
    onCallEnd: ({ path, error, durationMs }) => {
      // Handled calls have their line; what is left never reached its handler, or lost its caller after it.
      const method = path.slice(path.lastIndexOf("/") + 1);
      if (error !== undefined && !path.startsWith("/grpc.health.")) {
        log.recordUnhandled({ protocol: "grpc", method, requestId: undefined }, error, durationMs);
      }
    },
  });
  addPredictionServices(grpc, {
    registry,
    health,
    log,
    maxTensorBytes: config.maxMessageBytes,
    outputForm: config.enableSerializationAsTensorContent ? "content" : "values",
  });
  const rest = createRestApp({
    registry,
    health,
    log,
    metrics: metrics.registry,
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
    await registry.unloadAll();
    throw error;
  }
  logger.info({ model: name, version: source.version, ...ports }, "model is available");

  return {
    ...ports,
    addresses: addressesOf(config.host, ports),
    ready: Promise.resolve(),
    failed: failed.promise,
    async drain(graceMs) {
      health.drain();
      const grace = setTimeout(() => rest.server.closeAllConnections(), graceMs);
      const closed = Promise.all([grpc.drain(graceMs), rest.close()]);
      endSilentConnections();
      await closed;
      clearTimeout(grace);
      await registry.unloadAll();
      metrics.close();
    },
  };
}

interface LoadParts {
  readonly logger: Logger;
  readonly serverMetrics: ServerMetrics;
  readonly workerUrl: URL;
  readonly signal: AbortSignal | undefined;
  broken(error: ServeError): void;
}

async function loadServable(
  { version, folder, modelFile }: VersionFolder,
  config: ServeConfig,
  { logger, serverMetrics, workerUrl, signal, broken }: LoadParts,
): Promise<{ servable: Servable; gauges: ServerGauges }> {
  const contract = await readContract(folder);
  const cores = await availableCores();
  const { workers, intraOpThreads } = shareCores(cores, config);
  if (workers * intraOpThreads > cores) {
    logger.warn({ workers, intraOpThreads, cores }, "more threads than cores: they will wait for each other");
  }
  const batching = batchingOf(config, contract !== undefined);
  const warmUpRows = [1, Math.min(batching.maxBatchSize ?? 1, WARM_UP_ROWS)];
  const startedAt = performance.now();
  const pool = new SessionPool(
    {
      workerUrl,
      worker: { modelFile, intraOpThreads },
      workers,
      warmUp: (metadata) => (config.enableModelWarmup ? warmUpJobs(metadata, warmUpRows) : []),
      crashLimit: CRASH_LIMIT,
      crashWindowMs: CRASH_WINDOW_MS,
      restartDelayMs: RESTART_DELAY_MS,
    },
    {
      idle: () => batcher?.wake(),
      workerDied: (err, restartInMs) => {
        serverMetrics.workerDied();
        logger.error({ err, restartInMs }, "a session worker died and will be replaced");
      },
      warmUpFailed: (error) => logger.warn({ error }, "a warm-up run on zeros was refused"),
      broken: (error) => {
        batcher?.fail(error);
        broken(error);
      },
    },
  );
  let batcher: Batcher<PredictInput, TensorMap> | undefined;
  signal?.throwIfAborted();
  const abort = () => void pool.close();
  signal?.addEventListener("abort", abort, { once: true });
  const metadata = await pool.start();
  signal?.removeEventListener("abort", abort);

  const signatures = signaturesOf(metadata);
  batcher = new Batcher(
    new PoolTarget(pool, metadata),
    {
      ...batching,
      batchTimeoutMicros: config.batchTimeoutMicros,
      maxEnqueuedBatches: config.maxEnqueuedBatches,
    },
    serverMetrics,
  );
  const loadMs = Math.round(performance.now() - startedAt);
  logger.info(
    { version, workers, intraOpThreads, loadMs, contract: contract?.digest },
    "model is loaded and warm",
  );
  const loadedBatcher = batcher;
  return {
    servable: new Servable({ version, signatures, contract, batcher, pool }),
    gauges: {
      get queueDepth() {
        return loadedBatcher.depth;
      },
      get busySessions() {
        return pool.busyWorkers;
      },
    },
  };
}

async function listen({ host, port, restApiPort }: ServeConfig, grpc: GrpcServer, rest: FastifyInstance) {
  const portOf = (setting: number | "auto") => (setting === "auto" ? 0 : setting);
  const grpcPort = port === 0 ? undefined : await grpc.listen({ host, port: portOf(port) });
  if (restApiPort === 0) return { grpcPort, restPort: undefined };
  await rest.listen({ host, port: portOf(restApiPort) });
  const bound = rest.server.address();
  return { grpcPort, restPort: typeof bound === "object" && bound !== null ? bound.port : undefined };
}

function addressesOf(
  host: string,
  { grpcPort, restPort }: { grpcPort: number | undefined; restPort: number | undefined },
): string[] {
  const authority = host.includes(":") ? `[${host}]` : host;
  return [
    ...(grpcPort === undefined ? [] : [`grpc://${authority}:${grpcPort}`]),
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
