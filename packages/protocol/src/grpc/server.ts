/** A gRPC server over node:http2: unary, server-streaming and bidirectional calls, with TLS or without. */
import { once } from "node:events";
import { statSync, unlinkSync } from "node:fs";
import {
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { MethodDefinition } from "../services.js";
import { ServeError } from "../status.js";
import { ArrivingBytes } from "./arriving-bytes.js";
import {
  answerCall,
  type CallLimits,
  type Route,
  refuseCall,
  refuseRequest,
  type SendMessage,
  type ServerCall,
} from "./server-call.js";
import { type ConnectionLimits, RESET_LIMITS, ServerConnection } from "./server-connection.js";
import { type ServerTls, secureServerOptions, serverContextOf } from "./tls.js";
import { MAX_SESSION_MEMORY_MB, STREAM_WINDOW_BYTES } from "./windows.js";

export type { ServerCall, ServerTls };

export interface GrpcServerOptions {
  /** Longest message accepted, also after decompression. Raise it for inputs above 64 MiB. Default 64 MiB. */
  readonly maxReceiveBytes?: number | undefined;
  /** Bytes of all requests together that have not come to their end; above it calls are refused as OVERLOADED. Default eight of the longest. */
  readonly maxArrivingBytes?: number | undefined;
  /** Calls that one connection may have open; a client queues what is above. Default 1024. */
  readonly maxConcurrentStreams?: number | undefined;
  /** A connection without a call for so long ends. Default 5 minutes. */
  readonly maxConnectionIdleMs?: number | undefined;
  /**
   * Age at which a connection ends, so that its client looks the name up again and finds new servers. Default: never.
   */
  readonly maxConnectionAgeMs?: number | undefined;
  /** What calls that are open at that age may still take. Default: as long as they like. */
  readonly maxConnectionAgeGraceMs?: number | undefined;
  /** A peer that was silent for so long is asked whether it lives. Default 5 minutes. */
  readonly keepaliveMs?: number | undefined;
  /** How long it may take to answer. Default 20 s. */
  readonly keepaliveTimeoutMs?: number | undefined;
  /** Speak TLS, and nothing else. */
  readonly tls?: ServerTls | undefined;
  /** Told of each connection, before its handshake. */
  readonly onConnection?: (() => void) | undefined;
  /** Told of each TLS handshake that failed, with the other end's address. */
  readonly onHandshakeFailed?: ((error: Error, peer: string) => void) | undefined;
  /** Told of each call at its end: the place to log and to count. */
  readonly onCallEnd?: ((call: FinishedCall) => void) | undefined;
}

export interface FinishedCall {
  readonly path: string;
  /** What the caller was told; undefined when all went well. Its `cause` is for the log only. */
  readonly error: ServeError | undefined;
  readonly durationMs: number;
}

/** So many of the longest messages may be on their way at a time. */
const LONGEST_ARRIVING = 8;

export class GrpcServer {
  readonly #routes = new Map<string, Route>();
  readonly #connections = new Map<Http2Session, ServerConnection>();
  /** All sockets, those within their TLS handshake too. */
  readonly #sockets = new Set<Socket>();
  /** One for each address. */
  readonly #servers: (Http2Server | Http2SecureServer)[] = [];
  readonly #options: GrpcServerOptions;
  readonly #connectionLimits: ConnectionLimits;
  readonly #callLimits: CallLimits;
  #tls: ServerTls | undefined;
  #closed = false;

  constructor(options: GrpcServerOptions = {}) {
    this.#options = options;
    this.#tls = options.tls;
    const maxReceiveBytes = options.maxReceiveBytes ?? 64 * 1024 * 1024;
    const arriving = new ArrivingBytes(options.maxArrivingBytes ?? LONGEST_ARRIVING * maxReceiveBytes);
    this.#callLimits = { maxReceiveBytes, arriving };
    this.#connectionLimits = {
      maxIdleMs: options.maxConnectionIdleMs ?? 300_000,
      maxAgeMs: options.maxConnectionAgeMs ?? Number.POSITIVE_INFINITY,
      maxAgeGraceMs: options.maxConnectionAgeGraceMs ?? Number.POSITIVE_INFINITY,
      keepaliveMs: options.keepaliveMs ?? 300_000,
      keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? 20_000,
    };
  }

  /** Shows another certificate from the next handshake on; open connections keep theirs. @throws when it is no TLS server. */
  renewCertificate(tls: ServerTls): void {
    if (this.#tls === undefined) throw new Error("the server was made without TLS");
    this.#tls = tls;
    for (const server of this.#servers) {
      if ("setSecureContext" in server) server.setSecureContext(serverContextOf(tls));
    }
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
    this.#addRoute(method.path, async (requests, call, send) => {
      const request = await requests.only();
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
    this.#addRoute(method.path, async (requests, call, send) => {
      const request = method.decodeRequest(await requests.only());
      await sendAll(method, handler(request, call), call, send);
    });
  }

  /**
   * Answers a method whose requests and responses are streams.
   *
   * @param handler ends by itself when its requests end. No request is read before it asks for it.
   */
  bidiStream<Request, Response>(
    method: MethodDefinition<Request, Response>,
    handler: (requests: AsyncIterable<Request>, call: ServerCall) => AsyncIterable<Response>,
  ): void {
    this.#addRoute(method.path, async (requests, call, send) => {
      await sendAll(method, handler(decodeAll(method, requests.all()), call), call, send);
    });
  }

  /** Paths of the methods that are answered. */
  get paths(): readonly string[] {
    return [...this.#routes.keys()];
  }

  /**
   * Accepts connections at one more address: a port, or a Unix socket, whose file is replaced if a dead server left it.
   *
   * @returns the port, which differs from the one asked for when that was 0; 0 for a Unix socket.
   * @throws the system's error, such as EADDRINUSE.
   */
  async listen(
    address: { readonly host: string; readonly port: number } | { readonly path: string },
  ): Promise<number> {
    if ("path" in address) removeSocketFile(address.path);
    const server = this.#createServer();
    server.listen(address);
    await once(server, "listening");
    this.#servers.push(server);
    const bound = server.address();
    return typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  /**
   * Stops in order: no new connections; each client is told to open no more calls, then which of its calls are the
   * last; when those have ended, or after `graceMs`, the connections close (docs/decisions/grpc.md).
   */
  async drain(graceMs: number): Promise<void> {
    this.#stopListening();
    const closed = [...this.#connections.keys()].map(
      (session) => new Promise<void>((resolve) => session.once("close", resolve)),
    );
    for (const connection of this.#connections.values()) connection.endInOrder();
    const grace = setTimeout(() => this.close(), graceMs);
    await Promise.all(closed);
    clearTimeout(grace);
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops at once: open calls end as CANCELLED. */
  close(): void {
    this.#stopListening();
    for (const session of this.#connections.keys()) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #stopListening(): void {
    this.#closed = true;
    for (const server of this.#servers) server.close();
  }

  #addRoute(path: string, route: Route): void {
    this.#routes.set(path, route);
  }

  #createServer(): Http2Server | Http2SecureServer {
    const { onConnection, onHandshakeFailed } = this.#options;
    const http2Options = {
      ...RESET_LIMITS,
      settings: {
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: this.#options.maxConcurrentStreams ?? 1024,
      },
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
    };
    let server: Http2Server | Http2SecureServer;
    if (this.#tls === undefined) {
      server = createServer(http2Options);
    } else {
      server = createSecureServer({ ...http2Options, ...secureServerOptions(this.#tls) });
      server.on("tlsClientError", (error, socket) => onHandshakeFailed?.(error, peerOfSocket(socket)));
      // A broken record ends the session without a word, but not its socket.
      server.on("secureConnection", (socket) => socket.on("error", () => socket.destroy()));
      server.on("unknownProtocol", (socket) => {
        onHandshakeFailed?.(new Error("the client did not offer HTTP/2 (ALPN h2)"), peerOfSocket(socket));
        socket.destroy();
      });
    }
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      onConnection?.();
    });
    server.on("session", (session) => this.#onSession(session));
    server.on("stream", (stream, headers) => void this.#onStream(stream, headers));
    return server;
  }

  #onSession(session: ServerHttp2Session): void {
    // Its handshake began before the server closed.
    if (this.#closed) {
      session.close();
      return;
    }
    this.#connections.set(session, new ServerConnection(session, this.#connectionLimits));
    session.once("close", () => this.#connections.delete(session));
  }

  async #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    if (!/^application\/grpc($|[+;])/.test(headers["content-type"] ?? "")) {
      refuseRequest(stream, constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE);
      return;
    }
    const { session } = stream;
    if (session !== undefined) this.#connections.get(session)?.callBegan(stream);
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
    const error = await answerCall(stream, headers, route, this.#callLimits);
    this.#options.onCallEnd?.({ path, error, durationMs: performance.now() - startedMs });
  }
}

function peerOfSocket({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
}

async function* decodeAll<Request, Response>(
  method: MethodDefinition<Request, Response>,
  messages: AsyncIterable<Uint8Array>,
): AsyncGenerator<Request> {
  for await (const message of messages) yield method.decodeRequest(message);
}

async function sendAll<Request, Response>(
  method: MethodDefinition<Request, Response>,
  responses: AsyncIterable<Response>,
  call: ServerCall,
  send: SendMessage,
): Promise<void> {
  for await (const response of responses) {
    if (call.signal.aborted) return;
    await send(method.encodeResponse(response));
  }
}

/** What a server that was killed leaves behind; a file that is no socket stays, and listening fails. */
function removeSocketFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path);
}
