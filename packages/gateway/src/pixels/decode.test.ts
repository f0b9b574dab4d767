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
    const { picture, format } = await decodePicture(readPicture(name), MAX_PIXELS, {
      decodeBaseline: decoder,
    });

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
    ["broken-bmp-cut.bmp", "BMP", "cut short"],
    ["broken-bmp-rle-cut.bmp", "BMP", "cut short"],
    ["broken-bmp-masks.bmp", "BMP", "colour masks"],
    ["broken-tiff-cut.tiff", "TIFF", "cut short"],
    ["broken-avif-cut.avif", "AVIF", ""],
  ])("refuses %s, which Pillow refuses too, as undecodable", async (name, kind, problem) => {
    await expect(
      decodePicture(readPicture(name), MAX_PIXELS, { decodeBaseline: decoder }),
    ).rejects.toMatchObject({
      reason: "IMAGE_UNDECODABLE",
      message: expect.stringMatching(new RegExp(`was a ${kind} that could not be decoded \\(.*${problem}`)),
    });
  });

  it("refuses every beginning of a picture without an error of another kind", async () => {
    for (const name of [
      "jpeg-420.jpg",
      "png-palette.png",
      "webp-lossy-alpha.webp",
      "gif-transparent.gif",
      "bmp-8-bit-rle.bmp",
      "tiff-lzw.tiff",
      "avif-420.avif",
    ]) {
      const whole = readPicture(name);
      for (let length = 0; length < whole.length - 40; length += 97) {
        const refusal = await decodePicture(whole.subarray(0, length), MAX_PIXELS, {
          decodeBaseline: decoder,
        }).catch((error) => error.reason);
        expect(["IMAGE_UNDECODABLE", "IMAGE_TYPE_UNSUPPORTED"], `${name} cut to ${length}`).toContain(
          refusal,
        );
      }
    }
  });
});

describe("what is near to Pillow and not equal", () => {
  const near = readGolden("near.json");
  /** Of all samples, how far they are apart. */
  const distance = (left: Uint8Array, right: Uint8Array) => {
    const each = left.map((sample, at) => Math.abs(sample - (right[at] ?? 0)));
    return { most: Math.max(...each), mean: each.reduce((sum, value) => sum + value, 0) / each.length };
  };

  // The tolerances are those of docs/decisions/pixels.md; the scene has harder colour edges than photos have.
  it.each([
    ["avif-444.avif", 1, 0.5],
    ["avif-lossless.avif", 1, 0.5],
    ["avif-gray.avif", 0, 0],
    ["avif-422.avif", 80, 4],
    ["avif-420.avif", 130, 6],
    ["avif-alpha.avif", 130, 6],
    ["avif-animated.avif", 130, 6],
  ])("decodes %s to within %i, on average %f", async (name, most, mean) => {
    const golden = near.avif[name]!;
    const { picture } = await decodePicture(readPicture(name), MAX_PIXELS);
    const apart = distance(picture.pixels, golden.base64);

    expect(apart.most).toBeLessThanOrEqual(most);
    expect(apart.mean).toBeLessThanOrEqual(mean);
  });

  it.each([2, 3, 4, 5, 6, 7, 8])("lays an AVIF of orientation %i as it is stored", async (turn) => {
    const name = `avif-orientation-${turn}.avif`;
    const { picture, orientation } = await decodePicture(readPicture(name), MAX_PIXELS);

    expect(orientation).toBe(near.avif[name]!.orientation);
    expect(distance(picture.pixels, near.avif[name]!.base64).mean).toBeLessThan(4);
  });

  it.each(Object.entries(near.icc))("converts %s by its profile to within 2", async (name, golden) => {
    const { picture } = await decodePicture(readPicture(name), MAX_PIXELS, { icc: "srgb" });

    expect({ width: picture.width, height: picture.height }).toEqual({
      width: golden.width,
      height: golden.height,
    });
    expect(distance(picture.pixels, golden.base64).most).toBeLessThanOrEqual(2);
  });
});

describe("TensorFlow's decoder", () => {
  it.each(Object.entries(readGolden("tensorflow.json").jpegs))(
    "gives the pixels of %s",
    async (name, golden) => {
      const { picture } = await decodePicture(readPicture(name), MAX_PIXELS, {
        decodeBaseline,
        decoder: "tensorflow",
      });

      expect(sha256(picture.pixels).slice(0, 12)).toBe(golden);
    },
  );

  const decode = (name: string, decoder: "pillow" | "tensorflow") =>
    decodePicture(readPicture(name), MAX_PIXELS, { decodeBaseline, decoder });

  it.each(["jpeg-411.jpg", "jpeg-440.jpg", "jpeg-arithmetic.jpg", "jpeg-rgb-without-ycc.jpg"])(
    "is not had for %s, which is said",
    async (name) => {
      expect((await decode(name, "tensorflow")).isApproximate).toBe(true);
      expect((await decode(name, "pillow")).isApproximate).toBe(false);
    },
  );

  it.each(["jpeg-420.jpg", "png-rgb.png", "gif.gif"])("is had for %s", async (name) => {
    expect((await decode(name, "tensorflow")).isApproximate).toBe(false);
  });

  it.each(["jpeg-cmyk-adobe.jpg", "jpeg-cmyk-without-adobe.jpg", "jpeg-ycck-adobe.jpg"])(
    "refuses %s, whose inks TensorFlow reads otherwise",
    async (name) => {
      await expect(decode(name, "tensorflow")).rejects.toMatchObject({
        reason: "IMAGE_TYPE_UNSUPPORTED",
        message: expect.stringContaining("picture was a CMYK JPEG, expected one in RGB"),
      });
    },
  );
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
    "jpeg-progressive-420.jpg",
    "jpeg-progressive-444.jpg",
    "jpeg-progressive-gray.jpg",
    "jpeg-progressive-restarts.jpg",
  ])("takes %s upon itself", (name) => {
    expect(decodeBaseline?.(readPicture(name))).toBeDefined();
  });

  it.each([
    "jpeg-cmyk-progressive.jpg",
    "jpeg-arithmetic-progressive.jpg",
    "broken-jpeg-progressive-cut.jpg",
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

  it.each([
    "jpeg-restart-3-blocks.jpg",
    "jpeg-progressive-420.jpg",
    "jpeg-progressive-gray.jpg",
    "jpeg-progressive-restarts.jpg",
  ])(
    "gives libvips' pixels or leaves it alone when a byte of %s is another",
    async (name) => {
      const whole = readPicture(name);
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
      expect(taken).toBeGreaterThan(40);
    },
    30_000,
  );
});
