import { ServeError } from "../status.js";

/** The part of one call. */
export interface ArrivingShare {
  /** Counts bytes that came. @throws {ServeError} OVERLOADED when all calls together hold too many. */
  add(bytes: number): void;
  /** Gives all back that was counted; more may come. */
  release(): void;
}

/**
 * Bytes of requests that have not come to their end, of all connections of a server. Flow control bounds them for one
 * connection, but a caller has as many as it likes, and nothing makes it end a request.
 */
export class ArrivingBytes {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  open(): ArrivingShare {
    let own = 0;
    return {
      add: (bytes) => {
        if (this.#bytes + bytes > this.#maxBytes) {
          throw new ServeError(
            "OVERLOADED",
            `requests of ${this.#bytes} bytes were arriving, expected at most ${this.#maxBytes} with this one; try again later`,
          );
        }
        this.#bytes += bytes;
        own += bytes;
      },
      release: () => {
        this.#bytes -= own;
        own = 0;
      },
    };
  }
}
