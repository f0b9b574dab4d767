/** What a file is, told by its first bytes, and how large: known before anything is decoded. */
import { ServeError } from "@vitrine/protocol/status";
import { type AvifHeader, isAvif, readAvifHeader } from "./avif-header.js";
import { type BmpHeader, readBmpHeader } from "./bmp.js";
import { latin1, undecodable } from "./byte-reader.js";
import { type GifFrame, readGifHeader } from "./gif.js";
import { type JpegHeader, readJpegHeader } from "./jpeg-header.js";
import { type PngHeader, readPngHeader } from "./png-header.js";
import { readTiffHeader, type TiffHeader } from "./tiff-header.js";
import { readWebpContainer, type WebpContainer } from "./webp-container.js";

export type PictureHeader =
  | ({ readonly format: "jpeg" } & JpegHeader)
  | ({ readonly format: "png" } & PngHeader)
  | ({ readonly format: "webp" } & WebpContainer)
  | ({ readonly format: "gif" } & GifFrame)
  | ({ readonly format: "bmp" } & BmpHeader)
  | ({ readonly format: "tiff" } & TiffHeader)
  | ({ readonly format: "avif" } & AvifHeader);

export type PictureFormat = PictureHeader["format"];

/**
 * Recognises a picture and reads its size.
 *
 * Only formats whose pixels are Pillow's are accepted: to the bit, but for AVIF, whose tolerance docs/decisions/pixels.md
 * states. The name of the file and its media type play no part.
 *
 * @param maxPixels most pixels, width x height, that may be decoded.
 * @param maxAvifPixels of an AVIF, where that is less: one of a few KB may hold very many, and libvips takes some 18 bytes for each.
 * @throws {ServeError} IMAGE_TYPE_UNSUPPORTED when it is of another kind, naming it;
 *   IMAGE_TOO_MANY_PIXELS; IMAGE_UNDECODABLE when it is empty, or its header is cut short or broken.
 */
export function readPictureHeader(
  bytes: Uint8Array,
  maxPixels: number,
  maxAvifPixels: number = maxPixels,
): PictureHeader {
  const header = readHeader(bytes);
  const { width, height } = header;
  if (width === 0 || height === 0) {
    throw undecodable(header.format.toUpperCase(), `its size is ${width}x${height}`);
  }
  const mostPixels = header.format === "avif" ? Math.min(maxPixels, maxAvifPixels) : maxPixels;
  if (width * height > mostPixels) {
    throw new ServeError(
      "IMAGE_TOO_MANY_PIXELS",
      `picture was ${width}x${height}, ${width * height} pixels, expected at most ${mostPixels}${header.format === "avif" ? " of an AVIF" : ""}`,
    );
  }
  return header;
}

const EXPECTED = "expected a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP";

function readHeader(bytes: Uint8Array): PictureHeader {
  if (bytes.length === 0) throw new ServeError("IMAGE_UNDECODABLE", `picture was empty, ${EXPECTED}`);
  const start = latin1(bytes, 0, 512);
  if (start.startsWith("\xff\xd8\xff")) return { format: "jpeg", ...readJpegHeader(bytes) };
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return { format: "png", ...readPngHeader(bytes) };
  if (/^RIFF....WEBP/s.test(start)) return { format: "webp", ...readWebpContainer(bytes) };
  if (/^GIF8[79]a/.test(start)) return { format: "gif", ...readGifHeader(bytes) };
  if (start.startsWith("BM")) return { format: "bmp", ...readBmpHeader(bytes) };
  if (/^(?:II\*\0|MM\0\*)/.test(start)) return { format: "tiff", ...readTiffHeader(bytes) };
  if (isAvif(start)) return { format: "avif", ...readAvifHeader(bytes) };
  throw new ServeError("IMAGE_TYPE_UNSUPPORTED", `picture was ${foreignKind(bytes, start)}, ${EXPECTED}`);
}

/** Kinds that people send by mistake: bytes that stand at an offset. The first that fits counts. */
const FOREIGN_MAGIC: readonly {
  readonly at: number;
  readonly words: readonly string[];
  readonly kind: string;
}[] = [
  {
    at: 4,
    words: ["ftyphei", "ftyphev", "ftypmif1", "ftypmsf1"],
    kind: "a HEIC picture (an iPhone sends JPEG when Settings, Camera, Formats is Most Compatible, or when the photo is exported as JPEG)",
  },
  { at: 4, words: ["ftyp"], kind: "a video" },
  { at: 0, words: ["\x1aE\xdf\xa3"], kind: "a video" },
  { at: 0, words: ["II+\0", "MM\0+"], kind: "a BigTIFF picture" },
  { at: 0, words: ["%PDF-"], kind: "a PDF document" },
  { at: 0, words: ["8BPS"], kind: "a Photoshop file" },
  { at: 0, words: ["\0\0\x01\0"], kind: "an icon file" },
  { at: 0, words: ["\xff\n", "\0\0\0\fJXL "], kind: "a JPEG XL picture" },
  { at: 0, words: ["\0\0\0\fjP  ", "\xff\x4f\xff\x51"], kind: "a JPEG 2000 picture" },
  { at: 0, words: ["\x1f\x8b"], kind: "gzip data" },
  { at: 0, words: ["PK\x03\x04"], kind: "a zip archive" },
];

/** The same for text, after a byte order mark and white space. */
const FOREIGN_TEXT: readonly [pattern: RegExp, kind: string][] = [
  [/^<(?:\?xml|!--|!DOCTYPE svg|svg).*<svg|^<svg/is, "an SVG drawing"],
  [/^<(?:!DOCTYPE html|html|head|body)/i, "an HTML page"],
  [/^<\?xml/i, "an XML document"],
  [/^[[{]/, "JSON text"],
];

function foreignKind(bytes: Uint8Array, start: string): string {
  const magic = FOREIGN_MAGIC.find(({ at, words }) => words.some((word) => start.startsWith(word, at)));
  if (magic !== undefined) return magic.kind;
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  const textKind = FOREIGN_TEXT.find(([pattern]) => pattern.test(text));
  if (textKind !== undefined) return textKind[1];
  const hex = Buffer.from(bytes.subarray(0, 8)).toString("hex");
  return `of a kind not known (it begins with the bytes ${hex})`;
}
