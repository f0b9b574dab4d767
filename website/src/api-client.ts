import type { InfoResponse, PredictResponse, Problem } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";
import { isKnownReason } from "./fault-words.js";
import type { Photo } from "./photo.js";

export type Outcome =
  | { readonly name: "answered"; readonly answer: PredictResponse }
  | { readonly name: "failed"; readonly fault: Fault };

interface PredictOptions {
  /** Stops the request; the promise then never settles, as nobody waits for it. */
  readonly signal: AbortSignal;
  /** The request is given up when no byte has moved for this long. */
  readonly stallMs: number;
  /** Share of the body that has left, 0 to 1. Only called for files. */
  readonly onSent: (share: number) => void;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isLabelledProbability(value: unknown): boolean {
  return isRecord(value) && typeof value.label === "string" && typeof value.probability === "number";
}

// The schemas of the gateway need zod, which weighs as much as this whole page. These check what the page reads.

function isPredictResponse(value: unknown): value is PredictResponse {
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

function isInfoResponse(value: unknown): value is InfoResponse {
  return (
    isRecord(value) &&
    Array.isArray(value.labels) &&
    isRecord(value.limits) &&
    typeof value.limits.max_image_bytes === "number" &&
    typeof value.limits.max_image_pixels === "number" &&
    Array.isArray(value.limits.media_types)
  );
}

function isProblem(value: unknown): value is Pick<Problem, "reason" | "requestId"> {
  return isRecord(value) && typeof value.reason === "string" && typeof value.requestId === "string";
}

function parseJson(text: string): unknown {
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
 * What an answer of `POST /predict` means.
 *
 * A status of 502 to 504 or 429 without problem JSON comes from a proxy in front of the gateway, and is read as
 * the gateway's own word for the same thing.
 */
export function outcomeOf(status: number, body: string, retryAfterSeconds: number | undefined): Outcome {
  const json = parseJson(body);
  if (status === 200) {
    return isPredictResponse(json)
      ? { name: "answered", answer: json }
      : { name: "failed", fault: { reason: "ANSWER_UNREADABLE" } };
  }
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  if (isProblem(json)) {
    const { requestId } = json;
    const reason = isKnownReason(json.reason) ? json.reason : "INTERNAL";
    return { name: "failed", fault: { reason, requestId, ...wait } };
  }
  return { name: "failed", fault: { reason: reasonOfStatus(status), ...wait } };
}

function reasonOfStatus(status: number): Fault["reason"] {
  switch (status) {
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

/** What the gateway serves, or undefined when it does not say; the page works without. */
export async function fetchInfo(): Promise<InfoResponse | undefined> {
  try {
    const response = await fetch("/info");
    const json: unknown = response.ok ? await response.json() : undefined;
    return isInfoResponse(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Asks the gateway for the category of a photo. XMLHttpRequest, because fetch does not tell how much of a body
 * has left.
 */
export function predict(photo: Photo, { signal, stallMs, onSent }: PredictOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const fail = (reason: Fault["reason"]) => resolve({ name: "failed", fault: { reason } });
    const giveUp = () => {
      fail("STALLED");
      request.abort();
    };
    let stallTimer = setTimeout(giveUp, stallMs);
    const moved = () => {
      clearTimeout(stallTimer);
      stallTimer = setTimeout(giveUp, stallMs);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      moved();
      if (photo.kind === "file" && total > 0) {
        onSent(loaded / total);
      }
    };
    request.onprogress = moved;
    request.onload = () => {
      const retryAfter = retryAfterSecondsOf(request.getResponseHeader("retry-after"), Date.now());
      resolve(outcomeOf(request.status, request.responseText, retryAfter));
    };
    request.onerror = () => fail(navigator.onLine ? "UNREACHABLE" : "OFFLINE");
    request.onloadend = () => clearTimeout(stallTimer);
    signal.addEventListener("abort", () => request.abort(), { once: true });

    request.open("POST", "/predict?top_k=3");
    request.setRequestHeader("accept", "application/json");
    if (photo.kind === "link") {
      request.setRequestHeader("content-type", "application/json");
      request.send(JSON.stringify({ url: photo.url }));
    } else {
      const form = new FormData();
      form.append("file", photo.file, photo.file.name);
      request.send(form);
    }
  });
}
