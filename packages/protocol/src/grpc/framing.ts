/**
 * gRPC's message framing: one byte that says whether the message is compressed, its length as a big-endian
 * uint32, the message. Source: grpc/doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message.
 */
import { ServeError } from "../status.js";

const PREFIX_BYTES = 5;

export interface Frame {
  readonly compressed: boolean;
  readonly bytes: Uint8Array;
}

/** Bytes of one uncompressed message, as parts that may be written one after another. */
export function frameMessage(message: readonly Uint8Array[]): Uint8Array[] {
  const messageBytes = message.reduce((sum, part) => sum + part.byteLength, 0);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(messageBytes, 1);
  return [prefix, ...message];
}

/** Cuts arriving bytes into messages. */
export class FrameReader {
  readonly #maxMessageBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  /** How much of the next prefix has come. */
  #prefixBytes = 0;
  /** The message whose prefix has come, and how much of it. */
  #message: { readonly compressed: boolean; readonly bytes: Buffer; filled: number } | undefined;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Some of a message has come, but not all. */
  get unfinished(): boolean {
    return this.#prefixBytes > 0 || this.#message !== undefined;
  }

  /**
   * Takes the next bytes and calls `onFrame` for each message they complete. A message is a view of the chunk where
   * the chunk holds all of it, else one copy.
   *
   * @throws {ServeError} MESSAGE_TOO_LARGE as soon as a prefix announces more than the limit; INTERNAL (the code
   *   gRPC has for a broken protocol) when it is no prefix.
   */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): void {
    let rest = chunk;
    while (rest.byteLength > 0) {
      if (this.#message === undefined) {
        const part = rest.subarray(0, PREFIX_BYTES - this.#prefixBytes);
        this.#prefix.set(part, this.#prefixBytes);
        this.#prefixBytes += part.byteLength;
        if (this.#prefixBytes < PREFIX_BYTES) return;
        this.#prefixBytes = 0;
        rest = rest.subarray(part.byteLength);
        const { compressed, bytes } = this.#readPrefix();
        if (rest.byteLength >= bytes) {
          onFrame({ compressed, bytes: rest.subarray(0, bytes) });
          rest = rest.subarray(bytes);
          continue;
        }
        this.#message = { compressed, bytes: allocateMessage(bytes), filled: 0 };
      }
      const message = this.#message;
      const part = rest.subarray(0, message.bytes.byteLength - message.filled);
      message.bytes.set(part, message.filled);
      message.filled += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (message.filled === message.bytes.byteLength) {
        this.#message = undefined;
        onFrame({ compressed: message.compressed, bytes: message.bytes });
      }
    }
  }

  #readPrefix(): { compressed: boolean; bytes: number } {
    const flag = this.#prefix.readUInt8(0);
    const bytes = this.#prefix.readUInt32BE(1);
    if (flag > 1) throw new ServeError("INTERNAL", `compressed-flag was ${flag}, expected 0 or 1`);
    if (bytes > this.#maxMessageBytes) {
      throw new ServeError(
        "MESSAGE_TOO_LARGE",
        `message had ${bytes} bytes, expected at most ${this.#maxMessageBytes}`,
      );
    }
    return { compressed: flag === 1, bytes };
  }
}

/**
 * Memory whose end lies at a multiple of 8. The content of a single tensor ends its message, so that it begins at a
 * multiple of its element's size and needs no copy to become a Float32Array. Untouched, it costs address space only.
 */
function allocateMessage(bytes: number): Buffer {
  const padding = (8 - (bytes % 8)) % 8;
  return Buffer.allocUnsafeSlow(padding + bytes).subarray(padding);
}
