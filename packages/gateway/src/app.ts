/** Routes, limits, request id, ServeError to HTTP: the only file that knows HTTP's requests and answers. */
import fastifyMultipart from "@fastify/multipart";
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { z } from "zod";
import { RESPONSE_FORMATS, type ResponseFormat } from "./api.js";
import { type BodyLimits, readSubmission } from "./body.js";
import type { Classify } from "./classify.js";
import { docsPage } from "./docs-page.js";
import { type InfoLimits, infoOf } from "./info.js";
import type { ModelLink } from "./model-link.js";
import { type RequestMetrics, serverTimingOf } from "./observe.js";
import { openApiDocument } from "./openapi.js";
import { answerToBrokenHttp, asServeError, PROBLEM_MEDIA_TYPE, problemOf, retryAfterOf } from "./problem.js";
import { requestIdOf, traceHeadersOf } from "./request-identity.js";
import { BARE_POLICY, SECURITY_HEADERS } from "./security-headers.js";
import { createStageTimes, type StageTimes } from "./stage-times.js";
import { isWebsite, serveWebsite } from "./website.js";

export interface AppParts {
  readonly classify: Classify;
  readonly link: Pick<ModelLink, "current" | "refresh">;
  readonly limits: BodyLimits & InfoLimits;
  /** What `POST /predict` answers without `?format=`. */
  readonly responseFormat: ResponseFormat;
  /** Folder of the built website; `/` leads to `/docs` without one. */
  readonly website: string | undefined;
  /** Longest upload of one body. */
  readonly uploadTimeoutMs: number;
  readonly isDraining: () => boolean;
  readonly registry: Registry;
  readonly metrics: RequestMetrics;
  readonly logger: Logger;
  readonly version: string;
}

declare module "fastify" {
  interface FastifyRequest {
    stageTimes: StageTimes;
    /** What went wrong; undefined: nothing did. */
    failure: ServeError | undefined;
  }
}

/** Longer than any load balancer keeps an idle connection, so that it is never the gateway that closes one in use. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_TIMEOUT_MS = 15_000;

/** Routes that machines ask all day long; their log lines are of level debug. */
const QUIET_ROUTES: ReadonlySet<string> = new Set(["/health", "/livez", "/readyz", "/ping", "/metrics"]);

/** Builds the application; `listen` and `close` are the caller's. */
export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const app = Fastify({
    // One line per request is written in endRequest; Fastify has nothing to add to it.
    logger: false,
    genReqId: requestIdOf,
    requestTimeout: parts.uploadTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    // While closing, answer what still arrives on open connections instead of refusing it.
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    clientErrorHandler: (error, socket) => {
      if (socket.writable) socket.write(answerToBrokenHttp(error));
      socket.destroy();
    },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  });
  app.decorateRequest("stageTimes");
  app.decorateRequest("failure", undefined);
  app.addHook("onRequest", async (request, reply) => beginRequest(request, reply, parts));
  // Also on requests that came before the drain: a connection kept open would hold the process up.
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (parts.isDraining()) reply.header("connection", "close");
    done(null, payload);
  });
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendProblem(notFound(app, request, reply), request, reply));
  // Bodies are read in body.ts, under its own limits; Fastify hands the stream over.
  app.removeAllContentTypeParsers();
  await app.register(fastifyMultipart);
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  addPredict(app, parts);
  addProbes(app, parts);
  addDocs(app, parts);
  app.get("/info", () => infoOf(parts.link.current(), parts.limits));
  app.get("/metrics", async (_request, reply) => {
    return reply.type(parts.registry.contentType).send(await parts.registry.metrics());
  });
  if (parts.website !== undefined && isWebsite(parts.website)) await serveWebsite(app, parts.website);
  else app.get("/", (_request, reply) => reply.redirect("/docs"));
  return app;
}

const querySchema = z.object({
  format: z.enum(RESPONSE_FORMATS).optional(),
  top_k: z.coerce.number().int().min(1).max(1000).optional(),
  explain: z.enum(["0", "1"]).default("0"),
});

function addPredict(app: FastifyInstance, parts: AppParts): void {
  app.post("/predict", async (request, reply) => {
    const query = querySchema.safeParse(request.query);
    if (!query.success) {
      request.raw.resume();
      const [issue] = query.error.issues;
      const name = String(issue?.path[0] ?? "parameters");
      throw new ServeError(
        "BODY_INVALID",
        `query parameter ${name} was not valid, expected ${EXPECTED_QUERY}`,
      );
    }
    const { format = parts.responseFormat, top_k: topK, explain } = query.data;
    const { answer, scores } = await parts.classify({
      read: (permit) => readSubmission(request, parts.limits, permit),
      wantsScores: format === "scores",
      wantsHeatmap: explain === "1",
      topK,
      caller: signalOfCaller(reply),
      metadata: { "x-request-id": request.id, ...traceHeadersOf(request.raw) },
      times: request.stageTimes,
    });
    const timing = serverTimingOf(request.stageTimes.ms);
    if (timing !== undefined) reply.header("server-timing", timing);
    reply.header("x-model-version", answer.model.version).header("x-contract-digest", answer.contract);
    return format === "scores" ? scores : answer;
  });
}

const EXPECTED_QUERY = "format=predictions or scores, top_k=1 or more, explain=0 or 1";

function addProbes(app: FastifyInstance, parts: AppParts): void {
  const healthy = { status: "healthy" };
  app.get("/health", () => healthy);
  app.get("/livez", () => healthy);
  app.get("/ping", (_request, reply) => reply.type("text/plain; charset=utf-8").send("PONG"));
  app.get("/readyz", async () => {
    if (parts.isDraining())
      throw new ServeError("DRAINING", "gateway was about to end, expected another to answer");
    let model: Awaited<ReturnType<ModelLink["refresh"]>>;
    try {
      model = await parts.link.refresh();
    } catch (error) {
      const { reason, message } = ServeError.from(error);
      throw new ServeError(reason, message, { cause: error, code: "UNAVAILABLE" });
    }
    const { name, version } = model.description;
    return { status: "ready", model: { name, version } };
  });
}

function addDocs(app: FastifyInstance, { version }: AppParts): void {
  const openApi = openApiDocument(version);
  const page = docsPage(version);
  app.get("/openapi.json", () => openApi);
  app.get("/docs", (_request, reply) =>
    reply
      .header("content-security-policy", page.policy)
      .header("cache-control", "no-cache")
      .type("text/html; charset=utf-8")
      .send(page.html),
  );
}

async function beginRequest(request: FastifyRequest, reply: FastifyReply, parts: AppParts): Promise<void> {
  request.stageTimes = createStageTimes();
  const startedAt = performance.now();
  parts.metrics.begin();
  reply.headers({
    ...SECURITY_HEADERS,
    "content-security-policy": BARE_POLICY,
    "cache-control": "no-store",
    "x-request-id": request.id,
  });
  // Not Fastify's onResponse: it does not run when the caller leaves before the answer.
  reply.raw.once("close", () => endRequest(request, reply, performance.now() - startedAt, parts));
}

function endRequest(request: FastifyRequest, reply: FastifyReply, ms: number, parts: AppParts): void {
  const { stageTimes } = request;
  const failure = reply.raw.writableFinished ? request.failure : callerLeft();
  const route = request.is404 ? "other" : (request.routeOptions.url ?? "other");
  const code = failure?.code ?? "OK";
  const reason = failure?.reason ?? "OK";
  parts.metrics.end({ route, code, reason, seconds: ms / 1000, stagesMs: stageTimes.ms });
  const line = {
    requestId: request.id,
    method: request.method,
    route,
    status: code === "CANCELLED" ? 499 : reply.statusCode,
    code,
    reason,
    model: reply.getHeader("x-model-version"),
    ms: Math.round(ms * 100) / 100,
    stagesMs: stageTimes.ms,
  };
  if (failure?.code === "INTERNAL") parts.logger.error({ ...line, err: failure }, "request");
  else if (failure !== undefined) parts.logger.info({ ...line, ...wordsOf(failure) }, "request");
  else if (QUIET_ROUTES.has(route)) parts.logger.debug(line, "request");
  else parts.logger.info(line, "request");
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
  const allowed = (["GET", "HEAD", "POST"] as const).filter(
    (method) => app.findRoute({ method, url: path.length > 1 ? path.replace(/\/$/, "") : path }) !== null,
  );
  request.raw.resume();
  if (allowed.length === 0)
    return new ServeError("ROUTE_NOT_FOUND", "path was not found, expected one of /docs");
  reply.header("allow", allowed.join(", "));
  return new ServeError(
    "METHOD_NOT_ALLOWED",
    `method was ${request.method}, expected ${allowed.join(", ")} on this path`,
  );
}

/** Aborts when the connection closes before the answer is out. */
function signalOfCaller(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
