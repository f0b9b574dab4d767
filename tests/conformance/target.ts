/** The server under test: ours, one per fixture model, or the one that VITRINE_CONFORMANCE_TARGET names. */
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { serveSettings } from "@vitrine/model-server/config";
import { type ModelServer, startModelServer } from "@vitrine/model-server/main";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";

const MODELS = fileURLToPath(new URL("../../packages/model-server/fixtures/", import.meta.url));

/** `host:port` of a server that serves every fixture model by its folder's name, such as TensorFlow Serving. */
const foreignTarget = process.env.VITRINE_CONFORMANCE_TARGET;

export interface Answer {
  /** gRPC's number; 0 is OK. */
  readonly code: number;
  readonly message: string;
  /** The response's bytes; empty unless it is OK. */
  readonly bytes: Uint8Array;
}

export class Targets {
  readonly #servers = new Map<string, Promise<ModelServer>>();
  readonly #clients = new Map<string, Client>();

  /** Sends raw request bytes through @grpc/grpc-js, an implementation that is not ours. */
  async call(model: string, path: string, request: Uint8Array): Promise<Answer> {
    const client = await this.#client(model);
    return new Promise((resolve) => {
      client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from(request),
        { deadline: Date.now() + 20_000 },
        (error, bytes) =>
          resolve({
            code: error?.code ?? 0,
            message: error?.details ?? "",
            bytes: bytes ?? new Uint8Array(0),
          }),
      );
    });
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    const servers = await Promise.all(this.#servers.values());
    await Promise.all(servers.map((server) => server.drain(1000)));
  }

  async #client(model: string): Promise<Client> {
    const address = foreignTarget ?? `127.0.0.1:${(await this.#server(model)).grpcPort}`;
    const client = this.#clients.get(address) ?? new Client(address, credentials.createInsecure());
    this.#clients.set(address, client);
    return client;
  }

  #server(model: string): Promise<ModelServer> {
    const server = this.#servers.get(model) ?? startFixture(model);
    this.#servers.set(model, server);
    return server;
  }
}

/** Serves one of the fixture models on a free port. */
export function startFixture(model: string): Promise<ModelServer> {
  const flags = {
    modelBasePath: MODELS + model,
    host: "127.0.0.1",
    port: "auto",
    restApiPort: "0",
    workers: "1",
  };
  const { config } = resolveSettings(serveSettings, { flags, env: {} });
  const logger = createLogger({ name: "model-server", level: "silent", stream: new PassThrough() });
  return startModelServer(config, { logger, metrics: createMetrics("model-server", "test") });
}
