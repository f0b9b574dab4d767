/** Items, their drafts and photos in the browser's database, so that a reload, Back or a closed tab loses nothing. */
import { isPredictResponse, isRecord } from "../gateway/answers.js";
import type { Item } from "../item.js";
import { shownPhotoOf } from "../item.js";
import type { Photo } from "../photo.js";

const DATABASE = "vitrine";
const SCHEMA = 1;

/** Items that were not touched for longer are deleted, and so are all but the latest ones. */
const KEEP_MS = 7 * 24 * 60 * 60 * 1000;
const KEEP_ITEMS = 24;

/** A drawing that was tried outlasts a reload, and not much else. */
const KEEP_TRIAL_MS = 60 * 60 * 1000;

/** An item that can be taken up again. */
interface KeptItem {
  readonly item: Item;
  readonly updatedMs: number;
}

export interface ItemStore {
  /** Keeps the item as it is now. @returns false where the browser keeps nothing, or has no room. */
  keep(item: Item): Promise<boolean>;
  find(id: string): Promise<Item | undefined>;
  remove(id: string): Promise<void>;
  /** Latest first, without drawings that were only tried; deletes those that are too old. */
  list(nowMs: number): Promise<readonly KeptItem[]>;
}

/**
 * Opens the store. A browser that offers no database (private windows of some) gets one that keeps nothing.
 *
 * Files lie in a store of their own under the photo's id: they are written once, and not with each letter of a title.
 */
export function openItemStore(): ItemStore {
  let opened: Promise<IDBDatabase> | undefined;
  const database = () => {
    opened ??= openDatabase();
    return opened;
  };
  /** Ids of the photos that the database holds for an item, as far as this tab has written or read it. */
  const stored = new Map<string, ReadonlySet<string>>();

  async function keep(item: Item): Promise<boolean> {
    try {
      const before = stored.get(item.id) ?? new Set();
      const ids = new Set(item.photos.map(({ id }) => id));
      const transaction = (await database()).transaction(["items", "files"], "readwrite");
      const files = transaction.objectStore("files");
      for (const photo of item.photos) {
        if (photo.kind === "file" && !before.has(photo.id)) files.put(photo.file, photo.id);
      }
      // A photo that was removed from its item is gone for good.
      for (const id of before) {
        if (!ids.has(id)) files.delete(id);
      }
      transaction.objectStore("items").put(recordOf(item, Date.now()), item.id);
      // Without waiting for answers: the page may be left in the next moment.
      transaction.commit();
      stored.set(item.id, ids);
      await ended(transaction);
      await keepMissing(item, before);
      return true;
    } catch {
      // Nothing of it is there: the next time writes all of it.
      stored.delete(item.id);
      return false;
    }
  }

  /**
   * Writes the files among `believed` that the database has lost: another tab deletes items that were not touched for
   * long, also one that is still open here. In a transaction of its own, as it waits for answers.
   */
  async function keepMissing({ id, photos }: Item, believed: ReadonlySet<string>): Promise<void> {
    if (!photos.some((photo) => photo.kind === "file" && believed.has(photo.id))) return;
    const transaction = (await database()).transaction(["items", "files"], "readwrite");
    const done = ended(transaction);
    const files = transaction.objectStore("files");
    // Item or photo may be discarded by now.
    const wanted = photoIdsOf(await answerOf(transaction.objectStore("items").get(id)));
    for (const photo of photos) {
      if (photo.kind === "link" || !wanted.includes(photo.id)) continue;
      if ((await answerOf(files.getKey(photo.id))) === undefined) files.put(photo.file, photo.id);
    }
    await done;
  }

  async function find(id: string): Promise<Item | undefined> {
    try {
      const transaction = (await database()).transaction(["items", "files"]);
      const record: unknown = await answerOf(transaction.objectStore("items").get(id));
      const item = await itemOfRecord(record, transaction.objectStore("files"));
      if (item !== undefined) stored.set(id, new Set(photoIdsOf(record)));
      return item;
    } catch {
      return undefined;
    }
  }

  /** @param untouchedMs the item stays where it was touched since then. */
  async function remove(id: string, untouchedMs = Number.POSITIVE_INFINITY): Promise<void> {
    const transaction = (await database()).transaction(["items", "files"], "readwrite");
    const record: unknown = await answerOf(transaction.objectStore("items").get(id));
    if (isItemRecord(record) && record.updatedMs > untouchedMs) return;
    for (const photoId of photoIdsOf(record)) transaction.objectStore("files").delete(photoId);
    transaction.objectStore("items").delete(id);
    await ended(transaction);
  }

  async function list(nowMs: number): Promise<readonly KeptItem[]> {
    try {
      const transaction = (await database()).transaction("items");
      const records: readonly unknown[] = await answerOf(transaction.objectStore("items").getAll());
      const kept = records.filter(isItemRecord).sort((one, other) => other.updatedMs - one.updatedMs);
      const isStale = ({ updatedMs, isTrial }: ItemRecord, place: number) =>
        updatedMs < nowMs - (isTrial === true ? KEEP_TRIAL_MS : KEEP_MS) || place >= KEEP_ITEMS;
      await Promise.all(kept.filter(isStale).map(({ id, updatedMs }) => remove(id, updatedMs)));
      const items = kept
        .filter((record, place) => !isStale(record, place) && record.isTrial !== true)
        .map(async ({ id, updatedMs }) => ({ item: await find(id), updatedMs }));
      return (await Promise.all(items)).flatMap(({ item, updatedMs }) =>
        item === undefined ? [] : [{ item, updatedMs }],
      );
    } catch {
      return [];
    }
  }

  return { keep, find, list, remove: (id) => remove(id).catch(() => undefined) };
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, SCHEMA);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("items");
      request.result.createObjectStore("files");
    };
    request.onsuccess = () => {
      // A tab with a later version of the page may then change the database.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

type PhotoRecord = { readonly kind: "file" | "link"; readonly id: string; readonly url: string };

type ItemRecord = Omit<Item, "photos" | "answer" | "isTrial"> & {
  readonly updatedMs: number;
  readonly photos: readonly PhotoRecord[];
  readonly answer: unknown;
  /** Missing in what an earlier version of the page has kept. */
  readonly isTrial?: unknown;
};

function recordOf(item: Item, updatedMs: number): ItemRecord {
  const photos = item.photos.map(
    (photo): PhotoRecord => ({ kind: photo.kind, id: photo.id, url: photo.kind === "link" ? photo.url : "" }),
  );
  return { ...item, photos, updatedMs };
}

function isPhotoRecord(value: unknown): value is PhotoRecord {
  return (
    isRecord(value) &&
    (value.kind === "file" || value.kind === "link") &&
    typeof value.id === "string" &&
    typeof value.url === "string"
  );
}

/** What lies in the database may be of another version of this page. */
function isItemRecord(value: unknown): value is ItemRecord {
  return (
    isRecord(value) &&
    typeof value.id === "string" &&
    typeof value.updatedMs === "number" &&
    typeof value.shownId === "string" &&
    (value.chosenLabel === undefined || typeof value.chosenLabel === "string") &&
    isRecord(value.draft) &&
    typeof value.draft.words === "string" &&
    (value.draft.title === undefined || typeof value.draft.title === "string") &&
    Array.isArray(value.photos) &&
    value.photos.every(isPhotoRecord)
  );
}

function photoIdsOf(record: unknown): readonly string[] {
  return isItemRecord(record) ? record.photos.map(({ id }) => id) : [];
}

async function itemOfRecord(record: unknown, files: IDBObjectStore): Promise<Item | undefined> {
  if (!isItemRecord(record)) return undefined;
  const photos = await Promise.all(
    record.photos.map(async ({ kind, id, url }): Promise<Photo | undefined> => {
      if (kind === "link") return { kind, id, url };
      const file: unknown = await answerOf(files.get(id));
      return file instanceof File ? { kind, id, file } : undefined;
    }),
  );
  const found = photos.filter((photo) => photo !== undefined);
  const { id, shownId, chosenLabel, draft } = record;
  // An answer is of exactly its photos.
  const isWhole = found.length === photos.length;
  const answer = isWhole && isPredictResponse(record.answer) ? record.answer : undefined;
  const item: Item = {
    id,
    photos: found,
    shownId,
    chosenLabel,
    draft,
    answer,
    isTrial: record.isTrial === true,
  };
  return shownPhotoOf(item) === undefined ? undefined : item;
}
