/** A call's outcome in `grpc-status`, `grpc-message` and our `vitrine-reason`. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { type Code, codeOfNumber, GRPC_STATUS, REASONS, type Reason, ServeError } from "../status.js";
import { decodeMessageText, encodeMessageText, truncateMessage } from "./message-text.js";

/** Carries our reason between the tiers; other peers ignore it. */
const REASON_HEADER = "vitrine-reason";

export const OK_TRAILERS: OutgoingHttpHeaders = { "grpc-status": "0" };

export function trailersOfError(error: ServeError): OutgoingHttpHeaders {
  return {
    "grpc-status": String(GRPC_STATUS[error.code]),
    "grpc-message": encodeMessageText(truncateMessage(error.message)),
    [REASON_HEADER]: error.reason,
  };
}

/** @returns the error of a finished call; undefined when it is OK, `"absent"` when there is no `grpc-status`. */
export function errorOfTrailers(trailers: IncomingHttpHeaders): ServeError | undefined | "absent" {
  const status = trailers["grpc-status"];
  if (status === undefined) return "absent";
  const number = Number(status);
  if (number === 0) return undefined;
  const code = codeOfNumber(number);
  const message = trailers["grpc-message"];
  const text = typeof message === "string" ? decodeMessageText(message) : "";
  return new ServeError(reasonOf(trailers[REASON_HEADER], code), text, { code });
}

function isReason(value: unknown): value is Reason {
  return typeof value === "string" && Object.hasOwn(REASONS, value);
}

function reasonOf(header: unknown, code: Code): Reason {
  return isReason(header) ? header : REASON_OF_CODE[code];
}

/** What a status means when the peer is no Vitrine and says no reason. */
export const REASON_OF_CODE: Readonly<Record<Code, Reason>> = {
  CANCELLED: "CANCELLED",
  UNKNOWN: "INTERNAL",
  INVALID_ARGUMENT: "REQUEST_INVALID",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  NOT_FOUND: "MODEL_NOT_FOUND",
  ALREADY_EXISTS: "INTERNAL",
  PERMISSION_DENIED: "MODEL_UNAVAILABLE",
  RESOURCE_EXHAUSTED: "OVERLOADED",
  FAILED_PRECONDITION: "SIGNATURE_NOT_FOUND",
  ABORTED: "INTERNAL",
  OUT_OF_RANGE: "REQUEST_INVALID",
  UNIMPLEMENTED: "METHOD_UNIMPLEMENTED",
  INTERNAL: "INTERNAL",
  UNAVAILABLE: "MODEL_UNAVAILABLE",
  DATA_LOSS: "INTERNAL",
  UNAUTHENTICATED: "MODEL_UNAVAILABLE",
};
