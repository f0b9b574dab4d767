import { mkdir, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PictureFile } from "../pixels/picture-file.js";
import { FeedbackIndex, heldRecordOf } from "./feedback-index.js";
import { type FeedbackRecord, readFeedback } from "./feedback-record.js";
import { createFeedbackRemoval } from "./feedback-removal.js";
import { type FeedbackStore, openFeedbackStore } from "./feedback-store.js";

let folder: string;
let picture: PictureFile;
/** Another gateway on the same folder. */
let other: FeedbackStore;
/** What this gateway knew before the other did something. */
let index: FeedbackIndex;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-removal-"));
  const background = "#111111";
  const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background } })
    .jpeg()
    .toBuffer();
  picture = { bytes: Uint8Array.from(bytes), mediaType: "image/jpeg", width: 8, height: 8 };
  const logger = { info() {}, warn() {}, error() {} };
  other = await openFeedbackStore({ folder, keepDays: 10, maxBytes: 1_000_000, logger });
  index = new FeedbackIndex(folder);
});
afterEach(async () => {
  other.close();
  await rm(folder, { recursive: true });
});

const give = () =>
  other.add({
    files: [picture],
    label: "pants",
    predicted: null,
    model: { name: "m", version: "1" },
    contract: "sha256:0",
    request_id: null,
  });

const remove = (records: readonly FeedbackRecord[], look = () => index.look()) =>
  createFeedbackRemoval({ folder, index, look, now: Date.now })(records.map(heldRecordOf));

const filesIn = async () => (await readdir(folder)).filter((name) => !name.startsWith(".feedback-folder-"));
const pictures = () => readdir(path.join(folder, "pants")).catch(() => []);

describe("a picture that goes with its correction", () => {
  it("stays where another gateway was given it a moment ago, and wrote none because it lay there", async () => {
    const ours = await give();
    await index.look();
    const theirs = await give();
    expect(await remove([ours])).toEqual(new Map());
    expect((await readFeedback(folder)).records).toEqual([theirs]);
    expect(await pictures()).toHaveLength(1);
    await other.withdraw(theirs.id);
    expect(await filesIn()).toEqual([]);
  });

  it("is written anew by a gateway that is given it while it goes", async () => {
    const ours = await give();
    await index.look();
    const theirs: FeedbackRecord[] = [];
    const look = async () => {
      theirs.push(await give());
      return await index.look();
    };
    await remove([ours], look);
    expect((await readFeedback(folder)).records).toEqual(theirs);
    expect(await pictures()).toHaveLength(1);
    expect(await filesIn()).toHaveLength(2);
  });

  it("is not taken for what a dead writer left while it goes, however long it lay there", async () => {
    const ours = await give();
    await index.look();
    const [name = ""] = await pictures();
    await utimes(path.join(folder, "pants", name), 1_600_000_000, 1_600_000_000);
    // A file of another user's keeps its time.
    const look = async () => {
      await other.sweep();
      throw new Error("gone");
    };
    await expect(remove([ours], look)).rejects.toThrow("gone");
    expect(await pictures()).toEqual([name]);
  });

  it("goes when two gateways remove the last two corrections with it, each in view of the other's", async () => {
    const ours = await give();
    const theirs = await give();
    await index.look();
    await other.withdraw(theirs.id);
    expect(await pictures()).toHaveLength(1);
    await remove([ours]);
    expect(await filesIn()).toEqual([]);
  });

  it("goes with all that have it, and once only", async () => {
    const all = [await give(), await give(), await give()];
    await index.look();
    expect(await remove(all)).toEqual(new Map());
    expect(await filesIn()).toEqual([]);
    expect(index.bytes).toBe(0);
  });

  it("stays with its record where the records cannot be looked through again", async () => {
    const ours = await give();
    await index.look();
    await expect(remove([ours], () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
    expect((await readFeedback(folder)).records).toEqual([ours]);
    expect(await pictures()).toHaveLength(1);
    expect(await filesIn()).toHaveLength(2);
  });

  it("stays with its record where it cannot be removed", async () => {
    const ours = await give();
    await index.look();
    const [name = ""] = await pictures();
    // A folder in its place can be removed by nobody who removes files.
    await rm(path.join(folder, "pants", name));
    await mkdir(path.join(folder, "pants", name));
    expect([...(await remove([ours])).keys()]).toEqual([ours.id]);
    expect((await readFeedback(folder)).records).toEqual([ours]);
    expect(await pictures()).toEqual([name]);
  });
});
