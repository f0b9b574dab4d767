/** A gRPC server over node:http2: unary and server-streaming calls, with TLS or without. */
import { once } from "node:events";
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { MethodDefinition } from "../services.js";
import { ServeError } from "../status.js";
import { answerCall, type Route, refuseCall, refuseRequest, type ServerCall } from "./server-call.js";
import { type ServerTls, secureServerOptions, serverContextOf } from "./tls.js";
import { CONNECTION_WINDOW_BYTES, MAX_SESSION_MEMORY_MB, STREAM_WINDOW_BYTES } from "./windows.js";

export type { ServerCall, ServerTls };

export interface GrpcServerOptions {
  /** Longest message accepted, also after decompression. Raise it for inputs above 64 MiB. Default 64 MiB. */
  readonly maxReceiveBytes?: number;
  /** Calls that one connection may have open; a client queues what is above. Default 1024. */
  readonly maxConcurrentStreams?: number;
  /**
   * A connection on which nothing has moved for so long takes no new calls and closes after those it has; a peer
   * that does not answer a ping then loses them at once. Default 5 minutes.
   */
  readonly idleTimeoutMs?: number;
  /**
   * Age at which a connection is closed in order, so that its client looks the name up again and finds new
   * servers. Spread by a tenth, so that the clients do not all come at once. Default: never.
   */
  readonly maxConnectionAgeMs?: number;
  /** Speak TLS, and nothing else. */
  readonly tls?: ServerTls;
  /** Told of each TLS handshake that failed, with the other end's address. */
  readonly onHandshakeFailed?: (error: Error, peer: string) => void;
  /** Told of each call at its end: the place to log and to count. */
  readonly onCallEnd?: (call: FinishedCall) => void;
}

export interface FinishedCall {
  readonly path: string;
  /** What the caller was told; undefined when all went well. Its `cause` is for the log only. */
  readonly error: ServeError | undefined;
  readonly durationMs: number;
}

/** How long a peer may take to answer a ping. */
const PING_TIMEOUT_MS = 20_000;

/**
 * Node closes a connection that resets more streams than this; by default 1000 and then 33 a second, which callers
 * who give up reach under load. Node 20 does not know these options: there the default holds, and our own channel
 * stays below it.
 */
const RESET_LIMITS = { streamResetBurst: 100_000, streamResetRate: 10_000 };

export class GrpcServer {
  readonly #routes = new Map<string, Route>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** All connections, those within their TLS handshake too. */
  readonly #sockets = new Set<Socket>();
  #closed = false;
  readonly #server: Http2Server | Http2SecureServer;
  readonly #limits: { readonly maxReceiveBytes: number };
  readonly #idleTimeoutMs: number;
  readonly #maxConnectionAgeMs: number | undefined;
  readonly #onCallEnd: ((call: FinishedCall) => void) | undefined;

  constructor(options: GrpcServerOptions = {}) {
    this.#limits = { maxReceiveBytes: options.maxReceiveBytes ?? 64 * 1024 * 1024 };
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 300_000;
    this.#maxConnectionAgeMs = options.maxConnectionAgeMs;
    this.#onCallEnd = options.onCallEnd;
    const http2Options = {
      ...RESET_LIMITS,
      settings: {
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: options.maxConcurrentStreams ?? 1024,
      },
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
    };
    const { tls, onHandshakeFailed } = options;
    if (tls === undefined) {
      this.#server = createServer(http2Options);
    } else {
      this.#server = createSecureServer({ ...http2Options, ...secureServerOptions(tls) });
      this.#server.on("tlsClientError", (error, socket) => onHandshakeFailed?.(error, peerOfSocket(socket)));
      // A broken record ends the session without a word, but not its socket.
      this.#server.on("secureConnection", (socket) => socket.on("error", () => socket.destroy()));
      this.#server.on("unknownProtocol", (socket) => {
        onHandshakeFailed?.(new Error("the client did not offer HTTP/2 (ALPN h2)"), peerOfSocket(socket));
        socket.destroy();
      });
    }
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("session", (session) => this.#onSession(session));
    this.#server.on("stream", (stream, headers) => void this.#onStream(stream, headers));
  }

  /** Shows another certificate from the next handshake on; open connections keep theirs. @throws when it is no TLS server. */
  renewCertificate(tls: ServerTls): void {
    if (!("setSecureContext" in this.#server)) throw new Error("the server was made without TLS");
    this.#server.setSecureContext(serverContextOf(tls));
  }

  /**
   * Answers a unary method.
   *
   * @param handler a ServeError that it throws is the caller's status; anything else is INTERNAL "internal error".
   */
  unary<Request, Response>(
    method: MethodDefinition<Request, Response>,
    handler: (request: Request, call: ServerCall) => Response | Promise<Response>,
  ): void {
    this.#routes.set(method.path, async (request, call, send) => {
      const response = await handler(method.decodeRequest(request), call);
      // The answer is handed to the stream whole; nothing is waited for, since nothing follows.
      void send(method.encodeResponse(response));
    });
  }

  /**
   * Answers a server-streaming method.
   *
   * @param handler each message is sent as it comes, not before the caller has taken the one before. When
   *   `call.signal` aborts, the iterable must end.
   */
  serverStream<Request, Response>(
    method: MethodDefinition<Request, Response>,
    handler: (request: Request, call: ServerCall) => AsyncIterable<Response>,
  ): void {
    this.#routes.set(method.path, async (request, call, send) => {
      for await (const response of handler(method.decodeRequest(request), call)) {
        if (call.signal.aborted) return;
        await send(method.encodeResponse(response));
      }
    });
  }

  /**
   * Accepts connections.
   *
   * @returns the port, which differs from the one asked for when that was 0.
   * @throws the system's error, such as EADDRINUSE.
   */
  async listen(address: { host: string; port: number }): Promise<number> {
    this.#server.listen(address);
    await once(this.#server, "listening");
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : address.port;
  }

  /**
   * Stops in order: no new connections; each client is told (GOAWAY) which of its calls are the last; when those have
   * ended, or after `graceMs`, the connections close. Calls on their way are refused as never seen: our channel and
   * grpc-js make them again by themselves, gRPC C++ and Python report UNAVAILABLE (docs/decisions/grpc.md).
   */
  async drain(graceMs: number): Promise<void> {
    this.#closed = true;
    this.#server.close();
    const closed = [...this.#sessions].map(
      (session) => new Promise<void>((resolve) => session.once("close", resolve)),
    );
    for (const session of this.#sessions) session.close();
    const grace = setTimeout(() => this.close(), graceMs);
    await Promise.all(closed);
    clearTimeout(grace);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops at once: open calls end as CANCELLED. */
  close(): void {
    this.#closed = true;
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #onSession(session: ServerHttp2Session): void {
    // Its handshake began before the server closed.
    if (this.#closed) {
      session.close();
      return;
    }
    this.#sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.setTimeout(this.#idleTimeoutMs, () => onIdle(session));
    let age: NodeJS.Timeout | undefined;
    if (this.#maxConnectionAgeMs !== undefined) {
      const ageMs = this.#maxConnectionAgeMs * (0.9 + 0.2 * Math.random());
      age = setTimeout(() => session.close(), ageMs);
    }
    session.once("close", () => {
      this.#sessions.delete(session);
      clearTimeout(age);
    });
  }

  async #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    if (!/^application\/grpc($|[+;])/.test(headers["content-type"] ?? "")) {
      refuseRequest(stream, constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE);
      return;
    }
    const path = headers[":path"] ?? "";
    const route = this.#routes.get(path);
    if (route === undefined) {
      refuseCall(
        stream,
        new ServeError("METHOD_UNIMPLEMENTED", `method ${path.slice(0, 200)} is not served`),
      );
      return;
    }
    const startedMs = performance.now();
    const error = await answerCall(stream, headers, route, this.#limits);
    this.#onCallEnd?.({ path, error, durationMs: performance.now() - startedMs });
  }
}

function peerOfSocket({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
}

function onIdle(session: ServerHttp2Session): void {
  if (session.destroyed) return;
  session.close();
  if (session.destroyed) return;
  const lost = setTimeout(() => session.destroy(), PING_TIMEOUT_MS);
  session.once("close", () => clearTimeout(lost));
  session.ping(() => clearTimeout(lost));
}
