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
  /** What has arrived and is not yet part of a message. */
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  /** Set once the prefix of the next message is known. */
  #next: { readonly compressed: boolean; readonly bytes: number } | undefined;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Bytes that wait for the rest of their message. */
  get pendingBytes(): number {
    return this.#next === undefined ? this.#bufferedBytes : this.#bufferedBytes + PREFIX_BYTES;
  }

  /**
   * Takes the next bytes, which it keeps, and calls `onFrame` for each message they complete. A message is a view
   * of the chunk where one chunk holds all of it, else one copy.
   *
   * @throws {ServeError} MESSAGE_TOO_LARGE as soon as a prefix announces more than the limit; INTERNAL (the code
   *   gRPC has for a broken protocol) when it is no prefix.
   */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.byteLength;
    for (;;) {
      if (this.#next === undefined) {
        if (this.#bufferedBytes < PREFIX_BYTES) return;
        this.#next = this.#readPrefix(this.#take(PREFIX_BYTES));
      }
      const { compressed, bytes } = this.#next;
      if (this.#bufferedBytes < bytes) return;
      this.#next = undefined;
      onFrame({ compressed, bytes: this.#take(bytes) });
    }
  }

  #readPrefix(prefix: Uint8Array): { compressed: boolean; bytes: number } {
    const view = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES);
    const flag = view.getUint8(0);
    const bytes = view.getUint32(1);
    if (flag > 1) throw new ServeError("INTERNAL", `compressed-flag was ${flag}, expected 0 or 1`);
    if (bytes > this.#maxMessageBytes) {
      throw new ServeError(
        "MESSAGE_TOO_LARGE",
        `message had ${bytes} bytes, expected at most ${this.#maxMessageBytes}`,
      );
    }
    return { compressed: flag === 1, bytes };
  }

  #take(bytes: number): Uint8Array {
    this.#bufferedBytes -= bytes;
    const first = this.#chunks[0];
    if (first !== undefined && first.byteLength > bytes) {
      this.#chunks[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    const taken: Uint8Array[] = [];
    let missing = bytes;
    while (missing > 0) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) throw new Error(`${missing} bytes were not buffered`);
      if (chunk.byteLength > missing) this.#chunks.unshift(chunk.subarray(missing));
      taken.push(chunk.subarray(0, missing));
      missing -= Math.min(missing, chunk.byteLength);
    }
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken);
  }
}
