import type { InfoResponse, PredictResponse, Problem } from "@vitrine/gateway/api";
import type { Fault } from "../fault.js";
import { isKnownReason } from "../fault-words.js";

export type Outcome =
  | { readonly name: "answered"; readonly answer: PredictResponse }
  | { readonly name: "failed"; readonly fault: Fault };

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLabelledProbability(value: unknown): boolean {
  return isRecord(value) && typeof value.label === "string" && typeof value.probability === "number";
}

// The schemas of the gateway need zod, which weighs as much as this whole page. These check what the page reads.

export function isPredictResponse(value: unknown): value is PredictResponse {
  return (
    isRecord(value) &&
    typeof value.top_class === "string" &&
    typeof value.top_probability === "number" &&
    typeof value.unsure === "boolean" &&
    Array.isArray(value.top) &&
    value.top.every(isLabelledProbability) &&
    isRecord(value.model) &&
    isRecord(value.timings) &&
    typeof value.timings.total === "number"
  );
}

export function isInfoResponse(value: unknown): value is InfoResponse {
  return (
    isRecord(value) &&
    Array.isArray(value.labels) &&
    isRecord(value.limits) &&
    typeof value.limits.max_image_bytes === "number" &&
    typeof value.limits.max_image_pixels === "number" &&
    typeof value.limits.max_images === "number" &&
    Array.isArray(value.limits.media_types) &&
    isRecord(value.picture) &&
    isRecord(value.shrink) &&
    typeof value.shrink.keeps_answer === "boolean"
  );
}

function isProblem(
  value: unknown,
): value is Pick<Problem, "reason" | "requestId"> & { readonly photo?: unknown } {
  return isRecord(value) && typeof value.reason === "string" && typeof value.requestId === "string";
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Seconds of a `Retry-After` header, which may also be a date (RFC 9110, section 10.2.3). */
export function retryAfterSecondsOf(header: string | null, nowMs: number): number | undefined {
  if (header === null) {
    return undefined;
  }
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - nowMs) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/**
 * What an answer with a status of 400 or more means.
 *
 * A status of 502 to 504 or 429 without problem JSON comes from a proxy in front of the gateway, and is read as
 * the gateway's own word for the same thing.
 */
export function faultOf(status: number, json: unknown, retryAfterSeconds: number | undefined): Fault {
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (!isProblem(json)) return { reason: reasonOfStatus(status), ...wait };
  const { requestId, photo } = json;
  const reason = isKnownReason(json.reason) ? json.reason : "INTERNAL";
  return { reason, requestId, ...(typeof photo === "number" ? { photo } : {}), ...wait };
}

/** What an answer of `POST /predict` means. */
export function outcomeOf(status: number, body: string, retryAfterSeconds: number | undefined): Outcome {
  const json = parseJson(body);
  if (status !== 200) return { name: "failed", fault: faultOf(status, json, retryAfterSeconds) };
  return isPredictResponse(json)
    ? { name: "answered", answer: json }
    : { name: "failed", fault: { reason: "ANSWER_UNREADABLE" } };
}

function reasonOfStatus(status: number): Fault["reason"] {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 413:
      return "IMAGE_TOO_LARGE";
    case 429:
      return "OVERLOADED";
    case 502:
    case 503:
      return "MODEL_UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status >= 500 ? "INTERNAL" : "ANSWER_UNREADABLE";
  }
}
