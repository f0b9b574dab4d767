/** Starts the scaler. */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { GrpcServer } from "@vitrine/protocol/grpc/server";
import type { ServerTls } from "@vitrine/protocol/grpc/tls";
import { startAdminServer } from "@vitrine/runtime/admin-server";
import type { Tier } from "@vitrine/runtime/lifecycle";
import type { Logger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { UsageError } from "@vitrine/runtime/settings";
import { Counter } from "prom-client";
import type { ScalerConfig } from "./config.js";
import { startExternalMetrics } from "./external-metrics.js";
import { addExternalScaler } from "./external-scaler.js";
import { createWorkCounter, type WorkCounterOptions } from "./waiting-work.js";

export interface ScalerParts {
  readonly logger: Logger;
  readonly version: string;
  /** Of Service names; the system's by default. */
  readonly lookup?: WorkCounterOptions["lookup"];
}

export interface Scaler extends Tier {
  readonly port: number;
  readonly grpcPort: number;
  readonly adminPort: number;
}

/**
 * Opens the three ports.
 *
 * @throws {UsageError} for one TLS file without the other; the system's error when it cannot listen or read.
 */
export async function startScaler(config: ScalerConfig, parts: ScalerParts): Promise<Scaler> {
  const { logger, version, lookup } = parts;
  const { host, clusterDomain, scrapeTimeoutMs: timeoutMs } = config;
  const tls = await tlsOf(config);
  const { registry, close: closeMetrics } = createMetrics("scaler", version);
  const failures = new Counter({
    name: "vitrine_scaler_failed_scrapes_total",
    help: "Pods that were asked for their waiting work and did not say",
    registers: [registry],
  });
  const countWork = createWorkCounter({
    clusterDomain,
    timeoutMs,
    failures,
    failed: (address, error) => logger.warn({ err: error, address }, "a pod did not say what waits"),
    ...(lookup === undefined ? {} : { lookup }),
  });
  let isDraining = false;
  const whyNotReady = () => (isDraining ? "the scaler is about to end" : undefined);
  const admin = await startAdminServer({ host, port: config.adminPort, registry, whyNotReady });
  const grpc = new GrpcServer();
  addExternalScaler(grpc, countWork);
  const grpcPort = await grpc.listen({ host, port: config.grpcPort });
  const api = await startExternalMetrics({ host, port: config.port, tls, countWork, logger });
  return {
    port: api.port,
    grpcPort,
    adminPort: admin.port,
    addresses: [`https://${host}:${api.port}`, `${host}:${grpcPort}`, `http://${host}:${admin.port}`],
    ready: Promise.resolve(),
    async drain(graceMs) {
      isDraining = true;
      if (config.drainWaitMs > 0) await delay(config.drainWaitMs);
      await Promise.all([api.close(), grpc.drain(graceMs)]);
      await admin.close();
      closeMetrics();
    },
  };
}

async function tlsOf({ tlsCertFile, tlsKeyFile }: ScalerConfig): Promise<ServerTls> {
  if (tlsCertFile !== undefined && tlsKeyFile !== undefined) {
    return { cert: await readFile(tlsCertFile, "utf8"), key: await readFile(tlsKeyFile, "utf8") };
  }
  if (tlsCertFile === undefined && tlsKeyFile === undefined) {
    const { makeCertificate } = await import("./certificate.js");
    return await makeCertificate();
  }
  throw new UsageError(["--tls-cert-file and --tls-key-file go together: give both or neither"]);
}
