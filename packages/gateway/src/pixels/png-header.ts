/** The chunks of a PNG, apart from its pixels. */
import { inflateSync } from "node:zlib";
import { latin1, undecodable, viewOf } from "./byte-reader.js";

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits per sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha. */
  readonly colourType: number;
}

export interface PngMetadata {
  readonly exif: Uint8Array | undefined;
  readonly xmp: string | undefined;
}

const SIGNATURE_BYTES = 8;
const MAX_TEXT_BYTES = 1024 * 1024;

const EXIF = numberOf("eXIf");
const PLAIN = numberOf("tEXt");
const COMPRESSED = numberOf("zTXt");
const INTERNATIONAL = numberOf("iTXt");
const RAW_PROFILE = "Raw profile type exif";
const XMP = "XML:com.adobe.xmp";

/** What a text chunk holds, inflated only when it is asked for. */
type Text = () => string;

/** @throws {ServeError} IMAGE_UNDECODABLE when the file does not begin with an IHDR chunk. */
export function readPngHeader(bytes: Uint8Array): PngHeader {
  if (bytes.length < 33 || latin1(bytes, 12, 16) !== "IHDR") throw undecodable("PNG", "it has no header");
  const view = viewOf(bytes);
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    depth: view.getUint8(24),
    colourType: view.getUint8(25),
  };
}

/**
 * Collects what may hold the orientation: `eXIf`, the text "Raw profile type exif" (ImageMagick) and XMP; also
 * after the pixels, as Pillow does. Of several with one keyword the last counts, and only that one is inflated: a file may
 * hold very many, each of which grows to {@link MAX_TEXT_BYTES}. Broken text is passed over.
 */
export function readPngMetadata(bytes: Uint8Array): PngMetadata {
  const view = viewOf(bytes);
  let exif: Uint8Array | undefined;
  let rawProfile: Text | undefined;
  let xmp: Text | undefined;
  for (let at = SIGNATURE_BYTES; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = view.getUint32(at + 4);
    if (kind === EXIF) exif = bytes.subarray(at + 8, at + 8 + length);
    else if (kind === PLAIN || kind === COMPRESSED || kind === INTERNATIONAL) {
      const payload = bytes.subarray(at + 8, at + 8 + length);
      if (hasKeyword(payload, XMP)) xmp = textOf(kind, payload, XMP.length) ?? xmp;
      else if (hasKeyword(payload, RAW_PROFILE))
        rawProfile = textOf(kind, payload, RAW_PROFILE.length) ?? rawProfile;
    }
    at += 12 + length;
  }
  return { exif: exif ?? (rawProfile && exifOfRawProfile(rawProfile())), xmp: xmp?.() };
}

/** Whether the payload begins with the keyword and its final zero. */
function hasKeyword(payload: Uint8Array, keyword: string): boolean {
  return payload[keyword.length] === 0 && latin1(payload, 0, keyword.length) === keyword;
}

/** @returns undefined when the chunk does not end as it should. */
function textOf(kind: number, payload: Uint8Array, keywordEnd: number): Text | undefined {
  if (kind === PLAIN) return () => latin1(payload, keywordEnd + 1, payload.length);
  if (kind === COMPRESSED) return () => inflateText(payload.subarray(keywordEnd + 2));
  // Compression flag, compression method, language, translated keyword, text.
  const isCompressed = payload[keywordEnd + 1] === 1;
  const languageEnd = payload.indexOf(0, keywordEnd + 3);
  const translationEnd = payload.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || translationEnd < 0) return undefined;
  const text = payload.subarray(translationEnd + 1);
  return () => (isCompressed ? inflateText(text) : latin1(text, 0, text.length));
}

/** The four letters of a chunk's kind as they stand in the file. */
function numberOf(kind: string): number {
  return Buffer.from(kind, "latin1").readUInt32BE();
}

function inflateText(compressed: Uint8Array): string {
  try {
    return inflateSync(compressed, { maxOutputLength: MAX_TEXT_BYTES }).toString("latin1");
  } catch {
    // A broken remark is no reason to refuse the picture; Pillow reads it as empty too.
    return "";
  }
}

/** Lines: empty, "exif", a length, then hex digits. */
function exifOfRawProfile(text: string): Uint8Array {
  return Buffer.from(text.split("\n").slice(3).join(""), "hex");
}
