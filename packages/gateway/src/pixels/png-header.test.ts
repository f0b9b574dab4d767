import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readPngMetadata } from "./png-header.js";

function chunk(kind: string, payload: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), Buffer.from(payload)]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(body.length - 4, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

const png = (...chunks: Buffer[]) => Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks]);
const compressed = (keyword: string, text: string | Buffer) =>
  chunk("zTXt", Buffer.concat([Buffer.from(`${keyword}\0\0`), deflateSync(text)]));
const international = (keyword: string, text: string) =>
  chunk("iTXt", Buffer.concat([Buffer.from(`${keyword}\0\x01\0de\0Wort\0`), deflateSync(text)]));

const XMP = "XML:com.adobe.xmp";
const PROFILE = "Raw profile type exif";

describe("what a PNG says about its orientation", () => {
  it("is read from plain, compressed and international texts, and from eXIf", () => {
    expect(readPngMetadata(png(chunk("tEXt", `${XMP}\0one`))).xmp).toBe("one");
    expect(readPngMetadata(png(compressed(XMP, "two"))).xmp).toBe("two");
    expect(readPngMetadata(png(international(XMP, "three"))).xmp).toBe("three");
    const profile = compressed(PROFILE, "\nexif\n       4\n49492a00\n");
    expect(Buffer.from(readPngMetadata(png(profile)).exif ?? []).toString("latin1")).toBe("II*\0");
    const both = readPngMetadata(png(profile, chunk("eXIf", "MM\0*")));
    expect(Buffer.from(both.exif ?? []).toString("latin1")).toBe("MM\0*");
  });

  it("is what the last of several texts says", () => {
    const texts = [compressed(XMP, "first"), chunk("tEXt", `${XMP}\0last`), chunk("tEXt", "XML\0other")];
    expect(readPngMetadata(png(...texts)).xmp).toBe("last");
  });

  it("is nothing where the text is broken", () => {
    expect(readPngMetadata(png(chunk("zTXt", `${XMP}\0\0no deflate`))).xmp).toBe("");
    expect(readPngMetadata(png(chunk("iTXt", `${XMP}\0\x01\0`))).xmp).toBeUndefined();
    expect(readPngMetadata(png(chunk("tEXt", "no final zero")))).toEqual({ exif: undefined, xmp: undefined });
  });

  it.each(["Comment", XMP])(
    "is found at once in a file of nothing but texts %s that grow a thousandfold",
    (keyword) => {
      const bomb = compressed(keyword, Buffer.alloc(1024 * 1024 - 16));
      const count = Math.floor((20 * 1024 * 1024) / bomb.length);
      const file = png(...Array.from({ length: count }, () => bomb), chunk("tEXt", `${XMP}\0the last`));
      expect(readPngMetadata(file).xmp).toBe("the last");
    },
  );
});
