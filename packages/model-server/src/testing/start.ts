/** Starts a whole model server on free ports for a test. */
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { GrpcChannel } from "@vitrine/protocol/grpc/channel";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";
import { serveSettings } from "../config.js";
import { type ModelServer, startModelServer } from "../main.js";

const FIXTURES = new URL("../../fixtures/", import.meta.url);

/** The real worker is loaded from dist: Node 20 cannot load TypeScript in a worker. */
export const REAL_WORKER: URL = new URL("../../dist/engine/session-worker.js", import.meta.url);
export const SCRIPTED_WORKER: URL = new URL("scripted-worker.js", FIXTURES);

export function fixture(name: string): string {
  return fileURLToPath(new URL(name, FIXTURES));
}

export interface StartedServer {
  readonly server: ModelServer;
  readonly channel: GrpcChannel;
  /** `http://127.0.0.1:PORT` of REST. */
  readonly rest: string;
  /** Lines of the log so far. */
  logLines(): Record<string, unknown>[];
  stop(): Promise<void>;
}

/** @param flags by key of the settings, as texts. */
export async function startServer(
  modelFolder: string,
  flags: Record<string, string> = {},
  parts: { workerUrl?: URL; signal?: AbortSignal } = {},
): Promise<StartedServer> {
  const defaults = {
    host: "127.0.0.1",
    port: "auto",
    restApiPort: "auto",
    workers: "1",
    fileSystemPollWaitSeconds: "0",
  };
  const { config } = resolveSettings(serveSettings, {
    flags: { ...defaults, modelBasePath: modelFolder, ...flags },
    env: {},
  });
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const server = await startModelServer(config, {
    logger: createLogger({ name: "model-server", level: "info", stream }),
    metrics: createMetrics("model-server", "test"),
    workerUrl: REAL_WORKER,
    ...parts,
  });
  const channel = new GrpcChannel("127.0.0.1", server.grpcPort ?? 0);
  return {
    server,
    channel,
    rest: `http://127.0.0.1:${server.restPort}`,
    logLines: () =>
      Buffer.concat(chunks)
        .toString("utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line): Record<string, unknown> => JSON.parse(line)),
    stop: async () => {
      channel.close();
      await server.drain(0);
    },
  };
}
