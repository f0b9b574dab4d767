/** A small HTTP server for those who watch a process: open from the first moment, while the tier itself still loads. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";

export interface AdminServerOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Undefined when work is welcome. */
  whyNotReady(): string | undefined;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/livez` (200 while the event loop turns), `/readyz` (200, or 503 and why not) and `/metrics` (Prometheus).
 *
 * @throws the system's error, such as EADDRINUSE.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(`metrics could not be read: ${error}\n`);
    });
  });
  server.listen({ host: options.host, port: options.port });
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : options.port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  { registry, whyNotReady }: AdminServerOptions,
): Promise<void> {
  const send = (status: number, body: string, type = "text/plain; charset=utf-8") => {
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    response.end(method === "HEAD" ? undefined : body);
  };
  if (method !== "GET" && method !== "HEAD") return send(405, "expected GET\n");
  switch (url?.split("?", 1)[0]) {
    case "/livez":
      return send(200, "ok\n");
    case "/readyz": {
      const problem = whyNotReady();
      return problem === undefined ? send(200, "ok\n") : send(503, `${problem}\n`);
    }
    case "/metrics":
      return send(200, await registry.metrics(), registry.contentType);
    default:
      return send(404, "expected /livez, /readyz or /metrics\n");
  }
}
