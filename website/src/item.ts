/** One thing that a person lists: its photos, what the model said of them, and the draft of its listing. */
import type { PredictResponse } from "@vitrine/gateway/api";
import type { Photo } from "./photo.js";

export interface Draft {
  /** Brand, colour, size: what the person adds to the category. */
  readonly words: string;
  /** The title as the person wrote it; undefined: as it is suggested. */
  readonly title: string | undefined;
}

export interface Item {
  readonly id: string;
  /** In the order in which they came, files and links; at least one. */
  readonly photos: readonly Photo[];
  /** The photo that is shown large. */
  readonly shownId: string;
  /** Of exactly these photos; undefined while there is none. */
  readonly answer: PredictResponse | undefined;
  /** The person's category, a label of the model; undefined: the model's. */
  readonly chosenLabel: string | undefined;
  readonly draft: Draft;
  /** Of one of the page's own drawings, of which nobody has made a listing: it is no draft, and not kept for long. */
  readonly isTrial: boolean;
}

export function newItem(id: string, photos: readonly [Photo, ...Photo[]], isTrial: boolean): Item {
  return {
    id,
    photos,
    shownId: photos[0].id,
    answer: undefined,
    chosenLabel: undefined,
    draft: { words: "", title: undefined },
    isTrial,
  };
}

/** The photo that is shown large. */
export function shownPhotoOf(item: Item): Photo | undefined {
  return item.photos.find(({ id }) => id === item.shownId) ?? item.photos[0];
}

/** The category of the item: the person's, else the model's. */
export function categoryOf(item: Item): string | undefined {
  return item.chosenLabel ?? item.answer?.top_class;
}

/** Whether the item has room for one more photo, of so many at most. */
export function hasRoom(item: Item, most: number): boolean {
  return item.photos.length < most;
}
