/** The gRPC server of the model tier, by its settings: limits, TLS, addresses. Methods are added by others. */
import { stat } from "node:fs/promises";
import { GrpcServer, type GrpcServerOptions } from "@vitrine/protocol/grpc/server";
import type { Logger } from "@vitrine/runtime/logger";
import { readChannelArguments, type TlsFiles, tlsFilesOf, type WireSettings } from "./wire-settings.js";

/** @throws {UsageError} for settings that do not fit together, and certificates that cannot be read. */
export async function createGrpcFront(
  settings: WireSettings & { readonly maxMessageBytes: number },
  logger: Logger,
  onCallEnd: NonNullable<GrpcServerOptions["onCallEnd"]>,
): Promise<GrpcServer> {
  const { limits, ignored } = readChannelArguments(settings.grpcChannelArguments);
  if (ignored.length > 0) logger.warn({ ignored }, "gRPC channel arguments without effect here");
  const options = { maxReceiveBytes: settings.maxMessageBytes, ...limits, onCallEnd };
  const files = tlsFilesOf(settings);
  if (files === undefined) return new GrpcServer(options);

  const tls = await files.read();
  const renewal = new CertificateRenewal(files, await stateOf(files.files), logger);
  const server = new GrpcServer({
    ...options,
    tls,
    onConnection: () => void renewal.check(server),
    onHandshakeFailed: (error, peer) => logger.info({ err: error, peer }, "a TLS handshake failed"),
  });
  return server;
}

/** Files are looked at no more often than this. */
const CHECK_INTERVAL_MS = 1000;

/** Reads the certificate's files again when a client connects and they have changed: for those who connect after. */
class CertificateRenewal {
  readonly #files: TlsFiles;
  readonly #logger: Logger;
  #state: string;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(files: TlsFiles, state: string, logger: Logger) {
    this.#files = files;
    this.#state = state;
    this.#logger = logger;
  }

  /** Never rejects: a file that is wrong leaves the old certificate in use. */
  async check(server: GrpcServer): Promise<void> {
    if (performance.now() < this.#checkedAtMs + CHECK_INTERVAL_MS) return;
    this.#checkedAtMs = performance.now();
    try {
      const state = await stateOf(this.#files.files);
      if (state === this.#state) return;
      server.renewCertificate(await this.#files.read());
      this.#state = state;
      this.#logger.info("the TLS certificate was renewed");
    } catch (err) {
      this.#logger.error({ err }, "the changed TLS certificate cannot be used; the old one stays");
    }
  }
}

async function stateOf(files: readonly string[]): Promise<string> {
  const states = await Promise.all(files.map((file) => stat(file)));
  return states.map(({ mtimeMs, size, ino }) => `${ino} ${size} ${mtimeMs}`).join("\n");
}
