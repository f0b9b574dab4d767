import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** A field at least this long is passed on by reference; shorter ones are cheaper to copy. */
const MIN_REFERENCED_BYTES = 4096;

const EMPTY = new Uint8Array(0);

/**
 * A protobuf writer that never copies large `bytes` fields.
 *
 * BinaryWriter holds the message in one buffer: it copies a tensor in, copies it again whenever the buffer
 * grows and at every enclosing message whose length needs more than one byte, and once more in `finish()`.
 * Here the message is a list of parts; `fork()` leaves an empty part that `join()` fills with the length.
 */
export class MessageWriter extends BinaryWriter {
  readonly #parts: Uint8Array[] = [];
  /** Bytes in `#parts`. */
  #bytes = 0;
  /** Index of each open fork's length in `#parts`, and `#bytes` at its start. */
  readonly #forks: { readonly part: number; readonly start: number }[] = [];

  override fork(): this {
    this.#flush();
    this.#forks.push({ part: this.#parts.length, start: this.#bytes });
    this.#parts.push(EMPTY);
    return this;
  }

  override join(): this {
    this.#flush();
    const fork = this.#forks.pop();
    if (fork === undefined) throw new Error("join() without fork()");
    this.uint32(this.#bytes - fork.start);
    const length = super.finish();
    this.#parts[fork.part] = length;
    this.#bytes += length.byteLength;
    return this;
  }

  override bytes(value: Uint8Array): this {
    if (value.byteLength < MIN_REFERENCED_BYTES) return super.bytes(value);
    this.uint32(value.byteLength);
    this.#flush();
    this.#parts.push(value);
    this.#bytes += value.byteLength;
    return this;
  }

  /**
   * The message as consecutive parts; small neighbours are joined. A part may be a view of a field's value,
   * which must not change until the parts have been sent.
   */
  finishParts(): Uint8Array[] {
    this.#flush();
    if (this.#forks.length > 0) throw new Error("fork() without join()");
    return joinSmallParts(this.#parts);
  }

  /** The message as one buffer: a copy. */
  override finish(): Uint8Array<ArrayBuffer> {
    const parts = this.finishParts();
    const message = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const part of parts) {
      message.set(part, offset);
      offset += part.byteLength;
    }
    return message;
  }

  #flush(): void {
    const written = super.finish();
    if (written.byteLength === 0) return;
    this.#parts.push(written);
    this.#bytes += written.byteLength;
  }
}

function joinSmallParts(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flushSmall = () => {
    if (small.length > 0) joined.push(small.length === 1 && small[0] ? small[0] : Buffer.concat(small));
    small = [];
  };
  for (const part of parts) {
    if (part.byteLength < MIN_REFERENCED_BYTES) {
      small.push(part);
    } else {
      flushSmall();
      joined.push(part);
    }
  }
  flushSmall();
  return joined;
}
