/** Run-length coded bitmaps, with Pillow's reading of runs that leave their row (13.0.0, BmpRleDecoder). */
import { undecodable } from "./byte-reader.js";

const END_OF_ROW = 0;
const END_OF_PICTURE = 1;
const MOVE = 2;

/**
 * @param isFour two pixels to a byte.
 * @returns one index per pixel, in the file's order of rows.
 * @throws {ServeError} IMAGE_UNDECODABLE when it ends before the last pixel.
 */
export function decodeBmpRle(
  bytes: Uint8Array,
  start: number,
  width: number,
  height: number,
  isFour: boolean,
): Uint8Array {
  const indices = new Uint8Array(width * height);
  let to = 0;
  let x = 0;
  let at = start;
  while (to < indices.length && at + 2 <= bytes.length) {
    const count = bytes[at] as number;
    const value = bytes[at + 1] as number;
    at += 2;
    if (count > 0) {
      const run = Math.max(0, Math.min(count, width - x));
      for (let index = 0; index < run; index += 1, to += 1) {
        indices[to] = isFour ? (index % 2 === 0 ? value >> 4 : value & 15) : value;
      }
      x += run;
    } else if (value === END_OF_ROW) {
      to = width * Math.ceil(to / width);
      x = 0;
    } else if (value === END_OF_PICTURE) {
      break;
    } else if (value === MOVE) {
      if (at + 2 > bytes.length) break;
      to = Math.min(indices.length, to + (bytes[at] as number) + (bytes[at + 1] as number) * width);
      x = to % width;
      at += 2;
    } else {
      const literal = Math.min(indices.length - to, value);
      const length = isFour ? Math.ceil(literal / 2) : literal;
      if (at + length > bytes.length) break;
      for (let index = 0; index < literal; index += 1, to += 1) {
        const byte = bytes[at + (isFour ? index >> 1 : index)] as number;
        indices[to] = isFour ? (index % 2 === 0 ? byte >> 4 : byte & 15) : byte;
      }
      if (to === indices.length) break;
      at += length;
      x += value;
      at += at % 2;
    }
  }
  if (to < indices.length) throw undecodable("BMP", "it is cut short");
  return indices;
}
