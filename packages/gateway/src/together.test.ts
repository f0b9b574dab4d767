import { expect, it } from "vitest";
import { together } from "./together.js";

const never = new AbortController().signal;

it("keeps the order of the items, whoever is ready first", async () => {
  const releases: (() => void)[] = [];
  const all = together([1, 2, 3], never, async (item) => {
    await new Promise<void>((resolve) => releases.push(resolve));
    return item * 10;
  });
  for (const release of releases.reverse()) release();
  expect(await all).toEqual([10, 20, 30]);
});

it("a failure aborts the others, waits for their end, and is what is thrown", async () => {
  const ended: number[] = [];
  const all = together([1, 2, 3], never, async (item, signal) => {
    if (item === 2) throw new Error("two failed");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    ended.push(item);
    throw new Error("aborted");
  });
  await expect(all).rejects.toThrow("two failed");
  expect(ended).toEqual([1, 3]);
});

it("the caller's signal reaches every task", async () => {
  const caller = new AbortController();
  const all = together([1, 2], caller.signal, async (_item, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    throw signal.reason;
  });
  caller.abort(new Error("left"));
  await expect(all).rejects.toThrow("left");
});
