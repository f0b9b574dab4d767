/** TensorFlow Serving's REST API, the probes and the metrics. The only file here that knows HTTP. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { HTTP_STATUS, ServeError } from "@vitrine/protocol/status";
import type { Registry } from "@vitrine/runtime/metrics";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Health } from "./health.js";
import type { ModelChoice, ModelRegistry } from "./model-registry.js";
import type { RequestDetails, RequestLog } from "./request-log.js";
import { metadataBody, statusBody } from "./rest-metadata.js";
import { parseRestBody, readRestInputs } from "./rest-request.js";
import { writeRestOutputs } from "./rest-response.js";
import type { MonitoringPage } from "./watching.js";

export interface RestParts {
  readonly registry: ModelRegistry;
  readonly health: Health;
  readonly log: RequestLog;
  readonly metrics: Registry;
  /** TensorFlow Serving's metrics, where they were asked for. */
  readonly monitoring: MonitoringPage | undefined;
  /** Longest body, also after inflation. */
  readonly maxBodyBytes: number;
  /** A prediction that takes longer is answered with 504. */
  readonly timeoutMs: number;
}

type Verb = "status" | "metadata" | "predict" | "classify" | "regress";

interface Route {
  readonly verb: Verb;
  readonly model: ModelChoice;
}

/** Model, then version or label, then what is asked. TensorFlow Serving matches the query string too: any fails. */
const ROUTE =
  /^\/v1\/models\/(?<name>[^/:?]+)(?:\/versions\/(?<version>\d+)|\/labels\/(?<label>[^/:?]+))?(?:\/(?<metadata>metadata)|:(?<post>predict|classify|regress))?$/i;

const inflate = promisify(gunzip);

export function createRestApp(parts: RestParts): FastifyInstance {
  const { health, metrics, monitoring } = parts;
  const app = Fastify({
    bodyLimit: parts.maxBodyBytes,
    forceCloseConnections: "idle",
    exposeHeadRoutes: false,
    routerOptions: { caseSensitive: false },
  });
  // TensorFlow Serving does not look at the content type.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));

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
    reply.type("application/json");
    return answer(request, reply, parts);
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
      .type("application/json")
      .send(jsonText({ error: message }));
  });
  return app;
}

async function answer(request: FastifyRequest, reply: FastifyReply, parts: RestParts): Promise<string> {
  const requestId = request.headers["x-request-id"];
  const facts = {
    protocol: "rest" as const,
    method: methodOf(request),
    requestId: typeof requestId === "string" ? requestId : undefined,
  };
  return parts.log.record(facts, (details) => {
    const { verb, model } = routeOf(request);
    details.model = model.name;
    if (verb === "status") return jsonText(statusBody(parts.registry.statuses(model.name, model.version)));
    if (verb === "metadata") return jsonText(metadataBody(model.name, parts.registry.find(model)));
    if (verb === "predict") return predict(request, reply, model, details, parts);
    throw new ServeError(
      "METHOD_UNIMPLEMENTED",
      `Method ${verb} was asked for, expected predict: models here have no other`,
    );
  });
}

/** The order of checks is TensorFlow Serving's: JSON, signature name, model, signature, then the tensors. */
async function predict(
  request: FastifyRequest,
  reply: FastifyReply,
  model: ModelChoice,
  details: RequestDetails,
  { registry, maxBodyBytes, timeoutMs }: RestParts,
): Promise<string> {
  const body = parseRestBody(await bodyText(request, maxBodyBytes));
  const servable = registry.find(model);
  details.version = servable.version;
  const signature = servable.signatures.get(body.signatureName);
  if (signature === undefined) {
    throw new ServeError(
      "REQUEST_INVALID",
      `Serving signature name: "${body.signatureName}" not found in signature def`,
    );
  }
  const { form, inputs } = readRestInputs(body, signature);
  const caller = callerSignal(reply, timeoutMs);
  try {
    const { output, ...batch } = await servable.predict({
      signatureName: signature.name,
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

async function bodyText({ body, headers }: FastifyRequest, maxBytes: number): Promise<string> {
  if (!Buffer.isBuffer(body)) return "";
  if (!headers["content-encoding"]?.includes("gzip")) return body.toString("utf8");
  try {
    return (await inflate(body, { maxOutputLength: maxBytes })).toString("utf8");
  } catch (cause) {
    throw new ServeError("REQUEST_INVALID", "gzip body could not be inflated within the size limit", {
      cause,
    });
  }
}

function routeOf(request: FastifyRequest): Route {
  const { method, url } = request;
  const groups = ROUTE.exec(url)?.groups;
  const malformed = () => new ServeError("REQUEST_INVALID", `Malformed request: ${method} ${url}`);
  if (groups === undefined) throw malformed();
  const post = groups.post?.toLowerCase();
  if (method !== (post === undefined ? "GET" : "POST")) throw malformed();
  const version = groups.version === undefined ? undefined : Number(groups.version);
  if (version !== undefined && !Number.isSafeInteger(version)) {
    throw new ServeError("REQUEST_INVALID", `Failed to convert version: ${groups.version} to numeric.`);
  }
  const model = {
    name: decode(groups.name ?? "", malformed),
    version,
    label: groups.label === undefined ? undefined : decode(groups.label, malformed),
  };
  if (post === undefined) return { verb: groups.metadata === undefined ? "status" : "metadata", model };
  return { verb: post === "predict" || post === "classify" ? post : "regress", model };
}

function decode(text: string, malformed: () => ServeError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed();
  }
}

/** For logs and metrics: a word of ours, never the caller's text. */
function methodOf({ url }: FastifyRequest): string {
  const groups = ROUTE.exec(url)?.groups;
  if (groups === undefined) return "unknown";
  return groups.post?.toLowerCase() ?? (groups.metadata === undefined ? "status" : "metadata");
}

/** Status of fastify's own refusals, such as 413. */
function statusOfFastify(error: unknown): number {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" && status >= 400 && status < 500 ? status : 500;
}

function jsonText(value: unknown): string {
  return JSON.stringify(value, undefined, 4);
}
