/** Bounds what a file of messages becomes in memory: two bytes can become an object of 600. */
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** Memory left for the messages of one file, by the estimates below. */
export interface Budget {
  bytesLeft: number;
}

/**
 * Enough for files of 40 MB that are decoded as a whole, such as a training graph's; a hostile one takes up to 1.4 GB
 * before it is refused.
 */
const MAX_DECODED_BYTES = 2 * 1024 * 1024 * 1024;

/** A tag or a length: of a message, as often as not, whose empty lists alone take this. */
const VARINT_BYTES = 300;
/** A view of bytes, or a string. */
const BYTES_BYTES = 200;
const BIGINT_BYTES = 32;
const NUMBER_BYTES = 8;

export function newBudget(): Budget {
  return { bytesLeft: MAX_DECODED_BYTES };
}

/** @throws {RangeError} from any of its methods when the budget is spent. */
export class BoundedReader extends BinaryReader {
  readonly #budget: Budget;

  constructor(bytes: Uint8Array, budget: Budget) {
    super(bytes);
    this.#budget = budget;
    // BinaryReader has this one as a property, so it cannot be overridden as a method.
    const readUint32 = this.uint32;
    this.uint32 = () => {
      this.#spend(VARINT_BYTES);
      return readUint32.call(this);
    };
  }

  override bytes(): Uint8Array {
    this.#spend(BYTES_BYTES);
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

  override int32(): number {
    this.#spend(NUMBER_BYTES);
    return super.int32();
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
    this.#budget.bytesLeft -= bytes;
    if (this.#budget.bytesLeft < 0) throw new RangeError("more single values than there is memory for");
  }
}
