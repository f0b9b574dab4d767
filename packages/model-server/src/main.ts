/** Composition root of the model tier: config to parts, load, listen, drain. */
import { readContract } from "@vitrine/protocol/contract";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import type { ServeError } from "@vitrine/protocol/status";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import type { Metrics } from "@vitrine/runtime/metrics";
import { watchSilentConnections } from "@vitrine/runtime/silent-connections";
import type { FastifyInstance } from "fastify";
import { BatchingRules } from "./batching.js";
import { locateModel, type ServeConfig } from "./config.js";
import { availableCores } from "./cores.js";
import { Engine } from "./engine.js";
import { engineSizes } from "./engine-settings.js";
import { collectGarbageLater } from "./garbage.js";
import { Health } from "./health.js";
import { ModelRegistry } from "./model-registry.js";
import { addPredictionServices } from "./prediction-service.js";
import { RequestLog } from "./request-log.js";
import { createRestApp } from "./rest.js";
import { Servable } from "./servable.js";
import { createServerMetrics } from "./server-metrics.js";
import { signaturesOf } from "./signature.js";
import { findLatestVersion, type VersionFolder } from "./version-folders.js";
import { warmUpJobs } from "./warm-up.js";

const WORKER_URL = new URL("./session-worker.js", import.meta.url);

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
  const serverMetrics = createServerMetrics(metrics.registry, undefined);
  const engine = new Engine({ workerUrl, ...sizes }, { logger, metrics: serverMetrics });
  const log = new RequestLog(logger, serverMetrics);

  const failed = deferredFailure();
  const source = await findLatestVersion(basePath);
  await registry.replace(name, source.version, async () => {
    return loadServable(name, source, {
      engine,
      batching,
      logger,
      warmsUp: config.enableModelWarmup,
      signal,
      broken: (error) => {
        registry.fail(name, source.version, error);
        failed.reject(error);
      },
    });
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
  readonly engine: Engine;
  readonly batching: BatchingRules;
  readonly logger: Logger;
  readonly warmsUp: boolean;
  readonly signal: AbortSignal | undefined;
  broken(error: ServeError): void;
}

async function loadServable(
  name: string,
  { version, folder, modelFile }: VersionFolder,
  { engine, batching, logger, warmsUp, signal, broken }: LoadParts,
): Promise<Servable> {
  const contract = await readContract(folder);
  const joining = await batching.of(folder, contract !== undefined);
  const warmUpRows = [1, Math.min(joining.maxBatchSize ?? 1, WARM_UP_ROWS)];
  const startedAt = performance.now();
  const sessions = await engine.load({
    name,
    version,
    model: { file: modelFile },
    batching: joining,
    warmUp: (graph) =>
      warmsUp ? warmUpJobs(graph, warmUpRows).map((job) => ({ job, required: false })) : [],
    signal,
    broken,
  });
  const loadMs = Math.round(performance.now() - startedAt);
  logger.info({ version, loadMs, contract: contract?.digest }, "model is loaded and warm");
  return new Servable({ version, signatures: signaturesOf(sessions.graph), contract, sessions });
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
