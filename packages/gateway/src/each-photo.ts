import { ServeError } from "@vitrine/protocol/status";
import { together } from "./together.js";

/** {@link together} for the photos of one item: a photo's own fault is told with its place, from 1 on. */
export function eachPhoto<Photo, Result>(
  photos: readonly Photo[],
  signal: AbortSignal,
  task: (photo: Photo, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  if (photos.length === 1) return together(photos, signal, task);
  const numbered = photos.map((photo, index) => ({ photo, place: index + 1 }));
  return together(numbered, signal, async ({ photo, place }, either) => {
    try {
      return await task(photo, either);
    } catch (error) {
      throw aboutPhoto(place, error);
    }
  });
}

function aboutPhoto(place: number, error: unknown): unknown {
  if (!(error instanceof ServeError) || error.code !== "INVALID_ARGUMENT") return error;
  return new ServeError(error.reason, `photo ${place}: ${error.message}`, { cause: error.cause });
}
