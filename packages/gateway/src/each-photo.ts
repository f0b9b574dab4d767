import { ServeError } from "@vitrine/protocol/status";
import { together } from "./together.js";

/** One photo of an item, in whatever form it has by now. */
export interface Placed<Photo> {
  readonly photo: Photo;
  /** From 1 on; undefined for the only photo of a request, whose errors need no place. */
  readonly place: number | undefined;
}

export function placed<Photo>(photos: readonly Photo[]): Placed<Photo>[] {
  return photos.map((photo, index) => ({ photo, place: photos.length === 1 ? undefined : index + 1 }));
}

/** {@link together} for the photos of one item: a photo's own fault is told with its place. */
export function eachPhoto<Photo, Result>(
  photos: readonly Placed<Photo>[],
  signal: AbortSignal,
  task: (photo: Photo, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  return together(photos, signal, async ({ photo, place }, either) => {
    try {
      return await task(photo, either);
    } catch (error) {
      throw place === undefined ? error : aboutPhoto(place, error);
    }
  });
}

function aboutPhoto(place: number, error: unknown): unknown {
  if (!(error instanceof ServeError) || error.code !== "INVALID_ARGUMENT") return error;
  return new ServeError(error.reason, `photo ${place}: ${error.message}`, { cause: error.cause });
}
