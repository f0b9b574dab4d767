import { describe, expect, it } from "vitest";
import { decodePicture } from "./decode.js";
import { readGolden, readPicture, sha256 } from "./testing/goldens.js";

const MAX_PIXELS = 50_000_000;
const { pictures } = readGolden("pictures.json");

describe("decodePicture", () => {
  it.each(Object.entries(pictures))("gives Pillow's pixels of %s", async (name, golden) => {
    const { picture, format } = await decodePicture(readPicture(name), MAX_PIXELS);

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
    await expect(decodePicture(readPicture(name), MAX_PIXELS)).rejects.toMatchObject({
      reason: "IMAGE_UNDECODABLE",
      message: expect.stringMatching(new RegExp(`was a ${kind} that could not be decoded \\(.*${problem}`)),
    });
  });

  it("refuses every beginning of a JPEG, PNG, WebP and GIF without an error of another kind", async () => {
    for (const name of ["jpeg-420.jpg", "png-palette.png", "webp-lossy-alpha.webp", "gif-transparent.gif"]) {
      const whole = readPicture(name);
      for (let length = 0; length < whole.length - 40; length += 97) {
        const refusal = await decodePicture(whole.subarray(0, length), MAX_PIXELS).catch(
          (error) => error.reason,
        );
        expect(["IMAGE_UNDECODABLE", "IMAGE_TYPE_UNSUPPORTED"], `${name} cut to ${length}`).toContain(
          refusal,
        );
      }
    }
  });
});
