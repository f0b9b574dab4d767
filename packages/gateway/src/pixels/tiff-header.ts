/** The first directory of a TIFF: what Pillow needs to know to read it, and what is refused. */
import { ServeError } from "@vitrine/protocol/status";
import { latin1, undecodable, viewOf } from "./byte-reader.js";
import type { Orientation } from "./orientation.js";

export interface TiffHeader {
  readonly width: number;
  readonly height: number;
  /** Bits per sample, equal for all samples. */
  readonly depth: number;
  /** 0 gray with white as 0, 1 gray, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr. */
  readonly photometric: number;
  readonly samples: number;
  readonly orientation: Orientation;
  readonly isLittle: boolean;
}

const TAG = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  orientation: 274,
  samples: 277,
  extraSamples: 338,
  sampleFormat: 339,
} as const;

/** By their number; all of them without loss but JPEG, which libtiff leaves to libjpeg as Pillow does. */
const COMPRESSIONS: Readonly<Record<number, string>> = {
  1: "none",
  5: "LZW",
  7: "JPEG",
  8: "deflate",
  32773: "PackBits",
  32946: "deflate",
};

const FOREIGN_COMPRESSIONS: Readonly<Record<number, string>> = {
  2: "fax compression (CCITT)",
  3: "fax compression (CCITT group 3)",
  4: "fax compression (CCITT group 4)",
  6: "JPEG compression of the old kind",
  34712: "JPEG 2000 compression",
  34887: "LERC compression",
  34925: "LZMA compression",
  50000: "Zstandard compression",
  50001: "WebP compression",
  50002: "JPEG XL compression",
};

const FOREIGN_COLOURS: Readonly<Record<number, string>> = {
  4: "a transparency mask for its pixels",
  8: "LAB colours (CIE)",
  9: "LAB colours (ICC)",
  10: "LAB colours (ITU)",
  32803: "a camera's raw colours",
  32844: "logarithmic luminance",
  32845: "logarithmic LUV colours",
  34892: "a camera's raw colours",
};

const FOREIGN_SAMPLES: Readonly<Record<number, string>> = {
  2: "signed samples",
  3: "floating-point samples",
  5: "complex samples",
  6: "complex samples",
};

const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4 };

/** @throws {ServeError} IMAGE_UNDECODABLE when it is cut short; IMAGE_TYPE_UNSUPPORTED when its pixels are not proven to be Pillow's. */
export function readTiffHeader(bytes: Uint8Array): TiffHeader {
  const isLittle = latin1(bytes, 0, 2) === "II";
  const view = viewOf(bytes);
  if (bytes.length < 8) throw undecodable("TIFF", "it is cut short");
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > bytes.length) throw undecodable("TIFF", "it is cut short");
  const tags = readTags(view, directory, isLittle);
  const first = (tag: number, otherwise: number): number => tags.get(tag)?.[0] ?? otherwise;

  const compression = first(TAG.compression, 1);
  if (COMPRESSIONS[compression] === undefined)
    throw refused(FOREIGN_COMPRESSIONS[compression] ?? `compression of kind ${compression}`);
  const photometric = compression === 7 && first(TAG.photometric, 0) === 6 ? 6 : first(TAG.photometric, 0);
  const samples = first(TAG.samples, compression === 7 && photometric === 6 ? 3 : 1);
  const depths = (tags.get(TAG.bits) ?? [1]).slice(0, samples);
  const depth = depths[0] ?? 1;
  if (depths.some((other) => other !== depth)) throw refused(`samples of ${depths.join(", ")} bits`);
  const formats = tags.get(TAG.sampleFormat) ?? [1];
  const foreign = formats.find((format) => format !== 1);
  if (foreign !== undefined) throw refused(FOREIGN_SAMPLES[foreign] ?? `samples of kind ${foreign}`);
  if (first(TAG.fillOrder, 1) !== 1) throw refused("bits in reverse order");
  const header = { photometric, samples, depth, extra: tags.get(TAG.extraSamples) ?? [] };
  const problem = problemOf(header, compression);
  if (problem !== undefined) throw refused(problem);

  const orientation = first(TAG.orientation, 1);
  return {
    width: first(TAG.width, 0),
    height: first(TAG.height, 0),
    depth,
    photometric,
    samples,
    orientation: orientation >= 1 && orientation <= 8 ? (orientation as Orientation) : 1,
    isLittle,
  };
}

/** What the pixels are not proven for; undefined when they are. */
function problemOf(
  {
    photometric,
    samples,
    depth,
    extra,
  }: { photometric: number; samples: number; depth: number; extra: number[] },
  compression: number,
): string | undefined {
  const colours = { 0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3 }[photometric];
  if (colours === undefined) return FOREIGN_COLOURS[photometric] ?? `colours of kind ${photometric}`;
  if (photometric === 6 && compression !== 7) return "YCbCr colours outside JPEG";
  if (photometric === 5 && compression === 7) return "CMYK colours in JPEG";
  if (![1, 2, 4, 8, 16].includes(depth)) return `samples of ${depth} bits`;
  if (depth < 8 && (colours > 1 || samples > 1)) return `colours of ${depth} bits`;
  if (depth === 16 && (photometric === 0 || photometric === 3))
    return `colours of kind ${photometric} in 16 bits`;
  // 1 is alpha that was multiplied in: Pillow divides it out again.
  if (extra.includes(1)) return "premultiplied alpha";
  if (samples !== colours + extra.length && !(photometric === 2 && samples === 4))
    return `${samples} samples per pixel`;
  return samples > colours + 1 ? `${samples} samples per pixel` : undefined;
}

function readTags(view: DataView, directory: number, isLittle: boolean): Map<number, number[]> {
  const tags = new Map<number, number[]>();
  const entries = view.getUint16(directory, isLittle);
  for (let index = 0; index < entries; index += 1) {
    const at = directory + 2 + 12 * index;
    if (at + 12 > view.byteLength) throw undecodable("TIFF", "its directory is cut short");
    const bytesEach = TYPE_BYTES[view.getUint16(at + 2, isLittle)];
    const count = view.getUint32(at + 4, isLittle);
    if (bytesEach === undefined || count > 16) continue;
    const start = count * bytesEach <= 4 ? at + 8 : view.getUint32(at + 8, isLittle);
    if (start + count * bytesEach > view.byteLength) continue;
    const read = (item: number): number => {
      const place = start + item * bytesEach;
      if (bytesEach === 1) return view.getUint8(place);
      return bytesEach === 2 ? view.getUint16(place, isLittle) : view.getUint32(place, isLittle);
    };
    tags.set(
      view.getUint16(at, isLittle),
      Array.from({ length: count }, (_, item) => read(item)),
    );
  }
  return tags;
}

function refused(kind: string): ServeError {
  return new ServeError(
    "IMAGE_TYPE_UNSUPPORTED",
    `picture was a TIFF with ${kind}, expected one without, or the same picture as a PNG`,
  );
}
