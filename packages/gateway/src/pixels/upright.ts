/** A picture file opened by sharp for people's eyes: upright and in sRGB, as no model's contract asks for. */
import sharp, { type Sharp } from "sharp";
import { type DecodeOptions, decodePicture } from "./decode.js";
import { type Orientation, readOrientation, turnUpright } from "./orientation.js";
import { type PictureHeader, readPictureHeader } from "./picture-header.js";
import { readPngMetadata } from "./png-header.js";

/** As the prediction reads it: from EXIF, else from XMP. libvips looks at EXIF alone, and turns an AVIF by itself. */
export function orientationToTurn(header: PictureHeader, bytes: Uint8Array): Orientation {
  switch (header.format) {
    case "jpeg":
    case "webp":
      return readOrientation(header.exif, header.xmp);
    case "png": {
      const { exif, xmp } = readPngMetadata(bytes);
      return readOrientation(exif, xmp);
    }
    case "tiff":
      return header.orientation;
    default:
      return 1;
  }
}

export interface UprightOptions extends Pick<DecodeOptions, "decodeBaseline"> {
  /** See {@link readPictureHeader}. */
  readonly maxPixels: number;
  /** Most pixels of an edge; undefined: as large as it is. Never larger than that in any case. */
  readonly edge?: number | undefined;
  /** Called before each decoding; throws when nobody waits for the picture any more. */
  readonly checkpoint?: (() => void) | undefined;
}

/**
 * Makes something of a picture that is upright, has its first frame alone, and is in sRGB by its profile.
 *
 * Its kind and size are known before libvips sees it, and what libvips cannot read as a whole (BMP, animated AVIF) is read
 * as for the prediction, without its alpha.
 *
 * @param make   is called with a pipeline, perhaps twice; its metadata is not passed on unless `make` asks for it.
 * @throws {ServeError} as {@link decodePicture} does; whatever `checkpoint` throws.
 */
export async function withUpright<Result>(
  bytes: Uint8Array,
  { maxPixels, decodeBaseline, edge, checkpoint }: UprightOptions,
  make: (upright: Sharp) => Promise<Result>,
): Promise<Result> {
  const header = readPictureHeader(bytes, maxPixels);
  checkpoint?.();
  if (header.format !== "bmp") {
    const limitInputPixels = header.width * header.height;
    try {
      const stored = sharp(bytes, { failOn: "truncated", sequentialRead: true, limitInputPixels });
      return await make(turned(fitted(stored, edge), orientationToTurn(header, bytes)));
    } catch {
      // Whether it is broken is for the prediction's decoder to say, which also has the words for it.
    }
  }
  checkpoint?.();
  const { picture, orientation } = await decodePicture(bytes, maxPixels, { decodeBaseline });
  const { width, height, pixels } = turnUpright(picture, orientation);
  const raw = sharp(pixels, { raw: { width, height, channels: 3 }, limitInputPixels: maxPixels });
  return await make(fitted(raw, edge));
}

/** Before it is turned: to turn it first, libvips would hold all of its pixels. */
function fitted(stored: Sharp, edge: number | undefined): Sharp {
  if (edge === undefined) return stored;
  return stored.resize({ width: edge, height: edge, fit: "inside", withoutEnlargement: true });
}

/** sharp mirrors first and turns then, whatever the order of the calls. */
function turned(stored: Sharp, orientation: Orientation): Sharp {
  switch (orientation) {
    case 1:
      return stored;
    case 2:
      return stored.flop();
    case 3:
      return stored.rotate(180);
    case 4:
      return stored.flip();
    case 5:
      return stored.flop().rotate(270);
    case 6:
      return stored.rotate(90);
    case 7:
      return stored.flop().rotate(90);
    case 8:
      return stored.rotate(270);
  }
}
