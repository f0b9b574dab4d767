/** The gateway over HTTP. */
import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "../fault.js";
import type { Outcome } from "./answers.js";
import { faultOf, isInfoResponse, outcomeOf, parseJson, retryAfterSecondsOf } from "./answers.js";
import type { Asked, AskOptions, Gateway } from "./gateway.js";

/** Body and headers of a `POST /predict`. */
export interface Upload {
  readonly body: FormData | string;
  readonly headers: Readonly<Record<string, string>>;
}

interface PredictOptions {
  /** Stops the request; the promise then never settles, as nobody waits for it. */
  readonly signal: AbortSignal;
  /** The request is given up when no byte has moved for this long. */
  readonly stallMs: number;
  /** Share of the body that has left, 0 to 1. */
  readonly onSent: (share: number) => void;
}

/** Where a picture that was asked for stands. */
interface PictureProgress {
  readonly signal: AbortSignal;
  /** Share of the bytes that are here, 0 to 1; undefined where the gateway does not say how many there are. */
  readonly onReceived: (share: number | undefined) => void;
}

export interface GatewayClient extends Gateway {
  predict(upload: Upload, options: PredictOptions): Promise<Outcome>;
  /** What the gateway serves, or why it does not say; the page works without. */
  info(): Promise<InfoResponse | Fault>;
  /** A linked picture, fetched by the gateway, upright, its longer edge at most `edge` pixels. */
  picture(url: string, edge: number, progress: PictureProgress): Promise<Blob | Fault>;
}

/** Answers of `POST /predict` carry this many labels: the first and two to choose from. */
const TOP_LABELS = 3;

/** The page goes on without what the gateway serves when that has not come by then. */
const INFO_MS = 10_000;

export const PREDICT_PATH = `/predict?format=predictions&top_k=${TOP_LABELS}`;

/** @param keyOf the person's key for a site that asks for one. */
export function createGatewayClient(keyOf: () => string | undefined): GatewayClient {
  const headersOf = (headers: AskOptions["headers"]): Record<string, string> => {
    const key = keyOf();
    return {
      accept: "application/json",
      ...headers,
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    };
  };

  async function send(
    path: string,
    { method = "GET", headers, body, signal }: AskOptions,
  ): Promise<Response | Fault> {
    try {
      return await fetch(path, {
        method,
        headers: headersOf(headers),
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch {
      return brokenOff(signal);
    }
  }

  async function ask(path: string, options: AskOptions = {}): Promise<Asked> {
    const startedMs = performance.now();
    const response = await send(path, options);
    if (!(response instanceof Response)) return { ok: false, fault: response };
    let text: string;
    try {
      text = await response.text();
    } catch {
      return { ok: false, fault: brokenOff(options.signal) };
    }
    const json = parseJson(text);
    const { status, headers } = response;
    return response.ok
      ? { ok: true, status, headers, json, durationMs: performance.now() - startedMs }
      : { ok: false, fault: faultOf(status, json, waitOf(response)) };
  }

  return {
    ask,
    async info() {
      const asked = await ask("/info", { signal: AbortSignal.timeout(INFO_MS) });
      if (!asked.ok) return asked.fault;
      return isInfoResponse(asked.json) ? asked.json : { reason: "ANSWER_UNREADABLE" };
    },
    async picture(url, edge, { signal, onReceived }) {
      const query = new URLSearchParams({ url, edge: String(edge) });
      const response = await send(`/picture?${query}`, { headers: { accept: "image/*" }, signal });
      if (!(response instanceof Response)) return response;
      try {
        if (!response.ok) return faultOf(response.status, parseJson(await response.text()), waitOf(response));
        return await receive(response, onReceived);
      } catch {
        return brokenOff(signal);
      }
    },
    predict: (upload, options) => predict({ ...upload, headers: headersOf(upload.headers) }, options),
  };
}

function waitOf(response: Response): number | undefined {
  return retryAfterSecondsOf(response.headers.get("retry-after"), Date.now());
}

function brokenOff(signal: AbortSignal | undefined): Fault {
  if (signal?.aborted === true) return { reason: "CANCELLED" };
  return { reason: navigator.onLine ? "UNREACHABLE" : "OFFLINE" };
}

async function receive(response: Response, onReceived: PictureProgress["onReceived"]): Promise<Blob> {
  const total = Number(response.headers.get("content-length") ?? 0);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    chunks.push(part.value);
    bytes += part.value.byteLength;
    onReceived(total > 0 ? Math.min(1, bytes / total) : undefined);
  }
  return new Blob(chunks, { type: response.headers.get("content-type") ?? "" });
}

/** XMLHttpRequest, because fetch does not tell how much of a body has left. */
function predict({ body, headers }: Upload, { signal, stallMs, onSent }: PredictOptions): Promise<Outcome> {
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
      if (total > 0) onSent(loaded / total);
    };
    request.onprogress = moved;
    request.onload = () => {
      const retryAfter = retryAfterSecondsOf(request.getResponseHeader("retry-after"), Date.now());
      resolve(outcomeOf(request.status, request.responseText, retryAfter));
    };
    request.onerror = () => fail(navigator.onLine ? "UNREACHABLE" : "OFFLINE");
    request.onloadend = () => clearTimeout(stallTimer);
    signal.addEventListener("abort", () => request.abort(), { once: true });

    request.open("POST", PREDICT_PATH);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}
