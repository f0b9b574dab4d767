/** One call on the server's side: its request, its deadline, its answer. */
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { ServeError } from "../status.js";
import type { ArrivingBytes, ArrivingShare } from "./arriving-bytes.js";
import { ACCEPTED_ENCODINGS, checkEncoding, decompress } from "./compression.js";
import { type Frame, FrameReader, frameMessage } from "./framing.js";
import { MAX_TIMER_MS, parseTimeoutMs } from "./timeout.js";
import { OK_TRAILERS, trailersOfError } from "./trailers.js";

/** What a handler knows of its caller. */
export interface ServerCall {
  /** Request headers by lower-case name, `-bin` values in base64 as they came. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Aborts with a ServeError: DEADLINE_EXCEEDED by the caller's deadline, CANCELLED when the caller is gone. */
  readonly signal: AbortSignal;
  /** Address and port of the other end. */
  readonly peer: string;
}

/** Sends one response message; resolves when the next may be sent without piling up. */
export type SendMessage = (message: readonly Uint8Array[]) => Promise<void> | undefined;

/** The messages of a request, decompressed. One of both is called, once. */
export interface RequestMessages {
  /** @throws {ServeError} REQUEST_INVALID unless it is one message. */
  only(): Promise<Uint8Array>;
  /** As they are asked for: those not asked for hold the caller up. */
  all(): AsyncIterable<Uint8Array>;
}

/** Decodes the request, runs the handler, and sends what it answers. */
export type Route = (requests: RequestMessages, call: ServerCall, send: SendMessage) => Promise<void>;

export interface CallLimits {
  /** Of one message. */
  readonly maxReceiveBytes: number;
  /** Of all calls of the server. */
  readonly arriving: ArrivingBytes;
}

const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc",
  "grpc-accept-encoding": ACCEPTED_ENCODINGS,
};

/**
 * Answers a stream.
 *
 * @returns the error the caller was given, or undefined; resolves when the handler has settled. Never rejects.
 */
export async function answerCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  route: Route,
  { maxReceiveBytes, arriving }: CallLimits,
): Promise<ServeError | undefined> {
  const abort = new AbortController();
  let answered = false;
  const share = arriving.open();
  let deadline: NodeJS.Timeout | undefined;
  let streamError: unknown;

  const answer = (error: ServeError | undefined) => {
    if (answered) return;
    answered = true;
    clearTimeout(deadline);
    if (!stream.destroyed) endResponse(stream, error === undefined ? OK_TRAILERS : trailersOfError(error));
  };
  /** Tells the caller, then the handler. */
  const fail = (error: ServeError) => {
    answer(error);
    if (!abort.signal.aborted) abort.abort(error);
  };
  stream.on("error", (error) => {
    streamError = error;
  });
  stream.once("close", () => {
    if (!answered) fail(new ServeError("CANCELLED", "the caller cancelled the call", { cause: streamError }));
  });

  try {
    const timeout = headers["grpc-timeout"];
    if (typeof timeout === "string") {
      const timeoutMs = parseTimeoutMs(timeout);
      const expire = () => fail(new ServeError("DEADLINE_EXCEEDED", "the caller's deadline passed"));
      deadline = setTimeout(expire, Math.min(timeoutMs, MAX_TIMER_MS));
    }
    const encoding = singleHeader(headers["grpc-encoding"]);
    checkEncoding(encoding);
    const reading = { encoding, maxBytes: maxReceiveBytes, share, signal: abort.signal };
    const requests: RequestMessages = {
      only: () => readRequest(stream, reading),
      all: () => readRequests(stream, reading),
    };
    const call = { metadata: metadataOf(headers), signal: abort.signal, peer: peerOf(stream) };
    await route(requests, call, (message) => {
      if (answered || stream.destroyed) throw new ServeError("CANCELLED", "the caller is gone");
      return sendMessage(stream, message);
    });
    answer(undefined);
  } catch (error) {
    fail(ServeError.from(error));
  } finally {
    share.release();
  }
  return abort.signal.reason instanceof ServeError ? abort.signal.reason : undefined;
}

/** Answers a stream that is no call of ours. */
export function refuseCall(stream: ServerHttp2Stream, error: ServeError): void {
  stream.on("error", ignoreStreamError);
  endResponse(stream, trailersOfError(error));
}

/** Answers what does not speak gRPC, in plain HTTP. */
export function refuseRequest(stream: ServerHttp2Stream, httpStatus: number): void {
  stream.on("error", ignoreStreamError);
  stream.respond({ ":status": httpStatus }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** The caller of a refused stream may be gone before it reads so; there is nobody left to tell. */
function ignoreStreamError(): void {}

interface Reading {
  readonly encoding: string | undefined;
  /** Of one message. */
  readonly maxBytes: number;
  /** Given back when a message is whole. */
  readonly share: ArrivingShare;
  readonly signal: AbortSignal;
}

/** The one message of a request. */
function readRequest(
  stream: ServerHttp2Stream,
  { encoding, maxBytes, share, signal }: Reading,
): Promise<Uint8Array> {
  return new Promise<Frame>((resolve, reject) => {
    const reader = new FrameReader(maxBytes);
    let request: Frame | undefined;
    const onFrame = (frame: Frame) => {
      if (request !== undefined) {
        throw new ServeError("REQUEST_INVALID", "the request had more than one message, expected one");
      }
      request = frame;
    };
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk, onFrame);
        if (reader.unfinished) share.add(chunk.byteLength);
      } catch (error) {
        stream.removeAllListeners("data");
        stream.resume();
        reject(error);
      }
    });
    stream.once("end", () => {
      share.release();
      if (request !== undefined && !reader.unfinished) resolve(request);
      else reject(new ServeError("REQUEST_INVALID", "the request ended early, expected one whole message"));
    });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  }).then((frame) => (frame.compressed ? decompress(frame.bytes, encoding, maxBytes) : frame.bytes));
}

async function* readRequests(
  stream: ServerHttp2Stream,
  { encoding, maxBytes, share, signal }: Reading,
): AsyncGenerator<Uint8Array> {
  const reader = new FrameReader(maxBytes);
  const frames: Frame[] = [];
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      reader.push(chunk, (frame) => frames.push(frame));
      if (frames.length > 0) share.release();
      if (reader.unfinished) share.add(chunk.byteLength);
      for (const frame of frames.splice(0)) {
        yield frame.compressed ? await decompress(frame.bytes, encoding, maxBytes) : frame.bytes;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ServeError) throw error;
    throw new ServeError("CANCELLED", "the caller cancelled the call", { cause: error });
  }
  if (reader.unfinished) {
    throw new ServeError("REQUEST_INVALID", "the request ended within a message");
  }
}

function sendMessage(stream: ServerHttp2Stream, message: readonly Uint8Array[]): Promise<void> | undefined {
  if (!stream.headersSent) {
    stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
  }
  stream.cork();
  let flowing = true;
  for (const part of frameMessage(message)) flowing = stream.write(part);
  stream.uncork();
  if (flowing) return undefined;
  return new Promise((resolve) => {
    const settle = () => {
      stream.off("drain", settle);
      stream.off("close", settle);
      resolve();
    };
    stream.on("drain", settle);
    stream.on("close", settle);
  });
}

function endResponse(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders): void {
  const requestEnded = stream.readableEnded;
  if (stream.headersSent) {
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
    // A reset would overtake the trailers; clients stop by themselves once they have read them.
    if (!requestEnded) stream.resume();
    return;
  }
  stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
  // The rest of the request is not wanted: RST_STREAM NO_ERROR after a whole answer (RFC 9113, 8.1).
  if (!requestEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

function metadataOf(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    metadata.set(name, Array.isArray(value) ? value.join(",") : value);
  }
  return metadata;
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(",") : value;
}

function peerOf(stream: ServerHttp2Stream): string {
  const socket = stream.session?.socket;
  return socket === undefined ? "unknown" : `${socket.remoteAddress}:${socket.remotePort}`;
}
