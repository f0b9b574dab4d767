import { describe, expect, it } from "vitest";
import { decodePicture } from "./decode.js";
import { createBaselineDecoder } from "./jpeg-baseline.js";
import { readGolden, readPicture, sha256 } from "./testing/goldens.js";

const MAX_PIXELS = 50_000_000;
const { pictures } = readGolden("pictures.json");

const decodeBaseline = createBaselineDecoder();

describe.each([
  { by: "libvips alone", decoder: undefined },
  { by: "the baseline decoder where it can", decoder: decodeBaseline },
])("decodePicture by $by", ({ decoder }) => {
  it.each(Object.entries(pictures))("gives Pillow's pixels of %s", async (name, golden) => {
    const { picture, format } = await decodePicture(readPicture(name), MAX_PIXELS, decoder);

    expect({ format, width: picture.width, height: picture.height, rgb: sha256(picture.pixels) }).toEqual({
      format: golden.format,
      width: golden.width,
      height: golden.height,
      rgb: golden.rgb,
    });
  });

  it.each([
    ["broken-jpeg-cut-in-half.jpg", "JPEG", "premature end"],
    ["broken-jpeg-without-end.jpg", "JPEG", "premature end"],
    ["broken-jpeg-progressive-cut.jpg", "JPEG", "premature end"],
    ["broken-jpeg-header-only.jpg", "JPEG", "a segment ends outside the file"],
    ["broken-jpeg-12-bit.jpg", "JPEG", "12 bits per sample"],
    ["broken-png-cut-in-half.png", "PNG", "read error"],
    ["broken-png-zlib.png", "PNG", "libpng"],
    ["broken-webp-cut-in-half.webp", "WebP", "cut short"],
    ["broken-gif-cut-in-half.gif", "GIF", "cut short"],
  ])("refuses %s, which Pillow refuses too, as undecodable", async (name, kind, problem) => {
    await expect(decodePicture(readPicture(name), MAX_PIXELS, decoder)).rejects.toMatchObject({
      reason: "IMAGE_UNDECODABLE",
      message: expect.stringMatching(new RegExp(`was a ${kind} that could not be decoded \\(.*${problem}`)),
    });
  });

  it("refuses every beginning of a JPEG, PNG, WebP and GIF without an error of another kind", async () => {
    for (const name of ["jpeg-420.jpg", "png-palette.png", "webp-lossy-alpha.webp", "gif-transparent.gif"]) {
      const whole = readPicture(name);
      for (let length = 0; length < whole.length - 40; length += 97) {
        const refusal = await decodePicture(whole.subarray(0, length), MAX_PIXELS, decoder).catch(
          (error) => error.reason,
        );
        expect(["IMAGE_UNDECODABLE", "IMAGE_TYPE_UNSUPPORTED"], `${name} cut to ${length}`).toContain(
          refusal,
        );
      }
    }
  });
});

describe("the baseline decoder", () => {
  it.each([
    "jpeg-420.jpg",
    "jpeg-422.jpg",
    "jpeg-444.jpg",
    "jpeg-gray.jpg",
    "jpeg-optimized.jpg",
    "jpeg-restart-3-blocks.jpg",
    "jpeg-400x533.jpg",
    "jpeg-7x5.jpg",
  ])("takes %s upon itself", (name) => {
    expect(decodeBaseline?.(readPicture(name))).toBeDefined();
  });

  it.each([
    "jpeg-progressive-420.jpg",
    "jpeg-arithmetic.jpg",
    "jpeg-cmyk-adobe.jpg",
    "jpeg-rgb-without-ycc.jpg",
    "jpeg-411.jpg",
    "jpeg-440.jpg",
    "jpeg-12-megapixels.jpg",
    "broken-jpeg-without-end.jpg",
    "broken-jpeg-cut-in-half.jpg",
  ])("leaves %s to libvips", (name) => {
    expect(decodeBaseline?.(readPicture(name))).toBeUndefined();
  });

  it("gives libvips' pixels or leaves it alone when a byte of a JPEG is another", async () => {
    const whole = readPicture("jpeg-restart-3-blocks.jpg");
    let taken = 0;
    for (let at = 160; at < whole.length; at += 7) {
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const decoded = decodeBaseline?.(changed);
      if (decoded === undefined) continue;
      taken += 1;
      const pixels = sha256(decoded.pixels);
      const { picture } = await decodePicture(changed, MAX_PIXELS);
      expect(pixels, `byte ${at}`).toBe(sha256(picture.pixels));
    }
    expect(taken).toBeGreaterThan(50);
  }, 30_000);
});
