import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { withDeadline } from "./deadline.js";

const untilAborted = async (limit: AbortSignal): Promise<never> => {
  await once(limit, "abort");
  throw limit.reason;
};

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}

test("work ends with a TimeoutError after its time, though garbage was collected", async () => {
  const ended = withDeadline(50, new AbortController().signal, untilAborted);
  collectGarbage();
  await expect(ended).rejects.toMatchObject({ name: "TimeoutError", message: "no answer within 50 ms" });
});

test("work ends with its caller, for the caller's reason", async () => {
  const caller = new AbortController();
  const ended = withDeadline(60_000, caller.signal, untilAborted);
  caller.abort(new Error("the person left"));
  await expect(ended).rejects.toThrow("the person left");
  await expect(withDeadline(60_000, caller.signal, async (limit) => limit.throwIfAborted())).rejects.toThrow(
    "the person left",
  );
});

test("work that is done leaves no timer and no listener", async () => {
  vi.useFakeTimers();
  try {
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, "removeEventListener");
    expect(await withDeadline(500, signal, () => Promise.resolve("done"))).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
    expect(removed).toHaveBeenCalledOnce();
  } finally {
    vi.useRealTimers();
  }
});
