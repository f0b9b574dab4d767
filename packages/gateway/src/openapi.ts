/** The gateway's OpenAPI 3.1 document, made from the schemas of api.ts. */
import { z } from "zod";
import {
  feedbackResponseSchema,
  HEATMAP_METHODS,
  healthResponseSchema,
  infoResponseSchema,
  predictRequestSchema,
  predictResponseSchema,
  problemSchema,
  readyResponseSchema,
  scoresResponseSchema,
} from "./api.js";
import { EDGE } from "./picture-route.js";
import { PROBLEM_MEDIA_TYPE } from "./problem.js";

const SCHEMAS = {
  PredictRequest: predictRequestSchema,
  PredictResponse: predictResponseSchema,
  ScoresResponse: scoresResponseSchema,
  FeedbackResponse: feedbackResponseSchema,
  InfoResponse: infoResponseSchema,
  HealthResponse: healthResponseSchema,
  ReadyResponse: readyResponseSchema,
  Problem: problemSchema,
} as const;

type SchemaName = keyof typeof SCHEMAS;

const refTo = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` });
const json = (description: string, schema: object) => ({
  description,
  content: { "application/json": { schema } },
});
const text = (description: string, mediaType: string) => ({
  description,
  content: { [mediaType]: { schema: { type: "string" } } },
});
const problem = (description: string) => ({
  description,
  content: { [PROBLEM_MEDIA_TYPE]: { schema: refTo("Problem") } },
});
const busy = (description: string) => ({
  ...problem(description),
  headers: { "retry-after": { description: "seconds to wait", schema: { type: "integer" } } },
});

const binary = { type: "string", contentMediaType: "image/*" };

const formPictures = {
  file: { type: "array", items: binary },
  url: { type: "array", items: { type: "string", description: "http or https address of a picture" } },
};

const predict = {
  summary: "Says what is on a picture",
  parameters: [
    query("format", "`scores` answers the raw scores alone, `predictions` the full answer", {
      enum: ["predictions", "scores"],
    }),
    query("top_k", "adds `top`: so many labels, best first", { type: "integer", minimum: 1, maximum: 1000 }),
    query(
      "explain",
      "adds `heatmap`: where the evidence lies. `1`: by the model's own activation map, else by occlusion; or one of them by name",
      { enum: ["0", "1", ...HEATMAP_METHODS] },
    ),
    query("explain_grid", "cells of an occlusion in each direction; each costs a prediction", {
      type: "integer",
      minimum: 2,
      maximum: 32,
      default: 7,
    }),
    query("steps", "adds `steps`: what became of the picture on its way to the probabilities", {
      enum: ["0", "1"],
    }),
  ],
  requestBody: {
    required: true,
    content: {
      "application/json": {
        schema: refTo("PredictRequest"),
        example: { url: "http://bit.ly/mlbookcamp-pants" },
      },
      "multipart/form-data": {
        schema: {
          type: "object",
          description: "Photos and addresses of photos, at least one, in the order of the parts",
          properties: formPictures,
        },
      },
      "image/*": { schema: binary },
    },
  },
  responses: {
    200: {
      ...json("The answer", { anyOf: [refTo("PredictResponse"), refTo("ScoresResponse")] }),
      headers: {
        "x-model-version": { description: "version that answered", schema: { type: "string" } },
        "x-contract-digest": { description: "digest of the contract used", schema: { type: "string" } },
        "server-timing": { description: "milliseconds per stage", schema: { type: "string" } },
        "x-cache": { description: "`hit` when the answer was kept from before", schema: { enum: ["hit"] } },
      },
    },
    400: problem("The body, a parameter or the url was wrong, or the url could not be fetched"),
    401: problem("The gateway asks for an API key"),
    413: problem("Too many bytes or pixels"),
    415: problem("Not a body or a picture of a kind that is taken"),
    429: busy("As many requests are at work, or as many came from one client, as the gateway takes"),
    500: problem("A fault of the gateway's, or the model does not fit its contract"),
    501: problem("The model cannot answer this"),
    503: busy("The model tier cannot be reached"),
    504: problem("Not answered in time"),
  },
};

const picture = {
  summary: "Shows a linked picture, made anew: upright, small, without metadata",
  parameters: [
    { ...query("url", "http or https address of the picture", { type: "string" }), required: true },
    query("edge", "longest edge of the answer, in pixels; a smaller picture keeps its size", {
      type: "integer",
      minimum: EDGE.least,
      maximum: EDGE.greatest,
      default: EDGE.default,
    }),
  ],
  responses: {
    200: {
      description: "The picture; WebP where it has an alpha channel",
      content: Object.fromEntries(
        ["image/jpeg", "image/webp"].map((mediaType) => [mediaType, { schema: binary }]),
      ),
      headers: { etag: { description: "for If-None-Match", schema: { type: "string" } } },
    },
    304: { description: "Still the same" },
    400: problem("A parameter or the url was wrong, or the url could not be fetched"),
    401: problem("The gateway asks for an API key"),
    413: problem("Too many bytes or pixels"),
    415: problem("Not a picture of a kind that is taken"),
    429: busy("As many requests are at work, or as many came from one client, as the gateway takes"),
    503: busy("The gateway is about to end"),
    504: problem("Not answered in time"),
  },
};

const words = { type: "string" };
const said = {
  label: { ...words, description: "what it is: one of the labels of GET /info" },
  predicted: { ...words, description: "what the model had answered" },
  model_version: { ...words, description: "`model.version` of that answer" },
  contract: { ...words, description: "`contract` of that answer" },
  request_id: { ...words, description: "`x-request-id` of that answer" },
};

const giveFeedback = {
  summary: "Keeps a picture and its right label, with the consent of the person whose picture it is",
  requestBody: {
    required: true,
    content: {
      "multipart/form-data": {
        schema: {
          type: "object",
          required: ["label", "consent"],
          properties: {
            ...formPictures,
            ...said,
            consent: { enum: ["yes"] },
          },
        },
      },
      "application/json": {
        schema: {
          type: "object",
          required: ["label", "consent"],
          properties: {
            url: words,
            urls: { type: "array", items: words },
            ...said,
            consent: { enum: [true] },
          },
        },
        example: { url: "http://bit.ly/mlbookcamp-pants", label: "pants", consent: true },
      },
    },
  },
  responses: {
    201: json("Kept", refTo("FeedbackResponse")),
    400: problem("The body, the label or the url was wrong, or there was no consent"),
    401: problem("The gateway asks for an API key"),
    403: problem("A page of another site sent it"),
    413: problem("Too many bytes or pixels"),
    415: problem("Not a body or a picture of a kind that is taken"),
    429: busy("As many requests are at work, or as many came from one client, as the gateway takes"),
    501: problem("This gateway keeps no corrections"),
    503: busy("The folder cannot be written, or no model is known yet"),
    507: busy("The folder is full"),
  },
};

const withdrawFeedback = {
  summary: "Takes a correction back: its pictures and its record are removed",
  parameters: [
    { name: "id", in: "path", required: true, schema: words },
    {
      name: "folder",
      in: "query",
      schema: words,
      description: "as in `withdraw`: lets a gateway that keeps another folder say so",
    },
  ],
  responses: {
    204: { description: "Removed" },
    401: problem("The gateway asks for an API key"),
    404: problem("Nothing is kept under this id"),
    421: problem("It is kept in another folder than this gateway's"),
    501: problem("This gateway keeps no corrections"),
  },
};

/**
 * @param version of the product.
 * @param asksForKeys predictions are answered only to callers with an API key.
 */
export function openApiDocument(version: string, asksForKeys: boolean): object {
  const security = asksForKeys ? { security: [{ bearer: [] }, { apiKey: [] }] } : {};
  return {
    openapi: "3.1.0",
    info: {
      title: "Vitrine gateway",
      version,
      description:
        "Picture in, category out. Errors are problem JSON (RFC 9457) with code, reason, requestId.",
    },
    paths: {
      "/predict": { post: { ...predict, ...security } },
      "/picture": { get: { ...picture, ...security } },
      "/feedback": { post: { ...giveFeedback, ...security } },
      "/feedback/{id}": { delete: { ...withdrawFeedback, ...security } },
      "/info": get(
        "The model, the limits, and how a picture is treated",
        {
          200: json("What is served", refTo("InfoResponse")),
          401: problem("The gateway asks for an API key"),
          503: busy("No model is known yet"),
        },
        security,
      ),
      "/health": get("The process answers", { 200: json("Healthy", refTo("HealthResponse")) }),
      "/livez": get("The process is alive", { 200: json("Alive", refTo("HealthResponse")) }),
      "/readyz": get("A picture can be answered now", {
        200: json("Ready", refTo("ReadyResponse")),
        503: busy("Not ready, and why"),
      }),
      "/ping": get("PONG", { 200: text("PONG", "text/plain") }),
      "/metrics": get("Prometheus metrics", { 200: text("Metrics", "text/plain") }),
    },
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
      schemas: Object.fromEntries(
        Object.entries(SCHEMAS).map(([name, schema]) => [name, jsonSchemaOf(schema)]),
      ),
    },
  };
}

function jsonSchemaOf(schema: z.ZodType): object {
  // OpenAPI 3.1 takes JSON Schema 2020-12 as it is; the dialect is named once by the document itself.
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { target: "draft-2020-12" });
  return rest;
}

function query(name: string, description: string, schema: object) {
  return { name, in: "query", required: false, description, schema };
}

function get(summary: string, responses: object, more: object = {}) {
  return { get: { summary, responses, ...more } };
}
