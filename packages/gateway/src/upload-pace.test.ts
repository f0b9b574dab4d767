import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchUploadPace } from "./upload-pace.js";

const KIBIBYTE = 1024;
let upload: { complete: boolean; socket: { bytesRead: number } };
let tooSlow: ReturnType<typeof vi.fn<() => void>>;
let end: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  upload = { complete: false, socket: { bytesRead: 500 } };
  tooSlow = vi.fn<() => void>();
  end = watchUploadPace(upload, tooSlow);
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

/** Ten seconds in which so much comes. */
function pass(bytes: number): void {
  upload.socket.bytesRead += bytes;
  vi.advanceTimersByTime(10_000);
}

it("a body that comes a byte now and then is too slow after 20 s, which is told once", () => {
  pass(3);
  expect(tooSlow).not.toHaveBeenCalled();
  pass(3);
  pass(3);
  pass(3);
  expect(tooSlow).toHaveBeenCalledTimes(1);
});

it("a slow network, and one pause between, are fast enough", () => {
  for (let minute = 0; minute < 3; minute++) {
    pass(11 * KIBIBYTE);
    pass(0);
    pass(10 * KIBIBYTE);
  }
  expect(tooSlow).not.toHaveBeenCalled();
});

it("what has come whole, or is of no interest any more, is not watched", () => {
  pass(0);
  upload.complete = true;
  pass(0);
  expect(vi.getTimerCount()).toBe(0);
  expect(tooSlow).not.toHaveBeenCalled();
  const ended = watchUploadPace({ complete: false, socket: upload.socket }, tooSlow);
  ended();
  expect(vi.getTimerCount()).toBe(0);
});
