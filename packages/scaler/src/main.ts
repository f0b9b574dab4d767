/** Starts the scaler. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import { startAdminServer } from "@vitrine/runtime/admin-server";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { UsageError } from "@vitrine/runtime/settings";
import { Counter } from "prom-client";
import { type ClusterAccess, followClusterTrust, POD_ACCESS } from "./cluster-trust.js";
import type { ScalerConfig } from "./config.js";
import { createExternalMetrics, type ExternalMetricsServer } from "./external-metrics.js";
import { addExternalScaler } from "./external-scaler.js";
import { followFiles } from "./followed-files.js";
import { checkTrust, type FrontProxyTrust } from "./front-proxy.js";
import { createWorkCounter, type WorkCounterOptions } from "./waiting-work.js";

export interface ScalerParts {
  readonly logger: Logger;
  readonly version: string;
  /** Of Service names; the system's by default. */
  readonly lookup?: WorkCounterOptions["lookup"];
  /** A pod's by default. */
  readonly cluster?: ClusterAccess;
}

export interface Scaler extends Tier {
  readonly port: number;
  readonly grpcPort: number;
  readonly adminPort: number;
}

/**
 * Opens the three ports. The HTTPS port answers nobody, and the scaler is not ready, until it is known how Kubernetes' API
 * server proves itself.
 *
 * @throws {UsageError} for settings that do not go together, or that only a pod may leave out; the system's error when it
 *   cannot listen or read.
 */
export async function startScaler(config: ScalerConfig, parts: ScalerParts): Promise<Scaler> {
  checkSettings(config);
  const namespaces = await namespacesOf(config, parts.cluster ?? POD_ACCESS);
  const opened: (() => void | Promise<void>)[] = [];
  try {
    return await open(config, parts, namespaces, opened);
  } catch (error) {
    // What is open would keep a process alive that has failed.
    for (const close of opened.reverse()) await close();
    throw error;
  }
}

async function open(
  config: ScalerConfig,
  parts: ScalerParts,
  namespaces: ReadonlySet<string>,
  opened: (() => void | Promise<void>)[],
): Promise<Scaler> {
  const { logger, version, lookup, cluster = POD_ACCESS } = parts;
  const { host, clusterDomain, scrapeTimeoutMs: timeoutMs } = config;
  const { registry, close: closeMetrics } = createMetrics("scaler", version);
  opened.push(closeMetrics);
  const failures = new Counter({
    name: "vitrine_scaler_failed_scrapes_total",
    help: "Pods that were asked for their waiting work and did not say",
    registers: [registry],
  });
  const countWork = createWorkCounter({
    namespaces,
    clusterDomain,
    timeoutMs,
    failures,
    failed: (address, error) => logger.warn({ err: error, address }, "a pod did not say what waits"),
    ...(lookup === undefined ? {} : { lookup }),
  });
  const api = createExternalMetrics({ countWork, logger });
  let isDraining = false;
  let trust: FrontProxyTrust | undefined;
  const trusting = (found: FrontProxyTrust) => {
    if (trust !== undefined && JSON.stringify(found) === JSON.stringify(trust)) return;
    api.renew({ trust: found });
    trust = found;
    logger.info({ allowedNames: found.allowedNames }, "it is known how the API server proves itself");
  };
  const certificate = await followCertificate(config, api, logger);
  opened.push(certificate.close);
  const trustWatch = await followTrust(config, cluster, trusting, logger);
  opened.push(trustWatch.close);
  const port = await api.listen({ host, port: config.port });
  opened.push(api.close);
  const grpc = new GrpcServer();
  addExternalScaler(grpc, countWork);
  const grpcPort = await grpc.listen({ host, port: config.grpcPort });
  opened.push(() => grpc.close());
  const whyNotReady = () =>
    isDraining
      ? "the scaler is about to end"
      : trust === undefined
        ? "it is not known yet how the API server proves itself"
        : undefined;
  const admin = await startAdminServer({ host, port: config.adminPort, registry, whyNotReady });
  return {
    port,
    grpcPort,
    adminPort: admin.port,
    addresses: [`https://${host}:${port}`, `${host}:${grpcPort}`, `http://${host}:${admin.port}`],
    ready: Promise.resolve(),
    async drain(graceMs) {
      isDraining = true;
      if (config.drainWaitMs > 0) await delay(config.drainWaitMs);
      certificate.close();
      await Promise.all([trustWatch.close(), api.close(), grpc.drain(graceMs)]);
      await admin.close();
      closeMetrics();
    },
  };
}

/** @throws {UsageError} */
function checkSettings({
  tlsCertFile,
  tlsKeyFile,
  requestheaderClientCaFile,
  requestheaderAllowedNames,
}: ScalerConfig): void {
  const problems: string[] = [];
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined)) {
    problems.push("--tls-cert-file and --tls-key-file go together: give both or neither");
  }
  if (requestheaderClientCaFile === undefined && requestheaderAllowedNames.length > 0) {
    problems.push(
      "--requestheader-allowed-names was given, expected --requestheader-client-ca-file beside it",
    );
  }
  if (problems.length > 0) throw new UsageError(problems);
}

/** @throws {UsageError} outside of a pod, for want of a setting. */
async function namespacesOf(
  { namespace, requestheaderClientCaFile }: ScalerConfig,
  { folder }: ClusterAccess,
): Promise<ReadonlySet<string>> {
  const own = await readFile(path.join(folder, "namespace"), "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (own !== undefined) return new Set(namespace.length > 0 ? namespace : [own.trim()]);
  const missing = [
    ...(namespace.length === 0 ? ["--namespace"] : []),
    ...(requestheaderClientCaFile === undefined ? ["--requestheader-client-ca-file"] : []),
  ];
  if (missing.length === 0) return new Set(namespace);
  const where = `expected it where there is no pod's account (${folder})`;
  throw new UsageError(missing.map((flag) => `${flag} was not given, ${where}`));
}

/** Takes the certificate of the settings, and each that replaces it; without settings one of its own. */
async function followCertificate(
  { tlsCertFile, tlsKeyFile }: ScalerConfig,
  api: ExternalMetricsServer,
  logger: Logger,
): Promise<{ close(): void }> {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) {
    const { makeCertificate } = await import("./certificate.js");
    api.renew({ tls: await makeCertificate() });
    return { close() {} };
  }
  return await followFiles([tlsCertFile, tlsKeyFile], {
    take([cert = "", key = ""]) {
      api.renew({ tls: { cert, key } });
      logger.info("the TLS certificate was read");
    },
    failed: (err) => logger.error({ err }, "the changed TLS certificate cannot be used; the old one stays"),
  });
}

async function followTrust(
  { requestheaderClientCaFile, requestheaderAllowedNames: allowedNames }: ScalerConfig,
  cluster: ClusterAccess,
  found: (trust: FrontProxyTrust) => void,
  logger: Logger,
): Promise<{ close(): void | Promise<void> }> {
  const failed = (err: unknown) =>
    logger.error({ err }, "it could not be learned how the API server proves itself; what was known stays");
  if (requestheaderClientCaFile === undefined) return followClusterTrust(cluster, { found, failed });
  return await followFiles([requestheaderClientCaFile], {
    take: ([clientAuthority = ""]) => found(checkTrust({ clientAuthority, allowedNames })),
    failed,
  });
}
