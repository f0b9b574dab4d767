/**
 * Message compression. Messages leave uncompressed (pixels gain little for much CPU); compressed ones are
 * accepted. gRPC's `deflate` is the zlib format. Source: grpc/doc/compression.md.
 */
import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { ServeError } from "../status.js";

export const ACCEPTED_ENCODINGS = "identity,deflate,gzip";

const DECOMPRESSORS = new Map([
  ["gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
]);

/** @throws {ServeError} METHOD_UNIMPLEMENTED, as the specification demands for an unknown `grpc-encoding`. */
export function checkEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === "identity" || DECOMPRESSORS.has(encoding)) return;
  throw new ServeError(
    "METHOD_UNIMPLEMENTED",
    `grpc-encoding was ${encoding.slice(0, 40)}, expected one of ${ACCEPTED_ENCODINGS}`,
  );
}

/**
 * @param maxBytes most bytes that the message may have when decompressed.
 * @throws {ServeError} MESSAGE_TOO_LARGE, or INTERNAL (the specification's code) when the bytes are not in that format.
 */
export async function decompress(
  bytes: Uint8Array,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const decompressor = encoding === undefined ? undefined : DECOMPRESSORS.get(encoding);
  if (decompressor === undefined) {
    throw new ServeError("INTERNAL", "a message was compressed, expected grpc-encoding to say how");
  }
  try {
    return await decompressor(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new ServeError("MESSAGE_TOO_LARGE", `message had more than ${maxBytes} bytes when decompressed`, {
        cause,
      });
    }
    throw new ServeError("INTERNAL", `message was not valid ${encoding}`, { cause });
  }
}
