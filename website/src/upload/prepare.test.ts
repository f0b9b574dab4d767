import type { InfoResponse } from "@vitrine/gateway/api";
import { describe, expect, it, vi } from "vitest";
import { info, itemWith } from "../testing/fixtures.js";
import { type Prepared, type Unsendable, UploadPreparation, uploadOf } from "./prepare.js";
import type { Shrinker, Shrunk } from "./shrinker.js";

const shrinking: InfoResponse = { ...info, shrink: { keeps_answer: true, least_edge: 768 } };

function file(bytes: number, name = "a.png", type = "image/png"): File {
  return new File([new Uint8Array(bytes)], name, { type });
}

function shrinkerTo(bytes: number | undefined, isUndecodable = false): Shrinker {
  const photo = bytes === undefined ? undefined : new Blob([new Uint8Array(bytes)]);
  return vi.fn(async (): Promise<Shrunk> => ({ photo, isUndecodable }));
}

function prepare(photo: File, shrink: Shrinker, site = shrinking): Promise<Prepared | Unsendable> {
  const item = itemWith({ photos: [{ kind: "file", id: "1", file: photo }] });
  return new UploadPreparation(shrink).prepare(item, site);
}

async function sent(photo: File, shrink: Shrinker, site = shrinking): Promise<File> {
  const prepared = await prepare(photo, shrink, site);
  const part = "parts" in prepared ? prepared.parts[0] : undefined;
  if (!(part instanceof File)) throw new Error("nothing would be sent");
  return part;
}

describe("UploadPreparation", () => {
  it("sends a large photo shrunk, as a JPEG, where the gateway says that this keeps the answer", async () => {
    const part = await sent(file(900_000), shrinkerTo(90_000));
    expect([part.size, part.name, part.type]).toEqual([90_000, "a.jpg", "image/jpeg"]);
  });

  it("sends a photo as it is where shrinking would change the answer", async () => {
    const shrink = shrinkerTo(1);
    const original = file(900_000);
    expect(await sent(original, shrink, info)).toBe(original);
    expect(shrink).not.toHaveBeenCalled();
  });

  it("sends a photo as it is that is small, cannot be decoded here, or would not become smaller", async () => {
    const small = file(1000);
    expect(await sent(small, shrinkerTo(1))).toBe(small);
    const large = file(900_000);
    expect(await sent(large, shrinkerTo(undefined, true))).toBe(large);
    expect(await sent(large, shrinkerTo(900_001))).toBe(large);
  });

  it("refuses what is too large only when shrinking does not help", async () => {
    const huge = file(info.limits.max_image_bytes + 1);
    expect((await sent(huge, shrinkerTo(1000))).size).toBe(1000);
    expect(await prepare(huge, shrinkerTo(undefined))).toMatchObject({
      fault: { reason: "IMAGE_TOO_LARGE" },
    });
  });

  it("says of an empty file that it is empty, and sends nothing", async () => {
    expect(await prepare(file(0), shrinkerTo(1))).toMatchObject({ fault: { reason: "FILE_EMPTY" } });
  });

  it("turns HEIC into JPEG where the browser can, and says so where it cannot", async () => {
    const start = Uint8Array.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", (letter) => letter.charCodeAt(0));
    const heic = new File([start, new Uint8Array(900_000)], "IMG_1.HEIC", { type: "" });
    expect((await sent(heic, shrinkerTo(950_000), info)).name).toBe("IMG_1.jpg");
    expect(await prepare(heic, shrinkerTo(undefined, true), info)).toMatchObject({
      fault: { reason: "IMAGE_TYPE_UNSUPPORTED", isHeic: true },
    });
    const misnamed = new File([start], "a.jpg", { type: "image/jpeg" });
    expect(await prepare(misnamed, shrinkerTo(undefined, true), info)).toMatchObject({
      fault: { isHeic: true },
    });
  });

  it("prepares a photo once for all requests about it", async () => {
    const shrink = shrinkerTo(1000);
    const preparation = new UploadPreparation(shrink);
    const item = itemWith({ photos: [{ kind: "file", id: "1", file: file(900_000) }] });
    await preparation.prepare(item, shrinking);
    await preparation.prepare({ ...item, draft: { words: "blue", title: undefined } }, shrinking);
    expect(shrink).toHaveBeenCalledTimes(1);
  });
});

describe("uploadOf", () => {
  it("sends one link as url and several as urls", () => {
    expect(uploadOf({ parts: ["https://a.example/1"] }).body).toBe('{"url":"https://a.example/1"}');
    expect(uploadOf({ parts: ["https://a.example/1", "https://a.example/2"] }).body).toBe(
      '{"urls":["https://a.example/1","https://a.example/2"]}',
    );
  });

  it("sends files and links in the order in which they came", () => {
    const { body, headers } = uploadOf({
      parts: [file(1, "1.png"), "https://a.example/2", file(2, "3.png")],
    });
    const entries = body instanceof FormData ? [...body.entries()] : [];
    expect(entries.map(([name, part]) => [name, part instanceof File ? part.name : part])).toEqual([
      ["file", "1.png"],
      ["url", "https://a.example/2"],
      ["file", "3.png"],
    ]);
    expect(headers).toEqual({});
  });

  it("sends files in order under one field", () => {
    const { body } = uploadOf({ parts: [file(1, "1.png"), file(2, "2.png")] });
    const files = body instanceof FormData ? body.getAll("file") : [];
    expect(files.map((part) => (part instanceof File ? part.name : part))).toEqual(["1.png", "2.png"]);
  });
});
