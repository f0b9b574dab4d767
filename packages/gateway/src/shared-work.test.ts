import { ServeError } from "@vitrine/protocol/status";
import { describe, expect, it } from "vitest";
import { SharedWork } from "./shared-work.js";

/** Work that ends when the test says so. */
function puppetWork() {
  const started: AbortSignal[] = [];
  const settle: { resolve(value: string): void; reject(error: unknown): void }[] = [];
  const work = (signal: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      started.push(signal);
      settle.push({ resolve, reject });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return { work, started, settle };
}

const never = new AbortController().signal;

describe("SharedWork", () => {
  it("does the work of one key once for all who ask meanwhile, and again for who asks later", async () => {
    const shared = new SharedWork<string>();
    const { work, started, settle } = puppetWork();
    const both = Promise.all([shared.run("a", never, work), shared.run("a", never, work)]);
    const other = shared.run("b", never, work);
    expect(started).toHaveLength(2);
    settle[0]?.resolve("A");
    settle[1]?.resolve("B");
    expect(await both).toEqual(["A", "A"]);
    expect(await other).toBe("B");
    const later = shared.run("a", never, work);
    settle[2]?.resolve("A2");
    expect(await later).toBe("A2");
  });

  it("goes on while one caller is left, and is aborted when the last has gone", async () => {
    const shared = new SharedWork<string>();
    const { work, started } = puppetWork();
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [first, second].map(({ signal }) => shared.run("a", signal, work));
    first.abort(new ServeError("CANCELLED", "gone"));
    await expect(calls[0]).rejects.toMatchObject({ reason: "CANCELLED" });
    expect(started[0]?.aborted).toBe(false);
    second.abort(new ServeError("CANCELLED", "gone, too"));
    await expect(calls[1]).rejects.toMatchObject({ message: "gone, too" });
    expect(started[0]?.aborted).toBe(true);
  });

  it("starts anew for who comes after everyone has gone", async () => {
    const shared = new SharedWork<string>();
    const { work, started, settle } = puppetWork();
    const first = new AbortController();
    const given = shared.run("a", first.signal, work);
    first.abort();
    const next = shared.run("a", never, work);
    await expect(given).rejects.toMatchObject({ reason: "CANCELLED" });
    expect(started).toHaveLength(2);
    settle[1]?.resolve("A");
    expect(await next).toBe("A");
  });

  it("tells every caller of a failure, and keeps none", async () => {
    const shared = new SharedWork<string>();
    const { work, settle } = puppetWork();
    const calls = [shared.run("a", never, work), shared.run("a", never, work)];
    settle[0]?.reject(new ServeError("IMAGE_URL_FAILED", "no"));
    for (const call of calls) await expect(call).rejects.toMatchObject({ reason: "IMAGE_URL_FAILED" });
    const again = shared.run("a", never, work);
    settle[1]?.resolve("A");
    expect(await again).toBe("A");
  });

  it("lets who joined start over when the time of the one who began was up", async () => {
    const shared = new SharedWork<string>();
    const { work, started, settle } = puppetWork();
    const began = shared.run("a", never, work);
    const joined = shared.run("a", never, work);
    settle[0]?.reject(new ServeError("DEADLINE_EXCEEDED", "too late"));
    await expect(began).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    await expect.poll(() => started.length).toBe(2);
    settle[1]?.resolve("A");
    expect(await joined).toBe("A");
  });
});
