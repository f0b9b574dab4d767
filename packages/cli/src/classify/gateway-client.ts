/** Asks a gateway about one picture after another, and again when it says "later". */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { problemSchema } from "@vitrine/gateway/api";
import { z } from "zod";
import { CommandFailure } from "../command-failure.js";
import type { Answer, Failure } from "./row.js";
import type { Source } from "./sources.js";

const infoSchema = z.object({
  labels: z.array(z.string()),
  limits: z.object({ max_image_bytes: z.number() }),
});

const answerSchema = z.object({
  top_class: z.string(),
  top_probability: z.number(),
  predictions: z.record(z.string(), z.number()),
});

export type GatewayInfo = z.output<typeof infoSchema>;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".webp": "image/webp",
  ".gif": "image/gif",
  ".avif": "image/avif",
  ".tif": "image/tiff",
  ".tiff": "image/tiff",
  ".bmp": "image/bmp",
  ".heic": "image/heic",
  ".heif": "image/heif",
};

/** Tries of one picture, the first included. */
const MOST_TRIES = 6;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;

export interface GatewayClient {
  /**
   * What the gateway says of itself; waits for one that is there and not yet ready.
   *
   * @throws {CommandFailure} that says what is there instead of a gateway.
   */
  info(): Promise<GatewayInfo>;
  /**
   * Classifies one picture. 429, 503 and a lost connection are tried again, as late as Retry-After says but
   * within limits; what is still wrong then, and every other error, is the answer.
   *
   * @throws the signal's reason when it aborts during a wait.
   */
  classify(source: Source, maxImageBytes: number): Promise<Answer>;
}

interface Attempt {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

interface PictureRequest {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers: { readonly "content-type": string };
}

/** @param signal ends the waits between tries; requests under way go on to their end. */
export function createGatewayClient(gatewayUrl: string, signal: AbortSignal): GatewayClient {
  const base = gatewayUrl.replace(/\/+$/, "");

  async function attempt(route: string, init: RequestInit): Promise<Attempt> {
    const response = await fetch(`${base}${route}`, init);
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return {
      status: response.status,
      text: await response.text(),
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    };
  }

  /** @throws {TypeError} of fetch when the last try got no connection. */
  async function attemptPatiently(route: string, init: RequestInit): Promise<Attempt> {
    for (let tries = 1; ; tries++) {
      const last = tries === MOST_TRIES;
      let wishMs: number | undefined;
      try {
        const answer = await attempt(route, init);
        if (last || (answer.status !== 429 && answer.status !== 503)) return answer;
        wishMs = answer.retryAfterMs;
      } catch (error) {
        if (last || !(error instanceof TypeError)) throw error;
      }
      const backoffMs = FIRST_DELAY_MS * 2 ** (tries - 1);
      await delay(Math.min(LONGEST_DELAY_MS, Math.max(wishMs ?? 0, backoffMs)), undefined, { signal });
    }
  }

  return {
    async info() {
      let answer: Attempt;
      try {
        answer = await attempt("/info", {});
        if (answer.status === 503) answer = await attemptPatiently("/info", {});
      } catch (cause) {
        if (signal.aborted) throw cause;
        throw new CommandFailure(`${base} did not answer, expected a gateway there: ${reasonOf(cause)}`, {
          cause,
        });
      }
      const info = infoSchema.safeParse(parseJson(answer.text));
      if (!info.success)
        throw new CommandFailure(`${base} answered /info with ${answer.status}, expected a gateway there`);
      return info.data;
    },

    async classify(source, maxImageBytes) {
      const request = await requestFor(source, maxImageBytes);
      if ("error" in request) return request;
      try {
        return answerOf(await attemptPatiently("/predict", { method: "POST", ...request }));
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        const message = `the gateway did not answer: ${reasonOf(error)}`;
        return { error: { code: "UNAVAILABLE", reason: "GATEWAY_UNREACHABLE", message } };
      }
    },
  };
}

async function requestFor(source: Source, maxImageBytes: number): Promise<PictureRequest | Failure> {
  if (source.kind === "url") {
    const body = JSON.stringify({ url: source.source });
    return { body, headers: { "content-type": "application/json" } };
  }
  try {
    const { size } = await stat(source.source);
    if (size > maxImageBytes) {
      const message = `the picture was ${size} bytes, expected at most ${maxImageBytes}`;
      return { error: { code: "INVALID_ARGUMENT", reason: "IMAGE_TOO_LARGE", message } };
    }
    const mediaType = MEDIA_TYPES[path.extname(source.source).toLowerCase()] ?? "image/jpeg";
    return {
      body: await readFile(source.source),
      headers: { "content-type": mediaType },
    };
  } catch (error) {
    const message = `the file could not be read: ${reasonOf(error)}`;
    return { error: { code: "NOT_FOUND", reason: "FILE_UNREADABLE", message } };
  }
}

function answerOf({ status, text }: Attempt): Answer {
  const json = parseJson(text);
  const answer = answerSchema.safeParse(json);
  if (status === 200 && answer.success) return answer.data;
  const problem = problemSchema.pick({ code: true, reason: true, detail: true }).safeParse(json);
  if (problem.success) {
    const { code, reason, detail } = problem.data;
    return { error: { code, reason, message: detail } };
  }
  const message = `the gateway answered ${status}, expected a prediction or a problem`;
  return { error: { code: "INTERNAL", reason: "INTERNAL", message } };
}

/** Message of the error that lies deepest: fetch itself only says "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  // Of several addresses that refused, the errors have no message of their own.
  return error.message !== "" ? error.message : "code" in error ? String(error.code) : error.name;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The caller says what it got instead of JSON.
  }
}
