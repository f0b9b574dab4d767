/** Pictures behind URLs: fetched once for all who ask at the same time, kept, and asked for again by their ETag. */
import { ServeError } from "@vitrine/protocol/status";
import { LRUCache } from "lru-cache";
import type { FetchedPicture, ImageSource, PictureVersion } from "./image-source.js";
import type { Permits } from "./permits.js";
import { SharedWork } from "./shared-work.js";

/**
 * Gives the bytes behind a URL.
 *
 * @param hold is told of the bytes that the caller has to answer for.
 * @throws {ServeError} as {@link ImageSource.fetchImage}.
 */
export type FetchPicture = (
  url: string,
  signal: AbortSignal,
  hold: (bytes: number) => void,
) => Promise<Uint8Array>;

/** Fetches every picture for each caller anew. */
export function fetchEachTime(images: Pick<ImageSource, "fetchImage">): FetchPicture {
  return async (url, signal, hold) => bytesOf(await images.fetchImage(url, signal, { hold }));
}

interface Kept {
  readonly bytes: Uint8Array;
  readonly version: PictureVersion;
}

/**
 * Asks the picture's host each time whether the picture is still the same, so no answer is older than the picture. The
 * guard of addresses sees every one of these requests. A picture without a strong ETag is not kept.
 *
 * @param options.maxBytes of the pictures kept.
 */
export function createPictureCache(options: {
  readonly images: Pick<ImageSource, "fetchImage">;
  readonly permits: Pick<Permits, "account">;
  readonly maxBytes: number;
}): FetchPicture {
  const { images, permits, maxBytes } = options;
  const kept = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    maxEntrySize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes.byteLength,
  });
  const shared = new SharedWork<Uint8Array>();

  async function fetchOnce(url: string, signal: AbortSignal): Promise<Uint8Array> {
    // The callers may come and go while it arrives; until then it stands on an account of its own.
    const account = permits.account();
    try {
      const before = kept.get(url);
      const fetched = await images.fetchImage(url, signal, { hold: account.hold, known: before?.version });
      if (fetched.bytes === undefined && before !== undefined) return before.bytes;
      const bytes = bytesOf(fetched);
      if (fetched.version === undefined) kept.delete(url);
      else kept.set(url, { bytes, version: fetched.version });
      return bytes;
    } finally {
      account.release();
    }
  }

  return async (url, signal, hold) => {
    const bytes = await shared.run(url, signal, (either) => fetchOnce(url, either));
    hold(bytes.byteLength);
    return bytes;
  };
}

function bytesOf({ bytes }: FetchedPicture): Uint8Array {
  if (bytes === undefined)
    throw new ServeError("INTERNAL", "host answered 304 to a request without a condition");
  return bytes;
}
