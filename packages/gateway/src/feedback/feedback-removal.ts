/**
 * Corrections out of a folder that other gateways write to at the same time.
 *
 * Whoever gives a picture that lies there already writes only a record (feedback-store.ts). So a picture is not removed but
 * set aside first, under another name; then the records are looked through once more, and it is put back where somebody
 * needs it. Who comes later does not find it, and writes it.
 */
import path from "node:path";
import { putBack, removeEmptyFolder, setAside, unlinkIfThere } from "./durable-files.js";
import type { FeedbackIndex, HeldRecord } from "./feedback-index.js";
import { recordNameOf } from "./feedback-record.js";

export interface FeedbackRemovalOptions {
  readonly folder: string;
  readonly index: FeedbackIndex;
  /** Brings the index up to date. */
  readonly look: () => Promise<unknown>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Removes records, and those of their pictures that no other record needs: pictures first, so that none lies there without
 * a record that says when it has to go.
 *
 * @returns why, by id, for those that could not be removed. Their records stay.
 * @throws the system's error when the folder cannot be read.
 */
export type RemoveFeedback = (records: readonly HeldRecord[]) => Promise<ReadonlyMap<string, unknown>>;

export function createFeedbackRemoval({ folder, index, look, now }: FeedbackRemovalOptions): RemoveFeedback {
  const at = (name: string) => path.join(folder, name);

  /** @returns why, by place, for pictures that could not be removed. */
  async function clear(
    places: readonly string[],
    isNeeded: (place: string) => boolean,
  ): Promise<ReadonlyMap<string, unknown>> {
    const failures = new Map<string, unknown>();
    const aside = new Map<string, string>();
    for (const place of places) {
      try {
        const name = await setAside(folder, place, now());
        if (name !== undefined) aside.set(place, name);
      } catch (error) {
        failures.set(place, error);
      }
    }
    let isKnown = false;
    try {
      if (aside.size > 0) await look();
      isKnown = true;
    } finally {
      for (const [place, name] of aside) {
        try {
          if (!isKnown || isNeeded(place)) await putBack(folder, name, place);
          else await removeAside(name, place);
        } catch (error) {
          failures.set(place, error);
        }
      }
    }
    return failures;
  }

  async function removeAside(name: string, place: string): Promise<void> {
    try {
      await unlinkIfThere(at(name));
    } catch (error) {
      await putBack(folder, name, place);
      throw error;
    }
    await removeEmptyFolder(at(path.dirname(place)));
  }

  return async (records) => {
    const places = [...new Set(records.flatMap(({ pictures }) => pictures.map(({ place }) => place)))];
    const isShared = (place: string): boolean => {
      const own = records.filter(
        ({ id, pictures }) => index.has(id) && pictures.some((picture) => picture.place === place),
      );
      return index.holdersOf(place) > own.length;
    };
    const shared = places.filter(isShared);
    const failures = await clear(
      places.filter((place) => !shared.includes(place)),
      isShared,
    );
    const stuck = new Map<string, unknown>();
    for (const { id, pictures } of records) {
      try {
        const failed = pictures.find(({ place }) => failures.has(place));
        if (failed !== undefined) throw failures.get(failed.place);
        await unlinkIfThere(at(recordNameOf(id)));
        index.remove(id);
      } catch (error) {
        stuck.set(id, error);
      }
    }
    // Another gateway may have removed the other record of a picture meanwhile, and left the picture for this one.
    if (shared.length > 0) await look();
    const orphans = shared.filter((place) => index.holdersOf(place) === 0);
    for (const error of (await clear(orphans, (place) => index.holdersOf(place) > 0)).values()) throw error;
    return stuck;
  };
}
