/** A gRPC client over node:http2: unary calls to one server, with TLS or without. */
import type { OutgoingHttpHeaders } from "node:http2";
import type { MethodDefinition } from "../services.js";
import { ServeError } from "../status.js";
import { type ClientCallResult, callUnary } from "./client-call.js";
import { ACCEPTED_ENCODINGS } from "./compression.js";
import { Connection } from "./connection.js";
import { formatTimeout, MAX_TIMER_MS } from "./timeout.js";
import type { ClientTls } from "./tls.js";

export type { ClientTls };

export interface GrpcChannelOptions {
  /** Longest response accepted, also after decompression. Default 64 MiB. */
  readonly maxReceiveBytes?: number;
  /** Longest wait for a connection. Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** After a failed attempt no other is made for so long; doubled at each failure in a row, and jittered. Default 50 ms. */
  readonly minBackoffMs?: number;
  /** Default 2 s: the longest that a server which is back stays unnoticed. */
  readonly maxBackoffMs?: number;
  /** A call that has heard nothing for so long makes the server answer a ping. Default 10 s. */
  readonly keepaliveMs?: number;
  /** Without an answer to the ping the connection counts as lost. Default 5 s. */
  readonly keepaliveTimeoutMs?: number;
  /** Speak TLS; `{}` believes the authorities that Node knows. */
  readonly tls?: ClientTls;
  /** The address to connect to, where `host` was looked up already; `host` stays the name that is asked for. */
  readonly address?: string;
}

export interface CallOptions {
  /** Ends the call; a reason that is a ServeError becomes the call's error, any other is its CANCELLED's cause. */
  readonly signal?: AbortSignal;
  /** The deadline from now, told to the server and kept here too. */
  readonly timeoutMs?: number;
  /** More request headers, in lower case. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const BACKOFF_FACTOR = 1.6;
const BACKOFF_JITTER = 0.2;

/**
 * Calls to `host:port` over one connection, made when first needed and again when lost. The host's name is looked
 * up at each connect. All calls share the connection, so behind a name with several addresses one server gets them
 * all until it closes the connection.
 */
export class GrpcChannel {
  readonly #host: string;
  readonly #port: number;
  readonly #options: Required<Omit<GrpcChannelOptions, "tls" | "address">> &
    Pick<GrpcChannelOptions, "tls" | "address">;
  /** The connection in use. */
  #connection: Connection | undefined;
  /** The attempt in progress; calls wait for it together. */
  #attempt: Promise<Connection> | undefined;
  #failure: ServeError | undefined;
  #failures = 0;
  #retryAtMs = 0;
  #closed = false;

  constructor(host: string, port: number, options: GrpcChannelOptions = {}) {
    this.#host = host;
    this.#port = port;
    this.#options = {
      maxReceiveBytes: 64 * 1024 * 1024,
      connectTimeoutMs: 5000,
      minBackoffMs: 50,
      maxBackoffMs: 2000,
      keepaliveMs: 10_000,
      keepaliveTimeoutMs: 5000,
      ...options,
    };
  }

  /**
   * Makes a unary call. A call that the server has certainly not seen, because it was shutting down, is made once
   * more on a new connection.
   *
   * @throws {ServeError} the server's status, its message, and its reason if it is a Vitrine; MODEL_UNAVAILABLE
   *   while there is no connection: at once after a failed attempt, until the next is due; DEADLINE_EXCEEDED,
   *   CANCELLED; MESSAGE_TOO_LARGE.
   */
  async unary<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    const abort = new AbortController();
    const { signal, timeoutMs } = options;
    const onAbort = () => abort.abort(callErrorOf(signal?.reason));
    if (signal?.aborted) throw callErrorOf(signal.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const deadlineMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => abort.abort(new ServeError("DEADLINE_EXCEEDED", `no answer within ${timeoutMs} ms`)),
            Math.min(timeoutMs, MAX_TIMER_MS),
          );
    try {
      const message = method.encodeRequest(request);
      const headersOf = (): OutgoingHttpHeaders => ({
        ":method": "POST",
        ":path": method.path,
        "content-type": "application/grpc",
        te: "trailers",
        "user-agent": "vitrine",
        "grpc-accept-encoding": ACCEPTED_ENCODINGS,
        ...options.metadata,
        ...(deadlineMs === undefined
          ? {}
          : { "grpc-timeout": formatTimeout(deadlineMs - performance.now()) }),
      });
      let result = await this.#callOnce(headersOf, message, abort.signal);
      if (result.kind === "unprocessed") result = await this.#callOnce(headersOf, message, abort.signal);
      if (result.kind === "unprocessed") throw result.error;
      return method.decodeResponse(result.bytes);
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** True while there is a connection that takes calls. */
  get isConnected(): boolean {
    return this.#usableConnection() !== undefined;
  }

  /**
   * Connects, unless it is connected.
   *
   * @throws {ServeError} MODEL_UNAVAILABLE, as {@link unary}.
   */
  async connect(): Promise<void> {
    if (this.#usableConnection() === undefined) await this.#connect();
  }

  /** Ends the connection; open calls fail as UNAVAILABLE, and so does every later one. */
  close(): void {
    this.#closed = true;
    this.#connection?.session.destroy();
    this.#connection = undefined;
  }

  async #callOnce(
    headersOf: () => OutgoingHttpHeaders,
    message: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<ClientCallResult> {
    const connection = this.#usableConnection() ?? (await waitUnlessAborted(this.#connect(), signal));
    return connection.track(() =>
      callUnary(connection.session, {
        headers: headersOf(),
        message,
        signal,
        maxReceiveBytes: this.#options.maxReceiveBytes,
        onActivity: () => connection.heard(),
        reset: (stream) => connection.reset(stream),
      }),
    );
  }

  #usableConnection(): Connection | undefined {
    if (this.#connection !== undefined && !this.#connection.usable) this.#connection = undefined;
    return this.#connection;
  }

  #connect(): Promise<Connection> {
    if (this.#closed) return Promise.reject(new ServeError("MODEL_UNAVAILABLE", "the channel was closed"));
    if (this.#attempt !== undefined) return this.#attempt;
    if (this.#failure !== undefined && performance.now() < this.#retryAtMs) {
      return Promise.reject(
        new ServeError("MODEL_UNAVAILABLE", this.#failure.message, { cause: this.#failure.cause }),
      );
    }
    this.#attempt = this.#openConnection().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  async #openConnection(): Promise<Connection> {
    try {
      const connection = await Connection.open({ host: this.#host, port: this.#port, ...this.#options });
      if (this.#closed) connection.session.destroy();
      else this.#connection = connection;
      this.#failure = undefined;
      this.#failures = 0;
      return connection;
    } catch (error) {
      this.#failure = ServeError.from(error);
      const { minBackoffMs, maxBackoffMs } = this.#options;
      const backoffMs = Math.min(maxBackoffMs, minBackoffMs * BACKOFF_FACTOR ** this.#failures);
      this.#failures++;
      this.#retryAtMs = performance.now() + backoffMs * (1 - BACKOFF_JITTER * Math.random());
      throw this.#failure;
    }
  }
}

/** Waits for work that goes on for others when this caller's signal aborts. @throws what it was aborted with. */
export function waitUnlessAborted<T>(attempt: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    attempt.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}

function callErrorOf(reason: unknown): ServeError {
  return reason instanceof ServeError
    ? reason
    : new ServeError("CANCELLED", "the call was cancelled", { cause: reason });
}
