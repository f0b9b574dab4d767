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
  /**
   * Counts this request as so many more. One that alone is more than may be at work is let through when nothing else is.
   *
   * @throws {ServeError} OVERLOADED when that is too many.
   */
  addRequests(count: number): void;
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
    return openAccount(1);
  }

  function openAccount(requests: number): Permit {
    let ownRequests = requests;
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
      addRequests(count) {
        const isAlone = requestsAtWork === ownRequests;
        if (!isAlone && requestsAtWork + count > options.maxRequests) {
          throw overloaded(
            `gateway was at work on ${requestsAtWork} requests, and this one counts as ${count} more`,
          );
        }
        requestsAtWork += count;
        ownRequests += count;
      },
      release() {
        if (isReleased) return;
        isReleased = true;
        bytesHeld -= ownBytes;
        requestsAtWork -= ownRequests;
      },
    };
  }

  return {
    take,
    account: () => openAccount(0),
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
