import { ServeError } from "@vitrine/protocol/status";
import { together } from "./together.js";

/** The fault of one photo among several. */
export class PhotoError extends ServeError {
  /** Its place in the order sent, from 0 on. */
  readonly photo: number;

  /** @param fault as it would be told of a photo sent alone. It may be told to others, too, and stays as it is. */
  constructor(photo: number, fault: ServeError) {
    super(fault.reason, `photo ${photo + 1}: ${fault.message}`, { cause: fault.cause });
    this.photo = photo;
  }
}

/** One photo of an item, in whatever form it has by now. */
export interface Placed<Photo> {
  readonly photo: Photo;
  /** In the order sent, from 0 on; undefined for the only photo of a request, whose errors need no place. */
  readonly place: number | undefined;
}

export function placed<Photo>(photos: readonly Photo[]): Placed<Photo>[] {
  return photos.map((photo, index) => ({ photo, place: photos.length === 1 ? undefined : index }));
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
      throw place === undefined || !isPhotoFault(error) ? error : new PhotoError(place, error);
    }
  });
}

/** What the caller can mend by another photo; not what the gateway or the model tier lack. */
function isPhotoFault(error: unknown): error is ServeError {
  return error instanceof ServeError && error.code === "INVALID_ARGUMENT";
}
