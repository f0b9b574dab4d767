/** Which way up a picture is, and turning it upright: Pillow's `ImageOps.exif_transpose`. */
import { latin1, viewOf } from "./byte-reader.js";
import type { RgbPicture } from "./rgb-picture.js";

/** EXIF's number: 1 upright, 2 mirrored, 3 upside down, 4 flipped, 5 to 8 lying on a side. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
/** TIFF headers that Pillow takes, two of them with their version the wrong way round. */
const BYTE_ORDERS: Readonly<Record<string, "little" | "big">> = {
  "II*\0": "little",
  "II\0*": "little",
  "MM\0*": "big",
  "MM*\0": "big",
};

/**
 * Reads the orientation: from EXIF, else from XMP, else 1.
 *
 * An EXIF block without a TIFF header counts as none, where Pillow refuses the picture; a value outside 1 to 8 counts as 1.
 */
export function readOrientation(exif: Uint8Array | undefined, xmp: string | undefined): Orientation {
  const tagged = exif === undefined ? undefined : orientationOfExif(exif);
  const value = tagged ?? Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp ?? "")?.[1] ?? 1);
  return isOrientation(value) ? value : 1;
}

function isOrientation(value: number): value is Orientation {
  return Number.isInteger(value) && value >= 1 && value <= 8;
}

/** Value of the tag in the first directory, NaN when it is there but no single integer; undefined without the tag. */
function orientationOfExif(block: Uint8Array): number | undefined {
  let start = 0;
  for (let prefixes = 0; prefixes < 2 && latin1(block, start, start + 6) === "Exif\0\0"; prefixes += 1)
    start += 6;
  const exif = block.subarray(start);
  const order = BYTE_ORDERS[latin1(exif, 0, 4)];
  if (order === undefined || exif.length < 8) return undefined;
  const isLittle = order === "little";
  const view = viewOf(exif);
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > exif.length) return undefined;
  let orientation: number | undefined;
  const entries = view.getUint16(directory, isLittle);
  for (let index = 0; index < entries; index += 1) {
    const at = directory + 2 + 12 * index;
    if (at + 12 > exif.length) break;
    if (view.getUint16(at, isLittle) !== ORIENTATION_TAG) continue;
    const type = view.getUint16(at + 2, isLittle);
    const count = view.getUint32(at + 4, isLittle);
    const isShort = type === 3 || type === 8;
    const isLong = type === 4 || type === 9;
    if (count !== 1 || !(isShort || isLong)) orientation = Number.NaN;
    else orientation = isShort ? view.getUint16(at + 8, isLittle) : view.getUint32(at + 8, isLittle);
  }
  return orientation;
}

/** Sides of the tiles in which a turned picture is walked, so that both sides of the copy stay in the cache. */
const TILE = 32;

/** The picture upright. A copy, except for orientation 1. */
export function turnUpright(picture: RgbPicture, orientation: Orientation): RgbPicture {
  if (orientation === 1) return picture;
  const { width: w, height: h, pixels } = picture;
  // Source pixel of the upper left corner, and how far it moves with one step right and one step down.
  const walks: Readonly<Record<Orientation, readonly [start: number, right: number, down: number]>> = {
    1: [0, 1, w],
    2: [w - 1, -1, w],
    3: [w * h - 1, -1, -w],
    4: [w * (h - 1), 1, -w],
    5: [0, w, 1],
    6: [w * (h - 1), -w, 1],
    7: [w * h - 1, -w, -1],
    8: [w - 1, w, -1],
  };
  const [start, right, down] = walks[orientation];
  const [width, height] = orientation >= 5 ? [h, w] : [w, h];
  const turned = new Uint8Array(pixels.length);
  for (let top = 0; top < height; top += TILE) {
    const bottom = Math.min(top + TILE, height);
    for (let left = 0; left < width; left += TILE) {
      const columns = Math.min(TILE, width - left);
      for (let y = top; y < bottom; y += 1) {
        let from = 3 * (start + left * right + y * down);
        let to = 3 * (y * width + left);
        for (const end = to + 3 * columns; to < end; to += 3, from += 3 * right) {
          turned[to] = pixels[from] as number;
          turned[to + 1] = pixels[from + 1] as number;
          turned[to + 2] = pixels[from + 2] as number;
        }
      }
    }
  }
  return { width, height, pixels: turned };
}
