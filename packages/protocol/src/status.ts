/**
 * Errors as both tiers speak them: one class, gRPC's codes, and the one table from codes to the numbers of
 * each protocol.
 */

/** gRPC's status codes by name. Source: google/rpc/code.proto; `tensorflow.error.Code` has the same numbers. */
export const GRPC_STATUS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Code = keyof typeof GRPC_STATUS;

/** HTTP status of each code, as TensorFlow Serving's REST API maps them. */
export const HTTP_STATUS: Readonly<Record<Code, number>> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/**
 * What went wrong, as a stable word that programs may match on. docs/errors.md lists each one; a test keeps
 * the two in agreement.
 */
export const REASONS = {
  // The picture and how it was asked for.
  BODY_INVALID: "INVALID_ARGUMENT",
  BODY_UNSUPPORTED: "INVALID_ARGUMENT",
  IMAGE_TOO_LARGE: "INVALID_ARGUMENT",
  IMAGE_TOO_MANY_PIXELS: "INVALID_ARGUMENT",
  IMAGE_TYPE_UNSUPPORTED: "INVALID_ARGUMENT",
  IMAGE_UNDECODABLE: "INVALID_ARGUMENT",
  IMAGE_URL_INVALID: "INVALID_ARGUMENT",
  IMAGE_URL_FORBIDDEN: "INVALID_ARGUMENT",
  IMAGE_URL_FAILED: "INVALID_ARGUMENT",
  IMAGE_URL_TIMEOUT: "INVALID_ARGUMENT",
  TOO_MANY_IMAGES: "INVALID_ARGUMENT",
  UNAUTHENTICATED: "UNAUTHENTICATED",
  CLIENT_LIMIT: "RESOURCE_EXHAUSTED",
  ROUTE_NOT_FOUND: "NOT_FOUND",
  METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
  HOST_FORBIDDEN: "PERMISSION_DENIED",
  // Corrections that are to be kept.
  FEEDBACK_DISABLED: "UNIMPLEMENTED",
  FEEDBACK_CONSENT_MISSING: "INVALID_ARGUMENT",
  FEEDBACK_LABEL_UNKNOWN: "INVALID_ARGUMENT",
  FEEDBACK_ORIGIN_FORBIDDEN: "PERMISSION_DENIED",
  FEEDBACK_NOT_FOUND: "NOT_FOUND",
  FEEDBACK_ELSEWHERE: "NOT_FOUND",
  FEEDBACK_FULL: "RESOURCE_EXHAUSTED",
  FEEDBACK_UNWRITABLE: "UNAVAILABLE",
  // The request to the model tier.
  MODEL_NOT_FOUND: "NOT_FOUND",
  LABEL_NOT_FOUND: "INVALID_ARGUMENT",
  LABEL_UNAVAILABLE: "FAILED_PRECONDITION",
  SIGNATURE_NOT_FOUND: "FAILED_PRECONDITION",
  REQUEST_INVALID: "INVALID_ARGUMENT",
  TENSOR_INVALID: "INVALID_ARGUMENT",
  BATCH_TOO_LARGE: "INVALID_ARGUMENT",
  METHOD_UNIMPLEMENTED: "UNIMPLEMENTED",
  MESSAGE_TOO_LARGE: "RESOURCE_EXHAUSTED",
  // Load, life and death.
  OVERLOADED: "RESOURCE_EXHAUSTED",
  QUEUE_FULL: "UNAVAILABLE",
  DRAINING: "UNAVAILABLE",
  WORKER_LOST: "UNAVAILABLE",
  MODEL_UNAVAILABLE: "UNAVAILABLE",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  CANCELLED: "CANCELLED",
  // The two tiers, or the model and its contract, disagree.
  MODEL_CONTRACT_MISMATCH: "INTERNAL",
  MODEL_INVALID: "INVALID_ARGUMENT",
  MODEL_CONFIG_INVALID: "INVALID_ARGUMENT",
  MODEL_UNSUPPORTED: "UNIMPLEMENTED",
  INTERNAL: "INTERNAL",
} as const satisfies Record<string, Code>;

export type Reason = keyof typeof REASONS;

/** HTTP status of the reasons that say more than their code does. */
const HTTP_STATUS_OF_REASON: Partial<Record<Reason, number>> = {
  BODY_UNSUPPORTED: 415,
  IMAGE_TYPE_UNSUPPORTED: 415,
  IMAGE_TOO_LARGE: 413,
  IMAGE_TOO_MANY_PIXELS: 413,
  METHOD_NOT_ALLOWED: 405,
  HOST_FORBIDDEN: 421,
  FEEDBACK_ELSEWHERE: 421,
  FEEDBACK_FULL: 507,
};

/** A failure with a code of gRPC, a reason of the catalogue, and a message meant for the caller's eyes. */
export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly reason: Reason;
  readonly code: Code;
  /** Seconds after which the same request may succeed; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  /** @param message "<what> <was>, expected <what>"; it leaves the process, so no paths and no inner addresses. */
  constructor(
    reason: Reason,
    message: string,
    options: { cause?: unknown; code?: Code; retryAfterSeconds?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? REASONS[reason];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The error itself when it is a ServeError; else INTERNAL "internal error" with the real one as `cause`. */
  static from(error: unknown): ServeError {
    return error instanceof ServeError
      ? error
      : new ServeError("INTERNAL", "internal error", { cause: error });
  }
}

/** HTTP status under which a ServeError leaves the gateway. */
export function httpStatusOf(error: ServeError): number {
  return HTTP_STATUS_OF_REASON[error.reason] ?? HTTP_STATUS[error.code];
}

const CODE_OF_NUMBER = new Map<number, Code>(
  Object.entries(GRPC_STATUS).map(([code, number]) => [number, code as Code]),
);

/** Name of a gRPC status number; a number outside the table is UNKNOWN, as gRPC clients treat it. */
export function codeOfNumber(number: number): Code {
  return CODE_OF_NUMBER.get(number) ?? "UNKNOWN";
}
