/** What each reason that the gateway answers means, for /docs and docs/errors.md; a test keeps the two alike. */
import { REASONS, type Reason } from "@vitrine/protocol/status";

export const GATEWAY_REASONS = {
  BODY_INVALID: "The body, its form or a query parameter is not what the route takes.",
  BODY_UNSUPPORTED: "The body's content-type is none that the route takes.",
  IMAGE_TOO_LARGE: "The encoded picture has more bytes than the gateway takes.",
  IMAGE_TOO_MANY_PIXELS: "The picture has more pixels than the gateway decodes.",
  IMAGE_TYPE_UNSUPPORTED: "The bytes are no picture of a kind that is decoded here.",
  IMAGE_UNDECODABLE: "The picture is empty, damaged or ends too early.",
  IMAGE_URL_INVALID: "The url is no http or https address of a picture, or has a user name in it.",
  IMAGE_URL_FORBIDDEN: "The url, or where it redirected to, does not lie on the public internet.",
  IMAGE_URL_FAILED: "The picture's host refused, broke off, or answered with something else than 200.",
  IMAGE_URL_TIMEOUT: "The picture's host was too slow.",
  TOO_MANY_IMAGES: "The item has more photos than one request may have.",
  UNAUTHENTICATED: "The gateway asks for an API key, and there was none, or one it does not know.",
  CLIENT_LIMIT: "The client asked for more predictions in a minute than one client may.",
  ROUTE_NOT_FOUND: "The gateway has no such path.",
  METHOD_NOT_ALLOWED: "The path exists, but not with this method; the header Allow names those it has.",
  HOST_FORBIDDEN: "The gateway listens on loopback alone, and was asked under a name that may be anybody's.",
  FEEDBACK_DISABLED: "This gateway keeps no corrections.",
  FEEDBACK_CONSENT_MISSING: "Nobody said yes to the picture being kept.",
  FEEDBACK_LABEL_UNKNOWN: "The label is none of the model's.",
  FEEDBACK_ORIGIN_FORBIDDEN: "A page of another site sent the correction.",
  FEEDBACK_NOT_FOUND: "No correction is kept under this id.",
  FEEDBACK_ELSEWHERE: "The correction is kept in another folder than this gateway's.",
  FEEDBACK_FULL: "The folder of corrections, or its disk, has no room left.",
  FEEDBACK_UNWRITABLE: "The folder of corrections cannot be read or written now.",
  METHOD_UNIMPLEMENTED: "The model served cannot answer what was asked for.",
  OVERLOADED: "The gateway or the model tier has as much work as it takes.",
  QUEUE_FULL: "As many batches wait in the model tier as may wait.",
  WORKER_LOST: "The model's worker died at the request.",
  DRAINING: "The process is about to end; another one will answer.",
  MODEL_UNAVAILABLE: "The model tier cannot be reached, or has not loaded the model.",
  DEADLINE_EXCEEDED: "The answer was not there in time.",
  CANCELLED: "The caller left before the answer; seen in logs only.",
  MODEL_CONTRACT_MISMATCH: "The model and its contract, or the two tiers, do not fit each other.",
  INTERNAL: "A fault of the gateway's; its log holds the error under the request id.",
} as const satisfies Partial<Record<Reason, string>>;

export type GatewayReason = keyof typeof GATEWAY_REASONS;

/** In the catalogue's order. */
export const GATEWAY_REASON_NAMES: readonly GatewayReason[] = Object.keys(REASONS).filter(
  (reason): reason is GatewayReason => reason in GATEWAY_REASONS,
);
