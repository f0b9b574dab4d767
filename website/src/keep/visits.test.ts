import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createVisits } from "./visits.js";

type Work = (lock: object | null) => Promise<void> | undefined;

/** As the locks of a browser: one holder for each name, and each answer comes when the test says so. */
class Locks {
  readonly held = new Set<string>();
  #waiting: (() => void)[] = [];

  request(name: string, _options: { readonly ifAvailable: true }, work: Work): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        if (this.held.has(name)) return void Promise.resolve(work(null)).then(resolve, reject);
        this.held.add(name);
        const end = () => {
          this.held.delete(name);
          resolve();
        };
        void Promise.resolve(work({ name })).then(end, reject);
      });
    });
  }

  /** Answers everything that was asked for, and what is asked for in turn. */
  async answer(): Promise<void> {
    // Promises of the page settle in between.
    await vi.advanceTimersByTimeAsync(0);
    while (this.#waiting.length > 0) {
      this.#waiting.shift()?.();
      await vi.advanceTimersByTimeAsync(0);
    }
  }
}

describe("the item that a tab holds", () => {
  let locks = new Locks();

  beforeEach(() => {
    vi.useFakeTimers();
    locks = new Locks();
    vi.stubGlobal("navigator", { locks });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("is free for other tabs once this one has gone on", async () => {
    const [here, there] = [createVisits(), createVisits()];
    const first = here.claim("a");
    await locks.answer();
    const refused = there.claim("a");
    await locks.answer();
    expect([await first, await refused]).toEqual([true, false]);

    void here.claim("b");
    const second = there.claim("a");
    await locks.answer();
    expect(await second).toBe(true);
    expect([...locks.held].sort()).toEqual(["vitrine-item-a", "vitrine-item-b"]);
  });

  it("is free again also where the tab goes on before it was granted", async () => {
    const visits = createVisits();
    void visits.claim("a");
    const second = visits.claim("b");
    await locks.answer();
    expect(await second).toBe(true);
    expect([...locks.held]).toEqual(["vitrine-item-b"]);
    void visits.claim("c");
    void visits.claim(undefined);
    await locks.answer();
    expect(locks.held.size).toBe(0);
  });

  it("is not taken for another tab's where the tab comes back to it at once", async () => {
    const visits = createVisits();
    const claims = ["a", "b", "a", "a"].map((id) => visits.claim(id));
    await locks.answer();
    expect((await Promise.all(claims)).at(-1)).toBe(true);
    expect([...locks.held]).toEqual(["vitrine-item-a"]);
  });

  it("is held against nobody where the browser has no locks, or refuses them", async () => {
    vi.stubGlobal("navigator", {});
    expect(await createVisits().claim("a")).toBe(true);
    vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new Error("no")) } });
    expect(await createVisits().claim("a")).toBe(true);
  });
});
