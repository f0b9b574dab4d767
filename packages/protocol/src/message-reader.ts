import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ServeError } from "./status.js";

/**
 * Most memory that the values of one message may take when decoded, by a generous estimate. It admits 33 million
 * elements in a `*_val` field: a batch of 128 pictures of 299 pixels that way; in `tensor_content` they count as one.
 */
const MAX_DECODED_BYTES = 512 * 1024 * 1024;

const NUMBER_BYTES = 8;
/** A varint may be an element, or the length of a message that becomes an object. */
const VARINT_BYTES = 16;
const BIGINT_BYTES = 32;
/** An array's own size in V8, however short it is. */
const ARRAY_BYTES = 200;

/**
 * A protobuf reader that bounds what it makes of a message. Two bytes can become an array of 200, so that without it
 * a message within the limit of length could take more memory than the process may have.
 *
 * @throws {ServeError} MESSAGE_TOO_LARGE from any of its methods.
 */
export class MessageReader extends BinaryReader {
  readonly #maxDecodedBytes: number;
  #decodedBytes = 0;

  constructor(bytes: Uint8Array, maxDecodedBytes: number = MAX_DECODED_BYTES) {
    super(bytes);
    this.#maxDecodedBytes = maxDecodedBytes;
    // BinaryReader has this one as a property, so it cannot be overridden as a method.
    const readUint32 = this.uint32;
    this.uint32 = () => {
      this.#spend(VARINT_BYTES);
      return readUint32.call(this);
    };
  }

  override bytes(): Uint8Array {
    this.#spend(ARRAY_BYTES);
    return super.bytes();
  }

  override int64(): bigint | string {
    this.#spend(BIGINT_BYTES);
    return super.int64();
  }

  override uint64(): bigint | string {
    this.#spend(BIGINT_BYTES);
    return super.uint64();
  }

  override bool(): boolean {
    this.#spend(NUMBER_BYTES);
    return super.bool();
  }

  override float(): number {
    this.#spend(NUMBER_BYTES);
    return super.float();
  }

  override double(): number {
    this.#spend(NUMBER_BYTES);
    return super.double();
  }

  #spend(bytes: number): void {
    this.#decodedBytes += bytes;
    if (this.#decodedBytes > this.#maxDecodedBytes) {
      throw new ServeError(
        "MESSAGE_TOO_LARGE",
        "the message had too many single values, expected large tensors in tensor_content",
      );
    }
  }
}
