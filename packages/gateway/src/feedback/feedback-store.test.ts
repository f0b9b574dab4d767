import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PictureFile } from "../pixels/picture-file.js";
import { RECORD_BYTES } from "./feedback-index.js";
import { folderOfLabel, readFeedback, recordNameOf } from "./feedback-record.js";
import { type FeedbackStore, openFeedbackStore } from "./feedback-store.js";

const DAY_MS = 86_400_000;
let folder: string;
let now: number;
const log: unknown[] = [];
const stores: FeedbackStore[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-store-"));
  now = Date.now();
  log.length = 0;
});
afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  await rm(folder, { recursive: true });
});

/** Before its first look is over. */
async function openAtOnce(keepDays = 10, maxBytes = 1_000_000): Promise<FeedbackStore> {
  const note = (line: unknown) => void log.push(line);
  const logger = { info: note, warn: note, error: note };
  const store = await openFeedbackStore({ folder, keepDays, maxBytes, logger, now: () => now });
  stores.push(store);
  return store;
}

async function open(keepDays?: number, maxBytes?: number): Promise<FeedbackStore> {
  const store = await openAtOnce(keepDays, maxBytes);
  // Answered when the first look is over.
  await expect(store.withdraw("of nobody")).rejects.toMatchObject({ reason: "FEEDBACK_NOT_FOUND" });
  return store;
}

async function file(background: string): Promise<PictureFile> {
  const made = await sharp({ create: { width: 8, height: 8, channels: 3, background } })
    .jpeg()
    .toBuffer();
  return { bytes: Uint8Array.from(made), mediaType: "image/jpeg", width: 8, height: 8 };
}

const correction = (...files: PictureFile[]) => ({
  files,
  label: "pants",
  predicted: null,
  model: { name: "m", version: "1" },
  contract: "sha256:0",
  request_id: null,
});

const filesIn = async () => (await readdir(folder)).filter((name) => !name.startsWith(".feedback-folder-"));
const pictures = () => readdir(path.join(folder, "pants")).catch(() => []);

describe("the store", () => {
  it("removes a correction when its days are over, and not a day before", async () => {
    const store = await open(10);
    await store.add(correction(await file("#111111")));
    now += 9 * DAY_MS;
    await store.add(correction(await file("#222222")));
    await store.sweep();
    expect(await pictures()).toHaveLength(2);
    now += DAY_MS + 1;
    await store.sweep();
    expect(await pictures()).toHaveLength(1);
    expect(log).toEqual([{ removed: 1, kept: 1 }]);
    expect(store.bytes).toBe((await file("#222222")).bytes.byteLength + RECORD_BYTES);
  });

  it("names an expired correction that cannot be removed, and removes the others", async () => {
    const store = await open(10);
    const stuck = await store.add(correction(await file("#111111")));
    await store.add({ ...correction(await file("#222222")), label: "hat" });
    // A folder where the picture was can be removed by nobody who removes files.
    const [name = ""] = await pictures();
    await rm(path.join(folder, "pants", name));
    await mkdir(path.join(folder, "pants", name));
    now += 11 * DAY_MS;
    await store.sweep();
    expect(log).toEqual([expect.objectContaining({ id: stuck.id }), { removed: 1, kept: 1 }]);
    expect((await readFeedback(folder)).records).toEqual([stuck]);
    expect(store.bytes).toBe((await file("#111111")).bytes.byteLength + RECORD_BYTES);
    await rmdir(path.join(folder, "pants", name));
    await store.sweep();
    expect((await readFeedback(folder)).records).toEqual([]);
  });

  it("keeps a picture for as long as the last of those who gave it said", async () => {
    const store = await open(10);
    const picture = await file("#111111");
    await store.add(correction(picture));
    now += 5 * DAY_MS;
    await store.add(correction(picture));
    now += 6 * DAY_MS;
    await store.sweep();
    expect(await pictures()).toHaveLength(1);
    now += 5 * DAY_MS;
    await store.sweep();
    expect(await filesIn()).toEqual([]);
    expect(store.bytes).toBe(0);
  });

  it("knows what lies in the folder when it opens it", async () => {
    await (await open()).add(correction(await file("#111111"), await file("#222222")));
    const { bytes } = await open();
    expect(bytes).toBe(
      (await file("#111111")).bytes.byteLength + (await file("#222222")).bytes.byteLength + RECORD_BYTES,
    );
  });

  it("counts records as well, so that one picture given again and again fills it too", async () => {
    const store = await open(10, 3 * RECORD_BYTES + 2000);
    const picture = await file("#111111");
    const { id } = await store.add(correction(picture));
    await store.add(correction(picture));
    await store.add(correction(picture));
    await expect(store.add(correction(picture))).rejects.toMatchObject({ reason: "FEEDBACK_FULL" });
    expect((await open(10, 1)).bytes).toBe(store.bytes);
    await store.withdraw(id);
    await store.add(correction(picture));
    expect((await readFeedback(folder)).records).toHaveLength(3);
  });

  it("opens before it has looked through the folder, and keeps nothing before it knows what lies there", async () => {
    const { bytes } = await file("#111111");
    const { id } = await (await open(10)).add(correction(await file("#111111")));
    await (await open(20)).add(correction(await file("#222222")));
    now += 11 * DAY_MS;
    const store = await openAtOnce(10, 2 * (bytes.byteLength + RECORD_BYTES) + 100);
    expect((await readFeedback(folder)).records.map((record) => record.id)).toContain(id);
    await store.add(correction(await file("#333333")));
    expect((await readFeedback(folder)).records.map((record) => record.id)).not.toContain(id);
    await expect(store.add(correction(await file("#444444")))).rejects.toMatchObject({
      reason: "FEEDBACK_FULL",
    });
  });

  it("keeps nothing while it cannot find out how much is kept, and goes on when it can", async () => {
    const unreadable = path.join(folder, `.feedback-${"A".repeat(22)}.json`);
    await mkdir(unreadable);
    const store = await open();
    await expect(store.add(correction(await file("#111111")))).rejects.toMatchObject({
      reason: "FEEDBACK_UNWRITABLE",
    });
    await rmdir(unreadable);
    await store.add(correction(await file("#111111")));
    expect(await pictures()).toHaveLength(1);
  });

  it("removes what a dead writer left, once it is an hour old", async () => {
    const [old, young] = [path.join(folder, ".feedback-old.part"), path.join(folder, ".feedback-young.part")];
    await writeFile(old, "x");
    await writeFile(young, "x");
    await utimes(old, now / 1000 - 7200, now / 1000 - 7200);
    await open();
    expect(await filesIn()).toEqual([".feedback-young.part"]);
    const [early, late] = [7_200_000, 1].map((ago) => `.feedback-aside-${now - ago}-x.part`);
    for (const name of [early, late]) await writeFile(path.join(folder, `${name}`), "x");
    await (await open()).sweep();
    expect((await filesIn()).sort()).toEqual([late, ".feedback-young.part"]);
  });

  it("writes nothing for those who have gone before their turn", async () => {
    const store = await open();
    const caller = new AbortController();
    const picture = await file("#111111");
    const looking = store.sweep();
    const answer = store.add(correction(picture), caller.signal);
    caller.abort();
    await expect(answer).rejects.toMatchObject({ reason: "CANCELLED" });
    await looking;
    expect(await filesIn()).toEqual([]);
  });

  it("writes a picture anew that is not what its name says", async () => {
    const store = await open();
    const picture = await file("#111111");
    await store.add(correction(picture));
    const [name = ""] = await pictures();
    await writeFile(path.join(folder, "pants", name), "damaged");
    await store.add(correction(picture));
    expect(Buffer.compare(await readFile(path.join(folder, "pants", name)), picture.bytes)).toBe(0);
  });

  it("refuses a file that still tells something, and keeps nothing of it", async () => {
    const store = await open();
    const made = await sharp({ create: { width: 8, height: 8, channels: 3, background: "#111111" } })
      .withExif({ IFD0: { Copyright: "SECRET" } })
      .jpeg()
      .toBuffer();
    const talkative = { ...(await file("#111111")), bytes: Uint8Array.from(made) };
    await expect(store.add(correction(talkative))).rejects.toThrow(/metadata was left.*exif/);
    expect(await filesIn()).toEqual([]);
  });

  it("names records that cannot be read, and goes on without them", async () => {
    const name = `.feedback-${"A".repeat(22)}.json`;
    await writeFile(path.join(folder, name), "{");
    const store = await open();
    expect(log).toEqual([{ broken: [name] }]);
    await store.add(correction(await file("#111111")));
    expect((await readFeedback(folder)).records).toHaveLength(1);
  });
});

describe("several stores on one folder", () => {
  const full = { reason: "FEEDBACK_FULL" };

  it("know what the others added and removed before they add, and fill the folder no more than one would", async () => {
    const of = async (shade: string) => correction(await file(shade));
    const room = 3 * (RECORD_BYTES + (await file("#111111")).bytes.byteLength) + 100;
    const [one, other] = [await open(10, room), await open(10, room)];
    const { id } = await one.add(await of("#111111"));
    await other.add(await of("#222222"));
    await one.add(await of("#333333"));
    await expect(other.add(await of("#444444"))).rejects.toMatchObject(full);
    await expect(one.add(await of("#444444"))).rejects.toMatchObject(full);
    await other.withdraw(id);
    await one.add(await of("#444444"));
    await expect(other.add(await of("#111111"))).rejects.toMatchObject(full);
    await other.sweep();
    expect(other.bytes).toBe(one.bytes);
  });

  it("at work at the same time go over by no more than what each of them is writing", async () => {
    const room = 10 * (RECORD_BYTES + (await file("#000000")).bytes.byteLength) + 1000;
    const both = [await open(10, room), await open(10, room)];
    const sent = Array.from({ length: 16 }, (_, index) => `#0000${(16 + index).toString(16)}`);
    const added = both.flatMap((store) =>
      sent.map(async (shade) => store.add(correction(await file(shade)))),
    );
    const outcomes = await Promise.allSettled(added);
    const kept = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect((await readFeedback(folder)).records).toHaveLength(kept);
    expect(kept).toBeGreaterThanOrEqual(10);
    expect(kept).toBeLessThanOrEqual(11);
  });

  it("keep a picture that another has as well, and count it once", async () => {
    const [one, other] = [await open(), await open()];
    const picture = await file("#111111");
    const { id } = await one.add(correction(picture));
    await other.add(correction(picture));
    expect(other.bytes).toBe(2 * RECORD_BYTES + picture.bytes.byteLength);
    await one.withdraw(id);
    expect(await pictures()).toHaveLength(1);
    expect(one.bytes).toBe(RECORD_BYTES + picture.bytes.byteLength);
  });

  it("list a large folder every now and then only", async () => {
    const store = await open(10, 1e9);
    const { id } = await store.add(correction(await file("#111111")));
    const record = JSON.parse(await readFile(path.join(folder, recordNameOf(id)), "utf8"));
    const copies = Array.from({ length: 2500 }, (_, index) => String(index).padStart(22, "0"));
    for (const copy of copies) {
      await writeFile(path.join(folder, recordNameOf(copy)), JSON.stringify({ ...record, id: copy }));
    }
    await store.add(correction(await file("#222222")));
    const known = store.bytes;
    expect(known).toBeGreaterThan(2502 * RECORD_BYTES);
    const other = await open(10, 1e9);
    await other.add({ ...correction(await file("#333333")), label: "hat" });
    await store.add(correction(await file("#444444")));
    expect(store.bytes).toBeLessThan(known + 2 * RECORD_BYTES);
    now += 300;
    await store.add(correction(await file("#555555")));
    expect(store.bytes).toBeGreaterThan(known + 3 * RECORD_BYTES);
  });
});

describe("a correction that is not there", () => {
  const notHere = { reason: "FEEDBACK_ELSEWHERE" };
  const gone = { reason: "FEEDBACK_NOT_FOUND" };

  it("is known to be gone from the folder that it was in, by every gateway that shares it", async () => {
    const [store, other] = [await open(), await open()];
    expect(other.mark).toBe(store.mark);
    const { id } = await store.add(correction(await file("#111111")));
    await other.withdraw(id, store.mark);
    await expect(store.withdraw(id, other.mark)).rejects.toMatchObject(gone);
    await expect(store.withdraw(id)).rejects.toMatchObject(gone);
  });

  it("may be in another folder, which is said where it is known", async () => {
    const ours = await open();
    const here = folder;
    folder = await mkdtemp(path.join(here, "other-"));
    const theirs = await open();
    expect(theirs.mark).not.toBe(ours.mark);
    const { id } = await ours.add(correction(await file("#111111")));
    await expect(theirs.withdraw(id, ours.mark)).rejects.toMatchObject(notHere);
    await expect(theirs.withdraw(id)).rejects.toMatchObject(gone);
    await expect(theirs.withdraw(id, "../../x")).rejects.toMatchObject(notHere);
    await ours.withdraw(id, "of nobody");
    folder = here;
  });

  it("is known in a folder that two gateways have marked at once", async () => {
    await writeFile(path.join(folder, ".feedback-folder-AAAAAAAAAAA"), "");
    await writeFile(path.join(folder, ".feedback-folder-BBBBBBBBBBB"), "");
    const store = await open();
    expect(store.mark).toBe("AAAAAAAAAAA");
    await expect(store.withdraw("A".repeat(22), "BBBBBBBBBBB")).rejects.toMatchObject(gone);
    await expect(store.withdraw("A".repeat(22), "CCCCCCCCCCC")).rejects.toMatchObject(notHere);
  });
});

describe("the folder of a label", () => {
  it.each([
    ["t-shirt", "t-shirt"],
    ["Long sleeve (warm)", "Long sleeve (warm)"],
    ["Röcke", "Röcke"],
    ["تنورة", "تنورة"],
    ["a/b", "a%2Fb"],
    ["a\\b", "a%5Cb"],
    ["..", "%2E%2E"],
    [".hidden", "%2Ehidden"],
    ["end.", "end%2E"],
    ["100%", "100%25"],
    ["a\0b", "a%00b"],
    ["", "%"],
    ["C:x", "C%3Ax"],
  ])("%j is %j", (label, name) => expect(folderOfLabel(label)).toBe(name));

  it("is never longer than a file system takes, and differs where the label does", () => {
    const [one, two] = [folderOfLabel(`${"ä".repeat(500)}1`), folderOfLabel(`${"ä".repeat(500)}2`)];
    expect(Buffer.byteLength(one)).toBeLessThan(255);
    expect(one).not.toBe(two);
    expect(one).not.toContain("\uFFFD");
  });
});
