/** One unary call on the client's side. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { type Code, ServeError } from "../status.js";
import { checkEncoding, decompress } from "./compression.js";
import { type Frame, FrameReader, frameMessage } from "./framing.js";
import { errorOfTrailers, REASON_OF_CODE } from "./trailers.js";

export interface ClientCallOptions {
  readonly headers: OutgoingHttpHeaders;
  readonly message: readonly Uint8Array[];
  /** Aborts with a ServeError. */
  readonly signal: AbortSignal;
  readonly maxReceiveBytes: number;
  /** Called at each sign of life of the peer. */
  readonly onActivity: () => void;
  /** Tells the server that the call has ended here. */
  readonly reset: (stream: ClientHttp2Stream) => void;
}

/** `unprocessed`: the server has certainly not seen the call, so that it may be made again elsewhere. */
export type ClientCallResult =
  | { readonly kind: "response"; readonly bytes: Uint8Array }
  | { readonly kind: "unprocessed"; readonly error: ServeError };

/**
 * Makes the call on an open connection.
 *
 * @throws {ServeError} what the server answered; the signal's reason; UNAVAILABLE when the connection breaks.
 */
export async function callUnary(
  session: ClientHttp2Session,
  options: ClientCallOptions,
): Promise<ClientCallResult> {
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(options.headers);
  } catch (cause) {
    if (isCode(cause, "ERR_HTTP2_OUT_OF_STREAMS")) session.close();
    // Anything but a connection that has ended is a fault of the headers.
    if (!session.closed && !session.destroyed) throw ServeError.from(cause);
    const error = new ServeError("MODEL_UNAVAILABLE", "the connection took no more calls", { cause });
    return { kind: "unprocessed", error };
  }
  const result = exchange(session, stream, options);
  stream.cork();
  for (const part of frameMessage(options.message)) stream.write(part);
  stream.end();
  const answer = await result;
  if ("kind" in answer) return answer;
  const { frame, encoding } = answer;
  const bytes = frame.compressed
    ? await decompress(frame.bytes, encoding, options.maxReceiveBytes)
    : frame.bytes;
  return { kind: "response", bytes };
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

interface Answer {
  readonly frame: Frame;
  readonly encoding: string | undefined;
}

function exchange(
  session: ClientHttp2Session,
  stream: ClientHttp2Stream,
  { signal, maxReceiveBytes, onActivity, reset }: ClientCallOptions,
): Promise<Answer | (ClientCallResult & { kind: "unprocessed" })> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader(maxReceiveBytes);
    let frame: Frame | undefined;
    let encoding: string | undefined;
    let status: ServeError | undefined | "absent" = "absent";
    let streamError: unknown;
    let hasBegun = false;

    const finish = (settle: () => void) => {
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const fail = (error: ServeError) => {
      finish(() => reject(error));
      stream.off("data", onData);
      stream.resume();
      const over = stream.closed || (status !== "absent" && stream.writableFinished);
      if (!over) reset(stream);
    };
    const onAbort = () => fail(signal.reason);
    const onStatus = (headers: IncomingHttpHeaders) => {
      status = errorOfTrailers(headers);
      if (status instanceof ServeError) fail(status);
    };
    const onData = (chunk: Buffer) => {
      onActivity();
      try {
        reader.push(chunk, (next) => {
          if (frame !== undefined) {
            throw new ServeError("INTERNAL", "the response had more than one message, expected one");
          }
          frame = next;
        });
      } catch (error) {
        fail(ServeError.from(error));
      }
    };

    signal.addEventListener("abort", onAbort);
    stream.on("error", (error) => {
      streamError = error;
    });
    stream.once("response", (headers) => {
      hasBegun = true;
      onActivity();
      const wrong = errorOfResponse(headers);
      if (wrong !== undefined) {
        fail(wrong);
        return;
      }
      const header = headers["grpc-encoding"];
      encoding = typeof header === "string" ? header : undefined;
      if (headers["grpc-status"] !== undefined) onStatus(headers);
    });
    stream.on("data", onData);
    stream.once("trailers", onStatus);
    stream.once("close", () => {
      if (status === undefined && frame !== undefined && !reader.unfinished) {
        const answer = { frame, encoding };
        finish(() => resolve(answer));
      } else if (status === undefined) {
        finish(() =>
          reject(new ServeError("INTERNAL", "the response was OK without a message, expected one")),
        );
      } else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
        const error = new ServeError("MODEL_UNAVAILABLE", "the server refused the call", {
          cause: streamError,
        });
        finish(() => resolve({ kind: "unprocessed", error }));
      } else {
        finish(() => reject(errorOfBrokenStream(session, stream, hasBegun, streamError)));
      }
    });
    if (signal.aborted) onAbort();
  });
}

/** An answer that is not gRPC: a proxy's, or another kind of server's. Source: grpc/doc/http-grpc-status-mapping.md */
function errorOfResponse(headers: IncomingHttpHeaders): ServeError | undefined {
  if (headers["grpc-status"] !== undefined) return undefined;
  const httpStatus = Number(headers[":status"]);
  if (httpStatus !== 200) {
    const code = CODE_OF_HTTP_STATUS.get(httpStatus) ?? "UNKNOWN";
    return new ServeError(REASON_OF_CODE[code], `the server answered HTTP ${httpStatus}, expected gRPC`, {
      code,
    });
  }
  const contentType = headers["content-type"] ?? "none";
  if (!contentType.startsWith("application/grpc")) {
    const message = `the server answered content-type ${contentType.slice(0, 80)}, expected application/grpc`;
    return new ServeError("INTERNAL", message, { code: "UNKNOWN" });
  }
  const encoding = headers["grpc-encoding"];
  try {
    checkEncoding(typeof encoding === "string" ? encoding : undefined);
  } catch (cause) {
    return new ServeError("INTERNAL", "the server answered in a grpc-encoding that it was not offered", {
      cause,
    });
  }
  return undefined;
}

const CODE_OF_HTTP_STATUS = new Map<number, Code>([
  [400, "INTERNAL"],
  [401, "UNAUTHENTICATED"],
  [403, "PERMISSION_DENIED"],
  [404, "UNIMPLEMENTED"],
  [429, "UNAVAILABLE"],
  [502, "UNAVAILABLE"],
  [503, "UNAVAILABLE"],
  [504, "UNAVAILABLE"],
]);

/**
 * A stream that ended without a status.
 *
 * @param hasBegun the response's head had arrived.
 * Source: grpc/doc/PROTOCOL-HTTP2.md, Errors.
 */
function errorOfBrokenStream(
  session: ClientHttp2Session,
  stream: ClientHttp2Stream,
  hasBegun: boolean,
  cause: unknown,
): ServeError {
  // A server of Node's that is ended by force closes its streams without an error before its connections. gRPC has
  // INTERNAL for that, which would tell callers that it makes no sense to ask another server.
  if (session.destroyed || (!hasBegun && stream.rstCode === constants.NGHTTP2_NO_ERROR)) {
    return new ServeError("MODEL_UNAVAILABLE", "the connection to the server was lost", { cause });
  }
  const what = `the server ended the call without a status (HTTP/2 error ${stream.rstCode})`;
  switch (stream.rstCode) {
    case constants.NGHTTP2_CANCEL:
      return new ServeError("CANCELLED", what, { cause });
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new ServeError("OVERLOADED", what, { cause });
    default:
      return new ServeError("INTERNAL", what, { cause });
  }
}
