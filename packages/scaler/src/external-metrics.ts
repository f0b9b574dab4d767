/**
 * Kubernetes' external metrics API, which a HorizontalPodAutoscaler reads through the API server.
 *
 * Source: k8s.io/metrics/pkg/apis/external_metrics/v1beta1.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { ServerTls } from "@vitrine/protocol/grpc/tls";
import { httpStatusOf, ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import { type FrontProxyTrust, refusalOf } from "./front-proxy.js";
import { type CountWork, workQuery } from "./waiting-work.js";

const GROUP = "external.metrics.k8s.io";
const VERSION = `${GROUP}/v1beta1`;
const VALUE_PATH = new RegExp(`^/apis/${VERSION}/namespaces/([^/]+)/([^/]+)$`);

const API_GROUP = {
  kind: "APIGroup",
  apiVersion: "v1",
  name: GROUP,
  versions: [{ groupVersion: VERSION, version: "v1beta1" }],
  preferredVersion: { groupVersion: VERSION, version: "v1beta1" },
};

const API_RESOURCES = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: VERSION,
  resources: [
    {
      name: "externalmetrics",
      singularName: "",
      namespaced: true,
      kind: "ExternalMetricValueList",
      verbs: ["get"],
    },
  ],
};

export interface ExternalMetricsOptions {
  readonly countWork: CountWork;
  readonly logger: Logger;
}

/** What the server shows, and whom it answers. */
interface Identities {
  readonly tls: ServerTls;
  /** Without it nobody is answered. */
  readonly trust: FrontProxyTrust;
}

export interface ExternalMetricsServer {
  /** Counts from the next handshake on. @throws for a key that is not the certificate's: all stays as it was. */
  renew(change: Partial<Identities>): void;
  /** @returns the port. @throws the system's error, such as EADDRINUSE. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Answers what was asked, then closes. */
  close(): Promise<void>;
}

/** Makes the server; give it a certificate before it listens. Whoever is not Kubernetes' API server is told 401 or 403 and nothing else. */
export function createExternalMetrics(options: ExternalMetricsOptions): ExternalMetricsServer {
  const { logger } = options;
  let identities: Partial<Identities> = {};
  // Not refused within the handshake: who is refused shall read why.
  const verification = { requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...verification, ...contextOf(identities) }, (request, response) => {
    const { socket } = request;
    const refusal = refusalOf(socket, identities.trust);
    if (refusal !== undefined) {
      logger.warn({ peer: socket.remoteAddress, why: refusal.message }, "a caller was refused");
      return send(response, refusal.status, failure(refusal.status, refusal.message));
    }
    answer(request, response, options).catch((error: unknown) => {
      const known = ServeError.from(error);
      logger.warn({ err: error, path: request.url }, "an autoscaler's question had no answer");
      const status = httpStatusOf(known);
      send(response, status, failure(status, known.message));
    });
  });
  return {
    renew(change) {
      const renewed = { ...identities, ...change };
      server.setSecureContext(contextOf(renewed));
      identities = renewed;
      // Those that another authority vouched for must show themselves again.
      if (change.trust !== undefined) server.closeIdleConnections();
    },
    async listen(address) {
      server.listen(address);
      await once(server, "listening");
      const bound = server.address();
      return typeof bound === "object" && bound !== null ? bound.port : address.port;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      await closed;
    },
  };
}

function contextOf({ tls, trust }: Partial<Identities>): SecureContextOptions {
  // No authority at all, where undefined would mean all that Node knows.
  const ca = trust === undefined ? [] : [trust.clientAuthority];
  return tls === undefined ? { ca } : { key: tls.key, cert: tls.cert, ca };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { countWork }: ExternalMetricsOptions,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "https://scaler");
  if (request.method !== "GET") return send(response, 405, failure(405, "expected GET"));
  if (pathname === "/apis") {
    return send(response, 200, { kind: "APIGroupList", apiVersion: "v1", groups: [API_GROUP] });
  }
  if (pathname === `/apis/${GROUP}`) return send(response, 200, API_GROUP);
  if (pathname === `/apis/${VERSION}`) return send(response, 200, API_RESOURCES);
  const [, namespace, metric] = VALUE_PATH.exec(pathname) ?? [];
  if (namespace === undefined || metric === undefined) {
    return send(response, 404, failure(404, `expected /apis/${VERSION}/namespaces/NAMESPACE/METRIC`));
  }
  const words = wordsOfSelector(searchParams.get("labelSelector") ?? "");
  const query = workQuery(decodeURIComponent(namespace), decodeURIComponent(metric), words);
  const value = await countWork(query, signalOf(response));
  send(response, 200, {
    kind: "ExternalMetricValueList",
    apiVersion: VERSION,
    metadata: {},
    items: [
      {
        metricName: query.metric,
        metricLabels: Object.fromEntries(words),
        timestamp: new Date().toISOString(),
        value: quantityOf(value),
      },
    ],
  });
}

/** Reads `a=b,c==d`, to which the API server turns `matchLabels`. @throws {ServeError} REQUEST_INVALID for other forms. */
function wordsOfSelector(selector: string): Map<string, string> {
  const terms = selector.split(",").filter((term) => term !== "");
  return new Map(
    terms.map((term) => {
      const [, key = "", value = ""] = /^\s*([^=!\s]+)\s*==?\s*([^=\s]*)\s*$/.exec(term) ?? [];
      if (key !== "") return [key, value];
      throw new ServeError("REQUEST_INVALID", `selector had "${term}", expected matchLabels only`);
    }),
  );
}

/** A number as Kubernetes writes quantities: whole, or in thousandths. */
function quantityOf(value: number): string {
  return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`;
}

function failure(status: number, message: string): object {
  const reasons: Readonly<Record<number, string>> = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    503: "ServiceUnavailable",
  };
  const reason = reasons[status] ?? "InternalError";
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code: status };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

function signalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => controller.abort());
  return controller.signal;
}
