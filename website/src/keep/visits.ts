/** Which item this tab shows: in the browser's history, for Back, Forward and reload, and held against other tabs. */
import { isRecord } from "../gateway/answers.js";

export interface Visits {
  /** Id of the item of the current history entry; undefined at the start page. */
  currentId(): string | undefined;
  /** The tab goes on to another item; Back leads to the one before. undefined: the start page. */
  goTo(itemId: string | undefined): void;
  /** The current entry stands for this item from here on. */
  replace(itemId: string | undefined): void;
  /** Tells of each Back and Forward. */
  onReturn(listener: (itemId: string | undefined) => void): void;
  /**
   * Holds an item for this tab, and lets go of the one before.
   *
   * @returns false when another tab holds it: a duplicated tab has the same history. Without locks (pages over http
   *   from another machine) always true.
   */
  claim(itemId: string | undefined): Promise<boolean>;
}

/** An item that this tab holds, or asks for. */
interface Hold {
  readonly itemId: string | undefined;
  readonly isOurs: Promise<boolean>;
  /** Settles when the item is free again; never rejects. */
  readonly ended: Promise<void>;
  letGo(): void;
}

const NOTHING: Hold = {
  itemId: undefined,
  isOurs: Promise.resolve(true),
  ended: Promise.resolve(),
  letGo: () => {},
};

export function createVisits(): Visits {
  let hold = NOTHING;

  const idOf = (state: unknown): string | undefined =>
    isRecord(state) && typeof state.item === "string" ? state.item : undefined;

  async function claim(itemId: string | undefined): Promise<boolean> {
    if (itemId !== hold.itemId) {
      const before = hold;
      before.letGo();
      hold = itemId === undefined ? { ...NOTHING, ended: before.ended } : holdOf(itemId, before.ended);
    }
    const claimed = hold;
    const isOurs = await claimed.isOurs;
    // The other tab may have let go of it by the time it is asked for again.
    if (!isOurs && hold === claimed) hold = { ...NOTHING, ended: claimed.ended };
    return isOurs;
  }

  return {
    currentId: () => idOf(history.state),
    goTo: (itemId) => history.pushState(itemId === undefined ? null : { item: itemId }, ""),
    replace: (itemId) => history.replaceState(itemId === undefined ? null : { item: itemId }, ""),
    onReturn: (listener) => addEventListener("popstate", ({ state }) => listener(idOf(state))),
    claim,
  };
}

/** @param free settles when the tab has let go of the item before, which may be this one. */
function holdOf(itemId: string, free: Promise<void>): Hold {
  let letGo: () => void = () => {};
  // Also settled while the lock is still on its way, which is then let go of when it comes.
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const locks = "locks" in navigator ? navigator.locks : undefined;
  if (locks === undefined) return { itemId, isOurs: Promise.resolve(true), ended: free, letGo };
  let answer: (isOurs: boolean) => void = () => {};
  const isOurs = new Promise<boolean>((resolve) => {
    answer = resolve;
  });
  const ended = free
    .then(() =>
      locks.request(`vitrine-item-${itemId}`, { ifAvailable: true }, (lock) => {
        answer(lock !== null);
        // The lock is held until this promise settles.
        return lock === null ? undefined : released;
      }),
    )
    // A browser that refuses locks is as one without.
    .catch(() => answer(true));
  return { itemId, isOurs, ended, letGo };
}
