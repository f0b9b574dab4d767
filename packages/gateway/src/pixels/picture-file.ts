/** Picture files made of other people's picture files: nothing of theirs is in them but what can be seen. */
import sharp, { type Sharp } from "sharp";
import { bareJpeg } from "./bare-jpeg.js";
import { barePng } from "./bare-png.js";
import { decodePicture } from "./decode.js";
import { readPictureHeader } from "./picture-header.js";
import { orientationToTurn, type UprightOptions, withUpright } from "./upright.js";

/** What a picture file is made for. */
export type PictureWish =
  /** For the eye: no edge longer than `edge` pixels, never larger than it was, in sRGB. */
  | { readonly purpose: "show"; readonly edge: number }
  /** For training: as many pixels as it had, a JPEG or a PNG, which every loader of training pictures reads. */
  | { readonly purpose: "keep" };

export interface PictureFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: "image/jpeg" | "image/png" | "image/webp";
  readonly width: number;
  readonly height: number;
}

export type PictureFileOptions = Omit<UprightOptions, "edge">;

const SHOWN_QUALITY = 82;
/** With all of the colour; saving at this quality once more moves a pixel by 1 or 2 steps of 255 on average. */
const KEPT_JPEG = { quality: 95, chromaSubsampling: "4:4:4" } as const;

/**
 * Makes a picture file that is upright and has no metadata.
 *
 * To show it is a JPEG, or where the picture has an alpha channel a WebP. To keep, a JPEG or PNG that is upright already is
 * cut out of the one given, so that its pixels and its colour profile stay as they are; anything else is encoded anew in sRGB, as
 * a JPEG or, with alpha, a PNG.
 *
 * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED, IMAGE_TOO_MANY_PIXELS, IMAGE_UNDECODABLE; whatever `checkpoint` throws.
 */
export async function makePictureFile(
  bytes: Uint8Array,
  wish: PictureWish,
  options: PictureFileOptions,
): Promise<PictureFile> {
  if (wish.purpose === "show") {
    const { edge } = wish;
    return await withUpright(bytes, { ...options, edge }, async (upright) => {
      const { hasAlpha } = await upright.metadata();
      return hasAlpha
        ? await encoded(upright.webp({ quality: SHOWN_QUALITY }), "image/webp")
        : await encoded(upright.jpeg({ quality: SHOWN_QUALITY }), "image/jpeg");
    });
  }
  return (await cutOut(bytes, options)) ?? (await encodedToKeep(bytes, options));
}

/** undefined when it has to be turned, or is no JPEG or PNG that can be kept as it is. */
async function cutOut(
  bytes: Uint8Array,
  { maxPixels, decodeBaseline, checkpoint }: PictureFileOptions,
): Promise<PictureFile | undefined> {
  const header = readPictureHeader(bytes, maxPixels);
  const { format, width, height } = header;
  // Inks are read in more ways than one; everybody reads the sRGB that they are encoded to.
  const isPlain = format === "png" || (format === "jpeg" && header.components !== 4);
  if (!isPlain || orientationToTurn(header, bytes) !== 1) return undefined;
  const bare = format === "png" ? barePng(bytes) : bareJpeg(bytes);
  if (bare === undefined) return undefined;
  checkpoint?.();
  // Throws where it is broken: what cannot be read is not worth keeping.
  await decodePicture(bare, maxPixels, { decodeBaseline });
  return { bytes: bare, mediaType: `image/${format}`, width, height };
}

async function encodedToKeep(bytes: Uint8Array, options: PictureFileOptions): Promise<PictureFile> {
  return await withUpright(bytes, options, async (upright) => {
    const { hasAlpha } = await upright.metadata();
    const file = hasAlpha
      ? await encoded(upright.png(), "image/png")
      : await encoded(upright.jpeg(KEPT_JPEG), "image/jpeg");
    const bare = hasAlpha ? barePng(file.bytes) : bareJpeg(file.bytes);
    if (bare === undefined) throw new Error(`encoder wrote a ${file.mediaType} that cannot be read`);
    return { ...file, bytes: bare };
  });
}

async function encoded(image: Sharp, mediaType: PictureFile["mediaType"]): Promise<PictureFile> {
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  // A copy: sharp's own memory cannot be moved to another thread.
  return { bytes: Uint8Array.from(data), mediaType, width: info.width, height: info.height };
}

/**
 * Looks for what {@link makePictureFile} leaves out, by libvips' reading and by walking the file once more.
 *
 * @returns names of what was found; empty for a file to keep.
 */
export async function findMetadata(file: Uint8Array): Promise<string[]> {
  const { format, exif, xmp, iptc, tifftagPhotoshop, comments, orientation } = await sharp(file).metadata();
  const bare = format === "png" ? barePng(file) : bareJpeg(file);
  const isBare = bare !== undefined && Buffer.compare(bare, file) === 0;
  const found = {
    exif,
    xmp,
    iptc,
    tifftagPhotoshop,
    comments,
    orientation,
    other: isBare ? undefined : file,
  };
  return Object.entries(found).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
