/** How the messages of an RPC become bytes and bytes messages. */
import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { MessageReader } from "./message-reader.js";
import { MessageWriter } from "./message-writer.js";
import { ServeError } from "./status.js";

/** One RPC. Decoded `bytes` fields are views of the message; encoded parts may be views of the fields. */
export interface MethodDefinition<Request, Response> {
  /** `/package.Service/Method` */
  readonly path: string;
  /** @throws {ServeError} REQUEST_INVALID when the bytes are not such a message; MESSAGE_TOO_LARGE, see MessageReader. */
  decodeRequest(bytes: Uint8Array): Request;
  /** The message's bytes as consecutive parts. */
  encodeRequest(request: Request): Uint8Array[];
  /** @throws {ServeError} INTERNAL when the bytes are not such a message. */
  decodeResponse(bytes: Uint8Array): Response;
  encodeResponse(response: Response): Uint8Array[];
}

interface MessageCodec<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
  decode(reader: BinaryReader): T;
}

/** @param path `/package.Service/Method` */
export function method<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
): MethodDefinition<Request, Response> {
  return {
    path,
    decodeRequest: (bytes) => decode(request, bytes, "REQUEST_INVALID", `the request of ${path}`),
    encodeRequest: (message) => encode(request, message),
    decodeResponse: (bytes) => decode(response, bytes, "INTERNAL", `the response of ${path}`),
    encodeResponse: (message) => encode(response, message),
  };
}

function encode<T>(codec: MessageCodec<T>, message: T): Uint8Array[] {
  const writer = new MessageWriter();
  codec.encode(message, writer);
  return writer.finishParts();
}

function decode<T>(
  codec: MessageCodec<T>,
  bytes: Uint8Array,
  reason: "REQUEST_INVALID" | "INTERNAL",
  what: string,
): T {
  try {
    return codec.decode(new MessageReader(bytes));
  } catch (cause) {
    if (cause instanceof ServeError) throw cause;
    const fault = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError(reason, `${what} was not a valid message: ${fault}`, { cause });
  }
}
