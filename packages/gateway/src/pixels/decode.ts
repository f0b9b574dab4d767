/**
 * A file's bytes to RGB, as Pillow's `Image.open(file).convert("RGB")` gives it, to the bit (Pillow 13.0.0).
 *
 * libvips entropy-decodes and unpacks; colours are converted here where its rules are not Pillow's. No gamma or background
 * is applied, a colour profile only when asked for; alpha is dropped and not laid over anything, of an animation the first
 * frame counts.
 */
import { ServeError } from "@vitrine/protocol/status";
import sharp, { type SharpOptions } from "sharp";
import type { AvifHeader } from "./avif-header.js";
import { decodeBmp } from "./bmp.js";
import { latin1, undecodable } from "./byte-reader.js";
import { decodeGif } from "./gif.js";
import type { DecodeBaseline, DecodeScale } from "./jpeg-baseline.js";
import { type Orientation, readOrientation, turnUpright } from "./orientation.js";
import { type PictureFormat, type PictureHeader, readPictureHeader } from "./picture-header.js";
import { readPngMetadata } from "./png-header.js";
import type { RgbPicture } from "./rgb-picture.js";
import { type WebpContainer, webpFileOf } from "./webp-container.js";

export interface DecodedPicture {
  readonly format: PictureFormat;
  /** As the file says; the pixels are as they are stored. */
  readonly orientation: Orientation;
  readonly picture: RgbPicture;
  /** How many times smaller the picture is than the file's; its edges are rounded up. */
  readonly scale: DecodeScale;
  /** The picture has only the rows that `rowsOf` asked for. */
  readonly hasSomeRows: boolean;
  /** Whether another decoder was used than asked for: a JPEG that {@link DecodeBaseline} does not read as TensorFlow does. */
  readonly isApproximate: boolean;
  /** Of the picture at scale 1. */
  readonly storedSize: { readonly width: number; readonly height: number };
}

/** Names of the formats in messages. */
const FORMAT_NAMES: Readonly<Record<PictureFormat, string>> = {
  jpeg: "JPEG",
  png: "PNG",
  webp: "WebP",
  gif: "GIF",
  bmp: "BMP",
  tiff: "TIFF",
  avif: "AVIF",
};

export interface DecodeOptions {
  /** Tried first on a JPEG; the pixels are then its to overwrite when it is called again. */
  readonly decodeBaseline?: DecodeBaseline | undefined;
  /**
   * `tensorflow`: JPEGs as TensorFlow decodes them unless told otherwise, where `decodeBaseline` can; what it cannot, an
   * arithmetic-coded one for one, is decoded as Pillow does it, which is near, and said in `isApproximate`. CMYK is not near.
   */
  readonly decoder?: "pillow" | "tensorflow" | undefined;
  /** `srgb` converts the pixels by the profile in the file, when there is one. */
  readonly icc?: "ignore" | "srgb" | undefined;
  /** How many times smaller a JPEG may be decoded. */
  readonly scaleOf?:
    | ((storedSize: DecodedPicture["storedSize"], orientation: Orientation) => DecodeScale)
    | undefined;
  /** Rows of a JPEG that are looked at; undefined: all. */
  readonly rowsOf?:
    | ((storedSize: DecodedPicture["storedSize"], orientation: Orientation) => Int32Array | undefined)
    | undefined;
}

/**
 * Decodes a picture, at full size unless the options allow less and `decodeBaseline` can do it.
 *
 * @param maxPixels see {@link readPictureHeader}, whose errors this throws too.
 * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED for a CMYK JPEG that TensorFlow's decoder is asked for;
 *   IMAGE_UNDECODABLE when the file is cut short or broken: Pillow refuses a JPEG or PNG that
 *   ends too early, and so does this; what libjpeg only warns of is let pass by both.
 */
export async function decodePicture(
  bytes: Uint8Array,
  maxPixels: number,
  { decodeBaseline, decoder, icc, scaleOf, rowsOf }: DecodeOptions = {},
): Promise<DecodedPicture> {
  const header = readPictureHeader(bytes, maxPixels);
  const { format } = header;
  const orientation = orientationOf(header, bytes);
  const storedSize = { width: header.width, height: header.height };
  const decoded = {
    format,
    orientation,
    scale: 1,
    hasSomeRows: false,
    storedSize,
    isApproximate: false,
  } as const;
  const converted = icc === "srgb" ? await decodeByProfile(header, bytes) : undefined;
  if (converted !== undefined) return { ...decoded, picture: converted };
  if (format === "jpeg" && decodeBaseline !== undefined) {
    const scale = scaleOf?.(storedSize, orientation) ?? 1;
    const reduced = scale > 1 ? decodeBaseline(bytes, { scale }) : undefined;
    if (reduced !== undefined) return { ...decoded, scale, picture: reduced };
    const rows = rowsOf?.(storedSize, orientation);
    const plain = decodeBaseline(bytes, { transform: decoder === "tensorflow" ? "fast" : "accurate", rows });
    if (plain !== undefined) return { ...decoded, hasSomeRows: rows !== undefined, picture: plain };
  }
  const isApproximate = format === "jpeg" && decoder === "tensorflow";
  if (isApproximate && header.components === 4) throw foreignCmyk();
  const picture = await decodePixels(header, bytes);
  const { width, height } = picture;
  return { ...decoded, storedSize: { width, height }, isApproximate, picture };
}

/** TensorFlow reads the inks the other way round where Pillow does not: up to 255 steps apart. */
function foreignCmyk(): ServeError {
  return new ServeError(
    "IMAGE_TYPE_UNSUPPORTED",
    "picture was a CMYK JPEG, expected one in RGB, because the model was trained on TensorFlow's decoder (vitrine.decoder)",
  );
}

/** Pillow turns a TIFF by itself when it opens it, so its pixels count as upright. */
function orientationOf(header: PictureHeader, bytes: Uint8Array): Orientation {
  const { format } = header;
  if (format === "gif" || format === "bmp" || format === "tiff") return 1;
  if (format === "avif") return header.orientation;
  const { exif, xmp } = format === "png" ? readPngMetadata(bytes) : header;
  return readOrientation(exif, xmp);
}

async function decodePixels(header: PictureHeader, bytes: Uint8Array): Promise<RgbPicture> {
  switch (header.format) {
    case "gif":
      return decodeGif(bytes, header);
    case "bmp":
      return decodeBmp(bytes, header);
    case "webp":
      return onCanvas(
        header,
        rgbOf(await unpack(webpFileOf(header.bitstream), "webp", "srgb", header.frame)),
      );
    case "avif":
      return asStored(header, rgbOf(await unpack(stillAvif(bytes), "avif", "srgb", uprightSize(header))));
    default: {
      const { width, height } = header;
      const space = spaceOf(header);
      const unpacked = await unpack(bytes, header.format, space, header);
      const pixels = pixelsOf(unpacked, space);
      return header.format === "tiff"
        ? turnUpright({ width, height, pixels }, header.orientation)
        : { width, height, pixels };
    }
  }
}

type Space = "srgb" | "cmyk" | "grey16" | "rgb16";

/** sharp's name of the file's own colour space, which keeps sharp from converting it. */
function spaceOf(header: Extract<PictureHeader, { format: "jpeg" | "png" | "tiff" }>): Space {
  if (header.format === "jpeg") return header.components === 4 ? "cmyk" : "srgb";
  const isGray = header.format === "png" ? header.colourType === 0 : header.photometric <= 1;
  if (header.format === "tiff" && header.photometric === 5) return "cmyk";
  if (header.depth < 16) return "srgb";
  return isGray ? "grey16" : "rgb16";
}

function pixelsOf(unpacked: Unpacked, space: Space): Uint8Array {
  if (space === "cmyk") return rgbOfCmyk(unpacked);
  return space === "srgb" ? rgbOf(unpacked) : rgbOfDeep(unpacked, space === "grey16");
}

/** libvips turns an AVIF upright; this lays its pixels as they are stored. */
function asStored(header: AvifHeader, pixels: Uint8Array): RgbPicture {
  const { orientation } = header;
  return turnUpright(
    { ...uprightSize(header), pixels },
    orientation === 6 ? 8 : orientation === 8 ? 6 : orientation,
  );
}

function uprightSize({ width, height, orientation }: AvifHeader): { width: number; height: number } {
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

/** An animated AVIF under the name of a still one, which libvips reads: its first picture. A copy. */
function stillAvif(bytes: Uint8Array): Uint8Array {
  if (latin1(bytes, 8, 12) !== "avis") return bytes;
  const still = Uint8Array.from(bytes);
  still.set(Buffer.from("avif"), 8);
  return still;
}

/**
 * Whether a colour profile lies in a picture.
 *
 * @throws {ServeError} as {@link readPictureHeader} does.
 */
export function hasColourProfile(bytes: Uint8Array, maxPixels: number): Promise<boolean> {
  return isProfiled(readPictureHeader(bytes, maxPixels), bytes);
}

/** Of a GIF or BMP Pillow reads none. */
async function isProfiled({ format, width, height }: PictureHeader, bytes: Uint8Array): Promise<boolean> {
  if (format === "gif" || format === "bmp") return false;
  try {
    const file = format === "avif" ? stillAvif(bytes) : bytes;
    const { icc } = await sharp(file, { ...READ_OPTIONS, limitInputPixels: width * height }).metadata();
    return icc !== undefined;
  } catch (cause) {
    throw undecodable(FORMAT_NAMES[format], problemOf(cause), cause);
  }
}

/**
 * Pixels converted to sRGB by the profile in the file, by LittleCMS in libvips: within a step or two of Pillow's
 * ImageCms (docs/decisions/pixels.md). Colours below full transparency are not kept.
 *
 * @returns undefined when the file holds no profile.
 */
async function decodeByProfile(header: PictureHeader, bytes: Uint8Array): Promise<RgbPicture | undefined> {
  const { format } = header;
  if (!(await isProfiled(header, bytes))) return undefined;
  const file = format === "avif" ? stillAvif(bytes) : bytes;
  const limitInputPixels = header.width * header.height;
  const image = sharp(file, { ...READ_OPTIONS, limitInputPixels, ignoreIcc: false });
  try {
    const { data, info } = await image
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const pixels = rgbOf({ samples: data, channels: info.channels });
    const { width, height } = header;
    if (format === "avif") return asStored(header, pixels);
    return turnUpright({ width, height, pixels }, format === "tiff" ? header.orientation : 1);
  } catch (cause) {
    throw undecodable(FORMAT_NAMES[format], problemOf(cause), cause);
  }
}

const READ_OPTIONS: SharpOptions = {
  failOn: "truncated",
  sequentialRead: true,
  ignoreIcc: true,
};

interface Unpacked {
  readonly samples: Uint8Array;
  readonly channels: number;
}

/**
 * Decodes to the samples that the file holds.
 *
 * @param size what the header said and the limit was held against: libvips must have found the same.
 * @returns interleaved samples; two bytes each, in the machine's order, for the 16-bit spaces.
 */
async function unpack(
  file: Uint8Array,
  format: PictureFormat,
  space: Space,
  size: { readonly width: number; readonly height: number },
): Promise<Unpacked> {
  // A file of which libvips finds more than the header said is refused by it before it is decoded.
  const image = sharp(file, { ...READ_OPTIONS, limitInputPixels: size.width * size.height });
  if (space !== "srgb") image.pipelineColourspace(space).toColourspace(space);
  const depth = space === "grey16" || space === "rgb16" ? "ushort" : "uchar";
  try {
    const { data, info } = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
    if (info.width === size.width && info.height === size.height) {
      return { samples: data, channels: info.channels };
    }
  } catch (cause) {
    throw undecodable(FORMAT_NAMES[format], problemOf(cause), cause);
  }
  throw undecodable(FORMAT_NAMES[format], "it is not as large as its header says");
}

/** libvips' own words, without the name of the part of it that says them. */
function problemOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (message.split("\n")[0] ?? "").replace(/^(?:Input buffer|Vips\w+|\w+load_buffer|\w+): /, "");
}

/** Gray, gray and alpha, RGB or RGBA to RGB; RGB as it came, not copied. */
function rgbOf({ samples, channels }: Unpacked): Uint8Array {
  if (channels === 3) return samples;
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const pixels = new Uint8Array((samples.length / channels) * 3);
  for (let from = 0, to = 0; from < samples.length; from += channels, to += 3) {
    pixels[to] = samples[from] as number;
    pixels[to + 1] = samples[from + green] as number;
    pixels[to + 2] = samples[from + blue] as number;
  }
  return pixels;
}

/**
 * 16-bit samples to RGB. Gray (Pillow's I;16) is clipped at 255, which turns most of such a picture white; of
 * all others the high byte counts. Both are what Pillow does.
 */
function rgbOfDeep({ samples, channels }: Unpacked, isGray: boolean): Uint8Array {
  const deep = new Uint16Array(samples.buffer, samples.byteOffset, samples.byteLength / 2);
  const shallow = new Uint8Array(deep.length);
  for (let at = 0; at < deep.length; at += 1) {
    const value = deep[at] as number;
    shallow[at] = isGray ? Math.min(value, 255) : value >> 8;
  }
  return rgbOf({ samples: shallow, channels });
}

/**
 * Pillow's CMYK to RGB (Convert.c, `cmyk2rgb`): no profile. The inks are stored the wrong way round, as Adobe
 * does it, whether an Adobe segment says so or not; libvips has turned them.
 */
function rgbOfCmyk({ samples }: Unpacked): Uint8Array {
  const pixels = new Uint8Array((samples.length / 4) * 3);
  for (let from = 0, to = 0; from < samples.length; from += 4, to += 3) {
    const light = 255 - (samples[from + 3] as number);
    for (let ink = 0; ink < 3; ink += 1) {
      const product = (samples[from + ink] as number) * light + 128;
      pixels[to + ink] = light - (((product >> 8) + product) >> 8);
    }
  }
  return pixels;
}

/** The frame where it lies on its canvas, black around it. */
function onCanvas({ width, height, frame }: WebpContainer, pixels: Uint8Array): RgbPicture {
  if (frame.width === width && frame.height === height) return { width, height, pixels };
  const canvas = new Uint8Array(3 * width * height);
  for (let y = 0; y < frame.height; y += 1) {
    const row = pixels.subarray(3 * y * frame.width, 3 * (y + 1) * frame.width);
    canvas.set(row, 3 * ((frame.y + y) * width + frame.x));
  }
  return { width, height, pixels: canvas };
}
