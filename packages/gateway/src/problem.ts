/** A ServeError as the caller sees it: problem JSON (RFC 9457) and its headers. */
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import { httpStatusOf, ServeError } from "@vitrine/protocol/status";
import type { Problem } from "./api.js";
import { PhotoError } from "./each-photo.js";

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** Nginx' status for a caller that left; Node has no words for it. It is seen in logs only. */
const TITLE_499 = "Client Closed Request";

/** The body. `type` is the reason's place on the gateway's own /docs page. */
export function problemOf(error: ServeError, requestId: string): Problem {
  const status = httpStatusOf(error);
  return {
    type: `/docs#${error.reason}`,
    title: STATUS_CODES[status] ?? TITLE_499,
    status,
    detail: error.message,
    code: error.code,
    reason: error.reason,
    ...(error instanceof PhotoError ? { photo: error.photo } : {}),
    requestId,
  };
}

/** Answers without a hint when to come back make clients come back at once. */
const DEFAULT_RETRY_AFTER_SECONDS = 1;

/** `Retry-After` where the same request may succeed later; undefined elsewhere. */
export function retryAfterOf(error: ServeError): string | undefined {
  const isTransient = error.code === "UNAVAILABLE" || error.code === "RESOURCE_EXHAUSTED";
  const seconds = error.retryAfterSeconds ?? (isTransient ? DEFAULT_RETRY_AFTER_SECONDS : undefined);
  return seconds === undefined ? undefined : String(Math.ceil(seconds));
}

/** What Fastify itself refuses, in the words of the catalogue. */
export function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500;
  const { message } = error instanceof Error ? error : { message: "request was not valid" };
  if (status === 415) return new ServeError("BODY_UNSUPPORTED", message, { cause: error });
  if (status >= 400 && status < 500) return new ServeError("BODY_INVALID", message, { cause: error });
  return ServeError.from(error);
}

/** The whole answer to bytes that never became a request: there is no route and no reply to write it with. */
export function answerToBrokenHttp(error: NodeJS.ErrnoException): string {
  const what =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? "request took too long to arrive, expected it sooner"
      : "request could not be read, expected HTTP/1.1 with a head of at most 16 KiB";
  const problem = problemOf(new ServeError("BODY_INVALID", what, { cause: error }), randomUUID());
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.requestId}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
