import { crc32, deflateSync } from "node:zlib";
import sharp, { type Sharp } from "sharp";
import { describe, expect, it } from "vitest";
import { decodePicture } from "./decode.js";
import { findMetadata, makePictureFile } from "./picture-file.js";
import { readGolden, readPicture, sha256 } from "./testing/goldens.js";

const options = { maxPixels: 50_000_000 };
const keep = (bytes: Uint8Array) => makePictureFile(bytes, { purpose: "keep" }, options);
/** A digest: a difference of two long arrays is not worth reading. */
const pixelsOf = async (bytes: Uint8Array) =>
  sha256((await decodePicture(bytes, options.maxPixels)).picture.pixels);
const plain = readPicture("jpeg-420.jpg");

function segment(marker: number, data: Buffer | string): Buffer {
  const payload = Buffer.isBuffer(data) ? data : Buffer.from(data, "latin1");
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(payload.length + 2, 2);
  return Buffer.concat([head, payload]);
}

function chunk(kind: string, data: Buffer | string): Buffer {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), Buffer.from(data as string)]);
  const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}

/** A photo with everything in it that a photo may tell about its maker. */
async function talkativeJpeg(): Promise<Buffer> {
  const tagged = await sharp(plain)
    .withExif({
      IFD0: { Copyright: "SECRET-exif" },
      IFD3: { GPSLatitudeRef: "N", GPSLatitude: "52/1 30/1 0/1" },
    })
    .withIccProfile("srgb")
    .jpeg()
    .toBuffer();
  const small = await sharp(plain).resize(16).jpeg().toBuffer();
  return Buffer.concat([
    tagged.subarray(0, 2),
    segment(
      0xe0,
      Buffer.concat([Buffer.from("JFIF\0\x01\x02\x01\0\x48\0\x48\x02\x02"), Buffer.from("SECRET-jfif!")]),
    ),
    segment(0xe0, Buffer.concat([Buffer.from("JFXX\0\x10"), small, Buffer.from("SECRET-jfxx")])),
    segment(0xe1, "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>SECRET-xmp</x:xmpmeta>"),
    segment(0xe2, "MPF\0SECRET-mpf"),
    segment(0xe2, "ICC_PROFILE\0\x01\x01SECRET-that is no profile at all, though it says so ........."),
    segment(0xed, "Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0fSECRET-iptc....."),
    segment(0xef, "SECRET-maker"),
    segment(0xfe, "SECRET-comment"),
    tagged.subarray(2),
    Buffer.from("SECRET-video behind the end"),
  ]);
}

describe("a JPEG that is kept", () => {
  it("loses all that it tells beside its pixels, which stay to the bit", async () => {
    const given = await talkativeJpeg();
    const { bytes, mediaType, width, height } = await keep(given);
    expect(given.toString("latin1").match(/SECRET/g)).toHaveLength(10);
    expect(Buffer.from(bytes).includes("SECRET")).toBe(false);
    expect(await findMetadata(bytes)).toEqual([]);
    expect(mediaType).toBe("image/jpeg");
    expect(await sharp(bytes).metadata()).toMatchObject({ width, height });
    expect(await pixelsOf(bytes)).toBe(await pixelsOf(given));
  });

  it("keeps its colour profile", async () => {
    const given = await sharp(plain).withIccProfile("p3").jpeg().toBuffer();
    const { icc } = await sharp((await keep(given)).bytes).metadata();
    expect(icc?.toString("latin1")).toBe((await sharp(given).metadata()).icc?.toString("latin1"));
    expect(icc).toBeDefined();
  });

  it.each(Object.keys(readGolden("pictures.json").pictures).filter((name) => /\.jpe?g$/.test(name)))(
    "%s has the same pixels afterwards, or is encoded anew where it cannot be cut out",
    async (name) => {
      const given = readPicture(name);
      const { bytes } = await keep(given);
      expect(await findMetadata(bytes)).toEqual([]);
      const { orientation, picture } = await decodePicture(given, options.maxPixels);
      const isCutOut =
        orientation === 1 && !name.includes("stray") && (await sharp(given).metadata()).space !== "cmyk";
      if (isCutOut) expect(await pixelsOf(bytes)).toBe(sha256(picture.pixels));
    },
  );

  it.each([2, 3, 4, 5, 6, 7, 8])(
    "of orientation %i is turned and encoded anew, nearly as it was",
    async (orientation) => {
      const given = await sharp(plain).withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer();
      const { bytes, width, height } = await keep(given);
      const upright = await sharp(given).autoOrient().raw().toBuffer();
      const kept = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
      expect([kept.info.width, kept.info.height]).toEqual([width, height]);
      const apart = upright.reduce((sum, value, at) => sum + Math.abs(value - kept.data[at]!), 0);
      expect(apart / upright.length).toBeLessThan(2);
      expect(await findMetadata(bytes)).toEqual([]);
    },
  );

  it("that ends too early is refused", async () => {
    await expect(keep(plain.subarray(0, plain.length - 400))).rejects.toMatchObject({
      reason: "IMAGE_UNDECODABLE",
    });
  });
});

describe("other pictures that are kept", () => {
  it("a PNG loses its texts, Exif, times and private chunks, and no pixel", async () => {
    const file = await sharp(plain).resize(40).png().toBuffer();
    const end = file.length - 12;
    const given = Buffer.concat([
      file.subarray(0, 33),
      chunk("tEXt", "Author\0SECRET-text"),
      chunk("zTXt", Buffer.concat([Buffer.from("Comment\0\0"), deflateSync("SECRET")])),
      chunk("iTXt", "XML:com.adobe.xmp\0\0\0\0\0SECRET-xmp"),
      chunk("tIME", Buffer.from([7, 230, 1, 1, 1, 1, 1])),
      chunk("prVt", "SECRET-private"),
      file.subarray(33, end),
      chunk("eXIf", "II*\0\x08\0\0\0\0\0SECRET-exif"),
      file.subarray(end),
      Buffer.from("SECRET behind the end"),
    ]);
    const { bytes, mediaType } = await keep(given);
    expect(mediaType).toBe("image/png");
    expect(Buffer.from(bytes).includes("SECRET")).toBe(false);
    expect(await findMetadata(bytes)).toEqual([]);
    expect(await pixelsOf(bytes)).toBe(await pixelsOf(file));
  });

  it.each([
    ["WebP", (image: Sharp) => image.webp(), "image/jpeg"],
    ["AVIF", (image: Sharp) => image.avif(), "image/jpeg"],
    ["TIFF", (image: Sharp) => image.tiff(), "image/jpeg"],
    ["WebP with alpha", (image: Sharp) => image.ensureAlpha(0.5).webp(), "image/png"],
  ] as const)(
    "a %s becomes what every loader of training pictures reads",
    async (_kind, encode, mediaType) => {
      const given = await encode(
        sharp(plain)
          .resize(64)
          .withExif({ IFD0: { Copyright: "SECRET" } }),
      ).toBuffer();
      const kept = await keep(given);
      expect(kept.mediaType).toBe(mediaType);
      expect(await findMetadata(kept.bytes)).toEqual([]);
    },
  );

  it("inks become sRGB", async () => {
    const given = await sharp(plain).toColourspace("cmyk").jpeg().toBuffer();
    const { bytes } = await keep(given);
    expect(await sharp(bytes).metadata()).toMatchObject({ space: "srgb", channels: 3 });
  });
});

describe("a picture that is shown", () => {
  const show = (bytes: Uint8Array, edge = 32) => makePictureFile(bytes, { purpose: "show", edge }, options);
  /** Redder to the right, greener downwards, so that each turn of it is far from the others. */
  const slope = Buffer.from(
    Array.from({ length: 96 * 60 }, (_, at) => [2 * (at % 96), 4 * Math.floor(at / 96), 90]).flat(),
  );

  it.each([1, 2, 3, 4, 5, 6, 7, 8])("of orientation %i is upright and fits", async (orientation) => {
    const given = await sharp(slope, { raw: { width: 96, height: 60, channels: 3 } })
      .withMetadata({ orientation })
      .jpeg({ quality: 95 })
      .toBuffer();
    const upright = await sharp(await sharp(given).autoOrient().png().toBuffer())
      .resize({ width: 32, height: 32, fit: "inside" })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { bytes, width, height } = await show(given);
    expect([width, height]).toEqual([upright.info.width, upright.info.height]);
    const shown = await sharp(bytes).raw().toBuffer();
    const apart = upright.data.reduce((sum, value, at) => sum + Math.abs(value - shown[at]!), 0);
    expect(apart / upright.data.length).toBeLessThan(4);
  });

  it("that only the prediction's decoder reads fits as well", async () => {
    const { width, height, mediaType } = await show(readPicture("bmp-24-bit.bmp"), 8);
    expect([Math.max(width, height), mediaType]).toEqual([8, "image/jpeg"]);
  });
});

describe("a file that nobody waits for any more", () => {
  const gone = () => {
    throw new Error("gone");
  };

  it.each(["keep", "show"] as const)("to %s is given up before it is decoded", async (purpose) => {
    const cut = plain.subarray(0, plain.length - 400);
    const wish = purpose === "keep" ? { purpose } : { purpose, edge: 32 };
    await expect(makePictureFile(cut, wish, { ...options, checkpoint: gone })).rejects.toThrow("gone");
  });

  it("is given up before it is decoded a second time", async () => {
    let calls = 0;
    const checkpoint = () => {
      calls += 1;
      if (calls === 2) gone();
    };
    const cut = plain.subarray(0, plain.length - 400);
    const made = makePictureFile(cut, { purpose: "show", edge: 32 }, { ...options, checkpoint });
    await expect(made).rejects.toThrow("gone");
  });
});
