/** By which name a request is known to the caller, the logs and the model tier. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The caller's own id where it has the form of one, so that it can stand in logs and headers as it is; else a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:+/=-]{1,128}$/.test(given) ? given : randomUUID();
}

/** `traceparent` where it is one, and the `tracestate` beside it. Source: W3C Trace Context, version 00. */
export function traceHeadersOf({ headers }: IncomingMessage): { traceparent?: string; tracestate?: string } {
  const { traceparent, tracestate } = headers;
  const isTrace =
    typeof traceparent === "string" &&
    /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent);
  if (!isTrace) return {};
  const hasState = typeof tracestate === "string" && /^[\x20-\x7e]{1,512}$/.test(tracestate);
  return { traceparent, ...(hasState ? { tracestate } : {}) };
}
