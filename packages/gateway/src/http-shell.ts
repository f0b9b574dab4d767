/** What every HTTP server of the gateway does the same way: request ids, headers, one log line and one error form. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { drainBody } from "./drain-body.js";
import type { RequestMetrics } from "./observe.js";
import { answerToBrokenHttp, asServeError, PROBLEM_MEDIA_TYPE, problemOf, retryAfterOf } from "./problem.js";
import { requestIdOf, traceHeadersOf } from "./request-identity.js";
import { type BeginTrace, passTraceOn, type RequestTrace } from "./request-trace.js";
import { BARE_POLICY, SECURITY_HEADERS } from "./security-headers.js";
import { createStageTimes, type StageTimes } from "./stage-times.js";
import { watchUploadPace } from "./upload-pace.js";

export interface HttpShellOptions {
  /** Longest upload of one body. */
  readonly uploadTimeoutMs: number;
  /** Addresses and networks whose `x-forwarded-for` says who the caller is. */
  readonly trustedProxies: readonly string[];
  readonly isDraining: () => boolean;
  readonly metrics: RequestMetrics;
  readonly beginTrace: BeginTrace;
  readonly logger: Logger;
}

declare module "fastify" {
  interface FastifyRequest {
    stageTimes: StageTimes;
    trace: RequestTrace;
    /** What went wrong; undefined: nothing did. */
    failure: ServeError | undefined;
    /** Name of the API key that the caller showed. */
    client: string | undefined;
  }
}

/** Longer than any load balancer keeps an idle connection, so that it is never the gateway that closes one in use. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** How often Node looks for requests that take too long; its own 30 s would let each of them stay so much longer. */
const TIMEOUT_CHECK_MS = 1000;

/** Routes that machines ask all day long; their log lines are of level debug. */
const QUIET_ROUTES: ReadonlySet<string> = new Set(["/health", "/livez", "/readyz", "/ping", "/metrics"]);

/** Makes a server without routes. */
export function createHttpShell(options: HttpShellOptions): FastifyInstance {
  const app = Fastify({
    // One line per request is written in endRequest; Fastify has nothing to add to it.
    logger: false,
    genReqId: requestIdOf,
    trustProxy: options.trustedProxies.length === 0 ? false : [...options.trustedProxies],
    requestTimeout: options.uploadTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      // Node wants it to be no longer than requestTimeout, and else takes it for both.
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, options.uploadTimeoutMs),
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // Ours to say, in checkHost: Node's answer has no body.
      requireHostHeader: false,
    },
    // While closing, answer what still arrives on open connections instead of refusing it.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    clientErrorHandler: endBrokenHttp,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  });
  app.decorateRequest("stageTimes");
  app.decorateRequest("trace");
  app.decorateRequest("failure", undefined);
  app.decorateRequest("client", undefined);
  app.addHook("onRequest", async (request, reply) => {
    beginRequest(request, reply, options);
    checkHost(request);
    // Before Fastify looks at a body that nobody will read, and finds fault with it.
    if (request.is404) throw notFound(app, request, reply);
  });
  // Also on requests that came before the drain: a connection kept open would hold the process up.
  app.addHook("onSend", (request, reply, payload, done) => {
    if (options.isDraining()) reply.header("connection", "close");
    if (!request.raw.complete) drainBody(request.raw);
    done(null, payload);
  });
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendProblem(notFound(app, request, reply), request, reply));
  return app;
}

function beginRequest(request: FastifyRequest, reply: FastifyReply, options: HttpShellOptions): void {
  request.trace = QUIET_ROUTES.has(request.url)
    ? passTraceOn(request.url, {})
    : options.beginTrace(request.method, traceHeadersOf(request.raw));
  request.stageTimes = createStageTimes(request.trace.stage);
  const startedAt = performance.now();
  options.metrics.begin();
  reply.headers({
    ...SECURITY_HEADERS,
    "content-security-policy": BARE_POLICY,
    "cache-control": "no-store",
    "x-request-id": request.id,
  });
  // Not Fastify's onResponse: it does not run when the caller leaves before the answer.
  reply.raw.once("close", () => endRequest(request, reply, performance.now() - startedAt, options));
  if (hasBody(request.raw)) {
    const { socket } = request.raw;
    reply.raw.once(
      "close",
      watchUploadPace(request.raw, () =>
        endBrokenHttp(
          Object.assign(new Error("body came too slowly"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }),
          socket,
        ),
      ),
    );
  }
}

/** Source: RFC 9112, 6. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function endBrokenHttp(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.writable) socket.write(answerToBrokenHttp(error));
  socket.destroy();
}

/**
 * Of two hosts, a proxy in front may go by the other one. Source: RFC 9112, 3.2.
 *
 * @throws {ServeError} BODY_INVALID.
 */
function checkHost({ raw }: FastifyRequest): void {
  const hosts = raw.rawHeaders.filter(
    (name, index) => index % 2 === 0 && name.toLowerCase() === "host",
  ).length;
  if (hosts === 1 || (hosts === 0 && raw.httpVersion === "1.0")) return;
  throw new ServeError("BODY_INVALID", `request had ${hosts} headers "host", expected one`);
}

function endRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  ms: number,
  options: HttpShellOptions,
): void {
  const { stageTimes } = request;
  const failure = reply.raw.writableFinished ? request.failure : callerLeft();
  const route = request.is404 ? "other" : (request.routeOptions.url ?? "other");
  const code = failure?.code ?? "OK";
  const reason = failure?.reason ?? "OK";
  options.metrics.end({ route, code, reason, seconds: ms / 1000, stagesMs: stageTimes.ms });
  const { method } = request;
  const status = code === "CANCELLED" ? 499 : reply.statusCode;
  request.trace.end({ method, route, status, failure });
  const line = {
    requestId: request.id,
    method,
    route,
    status,
    code,
    reason,
    client: request.client,
    model: reply.getHeader("x-model-version"),
    ms: Math.round(ms * 100) / 100,
    stagesMs: stageTimes.ms,
  };
  if (failure?.code === "INTERNAL") options.logger.error({ ...line, err: failure }, "request");
  else if (failure !== undefined) options.logger.info({ ...line, ...wordsOf(failure) }, "request");
  else if (QUIET_ROUTES.has(route)) options.logger.debug(line, "request");
  else options.logger.info(line, "request");
}

/** An error that was foreseen needs no stack. */
function wordsOf({ message, cause }: ServeError): { detail: string; cause?: string } {
  return { detail: message, ...(cause instanceof Error ? { cause: cause.message } : {}) };
}

function callerLeft(): ServeError {
  return new ServeError("CANCELLED", "request was cancelled by the caller");
}

function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = asServeError(error);
  request.failure = failure;
  const problem = problemOf(failure, request.id);
  if (failure.code === "UNAUTHENTICATED") reply.header("www-authenticate", "Bearer");
  const retryAfter = retryAfterOf(failure);
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  // As bytes: to a text Fastify would add a charset, which the media type does not have.
  return reply
    .code(problem.status)
    .type(PROBLEM_MEDIA_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}

/** A path that exists with another method is answered 405 with `Allow` (RFC 9110, 15.5.6). */
function notFound(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): ServeError {
  const path = request.url.split("?", 1)[0] ?? "";
  const allowed = (["GET", "HEAD", "POST", "DELETE"] as const).filter(
    (method) => app.findRoute({ method, url: path.length > 1 ? path.replace(/\/$/, "") : path }) !== null,
  );
  request.raw.resume();
  // A file of the website that was there at the start and is not any more has its route still.
  if (allowed.length === 0 || allowed.some((method) => method === request.method))
    return new ServeError("ROUTE_NOT_FOUND", "path was not found, expected one of those that /docs lists");
  reply.header("allow", allowed.join(", "));
  return new ServeError(
    "METHOD_NOT_ALLOWED",
    `method was ${request.method}, expected ${allowed.join(", ")} on this path`,
  );
}
