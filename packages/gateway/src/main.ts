/** Composition root of the gateway: config to parts to a listening server, and back down. */
import { setTimeout as delay } from "node:timers/promises";
import { readContract } from "@vitrine/protocol/contract";
import type { LookupAddresses } from "@vitrine/protocol/grpc/address-watch";
import { availableCores } from "@vitrine/runtime/cores";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { UsageError } from "@vitrine/runtime/settings";
import { watchSilentConnections } from "@vitrine/runtime/silent-connections";
import type { Registry } from "prom-client";
import { createAddressGuard } from "./address-guard.js";
import { openApiKeys } from "./api-keys.js";
import { type AppParts, createAdminApp, createApp } from "./app.js";
import { createClassify } from "./classify.js";
import type { GatewayConfig } from "./config.js";
import type { Feedback } from "./feedback/feedback-route.js";
import { type FeedbackStore, openFeedbackStore } from "./feedback/feedback-store.js";
import { createGiveFeedback, type GiveFeedbackParts } from "./feedback/give-feedback.js";
import { createFeedbackMetrics } from "./feedback/observe-feedback.js";
import { createImageSource, type ImageSource } from "./image-source.js";
import { type ContractSource, fitModel } from "./model-fit.js";
import { createModelLink } from "./model-link.js";
import { openModelTier } from "./model-tier.js";
import { createApproximateCounter, createRequestMetrics } from "./observe.js";
import { createPermits, type Permits } from "./permits.js";
import { createPictureCache, fetchEachTime } from "./picture-cache.js";
import { createPredictionCache, NO_PREDICTION_CACHE } from "./prediction-cache.js";
import { createPreprocessor } from "./preprocess.js";
import { passTraceOn } from "./request-trace.js";
import { createShowPicture } from "./show-picture.js";
import type { Traces } from "./traces.js";
import { isWebsite } from "./website.js";

export interface GatewayParts {
  readonly logger: Logger;
  /** Of the product; for metrics, /docs and the User-Agent. */
  readonly version: string;
  /** Script of the worker threads, where it is not beside this file: under vitest that is .ts, which they cannot load. */
  readonly preprocessWorkerUrl?: URL;
  /** Looks the model tier's names up; without it the system does. */
  readonly lookup?: LookupAddresses;
}

/** A gateway that listens. */
export interface Gateway extends Tier {
  readonly url: string;
  /** Undefined without `--admin-port`. */
  readonly adminUrl: string | undefined;
}

const DESCRIBE_TIMEOUT_MS = 2000;
const DESCRIBE_RETRY_MS = { first: 100, greatest: 2000 };
/** More threads than this want to be asked for: each may hold a decoded picture. */
const MOST_WORKERS_BY_DEFAULT = 8;
const FETCH_IDLE_TIMEOUT_MS = 5000;
const MAX_REDIRECTS = 5;
/** Bounds how long an answer outlives a model whose files were changed without a new version number. */
const MAX_ANSWER_AGE_MS = 5 * 60_000;

/**
 * Starts the gateway. It listens whether or not the model tier is there, and answers 503 until it is.
 *
 * @returns once the port is open; `ready` resolves when a picture can be answered.
 * @throws {UsageError} when `--contract` holds no contract; the system's error when it cannot listen.
 */
export async function startGateway(config: GatewayConfig, parts: GatewayParts): Promise<Gateway> {
  const closers: Closers = [];
  try {
    return await open(config, parts, closers);
  } catch (error) {
    // What is open would go on in a process that lives on, as that of `vitrine up` and of the tests.
    await closeAll(closers);
    throw error;
  }
}

/** Of the parts that are open, in the order to close them in. */
type Closers = (() => void | Promise<void>)[];

async function closeAll(closers: Closers): Promise<void> {
  for (const close of closers) await close();
}

async function open(config: GatewayConfig, parts: GatewayParts, closers: Closers): Promise<Gateway> {
  const { logger, version } = parts;
  const source = await contractSource(config);
  const apiKeys =
    config.apiKeysFile === undefined ? undefined : await openApiKeys(config.apiKeysFile, logger);
  if (apiKeys !== undefined) closers.push(apiKeys.close);
  const store = await openStore(config, logger);
  if (store !== undefined) closers.push(store.close);
  const metrics = createMetrics("gateway", version);
  closers.push(metrics.close);
  const permits = createPermits({ maxRequests: config.maxConcurrentRequests, maxBytes: config.maxHeldBytes });
  const tier = await openModelTier(config, { ...parts, registry: metrics.registry });
  const { client } = tier;
  const link = createModelLink({
    client,
    fit: (description) => fitModel(description, source),
    describeTimeoutMs: DESCRIBE_TIMEOUT_MS,
    retryMs: DESCRIBE_RETRY_MS,
    logger,
  });
  closers.push(link.close, tier.close);
  const images = createImageSource({
    guard: createAddressGuard({ allowedHosts: config.allowImageHost }),
    maxBytes: config.maxImageBytes,
    timeoutMs: config.fetchTimeoutMs,
    idleTimeoutMs: FETCH_IDLE_TIMEOUT_MS,
    maxRedirects: MAX_REDIRECTS,
    userAgent: `vitrine/${version}`,
  });
  closers.push(images.close);
  const preprocessor = createPreprocessor({
    workers: config.preprocessWorkers ?? Math.min(await availableCores(), MOST_WORKERS_BY_DEFAULT),
    maxPixels: config.maxImagePixels,
    maxAvifPixels: config.maxAvifPixels,
    workerUrl: parts.preprocessWorkerUrl ?? new URL("./preprocess-worker.js", import.meta.url),
    workerLost: (error) => logger.error({ err: error }, "preprocess worker lost"),
    approximated: createApproximateCounter(metrics.registry),
  });
  closers.push(preprocessor.close);
  if (config.website !== undefined && !isWebsite(config.website)) {
    logger.warn({ website: config.website }, "website was not built into this folder, / leads to /docs");
  }
  const traces = await tracesTo(config, parts);
  if (traces !== undefined) closers.push(traces.close);
  const { fetchPicture, cache } = createCaches(config.cacheBytes, images, permits);
  const { timeoutMs, explainOcclusion: maxPatches } = config;
  const story = { permits, preprocessor, link, fetchPicture, timeoutMs };
  let isDraining = false;
  const appParts: AppParts = {
    classify: createClassify({ ...story, client, cache, maxPatches }),
    showPicture: createShowPicture(story),
    feedback: feedbackInto(store, config, { ...story, logger, registry: metrics.registry }),
    link,
    limits: config,
    responseFormat: config.responseFormat,
    website: config.website,
    uploadTimeoutMs: config.uploadTimeoutMs,
    isDraining: () => isDraining,
    registry: metrics.registry,
    metrics: createRequestMetrics(metrics.registry, permits),
    beginTrace: traces?.begin ?? passTraceOn,
    access: { apiKeys, corsOrigins: config.corsOrigin, maxRequestsPerClient: config.maxRequestsPerClient },
    hostNames: {
      listensOn: config.host,
      allowedHosts: config.allowedHost,
      hasTrustedProxy: config.trustedProxy.length > 0,
    },
    trustedProxies: config.trustedProxy,
    hasAdminApp: config.adminPort !== undefined,
    logger,
    version,
  };
  const app = await createApp(appParts);
  const adminApp = config.adminPort === undefined ? undefined : createAdminApp(appParts);
  const servers = [app, ...(adminApp === undefined ? [] : [adminApp])];
  const endSilentConnections = servers.map(({ server }) => watchSilentConnections(server));

  let url: string;
  let adminUrl: string | undefined;
  try {
    url = await app.listen({ host: config.host, port: config.port });
    adminUrl = await adminApp?.listen({ host: config.host, port: config.adminPort ?? 0 });
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    throw error;
  }
  return {
    url,
    adminUrl,
    addresses: adminUrl === undefined ? [url] : [url, adminUrl],
    ready: link.ready,
    async drain(graceMs) {
      isDraining = true;
      if (config.drainWaitMs > 0) await delay(config.drainWaitMs);
      // Fastify waits for open requests, whose connections it then closes; those that stay are cut.
      const grace = setTimeout(() => {
        for (const { server } of servers) server.closeAllConnections();
      }, graceMs);
      const closed = Promise.all(servers.map((server) => server.close()));
      for (const end of endSilentConnections) end();
      await closed;
      clearTimeout(grace);
      await closeAll(closers);
    },
  };
}

async function openStore(
  { feedbackDir: folder, feedbackKeepDays: keepDays, feedbackMaxBytes: maxBytes }: GatewayConfig,
  logger: Logger,
): Promise<FeedbackStore | undefined> {
  return folder === undefined ? undefined : await openFeedbackStore({ folder, keepDays, maxBytes, logger });
}

function feedbackInto(
  store: FeedbackStore | undefined,
  { feedbackKeepDays: keepDays, maxImageBytes }: GatewayConfig,
  {
    registry,
    ...story
  }: Omit<GiveFeedbackParts, "store" | "maxImageBytes" | "counted"> & { readonly registry: Registry },
): Feedback | undefined {
  if (store === undefined) return undefined;
  const counted = createFeedbackMetrics(registry, store);
  const give = createGiveFeedback({ ...story, store, maxImageBytes, counted });
  return { give, store, keepDays, timeoutMs: story.timeoutMs };
}

/** OpenTelemetry's libraries are loaded only where there is a collector. */
async function tracesTo(
  { otlpEndpoint, traceSampleRatio: sampleRatio }: GatewayConfig,
  { logger, version }: GatewayParts,
): Promise<Traces | undefined> {
  if (otlpEndpoint === undefined) return undefined;
  const { startTraces } = await import("./traces.js");
  return startTraces({ endpoint: otlpEndpoint, sampleRatio, version, logger });
}

/** Half of the memory is for pictures behind URLs, half for answers. */
function createCaches(cacheBytes: number, images: ImageSource, permits: Permits) {
  if (cacheBytes === 0) return { fetchPicture: fetchEachTime(images), cache: NO_PREDICTION_CACHE };
  const maxBytes = Math.ceil(cacheBytes / 2);
  return {
    fetchPicture: createPictureCache({ images, permits, maxBytes }),
    cache: createPredictionCache({ maxBytes, maxAgeMs: MAX_ANSWER_AGE_MS }),
  };
}

async function contractSource(config: GatewayConfig): Promise<ContractSource> {
  const { preprocess, size, resample, orientation, labels, scoreKind } = config;
  const flags = { preprocess, size, resample, orientation, labels, scoreKind };
  if (config.contract === undefined) return { folderContract: undefined, flags };
  const folderContract = await readContract(config.contract);
  if (folderContract === undefined) {
    throw new UsageError([
      `--contract was ${config.contract}, expected a folder with config.json and preprocessor_config.json`,
    ]);
  }
  return { folderContract, flags };
}
