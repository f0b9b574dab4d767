/**
 * The corrections that this person left, so that they can take them back after a reload, too. Only this browser knows
 * their ids.
 */
import { isRecord } from "../gateway/answers.js";
import { type KeptCorrection, keptCorrectionOf } from "./correction.js";

const PLACE = "vitrine.feedback";

interface Entry extends KeptCorrection {
  /** Ids of the photos in this browser. */
  readonly photos: readonly string[];
}

export interface KeptCorrections {
  /** All that is known, the one that goes first at the front. */
  all(): readonly KeptCorrection[];
  /** The latest correction that one of these photos belongs to. */
  of(photoIds: readonly string[]): KeptCorrection | undefined;
  /** Also the earlier ones, whose removal failed; in the order in which they were kept. */
  allOf(photoIds: readonly string[]): readonly KeptCorrection[];
  add(photoIds: readonly string[], kept: KeptCorrection): void;
  remove(id: string): void;
}

/**
 * @param storage undefined: the browser keeps nothing, and what was left is known until the page is closed.
 * @param now     milliseconds since 1970.
 */
export function createKeptCorrections(
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined,
  now: () => number = Date.now,
): KeptCorrections {
  let known: readonly Entry[] = [];
  /** The browser took the last change. */
  let isStored = true;

  /** Read each time: another tab may have written. */
  function read(): readonly Entry[] {
    try {
      const text = isStored ? storage?.getItem(PLACE) : undefined;
      if (text !== undefined) known = text === null ? [] : entriesOf(JSON.parse(text));
    } catch {
      // Blocked, or written by something else: what this page knows counts.
    }
    known = known.filter(({ deleteAfter }) => Date.parse(deleteAfter) > now());
    return known;
  }

  function write(entries: readonly Entry[]): void {
    known = entries;
    try {
      if (entries.length === 0) storage?.removeItem(PLACE);
      else storage?.setItem(PLACE, JSON.stringify(entries));
      isStored = true;
    } catch {
      // Full: what this page knows counts until a change is taken.
      isStored = false;
    }
  }

  const allOf = (photoIds: readonly string[]) =>
    read().filter(({ photos }) => photos.some((id) => photoIds.includes(id)));

  return {
    all: () => [...read()].sort((one, other) => Date.parse(one.deleteAfter) - Date.parse(other.deleteAfter)),
    of: (photoIds) => allOf(photoIds).at(-1),
    allOf,
    add: (photoIds, kept) => write([...read(), { ...kept, photos: [...photoIds] }]),
    remove: (id) => write(read().filter((entry) => entry.id !== id)),
  };
}

function entriesOf(json: unknown): Entry[] {
  if (!Array.isArray(json)) return [];
  return json.flatMap((entry: unknown) => {
    if (!isRecord(entry) || !Array.isArray(entry.photos)) return [];
    const kept = keptCorrectionOf({
      // What was kept before the path was told had this one.
      withdraw: `/feedback/${entry.id}`,
      ...entry,
      pictures: entry.count,
      delete_after: entry.deleteAfter,
    });
    const photos = entry.photos.filter((id): id is string => typeof id === "string");
    return kept === undefined ? [] : [{ ...kept, photos }];
  });
}

let ofThisPage: KeptCorrections | undefined;

/** Those of this page: what the browser does not keep is known to all of it. */
export function keptHere(): KeptCorrections {
  ofThisPage ??= createKeptCorrections(storageOf());
  return ofThisPage;
}

/** undefined where the browser lets the page keep nothing. */
function storageOf(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
