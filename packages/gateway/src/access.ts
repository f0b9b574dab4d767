/** Who may call the API, from which pages, and how often. */
import fastifyCors from "@fastify/cors";
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance, FastifyRequest } from "fastify";
import ipaddr from "ipaddr.js";
import type { ApiKeys } from "./api-keys.js";
import { type ClientAccount, createClientLimit } from "./client-limit.js";

export interface AccessOptions {
  /** undefined: everyone may call. */
  readonly apiKeys: ApiKeys | undefined;
  /** Origins whose pages may read the answers; `*` is every one. */
  readonly corsOrigins: readonly string[];
  /** Predictions per client and minute; 0 is no limit. */
  readonly maxRequestsPerClient: number;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route answers only callers with a key, where keys are asked for. */
    needsKey?: boolean;
    /** A request counts as one against the limit per client, of this route; what it costs beyond, the route counts. */
    isLimited?: boolean;
  }
  interface FastifyRequest {
    /** undefined: clients have no limit. */
    account: ClientAccount | undefined;
  }
}

/** What a page of another origin may read beside the body. */
const EXPOSED_HEADERS = [
  "location",
  "retry-after",
  "x-cache",
  "server-timing",
  "x-contract-digest",
  "x-model-version",
  "x-request-id",
];

/**
 * Adds the hooks. Call it before the routes are added; those say in their `config` what they want: `needsKey`,
 * `isLimited`.
 */
export async function addAccess(app: FastifyInstance, options: AccessOptions): Promise<void> {
  const { apiKeys, corsOrigins, maxRequestsPerClient } = options;
  if (corsOrigins.length > 0) {
    await app.register(fastifyCors, {
      origin: corsOrigins.includes("*") ? "*" : [...corsOrigins],
      methods: ["GET", "POST", "DELETE"],
      allowedHeaders: ["authorization", "content-type", "traceparent", "x-api-key", "x-request-id"],
      exposedHeaders: EXPOSED_HEADERS,
      maxAge: 600,
      strictPreflight: false,
    });
  }
  if (apiKeys !== undefined) {
    app.addHook("onRequest", async (request) => {
      if (request.routeOptions.config.needsKey === true) request.client = clientOf(request, apiKeys);
    });
  }
  app.decorateRequest("account", undefined);
  if (maxRequestsPerClient > 0) {
    const limit = createClientLimit({ maxPredictions: maxRequestsPerClient });
    app.addHook("onRequest", async (request) => {
      if (request.routeOptions.config.isLimited !== true) return;
      // Each route for itself: who has no predictions left can still take a correction back.
      const { method, url } = request.routeOptions;
      request.account = limit.accountOf(`${method} ${url} ${limitKeyOf(request)}`);
      request.account.add(1);
    });
    app.addHook("onSend", async (request, reply) => {
      if (request.account === undefined) return;
      const { limit, remaining, resetSeconds } = request.account.state();
      reply.headers({
        "x-ratelimit-limit": limit,
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": resetSeconds,
      });
    });
  }
}

/** @throws {ServeError} UNAUTHENTICATED. */
function clientOf(request: FastifyRequest, apiKeys: ApiKeys): string {
  const presented = presentedKey(request);
  const client = presented === undefined ? undefined : apiKeys.nameOf(presented);
  if (client !== undefined) return client;
  const what = presented === undefined ? "was missing" : "is not known here";
  throw new ServeError(
    "UNAUTHENTICATED",
    `API key ${what}, expected one in the header "authorization: Bearer KEY" or "x-api-key: KEY"`,
  );
}

/** Source of the scheme: RFC 6750, 2.1. */
function presentedKey({ headers }: FastifyRequest): string | undefined {
  const bearer = /^bearer +([^\s]+)$/i.exec(headers.authorization ?? "")?.[1];
  const own = headers["x-api-key"];
  return bearer ?? (typeof own === "string" ? own : undefined);
}

/**
 * By whom a prediction is counted: the key's name where there are keys, else the address. Of IPv6 the first 64 bits,
 * since one household or server has all of the rest.
 */
function limitKeyOf({ client, ip }: FastifyRequest): string {
  if (client !== undefined) return `key ${client}`;
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  return address instanceof ipaddr.IPv6
    ? address
        .toByteArray()
        .slice(0, 8)
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("")
    : address.toString();
}
