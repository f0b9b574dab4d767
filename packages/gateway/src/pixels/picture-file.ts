/** Picture files made of other people's picture files: nothing of theirs is in them but what can be seen. */
import type { DecodeBaseline } from "./jpeg-baseline.js";
import { withUpright } from "./upright.js";

/** What a picture file is made for. */
export type PictureWish =
  /** For the eye: no edge longer than `edge` pixels, never larger than it was. */
  { readonly purpose: "show"; readonly edge: number };

export interface PictureFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: "image/jpeg" | "image/png" | "image/webp";
  readonly width: number;
  readonly height: number;
}

export interface PictureFileOptions {
  /** Most pixels, width x height, of the picture. */
  readonly maxPixels: number;
  readonly decodeBaseline?: DecodeBaseline | undefined;
}

const SHOWN_QUALITY = 82;

/**
 * Makes a JPEG, or where the picture has an alpha channel a WebP: upright, in sRGB, without metadata.
 *
 * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED, IMAGE_TOO_MANY_PIXELS, IMAGE_UNDECODABLE.
 */
export async function makePictureFile(
  bytes: Uint8Array,
  { edge }: PictureWish,
  options: PictureFileOptions,
): Promise<PictureFile> {
  return await withUpright(bytes, options, async (upright) => {
    const { hasAlpha } = await upright.metadata();
    const shrunk = upright.resize({ width: edge, height: edge, fit: "inside", withoutEnlargement: true });
    const encoded = hasAlpha
      ? shrunk.webp({ quality: SHOWN_QUALITY })
      : shrunk.jpeg({ quality: SHOWN_QUALITY });
    const { data, info } = await encoded.toBuffer({ resolveWithObject: true });
    // A copy: sharp's own memory cannot be moved to another thread.
    const { width, height } = info;
    return { bytes: Uint8Array.from(data), mediaType: hasAlpha ? "image/webp" : "image/jpeg", width, height };
  });
}
