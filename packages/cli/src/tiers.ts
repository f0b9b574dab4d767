/** Both tiers as child processes on this machine. */
import path from "node:path";
import { MODEL_SERVER_ENVIRONMENT, MODEL_SERVER_NODE_FLAGS } from "@vitrine/model-server/garbage";
import { logLineAsText } from "@vitrine/runtime/log-text";
import type { LogLevel } from "@vitrine/runtime/logger";
import type { Environment } from "@vitrine/runtime/settings";
import { VITRINE_PROGRAM } from "./shipped.js";
import { type SupervisedTier, superviseTier } from "./supervisor.js";

export interface TiersOptions {
  readonly modelBasePath: string;
  readonly modelName: string;
  readonly host: string;
  /** 0 takes a free port; it stays the same when the tier is restarted. */
  readonly port: number;
  readonly grpcPort: number;
  readonly restPort: number;
  readonly logLevel: LogLevel;
  readonly allowImageHosts: readonly string[];
  /** More flags of each tier, as its command takes them. */
  readonly gatewayFlags?: readonly string[];
  readonly modelServerFlags?: readonly string[];
  readonly env: Environment;
  /** Takes lines for a person: those of the tiers, each with its tier's name, and what happens to them. */
  readonly say: (line: string) => void;
}

export interface Tiers {
  /** Address of the gateway, once it can answer for the first time. */
  readonly ready: Promise<string>;
  /** Rejects with a TierLost when a tier is given up; never resolves. */
  readonly failed: Promise<never>;
  /** Address of the model server's REST, where its metrics are, once it listens. */
  readonly restUrl: Promise<string>;
  /** The process that is each tier at this moment; undefined while it is not there. */
  pids(): { readonly gateway: number | undefined; readonly modelServer: number | undefined };
  /** Drains the gateway, then the model server. */
  stop(graceMs: number): Promise<void>;
}

/** Starts both tiers. With a given gRPC port they start side by side, else the gateway waits for the real one. */
export function startTiers(options: TiersOptions): Tiers {
  const modelServer = superviseModelServer(options);
  let gateway: SupervisedTier | undefined;
  let stopped = false;

  const startGateway = async (): Promise<SupervisedTier> => {
    const grpcPort =
      options.grpcPort === 0 ? portOf((await modelServer.listening)[0] ?? "") : options.grpcPort;
    if (stopped) throw new Error("stopped before the gateway was started");
    gateway = superviseGateway(options, grpcPort);
    return gateway;
  };
  const gatewayStarted = startGateway();
  const failed = Promise.race([modelServer.failed, gatewayStarted.then((started) => started.failed)]);
  const restUrl = modelServer.listening.then(([, rest]) => rest ?? "");
  // Reported by whoever waits for them; a stop meanwhile is no failure.
  for (const promise of [failed, restUrl]) promise.catch(() => undefined);

  return {
    ready: Promise.race([gatewayStarted.then(async (started) => (await started.ready)[0] ?? ""), failed]),
    failed,
    restUrl,
    pids: () => ({ gateway: gateway?.pid(), modelServer: modelServer.pid() }),
    async stop(graceMs) {
      stopped = true;
      await gateway?.stop(graceMs);
      await modelServer.stop(graceMs);
    },
  };
}

function superviseModelServer(options: TiersOptions): SupervisedTier {
  return superviseTier({
    name: "model server",
    // Of two processes of one machine only one can take the admin port: the gateway, as this one has REST.
    env: { ...MODEL_SERVER_ENVIRONMENT, ...options.env, ADMIN_PORT: undefined },
    ...speaker("model server", options),
    commandLine: ([grpc, rest]) => [
      process.execPath,
      ...MODEL_SERVER_NODE_FLAGS,
      VITRINE_PROGRAM,
      "serve",
      `--model-base-path=${path.resolve(options.modelBasePath)}`,
      `--model-name=${options.modelName}`,
      `--host=${options.host}`,
      `--port=${grpc === undefined ? options.grpcPort || "auto" : portOf(grpc)}`,
      `--rest-api-port=${rest === undefined ? options.restPort || "auto" : portOf(rest)}`,
      `--log-level=${options.logLevel}`,
      ...(options.modelServerFlags ?? []),
    ],
  });
}

function superviseGateway(options: TiersOptions, grpcPort: number): SupervisedTier {
  return superviseTier({
    name: "gateway",
    env: options.env,
    ...speaker("gateway", options),
    commandLine: ([http]) => [
      process.execPath,
      VITRINE_PROGRAM,
      "gateway",
      `--tf-serving-host=${hostForClients(options.host)}:${grpcPort}`,
      `--model-name=${options.modelName}`,
      `--host=${options.host}`,
      `--port=${http === undefined ? options.port : portOf(http)}`,
      `--log-level=${options.logLevel}`,
      ...options.allowImageHosts.map((host) => `--allow-image-host=${host}`),
      ...(options.gatewayFlags ?? []),
    ],
  });
}

function speaker(name: string, { say }: TiersOptions) {
  return { say, onLine: (line: string) => say(`[${name}] ${logLineAsText(line)}`) };
}

function portOf(address: string): number {
  return Number(new URL(address).port);
}

/** An address that listens on all interfaces is reached on loopback. */
function hostForClients(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
