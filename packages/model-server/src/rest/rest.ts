/** TensorFlow Serving's REST API, the probes and the metrics. The only file here that knows HTTP. */
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { HTTP_STATUS, ServeError } from "@vitrine/protocol/status";
import type { Registry } from "@vitrine/runtime/metrics";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { classify, regress } from "../grpc/classify.js";
import { withoutVersionZero } from "../grpc/model-spec.js";
import type { Health } from "../health.js";
import { addInferenceRoutes } from "../inference/inference-rest.js";
import type { ModelChoice, ModelRegistry } from "../models/model-registry.js";
import type { RequestDetails, RequestLog } from "../request-log.js";
import type { Servable } from "../servable.js";
import type { MonitoringPage } from "../watching.js";
import { RestBodies } from "./rest-bodies.js";
import { readRestExamples, writeClassifications, writeRegressions } from "./rest-examples.js";
import { metadataBody, statusBody } from "./rest-metadata.js";
import { parseRestBody } from "./rest-request.js";
import { writeRestOutputs } from "./rest-response.js";
import { methodOf, routeOf } from "./rest-route.js";

export interface RestParts {
  readonly registry: ModelRegistry;
  readonly health: Health;
  readonly log: RequestLog;
  readonly metrics: Registry;
  /** Of this server. */
  readonly version: string;
  /** TensorFlow Serving's metrics, where they were asked for. */
  readonly monitoring: MonitoringPage | undefined;
  /** rest-body-worker.js. */
  readonly bodyWorkerUrl: URL;
  /** Pages of any origin may call. */
  readonly corsSupport: boolean;
  /** Longest body, also after inflation. */
  readonly maxBodyBytes: number;
  /** A prediction that takes longer is answered with 504. */
  readonly timeoutMs: number;
}

const inflateGzip = promisify(gunzip);
const inflateZlib = promisify(inflate);

export function createRestApp(parts: RestParts): FastifyInstance {
  const { health, metrics, monitoring } = parts;
  const app = Fastify({
    bodyLimit: parts.maxBodyBytes,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    // A path that cannot be decoded.
    frameworkErrors: (_error, { method, url }, reply) => {
      reply.hijack();
      reply.raw.writeHead(400, { "content-type": "application/json" });
      reply.raw.end(jsonText({ error: `Malformed request: ${method} ${url}` }));
    },
    routerOptions: { caseSensitive: false },
  });
  // TensorFlow Serving does not look at the content type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  const bodies = new RestBodies(parts.bodyWorkerUrl);
  app.addHook("onClose", () => bodies.close());

  app.get("/livez", (_request, reply) => reply.send("ok"));
  app.get("/readyz", (_request, reply) => {
    const { whyNotReady } = health;
    return whyNotReady === undefined ? reply.send("ok") : reply.code(503).send(whyNotReady);
  });
  app.get("/metrics", async (_request, reply) => {
    reply.type(metrics.contentType);
    return metrics.metrics();
  });
  if (monitoring !== undefined) {
    // A query string is refused, as TensorFlow Serving does.
    app.get(monitoring.path, (request, reply) =>
      request.url.includes("?")
        ? reply.code(400).type("text/plain").send("Request path must not have a query")
        : reply.type("text/plain").send(monitoring.metrics.page()),
    );
  }
  app.all("/v1/*", async (request, reply) => {
    if (parts.corsSupport) addCorsHeaders(reply);
    // A Buffer: Fastify would add a charset to a text's type, which TensorFlow Serving does not send.
    reply.header("content-type", "application/json");
    if (request.method === "OPTIONS") return answerPreflight(request, reply);
    return Buffer.from(await answer(request, reply, parts, bodies));
  });
  addInferenceRoutes(app, {
    ...parts,
    bodyOf: (request) => bodyOf(request, parts.maxBodyBytes),
    callerSignal: (reply) => callerSignal(reply, parts.timeoutMs),
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `${request.method} ${request.url} was not found` }),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof ServeError ? HTTP_STATUS[error.code] : statusOfFastify(error);
    if (error instanceof ServeError && error.retryAfterSeconds !== undefined) {
      reply.header("retry-after", error.retryAfterSeconds);
    }
    const message = error instanceof Error && status !== 500 ? error.message : "internal error";
    return reply
      .code(status)
      .header("content-type", "application/json")
      .send(Buffer.from(jsonText({ error: message })));
  });
  return app;
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: RestParts,
  bodies: RestBodies,
): Promise<string> {
  const { method, url, headers } = request;
  const requestId = headers["x-request-id"];
  const facts = {
    protocol: "rest" as const,
    method: methodOf(url),
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
  return parts.log.record(facts, (details) => {
    const { verb, model: asked } = routeOf(method, url);
    const model = withoutVersionZero(asked, parts.registry);
    details.model = model.name;
    switch (verb) {
      case "status":
        return jsonText(statusBody(parts.registry.statuses(model.name, model.version)));
      case "metadata":
        return jsonText(metadataBody(model.name, parts.registry.find(model)));
      case "predict":
        return predict(request, reply, model, details, parts, bodies);
      default:
        return answerExamples(verb, request, reply, model, details, parts);
    }
  });
}

/** The order of checks is TensorFlow Serving's: JSON, signature name, model, signature, then the tensors. */
async function predict(
  request: FastifyRequest,
  reply: FastifyReply,
  model: ModelChoice,
  details: RequestDetails,
  { registry, maxBodyBytes, timeoutMs }: RestParts,
  bodies: RestBodies,
): Promise<string> {
  const bytes = await bodyOf(request, maxBodyBytes);
  let found: Servable | undefined;
  const findServable = () => {
    found ??= registry.find(model);
    details.version = found.version;
    return found;
  };
  const { signatureName, form, inputs } = await bodies.read(bytes, () => findServable().signatures);
  const servable = findServable();
  const caller = callerSignal(reply, timeoutMs);
  try {
    const { output, ...batch } = await servable.predict({
      signatureName,
      inputs,
      read: (tensor) => tensor,
      outputFilter: [],
      signal: caller.signal,
    });
    details.batch = batch;
    return writeRestOutputs(form, output);
  } finally {
    caller.end();
  }
}

/** Here the body is read whole before the model is looked up. */
async function answerExamples(
  verb: "classify" | "regress",
  request: FastifyRequest,
  reply: FastifyReply,
  model: ModelChoice,
  details: RequestDetails,
  { registry, maxBodyBytes, timeoutMs }: RestParts,
): Promise<string> {
  const body = parseRestBody(await bodyOf(request, maxBodyBytes));
  const input = readRestExamples(body);
  const servable = registry.find(model);
  details.version = servable.version;
  const caller = callerSignal(reply, timeoutMs);
  const call = {
    signatureName: body.signatureName,
    input,
    signal: caller.signal,
    details,
  };
  try {
    return verb === "classify"
      ? writeClassifications(await classify(servable, call))
      : writeRegressions(await regress(servable, call));
  } finally {
    caller.end();
  }
}

/** Without CORS support it is answered, too, and the browser refuses by itself. */
function answerPreflight({ headers }: FastifyRequest, reply: FastifyReply): Buffer {
  if (!/https?:\/\//.test(headers.origin ?? "")) reply.code(400);
  return Buffer.alloc(0);
}

function addCorsHeaders(reply: FastifyReply): void {
  reply
    .header("access-control-allow-origin", "*")
    .header("access-control-allow-methods", "POST, GET")
    .header("access-control-allow-headers", "Content-Type");
}

/** Aborts when the time is over or the caller has hung up. */
function callerSignal(reply: FastifyReply, timeoutMs: number) {
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new ServeError("DEADLINE_EXCEEDED", `no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const hungUp = () => controller.abort(new ServeError("CANCELLED", "the caller has hung up"));
  reply.raw.once("close", hungUp);
  return {
    signal: controller.signal,
    end: () => {
      clearTimeout(timer);
      reply.raw.off("close", hungUp);
    },
  };
}

async function bodyOf({ body, headers }: FastifyRequest, maxBytes: number): Promise<Buffer> {
  if (!Buffer.isBuffer(body)) return Buffer.alloc(0);
  const encoding = headers["content-encoding"];
  const inflater = encoding?.includes("gzip")
    ? inflateGzip
    : encoding === "deflate"
      ? inflateZlib
      : undefined;
  if (inflater === undefined) return body;
  try {
    return await inflater(body, { maxOutputLength: maxBytes });
  } catch (cause) {
    throw new ServeError("REQUEST_INVALID", `${encoding} body could not be inflated within the size limit`, {
      cause,
    });
  }
}

/** Status of fastify's own refusals, such as 413. */
function statusOfFastify(error: unknown): number {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500 ? status : 500;
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, undefined, 4);
}
