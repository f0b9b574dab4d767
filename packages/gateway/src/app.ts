/** The routes: what each takes from HTTP and gives back to it. */
import fastifyMultipart from "@fastify/multipart";
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { z } from "zod";
import { type AccessOptions, addAccess } from "./access.js";
import { HEATMAP_METHODS, RESPONSE_FORMATS, type ResponseFormat } from "./api.js";
import { type BodyLimits, readSubmission } from "./body.js";
import { signalOfCaller } from "./caller-signal.js";
import type { Classify } from "./classify.js";
import { docsPage } from "./docs-page.js";
import { addFeedback, type Feedback } from "./feedback/feedback-route.js";
import { addHostCheck, type HostNameOptions } from "./host-names.js";
import { createHttpShell, type HttpShellOptions } from "./http-shell.js";
import { type InfoLimits, infoOf } from "./info.js";
import { jsonInLabelOrder } from "./label-order.js";
import type { ModelLink } from "./model-link.js";
import { serverTimingOf } from "./observe.js";
import { openApiDocument } from "./openapi.js";
import { addPicture } from "./picture-route.js";
import type { ShowPicture } from "./show-picture.js";
import { isWebsite, serveWebsite } from "./website.js";

export interface AppParts extends HttpShellOptions {
  readonly classify: Classify;
  readonly showPicture: ShowPicture;
  /** undefined: no corrections are kept. */
  readonly feedback: Feedback | undefined;
  readonly link: Pick<ModelLink, "current" | "refresh">;
  readonly limits: BodyLimits & InfoLimits;
  /** What `POST /predict` answers without `?format=`. */
  readonly responseFormat: ResponseFormat;
  /** Folder of the built website; `/` leads to `/docs` without one. */
  readonly website: string | undefined;
  readonly registry: Registry;
  readonly access: AccessOptions;
  readonly hostNames: HostNameOptions;
  /** Metrics and the API's pages are elsewhere. */
  readonly hasAdminApp: boolean;
  readonly version: string;
}

/** Builds the server that the public meets; `listen` and `close` are the caller's. */
export async function createApp(parts: AppParts): Promise<FastifyInstance> {
  const app = createHttpShell(parts);
  addHostCheck(app, parts.hostNames);
  // Bodies are read in body.ts, under its own limits; Fastify hands the stream over.
  app.removeAllContentTypeParsers();
  await app.register(fastifyMultipart, { throwFileSizeLimit: false });
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  await addAccess(app, parts.access);

  addPredict(app, parts);
  addPicture(app, parts.showPicture);
  const { feedback, limits } = parts;
  addFeedback(app, { feedback, limits, corsOrigins: parts.access.corsOrigins });
  addProbes(app, parts);
  app.get("/info", { config: { needsKey: true } }, () => infoOf(parts.link.current(), limits, feedback));
  if (!parts.hasAdminApp) addOperations(app, parts);
  if (parts.website !== undefined && isWebsite(parts.website)) await serveWebsite(app, parts.website);
  else if (!parts.hasAdminApp) app.get("/", (_request, reply) => reply.redirect("/docs"));
  return app;
}

/** Builds the server for those who run the gateway: probes, metrics and the API's pages, on a port of its own. */
export function createAdminApp(parts: AppParts): FastifyInstance {
  const app = createHttpShell(parts);
  addHostCheck(app, parts.hostNames);
  addProbes(app, parts);
  addOperations(app, parts);
  app.get("/", (_request, reply) => reply.redirect("/docs"));
  return app;
}

const querySchema = z.object({
  format: z.enum(RESPONSE_FORMATS).optional(),
  top_k: z.coerce.number().int().min(1).max(1000).optional(),
  explain: z.enum(["0", "1", ...HEATMAP_METHODS]).default("0"),
  explain_grid: z.coerce.number().int().min(2).max(32).optional(),
  steps: z.enum(["0", "1"]).default("0"),
});

function addPredict(app: FastifyInstance, parts: AppParts): void {
  app.post("/predict", { config: { needsKey: true, isLimited: true } }, async (request, reply) => {
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
    const { format = parts.responseFormat, top_k: topK, explain, explain_grid: grid, steps } = query.data;
    // The scores stand alone in their answer: nothing is worked out that has no place in it.
    const wantsMore = format !== "scores";
    const { answer, scores, labels, isCached } = await parts.classify({
      read: (permit) => readSubmission(request, parts.limits, permit),
      wantsScores: format === "scores",
      heatmap:
        wantsMore && explain !== "0" ? { method: explain === "1" ? undefined : explain, grid } : undefined,
      wantsSteps: wantsMore && steps === "1",
      topK,
      caller: signalOfCaller(reply),
      charge: (predictions) => request.account?.add(predictions),
      metadata: { "x-request-id": request.id, ...request.trace.headers },
      times: request.stageTimes,
    });
    const timing = serverTimingOf(request.stageTimes.ms);
    if (timing !== undefined) reply.header("server-timing", timing);
    if (isCached) reply.header("x-cache", "hit");
    reply.header("x-model-version", answer.model.version).header("x-contract-digest", answer.contract);
    reply.type("application/json; charset=utf-8");
    return jsonInLabelOrder(format === "scores" ? scores : answer, labels);
  });
}

const EXPECTED_QUERY =
  "format=predictions or scores, top_k=1 or more, explain=0, 1, activation or occlusion, explain_grid=2 to 32, steps=0 or 1";

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

/** What the public need not see where there is an admin port. */
function addOperations(app: FastifyInstance, { version, registry, access }: AppParts): void {
  app.get("/metrics", async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  const openApi = openApiDocument(version, access.apiKeys !== undefined);
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
