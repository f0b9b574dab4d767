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

export function createVisits(): Visits {
  let letGo: () => void = () => {};
  let heldId: string | undefined;

  const idOf = (state: unknown): string | undefined =>
    isRecord(state) && typeof state.item === "string" ? state.item : undefined;

  function claim(itemId: string | undefined): Promise<boolean> {
    if (itemId === heldId) return Promise.resolve(true);
    letGo();
    letGo = () => {};
    heldId = undefined;
    const locks = "locks" in navigator ? navigator.locks : undefined;
    if (itemId === undefined || locks === undefined) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      locks
        .request(`vitrine-item-${itemId}`, { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          if (lock === null) return undefined;
          heldId = itemId;
          // The lock is held until this promise settles.
          return new Promise<void>((release) => {
            letGo = release;
          });
        })
        .catch(reject);
    });
  }

  return {
    currentId: () => idOf(history.state),
    goTo: (itemId) => history.pushState(itemId === undefined ? null : { item: itemId }, ""),
    replace: (itemId) => history.replaceState(itemId === undefined ? null : { item: itemId }, ""),
    onReturn: (listener) => addEventListener("popstate", ({ state }) => listener(idOf(state))),
    claim,
  };
}
