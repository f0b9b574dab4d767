import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { createPermits, type Permits } from "../permits.js";
import type { PictureFile } from "../pixels/picture-file.js";
import { createStageTimes } from "../stage-times.js";
import { contract } from "../testing/gateway.js";
import type { FeedbackRecord } from "./feedback-record.js";
import type { Correction, FeedbackStore } from "./feedback-store.js";
import { createGiveFeedback, type GiveFeedbackParts } from "./give-feedback.js";

const SENT_BYTES = 100;
let permits: Permits;
let counted: number;
let withdrawn: string[];
let log: unknown[];

beforeEach(() => {
  counted = 0;
  withdrawn = [];
  log = [];
  permits = createPermits({ maxRequests: 20, maxBytes: 10_000 });
});

/** The door to a store that does as `add` says, where each photo becomes a file of so many bytes. */
function door(
  add: FeedbackStore["add"],
  fileBytes = 10,
  withdraw: FeedbackStore["withdraw"] = async (id) => void withdrawn.push(id),
) {
  const model = { description: { name: "m", version: "1" }, contract: contract() };
  const file: PictureFile = {
    bytes: new Uint8Array(fileBytes),
    mediaType: "image/png",
    width: 8,
    height: 8,
  };
  const parts: GiveFeedbackParts = {
    permits,
    fetchPicture: () => Promise.reject(new Error("no link was sent")),
    preprocessor: { makeFile: async () => file },
    link: { current: () => model as ReturnType<GiveFeedbackParts["link"]["current"]> },
    store: { add, withdraw },
    timeoutMs: 60_000,
    maxImageBytes: 1000,
    logger: { error: (line: unknown) => void log.push(line) },
    counted() {
      counted += 1;
    },
  };
  const give = createGiveFeedback(parts);
  return (photos = 1, caller = new AbortController().signal, hasArrived: Promise<void> = Promise.resolve()) =>
    give({
      async read(permit) {
        await hasArrived;
        permit.hold(photos * SENT_BYTES);
        const bytes = new Uint8Array(SENT_BYTES);
        return {
          pictures: Array.from({ length: photos }, () => ({ kind: "bytes" as const, bytes })),
          label: "pants",
          predicted: undefined,
          modelVersion: undefined,
          contract: undefined,
          requestId: undefined,
        };
      },
      caller,
      times: createStageTimes(),
    });
}

function recordOf(correction: Correction): FeedbackRecord {
  const { files: _files, ...said } = correction;
  const [stored_at, delete_after] = ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"];
  return { schema: 1, id: "A".repeat(22), ...said, stored_at, delete_after, pictures: [] };
}

describe("a correction that is given", () => {
  it("counts the files that are made beside the pictures that were sent, until it is kept", async () => {
    const held: number[] = [];
    const give = door(async (correction) => {
      held.push(permits.bytesHeld);
      return recordOf(correction);
    }, 500);
    await give(2);
    expect(held).toEqual([2 * SENT_BYTES + 2 * 500]);
    expect(permits.bytesHeld).toBe(0);
  });

  it("is refused when the files that are made are more than the gateway may hold", async () => {
    const give = door(async (correction) => recordOf(correction), 1000);
    await expect(give(10)).rejects.toMatchObject({ reason: "OVERLOADED" });
    expect(permits.bytesHeld).toBe(0);
  });

  it("is refused when a file that is made is larger than a picture may be", async () => {
    const give = door(async (correction) => recordOf(correction), 1001);
    await expect(give(2)).rejects.toMatchObject({
      reason: "IMAGE_TOO_LARGE",
      message: "photo 1: picture to keep was 1001 bytes as image/png, expected at most 1000",
    });
  });
});

describe("a body that never ends", () => {
  it("takes no place from the corrections that have arrived", async () => {
    const give = door(async (correction) => recordOf(correction));
    let arrive = () => {};
    const hasArrived = new Promise<void>((resolve) => (arrive = resolve));
    const slow = Array.from({ length: 12 }, () => give(1, undefined, hasArrived));
    expect(permits.requestsAtWork).toBe(12);
    await give();
    expect(counted).toBe(1);
    arrive();
    const ended = await Promise.allSettled(slow);
    // All twelve at once are more than may be at work.
    expect(ended.filter(({ status }) => status === "fulfilled")).toHaveLength(8);
    expect([permits.requestsAtWork, permits.bytesHeld]).toEqual([0, 0]);
  });
});

describe("a disk that hangs", () => {
  /** A disk that says when it has something to do, and is told when to go on. */
  function hangingDisk() {
    let goOn = () => {};
    let begin = () => {};
    const isLetGo = new Promise<void>((resolve) => (goOn = resolve));
    const hasBegun = new Promise<void>((resolve) => (begin = resolve));
    const add = async (correction: Correction) => {
      begin();
      await isLetGo;
      return recordOf(correction);
    };
    return { add, hasBegun, goOn: () => goOn() };
  }

  it("leaves nobody without an answer, and keeps its place until it ends", async () => {
    const disk = hangingDisk();
    const give = door(disk.add);
    const caller = new AbortController();
    const answer = give(1, caller.signal);
    await disk.hasBegun;
    caller.abort();
    await expect(answer).rejects.toMatchObject({ reason: "CANCELLED" });
    expect(permits.requestsAtWork).toBe(1);
    expect(permits.bytesHeld).toBe(SENT_BYTES + 10);
    disk.goOn();
    await setImmediate();
    expect([permits.requestsAtWork, permits.bytesHeld]).toEqual([0, 0]);
    expect(withdrawn).toEqual(["A".repeat(22)]);
    expect(counted).toBe(0);
  });

  it("lets no more than eight in, and the ninth when it goes on", async () => {
    const disk = hangingDisk();
    const give = door(disk.add);
    const caller = new AbortController();
    const answers = Array.from({ length: 8 }, () => give(1, caller.signal));
    await disk.hasBegun;
    caller.abort();
    await Promise.allSettled(answers);
    await expect(give()).rejects.toMatchObject({ reason: "OVERLOADED" });
    disk.goOn();
    await setImmediate();
    await give();
    expect(counted).toBe(1);
  });

  it("is named in the log when it does not let go of what came too late", async () => {
    const disk = hangingDisk();
    const failure = new Error("read-only by now");
    const give = door(disk.add, 10, () => Promise.reject(failure));
    const caller = new AbortController();
    const answer = give(1, caller.signal);
    await disk.hasBegun;
    caller.abort();
    await expect(answer).rejects.toMatchObject({ reason: "CANCELLED" });
    disk.goOn();
    await setImmediate();
    expect(log).toEqual([{ err: failure, id: "A".repeat(22) }]);
    expect(permits.requestsAtWork).toBe(0);
  });
});
