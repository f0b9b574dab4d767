/** A URL to the bytes of the picture behind it, under limits of addresses, redirects, bytes and time. */
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { ServeError } from "@vitrine/protocol/status";
import type { AddressGuard, GuardedUrl } from "./address-guard.js";
import { abortError, orAborted } from "./deadline.js";

export interface ImageSourceOptions {
  readonly guard: AddressGuard;
  readonly maxBytes: number;
  /** For all of one picture: names, connections, redirects and the body, however slowly it drips. */
  readonly timeoutMs: number;
  /** Greatest silence of the host, from the connection attempt to the last byte. */
  readonly idleTimeoutMs: number;
  readonly maxRedirects: number;
  readonly userAgent: string;
}

/** A version of a picture, as its host names it. */
export interface PictureVersion {
  /** Where the picture itself lay, after all redirects. */
  readonly url: string;
  /** A strong entity tag: equal tags mean equal bytes. Source: RFC 9110, 8.8.3. */
  readonly etag: string;
}

export interface FetchedPicture {
  /** As the host sent them; nothing is said about what they are. undefined: they are still those of `known`. */
  readonly bytes: Uint8Array | undefined;
  /** For asking again later; undefined when the host gave no strong tag, or forbids to keep the picture. */
  readonly version: PictureVersion | undefined;
}

export interface FetchOptions {
  /** Is told of every chunk before it is kept, and may throw to refuse it. */
  readonly hold?: (bytes: number) => void;
  /** The caller has the picture in this version and needs no second copy. */
  readonly known?: PictureVersion | undefined;
}

export interface ImageSource {
  /**
   * Fetches one picture.
   *
   * Goes only where the guard lets it, at every redirect again. Sends no cookies, no credentials, no referrer,
   * and uses no proxy. A redirect from https to http is followed: a caller may name an http URL as well.
   *
   * @param signal aborts the connection.
   * @throws {ServeError} IMAGE_URL_INVALID, IMAGE_URL_FORBIDDEN, IMAGE_URL_FAILED, IMAGE_URL_TIMEOUT,
   *   IMAGE_TOO_LARGE, or IMAGE_TYPE_UNSUPPORTED for a web page; what `signal` was aborted with.
   */
  fetchImage(url: string, signal: AbortSignal, options?: FetchOptions): Promise<FetchedPicture>;
  /** Closes idle connections. */
  close(): void;
}

/** Hosts that choose a format by this header shall choose one that is decoded here. */
const ACCEPT = "image/jpeg, image/png, image/webp, image/gif, */*;q=0.1";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function createImageSource(options: ImageSourceOptions): ImageSource {
  const agentOptions = { keepAlive: true, maxFreeSockets: 16, timeout: 30_000 };
  const httpAgent = new http.Agent(agentOptions);
  const httpsAgent = new https.Agent(agentOptions);

  async function fetchImage(
    text: string,
    signal: AbortSignal,
    { hold = () => {}, known }: FetchOptions = {},
  ): Promise<FetchedPicture> {
    let guarded = options.guard.check(text);
    const ownClock = new AbortController();
    const timer = setTimeout(() => ownClock.abort(tooSlow(options.timeoutMs)), options.timeoutMs);
    const silence = () => ownClock.abort(tooSlow(options.idleTimeoutMs));
    const both = AbortSignal.any([signal, ownClock.signal]);
    try {
      for (let redirects = 0; ; redirects += 1) {
        const isKnown = known?.url === guarded.url.href;
        const conditions = isKnown ? { "if-none-match": known.etag } : {};
        const response = await orAborted(request(guarded, both, silence, conditions), both);
        const location = redirectOf(response);
        if (location === undefined) {
          if (isKnown && response.statusCode === 304) {
            response.resume();
            return { bytes: undefined, version: known };
          }
          const bytes = await readPicture(response, both, hold);
          return { bytes, version: versionOf(response, guarded.url) };
        }
        response.destroy();
        if (redirects === options.maxRedirects) {
          throw failed(`url led to more than ${options.maxRedirects} redirects, expected a picture`);
        }
        guarded = options.guard.check(location, guarded.url);
      }
    } catch (error) {
      throw both.aborted ? abortError(both) : asFetchError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when the headers are here. A kept connection that the host had closed meanwhile is tried once more. */
  function request(
    guarded: GuardedUrl,
    signal: AbortSignal,
    onSilence: () => void,
    conditions: http.OutgoingHttpHeaders,
  ): Promise<http.IncomingMessage> {
    const { url } = guarded;
    const isTls = url.protocol === "https:";
    return new Promise((resolve, reject) => {
      const outgoing = (isTls ? https : http).request(url, {
        agent: isTls ? httpsAgent : httpAgent,
        lookup: options.guard.lookupFor(guarded),
        timeout: options.idleTimeoutMs,
        headers: {
          accept: ACCEPT,
          "accept-encoding": "identity",
          "user-agent": options.userAgent,
          ...conditions,
        },
        signal,
      });
      outgoing.on("socket", (socket: Socket | TLSSocket) => {
        const check = () => {
          try {
            options.guard.checkConnected(guarded, socket.remoteAddress);
          } catch (error) {
            outgoing.destroy(error instanceof Error ? error : undefined);
          }
        };
        // This listener stands before the one that writes the request, so a wrong peer never reads a byte of it.
        if (socket.connecting) socket.once("connect", check);
        else check();
      });
      outgoing.on("timeout", onSilence);
      outgoing.on("response", resolve);
      outgoing.on("upgrade", (response, socket) => {
        socket.destroy();
        reject(wrongStatus(response));
      });
      let isAskedAgain = false;
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        isAskedAgain = outgoing.reusedSocket && error.code === "ECONNRESET" && !signal.aborted;
        if (isAskedAgain) request(guarded, signal, onSilence, conditions).then(resolve, reject);
        else reject(error);
      });
      // Node ends some requests with neither an answer nor an error.
      outgoing.on("close", () => {
        if (!isAskedAgain) reject(failed("url host broke the connection off, expected the whole picture"));
      });
      outgoing.end();
    });
  }

  async function readPicture(
    response: http.IncomingMessage,
    signal: AbortSignal,
    hold: (bytes: number) => void,
  ): Promise<Uint8Array> {
    try {
      checkHead(response, options.maxBytes);
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        if (bytes === 0) checkNoWebPage(response, chunk);
        bytes += chunk.byteLength;
        if (bytes > options.maxBytes) throw tooLarge(options.maxBytes);
        hold(chunk.byteLength);
        chunks.push(chunk);
      }
      if (signal.aborted) throw abortError(signal);
      if (bytes === 0) throw failed("url led to an empty answer, expected a picture");
      return Buffer.concat(chunks, bytes);
    } finally {
      if (!response.complete) response.destroy();
    }
  }

  return {
    fetchImage,
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

/** Source: RFC 9111, 3: a shared cache keeps no answer that is `no-store` or `private`, nor one that varies by everything. */
function versionOf({ headers }: http.IncomingMessage, url: URL): PictureVersion | undefined {
  const { etag, vary } = headers;
  const mayKeep = !/\b(no-store|private)\b/i.test(headers["cache-control"] ?? "") && vary?.trim() !== "*";
  return mayKeep && etag !== undefined && /^"[^"]*"$/.test(etag) ? { url: url.href, etag } : undefined;
}

function redirectOf(response: http.IncomingMessage): string | undefined {
  return REDIRECTS.has(response.statusCode ?? 0) ? response.headers.location : undefined;
}

function checkHead(response: http.IncomingMessage, maxBytes: number): void {
  if (response.statusCode !== 200) throw wrongStatus(response);
  const encoding = response.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  // Asked for identity; inflating what came anyway would let a small answer become a large one.
  if (encoding !== "identity" && encoding !== "") {
    throw failed("url was answered with a compressed body, expected the picture as it is");
  }
  if (Number(response.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/** Hosts name their pictures with every media type there is, so only a body that reads like markup is refused. */
function checkNoWebPage(response: http.IncomingMessage, firstChunk: Buffer): void {
  const mediaType = response.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  const isMarkup = firstChunk.subarray(0, 64).toString("latin1").trimStart().startsWith("<");
  if (mediaType === "text/html" && isMarkup) {
    throw new ServeError(
      "IMAGE_TYPE_UNSUPPORTED",
      "url led to a web page (text/html), expected the address of the picture itself",
    );
  }
}

function wrongStatus({ statusCode }: http.IncomingMessage): ServeError {
  return failed(`url was answered with HTTP status ${statusCode}, expected 200`);
}

function tooLarge(maxBytes: number): ServeError {
  return new ServeError(
    "IMAGE_TOO_LARGE",
    `picture behind the url was larger than ${maxBytes} bytes, the limit`,
  );
}

function tooSlow(timeoutMs: number): ServeError {
  return new ServeError(
    "IMAGE_URL_TIMEOUT",
    `url was not answered in time, expected the picture's host to answer within ${timeoutMs} ms`,
  );
}

function failed(message: string, cause?: unknown): ServeError {
  return new ServeError("IMAGE_URL_FAILED", message, cause === undefined ? {} : { cause });
}

/** Errors of sockets, TLS and HTTP parsing, without the addresses that Node writes into their messages. */
function asFetchError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED" || code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT") {
    return failed("url host could not be reached, expected it to answer", error);
  }
  if (code === "ECONNRESET" || code === "EPIPE") {
    return failed("url host broke the connection off, expected the whole picture", error);
  }
  if (
    code.startsWith("ERR_TLS") ||
    code.includes("CERT") ||
    code.includes("SSL") ||
    code.includes("SIGNED")
  ) {
    return failed("url host had no valid TLS certificate, expected one", error);
  }
  if (code.startsWith("HPE_")) return failed("url host did not speak HTTP, expected it to", error);
  return failed("url could not be fetched, expected the picture's host to answer", error);
}
