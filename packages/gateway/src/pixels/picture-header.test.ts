import { describe, expect, it } from "vitest";
import { readPictureHeader } from "./picture-header.js";
import { readPicture } from "./testing/goldens.js";

/** A picture of golden/ whose directory says something else of a tag that it has, one SHORT in little endian. */
function tiffWith(name: string, tag: number, value: number): Uint8Array {
  const bytes = Uint8Array.from(readPicture(name));
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(4, true);
  const entries = Array.from(
    { length: view.getUint16(directory, true) },
    (_, index) => directory + 2 + 12 * index,
  );
  const entry = entries.find((at) => view.getUint16(at, true) === tag);
  view.setUint16(entry! + 8, value, true);
  return bytes;
}

describe("readPictureHeader", () => {
  it.each([
    [
      "refused.heic",
      "a HEIC picture (an iPhone sends JPEG when Settings, Camera, Formats is Most Compatible, or when the photo is exported as JPEG)",
    ],
    ["refused.svg", "an SVG drawing"],
    ["refused.pdf", "a PDF document"],
    ["refused.html", "an HTML page"],
  ])("names %s as %s and says what is accepted", (name, kind) => {
    expect(() => readPictureHeader(readPicture(name), 1e6)).toThrow(
      expect.objectContaining({
        reason: "IMAGE_TYPE_UNSUPPORTED",
        message: `picture was ${kind}, expected a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP`,
      }),
    );
  });

  it.each([
    ["fax compression (CCITT group 4)", () => readPicture("refused-tiff-fax.tiff")],
    ["floating-point samples", () => readPicture("refused-tiff-float.tiff")],
    ["LAB colours (CIE)", () => tiffWith("tiff-raw.tiff", 262, 8)],
    ["premultiplied alpha", () => tiffWith("tiff-rgba.tiff", 338, 1)],
    ["Zstandard compression", () => tiffWith("tiff-raw.tiff", 259, 50_000)],
    ["compression of kind 999", () => tiffWith("tiff-raw.tiff", 259, 999)],
    ["YCbCr colours outside JPEG", () => tiffWith("tiff-raw.tiff", 262, 6)],
  ])("names a TIFF with %s as unsupported", (kind, picture) => {
    expect(() => readPictureHeader(picture(), 1e6)).toThrow(
      expect.objectContaining({
        reason: "IMAGE_TYPE_UNSUPPORTED",
        message: `picture was a TIFF with ${kind}, expected one without, or the same picture as a PNG`,
      }),
    );
  });

  it.each([
    ['{"url": "x"}', "JSON text"],
    ["hello world", "of a kind not known (it begins with the bytes 68656c6c6f20776f)"],
  ])("says that the bytes of '%s' were %s", (text, kind) => {
    expect(() => readPictureHeader(Buffer.from(text), 1e6)).toThrow(`picture was ${kind}, expected`);
  });

  it("says that a picture of no bytes was empty, which is no kind that could be converted", () => {
    expect(() => readPictureHeader(new Uint8Array(), 1e6)).toThrow(
      expect.objectContaining({
        reason: "IMAGE_UNDECODABLE",
        message: expect.stringMatching(/^picture was empty, expected/),
      }),
    );
  });

  it.each(["bomb-bmp.bmp"])("refuses the bomb %s before anything is decoded", (name) => {
    expect(() => readPictureHeader(readPicture(name), 50_000_000)).toThrow(
      expect.objectContaining({ reason: "IMAGE_TOO_MANY_PIXELS" }),
    );
  });

  it("refuses too many pixels by the header alone and gives both numbers", () => {
    expect(() => readPictureHeader(readPicture("bomb-900-megapixels.png"), 50_000_000)).toThrow(
      expect.objectContaining({
        reason: "IMAGE_TOO_MANY_PIXELS",
        message: "picture was 30000x30000, 900000000 pixels, expected at most 50000000",
      }),
    );
  });

  it("accepts as many pixels as are allowed, not one more", () => {
    const picture = readPicture("jpeg-7x5.jpg");

    expect(readPictureHeader(picture, 35)).toMatchObject({ format: "jpeg", width: 7, height: 5 });
    expect(() => readPictureHeader(picture, 34)).toThrow(
      expect.objectContaining({ reason: "IMAGE_TOO_MANY_PIXELS" }),
    );
  });

  it("accepts fewer pixels of an AVIF where it is told to", () => {
    const avifOf = (width: number, height: number) => {
      const picture = Buffer.from(readPicture("avif-444.avif"));
      const size = picture.indexOf("ispe") + 8;
      picture.writeUInt32BE(width, size);
      picture.writeUInt32BE(height, size + 4);
      return picture;
    };
    expect(readPictureHeader(avifOf(4000, 4000), 50_000_000, 16_000_000)).toMatchObject({
      width: 4000,
      height: 4000,
    });
    expect(() => readPictureHeader(avifOf(4001, 4000), 50_000_000, 16_000_000)).toThrow(
      expect.objectContaining({
        reason: "IMAGE_TOO_MANY_PIXELS",
        message: "picture was 4001x4000, 16004000 pixels, expected at most 16000000 of an AVIF",
      }),
    );
    expect(() => readPictureHeader(avifOf(100, 101), 10_000, 16_000_000)).toThrow(/expected at most 10000/);
  });

  describe("of a file of nothing but parts", () => {
    const BYTES = 20 * 1024 * 1024;
    /** A head, and the part again and again behind it. */
    const madeOf = (head: string, part: string) =>
      Buffer.concat([Buffer.from(head, "latin1"), Buffer.alloc(BYTES - head.length, part, "latin1")]);
    const riff = (head: string) => {
      const file = madeOf(`RIFF\0\0\0\0WEBP${head}`, "JUNK\0\0\0\0");
      file.writeUInt32LE(BYTES - 8, 4);
      return file;
    };
    const AVIF = "\0\0\0\x10ftypavif\0\0\0\0";

    it.each([
      ["WebP", () => riff("VP8X\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0")],
      ["AVIF", () => madeOf(AVIF, "\0\0\0\x08free")],
      ["JPEG", () => madeOf("\xff\xd8", "\xff\xe1\0\x0aExif\0\0II")],
      ["JPEG", () => madeOf("\xff\xd8", "\xff\xfe\0\x02")],
    ])("refuses a %s after some thousands of them", (kind, file) => {
      expect(() => readPictureHeader(file(), 1e6)).toThrow(
        expect.objectContaining({
          reason: "IMAGE_UNDECODABLE",
          message: `picture was a ${kind} that could not be decoded (it is made of more than 32768 parts), expected a whole, sound file`,
        }),
      );
    });
  });

  it("goes by the bytes and not by the name", () => {
    expect(readPictureHeader(readPicture("png-named.jpg"), 1e6).format).toBe("png");
  });

  it("survives every single byte of a header being another", () => {
    for (const name of [
      "jpeg-420.jpg",
      "png-rgb.png",
      "webp-partial-frame.webp",
      "gif-partial-frame.gif",
      "bmp-32-bit-v4-rgba.bmp",
      "tiff-big-endian.tiff",
      "avif-orientation-7.avif",
    ]) {
      const picture = readPicture(name);
      for (let at = 0; at < Math.min(400, picture.length); at += 1) {
        const changed = Uint8Array.from(picture);
        changed[at] = (changed[at] ?? 0) ^ 0xff;
        try {
          readPictureHeader(changed, 1e6);
        } catch (error) {
          expect(error, `${name} byte ${at}`).toHaveProperty("reason");
        }
      }
    }
  });
});
