/** A PNG without what does not draw it. */
import { latin1, viewOf } from "./byte-reader.js";

const SIGNATURE_BYTES = 8;
/** Size, palette, transparency, colour, pixels. Text, Exif, times, and what anybody else put in are not among them. */
const KEPT: ReadonlySet<string> = new Set([
  ..."IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT cICP".split(" "),
]);

/**
 * Cuts out text, XMP, Exif, times, animation, private chunks, and what is behind the end.
 *
 * @returns a copy; undefined when the file's chunks do not end as they should.
 */
export function barePng(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const view = viewOf(bytes);
  const bare = new Uint8Array(bytes.length);
  bare.set(bytes.subarray(0, SIGNATURE_BYTES));
  let length = SIGNATURE_BYTES;
  for (let at = SIGNATURE_BYTES; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return undefined;
    const kind = latin1(bytes, at + 4, at + 8);
    if (KEPT.has(kind)) {
      bare.set(bytes.subarray(at, end), length);
      length += end - at;
    }
    if (kind === "IEND") return bare.slice(0, length);
    at = end;
  }
  return undefined;
}
