import { afterEach, expect, it, vi } from "vitest";
import { abortError, startDeadline } from "./deadline.js";

afterEach(() => void vi.useRealTimers());

it("aborts with DEADLINE_EXCEEDED when the time is up, and says what is left until then", () => {
  vi.useFakeTimers();
  const deadline = startDeadline(1000);
  vi.advanceTimersByTime(400);
  expect(deadline.remainingMs()).toBe(600);
  expect(deadline.signal.aborted).toBe(false);
  vi.advanceTimersByTime(600);
  expect(abortError(deadline.signal).reason).toBe("DEADLINE_EXCEEDED");
  expect(deadline.remainingMs()).toBe(1);
});

it("aborts with CANCELLED when the caller leaves, now or before", () => {
  const caller = new AbortController();
  const early = startDeadline(1000, caller.signal);
  caller.abort();
  expect(abortError(early.signal).reason).toBe("CANCELLED");
  expect(abortError(startDeadline(1000, caller.signal).signal).reason).toBe("CANCELLED");
});

it("does not abort any more once it is cleared", () => {
  vi.useFakeTimers();
  const caller = new AbortController();
  const deadline = startDeadline(1000, caller.signal);
  deadline.clear();
  vi.advanceTimersByTime(5000);
  caller.abort();
  expect(deadline.signal.aborted).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});
