import type { IncomingMessage } from "node:http";

/** A picture that is somewhat too large comes to its end, and the connection serves the next request; a film does not. */
export const MOST_DRAINED_BYTES = 64 * 1024 * 1024;

/**
 * Reads what is left of a body that is answered already and throws it away, for many callers read the answer only when
 * they have sent all, and one whose connection is closed meanwhile may never see it. A body that is longer than
 * {@link MOST_DRAINED_BYTES} from here on is cut off; how long it may take is for the server's request timeout.
 *
 * Source: RFC 9112, 9.6.
 */
export function drainBody(raw: IncomingMessage): void {
  let bytes = 0;
  raw.unpipe();
  raw.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > MOST_DRAINED_BYTES) raw.destroy();
  });
}
