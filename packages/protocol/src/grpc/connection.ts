/** One HTTP/2 connection of a channel, from the attempt to its end. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { ServeError } from "../status.js";
import { type ClientTls, secureConnectOptions } from "./tls.js";
import { CONNECTION_WINDOW_BYTES, MAX_SESSION_MEMORY_MB, STREAM_WINDOW_BYTES } from "./windows.js";

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** Where `host` lies; without it `host` is looked up. */
  readonly address?: string;
  readonly connectTimeoutMs: number;
  /** A call that has heard nothing for so long makes the peer answer a ping. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly tls?: ClientTls;
}

/**
 * gRPC's C++ servers, TensorFlow Serving among them, take a client for hostile that pings more often than this
 * while nothing is sent to it (grpc/doc/keepalive.md, MIN_RECV_PING_INTERVAL_WITHOUT_DATA).
 */
const MIN_PING_INTERVAL_MS = 300_000;

/**
 * Node's servers close a connection whose client resets more than 1000 streams and then 33 a second (the defence
 * against "rapid reset"), and proxies have the like. We stay below: 500, and then 25 a second.
 */
const RESET_BURST = 500;
const RESETS_PER_MS = 0.025;

export class Connection {
  readonly session: ClientHttp2Session;
  readonly #options: ConnectionOptions;
  #openCalls = 0;
  #heardAtMs = performance.now();
  #pingedAtMs = Number.NEGATIVE_INFINITY;
  #isPinging = false;
  /** Runs towards the next ping, or towards the end of the wait for its answer. */
  #timer: NodeJS.Timeout | undefined;

  readonly #unwanted: ClientHttp2Stream[] = [];
  /** Resets that may be sent, as of `#resetsAtMs`. */
  #resets = RESET_BURST;
  #resetsAtMs = performance.now();
  #resetTimer: NodeJS.Timeout | undefined;

  private constructor(session: ClientHttp2Session, options: ConnectionOptions) {
    this.session = session;
    this.#options = options;
    session.once("close", () => {
      clearTimeout(this.#timer);
      clearTimeout(this.#resetTimer);
    });
  }

  /**
   * Looks the host up, connects, and waits for the server's SETTINGS: a port that accepts but does not speak
   * HTTP/2 is no connection.
   *
   * @throws {ServeError} UNAVAILABLE; the cause says why.
   */
  static open(options: ConnectionOptions): Promise<Connection> {
    const { host, port, address = host, connectTimeoutMs, tls } = options;
    return new Promise((resolve, reject) => {
      const authority = host.includes(":") ? `[${host}]` : host;
      const secureSocket =
        tls === undefined
          ? undefined
          : connectTls({ ...secureConnectOptions(host, port, tls), host: address });
      const session = connect(`${tls === undefined ? "http" : "https"}://${authority}:${port}`, {
        createConnection: () => secureSocket ?? connectTcp({ host: address, port }),
        settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
        maxSessionMemory: MAX_SESSION_MEMORY_MB,
      });
      let failure: unknown;
      const timeout = setTimeout(() => {
        session.destroy(new Error(`no HTTP/2 connection to ${host}:${port} within ${connectTimeoutMs} ms`));
      }, connectTimeoutMs);
      // Stays for the connection's life: what breaks it later reaches each call through its stream.
      session.on("error", (error) => {
        failure = error;
      });
      const onClose = () => {
        clearTimeout(timeout);
        reject(new ServeError("MODEL_UNAVAILABLE", "the server could not be reached", { cause: failure }));
      };
      session.once("close", onClose);
      // A TLS alert, such as for a client without a certificate, ends the session without a word, but not its socket.
      secureSocket?.on("error", (error) => {
        failure ??= error;
        secureSocket.destroy();
      });
      secureSocket?.once("close", onClose);
      session.once("remoteSettings", () => {
        clearTimeout(timeout);
        if (tls !== undefined && session.alpnProtocol !== "h2") {
          session.destroy(new Error("the server did not agree on HTTP/2 in the TLS handshake (ALPN h2)"));
          return;
        }
        session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
        resolve(new Connection(session, options));
      });
    });
  }

  /** May take new calls. */
  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed;
  }

  /** Brackets a call: while one is open, a silent peer is asked whether it lives. */
  async track<T>(call: () => Promise<T>): Promise<T> {
    this.#openCalls++;
    this.#watch();
    try {
      return await call();
    } finally {
      this.#openCalls--;
    }
  }

  /** Notes that bytes of the peer have arrived. */
  heard(): void {
    const answeredSilence = this.#pingedAtMs > this.#heardAtMs;
    this.#heardAtMs = performance.now();
    // The silence is over, and with it the long wait for its next ping: a peer that vanishes now must not live on by it.
    if (answeredSilence && !this.#isPinging) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#watch();
    }
  }

  /** Tells the server that a call is not wanted any more; later, when that would be one reset too many. */
  reset(stream: ClientHttp2Stream): void {
    this.#unwanted.push(stream);
    this.#sendResets();
  }

  #sendResets(): void {
    const now = performance.now();
    this.#resets = Math.min(RESET_BURST, this.#resets + (now - this.#resetsAtMs) * RESETS_PER_MS);
    this.#resetsAtMs = now;
    while (this.#resets >= 1) {
      const stream = this.#unwanted.shift();
      if (stream === undefined) return;
      if (stream.closed) continue;
      stream.close(constants.NGHTTP2_CANCEL);
      this.#resets--;
    }
    clearTimeout(this.#resetTimer);
    if (this.#unwanted.length > 0) {
      this.#resetTimer = setTimeout(() => this.#sendResets(), 1 / RESETS_PER_MS);
    }
  }

  /** Arms the one timer for the moment at which the peer has been silent for too long; at once if it has been. */
  #watch(): void {
    if (this.#timer !== undefined || this.#openCalls === 0 || !this.usable) return;
    const answeredSilence = this.#pingedAtMs > this.#heardAtMs;
    const dueMs = answeredSilence
      ? this.#pingedAtMs + MIN_PING_INTERVAL_MS
      : this.#heardAtMs + this.#options.keepaliveMs;
    const onDue = () => {
      this.#timer = undefined;
      if (this.#openCalls > 0 && performance.now() >= this.#heardAtMs + this.#options.keepaliveMs)
        this.#ping();
      else this.#watch();
    };
    this.#timer = setTimeout(onDue, Math.max(0, dueMs - performance.now()));
  }

  #ping(): void {
    this.#pingedAtMs = performance.now();
    this.#isPinging = true;
    this.#timer = setTimeout(() => {
      this.session.destroy(new Error(`no answer to a ping within ${this.#options.keepaliveTimeoutMs} ms`));
    }, this.#options.keepaliveTimeoutMs);
    this.session.ping(() => {
      this.#isPinging = false;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#watch();
    });
  }
}
