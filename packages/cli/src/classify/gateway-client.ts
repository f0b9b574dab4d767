/** Asks a gateway about one picture after another, and again when it says "later". */
import { setMaxListeners } from "node:events";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { infoResponseSchema, problemSchema } from "@vitrine/gateway/api";
import type { z } from "zod";
import { CommandFailure } from "../command-failure.js";
import { createPace } from "./pace.js";
import { type Answer, type Failure, predictionSchema } from "./row.js";
import type { Source } from "./sources.js";

const infoSchema = infoResponseSchema
  .pick({ labels: true, model: true, contract: true, limits: true })
  .extend({
    limits: infoResponseSchema.shape.limits.pick({ max_image_bytes: true, timeout_ms: true }),
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
/** With patience only tries count since whose last one the gateway has answered others. */
const MOST_PATIENT_TRIES = 20;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;

/** What a gateway or a proxy before it says when the same request may succeed later. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Beyond the gateway's own deadline: an answer that is later than this will not come, as from a node that was cut off. */
const DEADLINE_MARGIN_MS = 10_000;
const DEADLINE_BEFORE_INFO_MS = 60_000;
/** A line on which a picture of 2 MB takes 100 s: slower ones lose what a gateway gives to uploads by default. */
const SLOWEST_BYTES_PER_MS = 20;
const LONGEST_UPLOAD_MS = 120_000;

/**
 * Every so many requests ask for the end of their connection, so that the next one goes through the load balancer
 * again: a connection that is kept for hours never meets a gateway that was added since.
 */
const REQUESTS_PER_CONNECTION = 64;

export interface GatewayClientOptions {
  /** Ends the waits between tries; requests under way go on to their end. */
  readonly signal: AbortSignal;
  /** Most requests under way; fewer while the gateway says "later". */
  readonly concurrency: number;
  readonly apiKey?: string | undefined;
  /**
   * Time without any answer after which the run ends. Until then a gateway that is away costs no picture its tries.
   * Undefined: each picture gives up by itself, and that is its row.
   */
  readonly patienceMs?: number | undefined;
  /** Passes time; tests have their own. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface GatewayClient {
  /**
   * What the gateway says of itself; waits for one that is there and not yet ready, with patience also for one that
   * is not there.
   *
   * @throws {CommandFailure} that says what is there instead of a gateway.
   */
  info(): Promise<GatewayInfo>;
  /**
   * Classifies one picture. 429, 502, 503, 504 and a lost connection are tried again, as late as Retry-After says but
   * within limits; what is still wrong then, and every other error, is the answer.
   *
   * @throws {CommandFailure} when the gateway wants another API key, or patience has ended.
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

export function createGatewayClient(gatewayUrl: string, options: GatewayClientOptions): GatewayClient {
  const { signal, apiKey, patienceMs, wait = waitUnlessAborted } = options;
  const base = gatewayUrl.replace(/\/+$/, "");
  // Each picture that waits listens for the end; that many listeners are no leak.
  setMaxListeners(0, signal);
  const pace = createPace(options.concurrency);
  const mostTries = patienceMs === undefined ? MOST_TRIES : MOST_PATIENT_TRIES;
  let deadlineMs = DEADLINE_BEFORE_INFO_MS;
  let requests = 0;
  let answers = 0;
  let answeredMs = performance.now();

  async function attempt(route: string, init: RequestInit, bodyBytes: number): Promise<Attempt> {
    const headers = new Headers(init.headers);
    if (apiKey !== undefined) headers.set("authorization", `Bearer ${apiKey}`);
    if (++requests % REQUESTS_PER_CONNECTION === 0) headers.set("connection", "close");
    const response = await fetch(`${base}${route}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(deadlineMs + longestUploadMs(bodyBytes)),
    });
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return {
      status: response.status,
      text: await response.text(),
      retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    };
  }

  /** @throws what fetch throws when the last try got no connection. */
  async function attemptPatiently(route: string, init: RequestInit, bodyBytes = 0): Promise<Attempt> {
    let answersSeen = answers;
    for (let tries = 1, counted = 0; ; tries++) {
      const leave = await pace.enter(signal);
      let taken = false;
      let result: Attempt | LostAnswer;
      try {
        result = await attempt(route, init, bodyBytes).catch(lostAnswer);
        taken = !("cause" in result || LATER.has(result.status));
      } finally {
        leave(taken);
      }
      if (!("cause" in result) && !LATER.has(result.status)) {
        answers++;
        answeredMs = performance.now();
        return result;
      }
      if (patienceMs === undefined || answers !== answersSeen) counted++;
      answersSeen = answers;
      if (counted === mostTries) {
        if ("cause" in result) throw result.cause;
        return result;
      }
      if (patienceMs !== undefined && performance.now() - answeredMs >= patienceMs) {
        const why = "cause" in result ? reasonOf(result.cause) : `the last answer was ${result.status}`;
        throw new CommandFailure(`${base} took nothing for ${patienceMs / 1000} s: ${why}`);
      }
      await wait(waitMs(tries, "cause" in result ? undefined : result.retryAfterMs), signal);
    }
  }

  async function askInfo(): Promise<Attempt> {
    if (patienceMs !== undefined) return await attemptPatiently("/info", {});
    const answer = await attempt("/info", {}, 0);
    return answer.status === 503 ? await attemptPatiently("/info", {}) : answer;
  }

  return {
    async info() {
      let answer: Attempt;
      try {
        answer = await askInfo();
      } catch (cause) {
        if (signal.aborted || cause instanceof CommandFailure) throw cause;
        throw new CommandFailure(`${base} did not answer, expected a gateway there: ${reasonOf(cause)}`, {
          cause,
        });
      }
      const info = infoSchema.safeParse(parseJson(answer.text));
      if (!info.success)
        throw new CommandFailure(`${base} answered /info with ${answer.status}, expected a gateway there`);
      deadlineMs = info.data.limits.timeout_ms + DEADLINE_MARGIN_MS;
      return info.data;
    },

    async classify(source, maxImageBytes) {
      const request = await requestFor(source, maxImageBytes);
      if ("error" in request) return request;
      let result: Attempt;
      try {
        result = await attemptPatiently("/predict", { method: "POST", ...request }, request.body.length);
      } catch (error) {
        if (!isLostAnswer(error)) throw error;
        const message = `the gateway did not answer: ${reasonOf(error)}`;
        return { error: { code: "UNAVAILABLE", reason: "GATEWAY_UNREACHABLE", message } };
      }
      const answer = answerOf(result);
      // One key for all pictures: the next one would be refused, too.
      if ("error" in answer && result.status === 401) {
        throw new CommandFailure(`${base} answered 401: ${answer.error.message}; see --api-key`);
      }
      return answer;
    },
  };
}

async function waitUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal });
}

interface LostAnswer {
  readonly cause: unknown;
}

/** @throws what was no matter of the connection. */
function lostAnswer(cause: unknown): LostAnswer {
  if (!isLostAnswer(cause)) throw cause;
  return { cause };
}

/** fetch throws a TypeError where there is no connection, or none any more; its signal a TimeoutError. */
function isLostAnswer(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError");
}

/** Doubles with each try, up to a limit; many clients that were refused at once come back at different times. */
function waitMs(tries: number, wishMs: number | undefined): number {
  const backoffMs = FIRST_DELAY_MS * 2 ** Math.min(tries - 1, 10) * (0.75 + Math.random() / 2);
  return Math.min(LONGEST_DELAY_MS, Math.max(wishMs ?? 0, backoffMs));
}

/** The gateway counts its deadline from a request's last byte; how long a body of so many bytes may be on its way. */
export function longestUploadMs(bodyBytes: number): number {
  return Math.min(LONGEST_UPLOAD_MS, Math.ceil(bodyBytes / SLOWEST_BYTES_PER_MS));
}

/** By the file's extension; a JPEG where that says nothing. */
export function mediaTypeOf(file: string): string {
  return MEDIA_TYPES[path.extname(file).toLowerCase()] ?? "image/jpeg";
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
    return {
      body: await readFile(source.source),
      headers: { "content-type": mediaTypeOf(source.source) },
    };
  } catch (error) {
    const message = `the file could not be read: ${reasonOf(error)}`;
    return { error: { code: "NOT_FOUND", reason: "FILE_UNREADABLE", message } };
  }
}

function answerOf({ status, text }: Attempt): Answer {
  const json = parseJson(text);
  const answer = predictionSchema.safeParse(json);
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
