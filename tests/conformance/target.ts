/** The server under test: ours with the models of this folder, or the one that VITRINE_CONFORMANCE_TARGET names. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import { serveSettings } from "@vitrine/model-server/config";
import { type ModelServer, startModelServer } from "@vitrine/model-server/main";
import { createLogger } from "@vitrine/runtime/logger";
import { createMetrics } from "@vitrine/runtime/metrics";
import { resolveSettings } from "@vitrine/runtime/settings";

const MODELS = fileURLToPath(new URL("models/", import.meta.url));
const FIXTURES = fileURLToPath(new URL("../../packages/model-server/fixtures/", import.meta.url));

/** `HOST:GRPC_PORT,REST_PORT` of a server that serves models/ by models/models.config, such as TensorFlow Serving. */
const foreignTarget = process.env.VITRINE_CONFORMANCE_TARGET;

/** False when another server is under test: what only ours does is skipped then. */
export const isOurs = foreignTarget === undefined;

export interface Answer {
  /** gRPC's number; 0 is OK. */
  readonly code: number;
  readonly message: string;
  /** The response's bytes; empty unless it is OK. */
  readonly bytes: Uint8Array;
}

export class Target {
  /** `http://HOST:PORT` of REST. */
  readonly rest: string;
  readonly #client: Client;
  readonly #stop: () => Promise<void>;

  private constructor(grpc: string, rest: string, stop: () => Promise<void>) {
    this.rest = `http://${rest}`;
    this.#client = new Client(grpc, credentials.createInsecure());
    this.#stop = stop;
  }

  static async start(): Promise<Target> {
    if (foreignTarget !== undefined) {
      const [, host, grpcPort, restPort] = /^(.+):(\d+),(\d+)$/.exec(foreignTarget) ?? [];
      if (host === undefined) {
        throw new Error(`VITRINE_CONFORMANCE_TARGET was ${foreignTarget}, expected HOST:GRPC_PORT,REST_PORT`);
      }
      return new Target(`${host}:${grpcPort}`, `${host}:${restPort}`, async () => undefined);
    }
    const folder = mkdtempSync(path.join(tmpdir(), "vitrine-conformance-"));
    const modelConfigFile = path.join(folder, "models.config");
    const text = readFileSync(path.join(MODELS, "models.config"), "utf8");
    writeFileSync(modelConfigFile, text.replaceAll('"/models/', `"${MODELS}`));
    const server = await startWith({ modelConfigFile, modelCacheFolder: folder, restApiPort: "auto" });
    return new Target(`127.0.0.1:${server.grpcPort}`, `127.0.0.1:${server.restPort}`, async () => {
      await server.drain(1000);
      rmSync(folder, { recursive: true });
    });
  }

  /** Sends raw request bytes through @grpc/grpc-js, an implementation that is not ours. */
  async call(path: string, request: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
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

  /** Sends the requests on one bidirectional stream and returns all that came back. */
  async stream(path: string, requests: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const call = this.#client.makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      { deadline: Date.now() + 20_000 },
    );
    for (const request of requests) call.write(Buffer.from(request));
    call.end();
    return call.toArray();
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#stop();
  }
}

/** Serves one of the model server's own fixtures on a free port. */
export function startFixture(model: string): Promise<ModelServer> {
  return startWith({ modelBasePath: FIXTURES + model, restApiPort: "0" });
}

function startWith(flags: Record<string, string>): Promise<ModelServer> {
  const { config } = resolveSettings(serveSettings, {
    flags: { host: "127.0.0.1", port: "auto", workers: "1", ...flags },
    env: {},
  });
  const logger = createLogger({ name: "model-server", level: "silent", stream: new PassThrough() });
  return startModelServer(config, { logger, metrics: createMetrics("model-server", "test") });
}
