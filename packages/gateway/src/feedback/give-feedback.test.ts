import { beforeEach, describe, expect, it } from "vitest";
import { createPermits, type Permits } from "../permits.js";
import type { PictureFile } from "../pixels/picture-file.js";
import { createStageTimes } from "../stage-times.js";
import { contract } from "../testing/gateway.js";
import type { FeedbackRecord } from "./feedback-record.js";
import type { Correction } from "./feedback-store.js";
import { createGiveFeedback, type GiveFeedbackParts } from "./give-feedback.js";

const SENT_BYTES = 100;
let permits: Permits;

beforeEach(() => {
  permits = createPermits({ maxRequests: 20, maxBytes: 10_000 });
});

/** The door to a store that does as `add` says, where each photo becomes a file of so many bytes. */
function door(add: (correction: Correction) => Promise<FeedbackRecord>, fileBytes = 10) {
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
    store: { add, withdraw: async () => {} },
    timeoutMs: 60_000,
    maxImageBytes: 1000,
    counted() {},
  };
  const give = createGiveFeedback(parts);
  return (photos = 1, caller = new AbortController().signal) =>
    give({
      async read(permit) {
        permit.hold(photos * SENT_BYTES);
        const bytes = new Uint8Array(SENT_BYTES);
        return {
          pictures: Array.from({ length: photos }, () => ({ kind: "bytes" as const, bytes })),
          label: "pants",
          predicted: undefined,
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
