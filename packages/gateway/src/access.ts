/** Who may call the API, from which pages, and how often. */
import fastifyCors from "@fastify/cors";
import fastifyRateLimit from "@fastify/rate-limit";
import { ServeError } from "@vitrine/protocol/status";
import type { FastifyInstance, FastifyRequest } from "fastify";
import ipaddr from "ipaddr.js";
import type { ApiKeys } from "./api-keys.js";

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

const MINUTE_MS = 60_000;
/** Clients remembered for the limit; who was not seen for longest is forgotten first. */
const MAX_CLIENTS = 10_000;

/**
 * Adds the hooks. Call it before the routes are added; those say in their `config` what they want: `needsKey`, and
 * `rateLimit: {}` to count against the limit per client.
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
  if (maxRequestsPerClient > 0) {
    await app.register(fastifyRateLimit, {
      global: false,
      cache: MAX_CLIENTS,
      max: maxRequestsPerClient,
      timeWindow: MINUTE_MS,
      keyGenerator: limitKeyOf,
      errorResponseBuilder: (_request, { ttl }) => {
        const retryAfterSeconds = Math.max(1, Math.ceil(ttl / 1000));
        return new ServeError(
          "CLIENT_LIMIT",
          `client asked for more than ${maxRequestsPerClient} predictions in a minute, expected a pause of ${retryAfterSeconds} s`,
          { retryAfterSeconds },
        );
      },
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
