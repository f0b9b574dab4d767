import { describe, expect, it } from "vitest";
import { decodePicture } from "./decode.js";
import { type Orientation, readOrientation, turnUpright } from "./orientation.js";
import { readPicture } from "./testing/goldens.js";

const xmp = (value: string) => `<rdf:Description tiff:Orientation="${value}"/>`;

/** A little-endian TIFF with one entry. */
function exif(tag: number, type: number, count: number, value: number): Buffer {
  const block = Buffer.alloc(26);
  block.write("II*\0", "latin1");
  block.writeUInt32LE(8, 4);
  block.writeUInt16LE(1, 8);
  block.writeUInt16LE(tag, 10);
  block.writeUInt16LE(type, 12);
  block.writeUInt32LE(count, 14);
  block.writeUInt32LE(value, 18);
  return block;
}

describe("readOrientation", () => {
  it("reads it as SHORT and as LONG, with and without the Exif prefix", () => {
    expect(readOrientation(exif(0x112, 3, 1, 6), undefined)).toBe(6);
    expect(readOrientation(exif(0x112, 4, 1, 8), undefined)).toBe(8);
    expect(readOrientation(Buffer.concat([Buffer.from("Exif\0\0"), exif(0x112, 3, 1, 3)]), undefined)).toBe(
      3,
    );
  });

  it("takes XMP only when EXIF does not say", () => {
    expect(readOrientation(undefined, xmp("5"))).toBe(5);
    expect(readOrientation(exif(0x10f, 3, 1, 1), xmp("5"))).toBe(5);
    expect(readOrientation(exif(0x112, 3, 1, 1), xmp("5"))).toBe(1);
  });

  it("counts values outside 1 to 8, several values and broken blocks as upright", () => {
    expect(readOrientation(exif(0x112, 3, 1, 9), undefined)).toBe(1);
    expect(readOrientation(exif(0x112, 3, 2, 6), undefined)).toBe(1);
    expect(readOrientation(Buffer.from("no TIFF at all"), undefined)).toBe(1);
    expect(readOrientation(exif(0x112, 3, 1, 6).subarray(0, 15), undefined)).toBe(1);
    expect(readOrientation(undefined, xmp("0"))).toBe(1);
  });
});

describe("turnUpright", () => {
  // Pixels numbered 0 to 5: 0 1 2 over 3 4 5.
  const picture = {
    width: 3,
    height: 2,
    pixels: Uint8Array.from({ length: 18 }, (_, at) => Math.trunc(at / 3)),
  };

  it.each<[Orientation, number, number[]]>([
    [1, 3, [0, 1, 2, 3, 4, 5]],
    [2, 3, [2, 1, 0, 5, 4, 3]],
    [3, 3, [5, 4, 3, 2, 1, 0]],
    [4, 3, [3, 4, 5, 0, 1, 2]],
    [5, 2, [0, 3, 1, 4, 2, 5]],
    [6, 2, [3, 0, 4, 1, 5, 2]],
    [7, 2, [5, 2, 4, 1, 3, 0]],
    [8, 2, [2, 5, 1, 4, 0, 3]],
  ])("undoes orientation %i", (orientation, width, numbers) => {
    const upright = turnUpright(picture, orientation);

    expect([upright.width, upright.height]).toEqual([width, 6 / width]);
    expect([...upright.pixels].filter((_, at) => at % 3 === 0)).toEqual(numbers);
  });
});

describe("decodePicture", () => {
  it.each([
    ["exif-6.jpg", 6],
    ["exif-6-big-endian.jpg", 6],
    ["exif-corrupt.jpg", 1],
    ["exif-cut-short.jpg", 1],
    ["xmp-6.jpg", 6],
    ["png-exif-6.png", 6],
    ["png-xmp-6.png", 6],
    ["webp-exif-6.webp", 6],
    ["webp-xmp-6.webp", 6],
    ["gif.gif", 1],
  ])("finds the orientation of %s", async (name, orientation) => {
    expect((await decodePicture(readPicture(name), 1e6)).orientation).toBe(orientation);
  });
});
