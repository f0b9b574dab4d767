/** The segments of a JPEG before its first scan: as much as is needed to decide how to decode it. */
import { checkPartCount, latin1, undecodable, viewOf } from "./byte-reader.js";

export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** 1 gray, 3 colour, 4 CMYK or YCCK. */
  readonly components: 1 | 3 | 4;
  /** A TIFF structure, perhaps with "Exif\0\0" before it. */
  readonly exif: Uint8Array | undefined;
  readonly xmp: string | undefined;
}

const SOS = 0xda;
const EOI = 0xd9;
const XMP_MARK = "http://ns.adobe.com/xap/1.0/\0";

/**
 * Reads up to the first scan. Walks markers as Pillow does (JpegImagePlugin.py, `_open`): what stands between
 * segments without being a marker is skipped.
 *
 * @throws {ServeError} IMAGE_UNDECODABLE when there is no frame header, or one of a kind that Pillow refuses too.
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const view = viewOf(bytes);
  let frame: { width: number; height: number; components: 1 | 3 | 4 } | undefined;
  const exif: Uint8Array[] = [];
  let xmp: string | undefined;
  let segments = 0;
  for (let at = 2; at + 1 < bytes.length; ) {
    const marker = bytes[at] === 0xff ? view.getUint8(at + 1) : 0;
    if (marker === SOS || marker === EOI) break;
    if (marker === 0 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd8) || marker === 1) {
      at += marker === 0 || marker === 0xff ? 1 : 2;
      continue;
    }
    if (at + 4 > bytes.length) break;
    segments += 1;
    checkPartCount("JPEG", segments);
    const payload = at + 4;
    const end = at + 2 + view.getUint16(at + 2);
    if (end < payload || end > bytes.length) throw undecodable("JPEG", "a segment ends outside the file");
    if (isFrameHeader(marker)) frame = readFrameHeader(bytes.subarray(payload, end));
    else if (marker === 0xe1 && latin1(bytes, payload, payload + 6) === "Exif\0\0") {
      exif.push(bytes.subarray(payload + 6, end));
    } else if (marker === 0xe1 && latin1(bytes, payload, payload + XMP_MARK.length) === XMP_MARK) {
      xmp = latin1(bytes, payload + XMP_MARK.length, end);
    }
    at = end;
  }
  if (frame === undefined) throw undecodable("JPEG", "it has no frame header");
  return { ...frame, exif: exif.length > 0 ? Buffer.concat(exif) : undefined, xmp };
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which lie among them. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrameHeader(segment: Uint8Array): { width: number; height: number; components: 1 | 3 | 4 } {
  if (segment.length < 6) throw undecodable("JPEG", "its frame header is cut short");
  const view = viewOf(segment);
  const bits = view.getUint8(0);
  if (bits !== 8) throw undecodable("JPEG", `it has ${bits} bits per sample, not 8`);
  const components = view.getUint8(5);
  if (components !== 1 && components !== 3 && components !== 4) {
    throw undecodable("JPEG", `it has ${components} components, not 1, 3 or 4`);
  }
  return { height: view.getUint16(1), width: view.getUint16(3), components };
}
