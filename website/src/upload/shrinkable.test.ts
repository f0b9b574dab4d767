import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { isShrinkable } from "./shrinkable.js";

/** The head of a JPEG: an application segment, then a frame header. */
function jpeg(components: number, precision = 8, frame = 0xc0): Uint8Array {
  const app = [0xff, 0xe0, 0, 4, 0, 0];
  return Uint8Array.from([0xff, 0xd8, ...app, 0xff, frame, 0, 8, precision, 0, 9, 0, 9, components, 0, 0]);
}

function png(bitDepth: number, chunk = "tEXt"): Uint8Array {
  const signature = [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10];
  const header = [
    0,
    0,
    0,
    13,
    ...Buffer.from("IHDR"),
    0,
    0,
    0,
    9,
    0,
    0,
    0,
    9,
    bitDepth,
    2,
    0,
    0,
    0,
    1,
    2,
    3,
    4,
  ];
  return Uint8Array.from([...signature, ...header, ...Buffer.from(chunk), 0, 0]);
}

const webp = (chunk: string) => Uint8Array.from(Buffer.from(`RIFF____WEBP${chunk}____`));

describe("isShrinkable", () => {
  it("takes the photos that people have", async () => {
    const drawing = new URL("../../../tests/e2e/pictures/trousers.jpg", import.meta.url);
    expect(isShrinkable(new Uint8Array(await readFile(drawing)))).toBe(true);
    expect(isShrinkable(jpeg(3, 8, 0xc2))).toBe(true);
    expect(isShrinkable(jpeg(1))).toBe(true);
    expect(isShrinkable(png(8))).toBe(true);
    expect(isShrinkable(webp("VP8 "))).toBe(true);
  });

  it.each([
    ["a JPEG of four inks", jpeg(4)],
    ["a JPEG of 12 bits", jpeg(3, 12, 0xc1)],
    ["a JPEG that ends before its frame", jpeg(3).subarray(0, 12)],
    ["a PNG of 16 bits", png(16)],
    ["a PNG with EXIF", png(8, "eXIf")],
    ["a WebP with EXIF", webp("EXIF")],
    ["a GIF", Uint8Array.from(Buffer.from("GIF89a0123456789"))],
    ["nothing", new Uint8Array()],
  ])("leaves %s as it is", (_what, bytes) => {
    expect(isShrinkable(bytes)).toBe(false);
  });
});
