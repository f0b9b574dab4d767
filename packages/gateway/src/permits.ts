/**
 * The door: how many requests are worked on at a time, and how many bytes of pictures they hold together.
 * Whoever comes later is refused at once instead of waiting in memory.
 */
import { ServeError } from "@vitrine/protocol/status";

export interface PermitOptions {
  readonly maxRequests: number;
  /** Encoded bytes of all pictures held, uploads that are still arriving included. */
  readonly maxBytes: number;
}

export interface Permit {
  /** Counts bytes that this request holds from here on. @throws {ServeError} OVERLOADED when that is too many. */
  hold(bytes: number): void;
  /** Gives everything back. Calls after the first change nothing. */
  release(): void;
}

export interface Permits {
  /** @throws {ServeError} OVERLOADED when `maxRequests` are at work. */
  take(): Permit;
  /** An account for bytes that belong to no single request; it counts as none. */
  account(): Permit;
  readonly requestsAtWork: number;
  readonly bytesHeld: number;
}

export function createPermits(options: PermitOptions): Permits {
  let requestsAtWork = 0;
  let bytesHeld = 0;

  function take(): Permit {
    if (requestsAtWork >= options.maxRequests) {
      throw overloaded(`gateway was at work on ${requestsAtWork} requests, its limit`);
    }
    requestsAtWork += 1;
    return openAccount(() => {
      requestsAtWork -= 1;
    });
  }

  function openAccount(released: () => void): Permit {
    let ownBytes = 0;
    let isReleased = false;
    return {
      hold(bytes) {
        if (bytesHeld + bytes > options.maxBytes) {
          throw overloaded("gateway held as many bytes of pictures as it may");
        }
        bytesHeld += bytes;
        ownBytes += bytes;
      },
      release() {
        if (isReleased) return;
        isReleased = true;
        bytesHeld -= ownBytes;
        released();
      },
    };
  }

  return {
    take,
    account: () => openAccount(() => {}),
    get requestsAtWork() {
      return requestsAtWork;
    },
    get bytesHeld() {
      return bytesHeld;
    },
  };
}

function overloaded(what: string): ServeError {
  return new ServeError("OVERLOADED", `${what}, expected fewer; try again later`, { retryAfterSeconds: 1 });
}
