/** The Open Inference Protocol over HTTP: /v2 on the REST port, with the binary tensor extension. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { parseJson } from "../rest/rest-json.js";
import type { TensorSpec } from "../signature.js";
import { readInferenceBody, writeInferenceAnswer } from "./inference-json.js";
import {
  EXTENSIONS,
  findModel,
  type InferenceParts,
  infer,
  isModelReady,
  PLATFORM,
  repositoryIndex,
  SERVER_NAME,
  signatureFor,
} from "./inference-protocol.js";
import { datatypeName } from "./inference-tensors.js";

export interface InferenceRestParts extends InferenceParts {
  /** The request's body, inflated. */
  bodyOf(request: FastifyRequest): Promise<Buffer>;
  /** Aborts when the caller leaves or its time is over, until `end` is called. */
  callerSignal(reply: FastifyReply): { readonly signal: AbortSignal; end(): void };
}

/** Length of the JSON at the beginning of a body that has binary tensors behind it. */
const HEADER_LENGTH = "inference-header-content-length";

interface ModelParams {
  readonly model: string;
  readonly version?: string;
}

export function addInferenceRoutes(app: FastifyInstance, parts: InferenceRestParts): void {
  const { registry, health, log, version: serverVersion } = parts;
  const paths = (rest: string) => [`/v2/models/:model${rest}`, `/v2/models/:model/versions/:version${rest}`];

  app.get("/v2", () => ({ name: SERVER_NAME, version: serverVersion, extensions: EXTENSIONS }));
  app.get("/v2/health/live", () => ({ live: true }));
  app.get("/v2/health/ready", (_request, reply) =>
    reply.code(health.isReady ? 200 : 503).send({ ready: health.isReady }),
  );
  app.post("/v2/repository/index", async (request) => {
    const bytes = await parts.bodyOf(request);
    const body = bytes.byteLength === 0 ? undefined : parseJson(bytes);
    return repositoryIndex(registry, body instanceof Map && body.get("ready") === true);
  });
  for (const path of paths("/ready")) {
    app.get<{ Params: ModelParams }>(path, ({ params: { model, version = "" } }, reply) => {
      const ready = isModelReady(parts, model, version);
      return reply
        .code(ready ? 200 : registry.names.includes(model) ? 503 : 404)
        .send({ name: model, ready });
    });
  }
  for (const path of paths("")) {
    app.get<{ Params: ModelParams }>(path, ({ params: { model, version = "" } }) => {
      const { inputs, outputs } = signatureFor(findModel(registry, model, version), undefined);
      return {
        name: model,
        versions: registry.availableVersions(model).map(String).reverse(),
        platform: PLATFORM,
        inputs: [...inputs.values()].map(tensorMetadata),
        outputs: [...outputs.values()].map(tensorMetadata),
      };
    });
  }
  for (const path of paths("/infer")) {
    app.post<{ Params: ModelParams }>(path, async (request, reply) => {
      const { headers, params } = request;
      const requestId = headers["x-request-id"];
      const facts = {
        protocol: "rest" as const,
        method: "infer",
        requestId: typeof requestId === "string" ? requestId : undefined,
      };
      const { json, binary } = await log.record(facts, async (details) => {
        details.model = params.model;
        const body = readInferenceBody(await parts.bodyOf(request), headers[HEADER_LENGTH]);
        const caller = parts.callerSignal(reply);
        try {
          const inferred = await infer(registry, {
            model: params.model,
            version: params.version ?? "",
            signatureName: body.signatureName,
            inputs: body.inputs,
            outputs: body.outputs,
            signal: caller.signal,
            details,
          });
          return writeInferenceAnswer(params.model, body, inferred);
        } finally {
          caller.end();
        }
      });
      if (binary.length === 0)
        return reply.header("content-type", "application/json").send(Buffer.from(json));
      const head = Buffer.from(json);
      return reply
        .header("content-type", "application/octet-stream")
        .header(HEADER_LENGTH, head.byteLength)
        .send(Buffer.concat([head, ...binary]));
    });
  }
}

function tensorMetadata({ alias, dtype, shape }: TensorSpec) {
  return { name: alias, datatype: datatypeName(dtype), shape };
}
