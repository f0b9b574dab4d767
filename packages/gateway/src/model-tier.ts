/** The gateway's side of the model tier: its servers, how they are spoken to, and by which protocol. */
import { readFile } from "node:fs/promises";
import type { LookupAddresses } from "@vitrine/protocol/grpc/address-watch";
import { BalancedChannel } from "@vitrine/protocol/grpc/balanced-channel";
import type { ClientTls } from "@vitrine/protocol/grpc/channel";
import type { Logger } from "@vitrine/runtime/logger";
import { UsageError } from "@vitrine/runtime/settings";
import { Counter, Gauge, type Registry } from "prom-client";
import type { GatewayConfig } from "./config.js";
import { createOpenInferenceClient } from "./open-inference-client.js";
import { createPredictionClient, type PredictionClient } from "./prediction-client.js";

export interface ModelTier {
  readonly client: PredictionClient;
  close(): void;
}

/** A tier that is away costs a request no longer than this, and half-dead connections are noticed. */
const CONNECT_TIMEOUT_MS = 2000;

export interface ModelTierParts {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly lookup?: LookupAddresses;
}

/** @throws {UsageError} when a certificate's file cannot be read. */
export async function openModelTier(
  config: GatewayConfig,
  { logger, registry, lookup }: ModelTierParts,
): Promise<ModelTier> {
  const { modelName, modelVersionLabel: versionLabel, signatureName, engine } = config;
  if (versionLabel !== undefined && engine === "open-inference") {
    throw new UsageError([
      "--model-version-label was given, expected --engine tf-serving: Open Inference knows no labels",
    ]);
  }
  const tls = await clientTlsOf(config);
  // Until then servers may just be starting, and that one cannot be reached is no cause for concern.
  let hasAnswered = false;
  const registers = [registry];
  const retries = new Counter({
    name: "vitrine_gateway_model_tier_retries_total",
    help: "Calls made once more on another model server after UNAVAILABLE",
    registers,
  });
  const hedges = new Counter({
    name: "vitrine_gateway_model_tier_hedges_total",
    help: "Calls made a second time because the first was slow",
    registers,
  });
  const channel = new BalancedChannel({
    targets: config.tfServingHost,
    resolveMs: config.resolveMs,
    hedgeAfterMs: config.hedgeAfterMs,
    ...(lookup === undefined ? {} : { lookup }),
    channel: { connectTimeoutMs: CONNECT_TIMEOUT_MS, ...(tls === undefined ? {} : { tls }) },
    observer: {
      endpointsChanged: (addresses) =>
        logger.info({ servers: addresses.map(({ address, port }) => `${address}:${port}`) }, "model servers"),
      endpointMoved: ({ address, port }, isOut) =>
        logger[hasAnswered ? "warn" : "debug"](
          { server: `${address}:${port}` },
          isOut ? "model server is out of turn" : "model server is back",
        ),
      lookupFailed: (host, err) => logger.warn({ host, err }, "model tier's name could not be looked up"),
      retried: () => retries.inc(),
      hedged: () => hedges.inc(),
    },
  });
  new Gauge({
    name: "vitrine_gateway_model_servers",
    help: "Model servers known, by state: ready, or out of turn after a failure",
    labelNames: ["state"],
    registers,
    collect() {
      for (const [state, count] of Object.entries(channel.endpoints)) this.set({ state }, count);
    },
  });
  const create = engine === "open-inference" ? createOpenInferenceClient : createPredictionClient;
  const client = create({ channel, modelName, versionLabel, signatureName });
  return {
    client: {
      ...client,
      async describe(context, version) {
        const description = await client.describe(context, version);
        hasAnswered = true;
        return description;
      },
    },
    close: () => channel.close(),
  };
}

async function clientTlsOf(config: GatewayConfig): Promise<ClientTls | undefined> {
  const { tfServingTls, tfServingCa, tfServingCert, tfServingKey, tfServingServerName } = config;
  const files = { authority: tfServingCa, cert: tfServingCert, key: tfServingKey };
  const asked = tfServingTls || tfServingServerName !== undefined || Object.values(files).some(Boolean);
  if (!asked) return undefined;
  if ((tfServingCert === undefined) !== (tfServingKey === undefined)) {
    throw new UsageError([
      "--tf-serving-cert and --tf-serving-key were not both given, expected both or neither",
    ]);
  }
  const [authority, cert, key] = await Promise.all([
    readPem("--tf-serving-ca", tfServingCa),
    readPem("--tf-serving-cert", tfServingCert),
    readPem("--tf-serving-key", tfServingKey),
  ]);
  return { authority, cert, key, serverName: tfServingServerName };
}

async function readPem(flag: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new UsageError([`${flag} was ${file}, which could not be read (${code}), expected a PEM file`]);
  }
}
