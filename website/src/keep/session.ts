/** The items of this tab: kept in the browser, and found again through Back, Forward, reload and the list of drafts. */
import type { Item } from "../item.js";
import type { PageEvent } from "../page-state.js";
import type { Photo } from "../photo.js";
import type { ItemStore } from "./item-store.js";
import type { Visits } from "./visits.js";

/** An id that nobody else has; `crypto.randomUUID` is missing on pages over http. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}

interface SessionParts {
  readonly store: ItemStore;
  readonly visits: Visits;
  send(event: PageEvent): void;
  /** Whether the browser keeps what it is given. */
  onKept(isKept: boolean): void;
}

export interface Session {
  /**
   * Another item; Back leads to the one before.
   *
   * @param isTrial the photos are the page's own drawings.
   */
  begin(photos: readonly [Photo, ...Photo[]], isTrial: boolean): void;
  /** Takes up a draft of before. */
  open(itemId: string): void;
  /** Takes up what the tab showed when it was loaded anew. */
  resume(): Promise<void>;
  /** Keeps an item as it is now. */
  keep(item: Item): void;
  /** Deletes an item for good and goes to the start. */
  discard(item: Item): Promise<void>;
  /** Items that are kept, latest first. */
  recent(): Promise<readonly Item[]>;
}

export function createSession({ store, visits, send, onKept }: SessionParts): Session {
  /** Of this visit: they are there also where the browser keeps nothing. */
  const seen = new Map<string, Item>();
  let returns = 0;
  let current: Item | undefined;

  /** A drawing that was tried is not kept when the tab goes on; Back still leads to it in this visit. */
  function leave(): void {
    if (current?.isTrial === true) void store.remove(current.id);
    current = undefined;
  }

  async function goBackTo(itemId: string | undefined): Promise<void> {
    returns += 1;
    const turn = returns;
    const found = itemId === undefined ? undefined : (seen.get(itemId) ?? (await store.find(itemId)));
    const isFree = await visits.claim(found?.id);
    // The person may have gone further in the meantime.
    if (turn !== returns) return;
    if (found?.id !== current?.id) leave();
    if (found === undefined || isFree) {
      send({ name: "returned", item: found });
      return;
    }
    const own = copyOf(found);
    visits.replace(own.id);
    await visits.claim(own.id);
    send({ name: "returned", item: own });
  }

  visits.onReturn((itemId) => void goBackTo(itemId));

  return {
    begin(photos, isTrial) {
      returns += 1;
      leave();
      const itemId = newId();
      visits.goTo(itemId);
      void visits.claim(itemId);
      send({ name: "given", itemId, photos, isTrial });
    },
    open(itemId) {
      visits.goTo(itemId);
      void goBackTo(itemId);
    },
    async resume() {
      const itemId = visits.currentId();
      if (itemId !== undefined) await goBackTo(itemId);
    },
    keep(item) {
      seen.set(item.id, item);
      current = item;
      void store.keep(item).then(onKept);
    },
    async discard(item) {
      seen.delete(item.id);
      returns += 1;
      const turn = returns;
      current = undefined;
      visits.replace(undefined);
      await visits.claim(undefined);
      await store.remove(item.id);
      // Something else may have been given in the meantime.
      if (turn === returns) send({ name: "returned", item: undefined });
    },
    recent: async () => (await store.list(Date.now())).map(({ item }) => item),
  };
}

/** The same item for a second tab, so that neither overwrites what the other one writes. */
function copyOf(item: Item): Item {
  const photos = item.photos.map((photo): Photo => ({ ...photo, id: newId() }));
  const shownIndex = item.photos.findIndex(({ id }) => id === item.shownId);
  return { ...item, id: newId(), photos, shownId: photos[Math.max(0, shownIndex)]?.id ?? "" };
}
