import { describe, expect, it } from "vitest";
import type { Item } from "../item.js";
import type { PageEvent } from "../page-state.js";
import type { ItemStore } from "./item-store.js";
import { createSession } from "./session.js";
import type { Visits } from "./visits.js";

const PHOTOS = [{ kind: "link", id: "photo", url: "https://shop.example/a.jpg" }] as const;

/** A session whose store answers a removal when the test says so. */
function sessionOf() {
  const events: PageEvent[] = [];
  let finishRemoval: () => void = () => {};
  const store: ItemStore = {
    keep: () => Promise.resolve(true),
    find: () => Promise.resolve(undefined),
    list: () => Promise.resolve([]),
    remove: () =>
      new Promise((resolve) => {
        finishRemoval = resolve;
      }),
  };
  const visits: Visits = {
    currentId: () => undefined,
    goTo() {},
    replace() {},
    onReturn() {},
    claim: () => Promise.resolve(true),
  };
  const session = createSession({ store, visits, send: (event) => events.push(event), onKept() {} });
  return { session, events, finishRemoval: () => finishRemoval() };
}

const ITEM = { id: "hat", photos: PHOTOS, shownId: "photo" } as unknown as Item;

describe("a discarded item", () => {
  it("leads to the start", async () => {
    const { session, events, finishRemoval } = sessionOf();
    session.keep(ITEM);
    const discarded = session.discard(ITEM);
    await Promise.resolve();
    finishRemoval();
    await discarded;
    expect(events).toEqual([{ name: "returned", item: undefined }]);
  });

  it("does not take away what was given while it was removed", async () => {
    const { session, events, finishRemoval } = sessionOf();
    session.keep(ITEM);
    const discarded = session.discard(ITEM);
    await Promise.resolve();
    session.begin(PHOTOS, false);
    finishRemoval();
    await discarded;
    expect(events.map(({ name }) => name)).toEqual(["given"]);
  });
});
