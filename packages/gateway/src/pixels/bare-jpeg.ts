/** A JPEG without what does not draw it: cut out of the file, so that its pixels stay as they are. */
import { latin1, MOST_PARTS, viewOf } from "./byte-reader.js";

const SOS = 0xda;
const EOI = 0xd9;
const APP0 = 0xe0;
const APP2 = 0xe2;
const APP14 = 0xee;
/** Tables, frames and the number of lines: DHT, DAC, DQT, DNL, DRI and SOF0 to SOF15. */
const DRAWING_MARKERS: ReadonlySet<number> = new Set([
  ...Array.from({ length: 16 }, (_, index) => 0xc0 + index).filter((marker) => marker !== 0xc8),
  0xdb,
  0xdc,
  0xdd,
]);

const JFIF = "JFIF\0";
const ADOBE = "Adobe";
const ICC = "ICC_PROFILE\0";
const ADOBE_BYTES = 12;
/** Mark, place and count of the part, then the profile, whose own mark stands 36 bytes in. Source: ICC.1:2022, B.4 and 7.2. */
const ICC_SIGNATURE_AT = ICC.length + 2 + 36;

/**
 * Cuts out Exif with its GPS and its small picture, XMP, IPTC, comments, makers' segments, further pictures (MPF), what is
 * behind the end (videos of moving photos), and the small picture of JFIF. An ICC profile and Adobe's colour flag stay.
 *
 * @returns a copy; undefined when the file is not built as plainly as that needs.
 */
export function bareJpeg(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const view = viewOf(bytes);
  const kept: Uint8Array[] = [bytes.subarray(0, 2)];
  if (latin1(bytes, 0, 2) !== "\xff\xd8") return undefined;
  for (let at = 2; at + 2 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (kept.length > MOST_PARTS) return undefined;
    if (marker === EOI) return joined([...kept, bytes.subarray(at, at + 2)]);
    if (at + 4 > bytes.length) return undefined;
    const end = at + 2 + view.getUint16(at + 2);
    if (end < at + 4 || end > bytes.length) return undefined;
    const payload = bytes.subarray(at + 4, end);
    if (marker === SOS) {
      const scanEnd = endOfScan(bytes, end);
      kept.push(bytes.subarray(at, scanEnd));
      at = scanEnd;
      continue;
    }
    if (DRAWING_MARKERS.has(marker)) kept.push(bytes.subarray(at, end));
    else if (isApplication(marker)) kept.push(...bareSegment(marker, payload, bytes.subarray(at, end)));
    else return undefined;
    at = end;
  }
  return undefined;
}

/** APP0 to APP15 and COM. */
function isApplication(marker: number): boolean {
  return (marker >= APP0 && marker <= 0xef) || marker === 0xfe;
}

/** What stays of a segment that is not the drawing itself; mostly nothing. */
function bareSegment(marker: number, payload: Uint8Array, segment: Uint8Array): Uint8Array[] {
  if (marker === APP0 && startsWith(payload, JFIF) && payload.length >= 14) {
    // Version, unit and density; then the size of the small picture, which is made 0 x 0.
    return [Uint8Array.of(0xff, APP0, 0, 16), payload.subarray(0, 12), Uint8Array.of(0, 0)];
  }
  if (marker === APP14 && startsWith(payload, ADOBE) && payload.length >= ADOBE_BYTES) {
    return [Uint8Array.of(0xff, APP14, 0, ADOBE_BYTES + 2), payload.subarray(0, ADOBE_BYTES)];
  }
  return marker === APP2 && isProfilePart(payload) ? [segment] : [];
}

/** The first part must look like a profile; those behind it cannot be told from anything else, nor read without it. */
function isProfilePart(payload: Uint8Array): boolean {
  if (!startsWith(payload, ICC)) return false;
  const isFirst = payload[ICC.length] === 1;
  return !isFirst || latin1(payload, ICC_SIGNATURE_AT, ICC_SIGNATURE_AT + 4) === "acsp";
}

function startsWith(payload: Uint8Array, mark: string): boolean {
  return latin1(payload, 0, mark.length) === mark;
}

/** Place of the first marker behind the scan's data; in it stand stuffed zeros and restart markers. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at)) {
    const next = bytes[at + 1] as number;
    const isData = next === 0 || (next >= 0xd0 && next <= 0xd7);
    if (!isData && next !== 0xff) return at;
    at += isData ? 2 : 1;
  }
  return bytes.length;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
