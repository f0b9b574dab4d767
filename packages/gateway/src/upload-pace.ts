import type { IncomingMessage } from "node:http";

/** What is looked at of a request: whether it has come whole, and how much came over its connection so far. */
export interface Upload {
  readonly complete: IncomingMessage["complete"];
  readonly socket: { readonly bytesRead: number };
}

const LOOK_MS = 10_000;
/** In that time: 1 KiB a second, which every network has on which a photo arrives at all. */
const LEAST_BYTES = 10 * 1024;
/** One slow look may be a pause of this process. */
const SLOW_LOOKS = 2;

/**
 * Watches how fast a body comes. Each upload holds a place among the predictions at work: a caller who sends a byte now and
 * then could hold all of them, at no cost, for as long as an upload may take.
 *
 * @param tooSlow called once, when less than 1 KiB a second came for 20 s.
 * @returns ends the watch; it ends by itself when the body is there.
 */
export function watchUploadPace(upload: Upload, tooSlow: () => void): () => void {
  let seen = upload.socket.bytesRead;
  let slowLooks = 0;
  const timer = setInterval(() => {
    const { bytesRead } = upload.socket;
    slowLooks = bytesRead - seen < LEAST_BYTES ? slowLooks + 1 : 0;
    seen = bytesRead;
    if (upload.complete || slowLooks === SLOW_LOOKS) clearInterval(timer);
    if (!upload.complete && slowLooks === SLOW_LOOKS) tooSlow();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
