/** Windows bitmaps as Pillow reads them (13.0.0, BmpImagePlugin.py): libvips in sharp has no loader for them. */

import { decodeBmpRle } from "./bmp-rle.js";
import { undecodable, viewOf } from "./byte-reader.js";
import type { RgbPicture } from "./rgb-picture.js";

export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  /** 1, 4, 8, 16, 24 or 32. */
  readonly bits: number;
  readonly compression: "none" | "rle8" | "rle4";
  readonly isTopDown: boolean;
  /** Address of the palette's first entry, bytes per entry, and how many. */
  readonly palette: { readonly at: number; readonly step: 3 | 4; readonly colours: number };
  /** Byte offsets of red, green and blue in a pixel of 24 or 32 bits; bits of green in one of 16: 5 or 6. */
  readonly order: readonly [red: number, green: number, blue: number];
  readonly greenBits: 5 | 6;
  readonly pixelsAt: number;
}

const HEADER_SIZES = [12, 40, 52, 56, 64, 108, 124];
const COMPRESSION = { none: 0, rle8: 1, rle4: 2, bitFields: 3 } as const;

/** Masks of red, green, blue and alpha of 32-bit pixels that Pillow knows, and where their bytes lie. */
const ORDERS_32: readonly (readonly [masks: readonly number[], order: BmpHeader["order"]])[] = [
  [
    [0xff0000, 0xff00, 0xff, 0],
    [2, 1, 0],
  ],
  [
    [0xff000000, 0xff0000, 0xff00, 0],
    [3, 2, 1],
  ],
  [
    [0xff000000, 0xff00, 0xff, 0],
    [3, 1, 0],
  ],
  [
    [0xff000000, 0xff0000, 0xff00, 0xff],
    [3, 2, 1],
  ],
  [
    [0xff, 0xff00, 0xff0000, 0xff000000],
    [0, 1, 2],
  ],
  [
    [0xff0000, 0xff00, 0xff, 0xff000000],
    [2, 1, 0],
  ],
  [
    [0xff000000, 0xff00, 0xff, 0xff0000],
    [3, 1, 0],
  ],
  [
    [0, 0, 0, 0],
    [2, 1, 0],
  ],
];
const BLUE_FIRST: BmpHeader["order"] = [2, 1, 0];

/** @throws {ServeError} IMAGE_UNDECODABLE when the header is cut short, or names a kind that Pillow does not read either. */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = viewOf(bytes);
  if (bytes.length < 26) throw undecodable("BMP", "its header is cut short");
  const headerSize = view.getUint32(14, true);
  if (!HEADER_SIZES.includes(headerSize)) throw undecodable("BMP", `its header has ${headerSize} bytes`);
  if (bytes.length < 14 + headerSize) throw undecodable("BMP", "its header is cut short");
  const isOld = headerSize === 12;
  const isTopDown = !isOld && view.getUint8(25) === 0xff;
  const rawHeight = isOld ? view.getUint16(20, true) : view.getUint32(22, true);
  const bits = view.getUint16(isOld ? 24 : 28, true);
  const compression = isOld ? COMPRESSION.none : view.getUint32(30, true);
  const colours = (isOld ? 0 : view.getUint32(46, true)) || 2 ** bits;
  const step = isOld ? 3 : 4;
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw undecodable("BMP", `it has ${bits} bits per pixel`);
  // Three masks lie in the header, or behind the shortest that can have them; a longer one has alpha's too.
  const maskCount = headerSize >= 56 ? 4 : 3;
  const headerEnd = 14 + headerSize + (compression === COMPRESSION.bitFields && headerSize === 40 ? 12 : 0);
  if (bytes.length < headerEnd) throw undecodable("BMP", "its header is cut short");
  let { order, greenBits }: Pick<BmpHeader, "order" | "greenBits"> = { order: BLUE_FIRST, greenBits: 5 };
  if (compression === COMPRESSION.bitFields) {
    const masks = Array.from({ length: maskCount }, (_, index) => view.getUint32(54 + 4 * index, true));
    ({ order, greenBits } = layoutOf(bits, masks));
  } else if (compression > COMPRESSION.rle4) {
    throw undecodable("BMP", `its compression is ${compression}`);
  }
  const name = compression === COMPRESSION.rle8 ? "rle8" : compression === COMPRESSION.rle4 ? "rle4" : "none";
  if ((name === "rle8" && bits !== 8) || (name === "rle4" && bits !== 4)) {
    throw undecodable("BMP", `it is run-length coded with ${bits} bits per pixel`);
  }
  const given = view.getUint32(10, true);
  const behindPalette = given === 14 + headerSize && bits <= 8 ? given + step * colours : given;
  return {
    width: isOld ? view.getUint16(18, true) : view.getUint32(18, true),
    height: isTopDown ? 2 ** 32 - rawHeight : rawHeight,
    bits,
    compression: name,
    isTopDown,
    palette: { at: headerEnd, step, colours },
    order,
    greenBits,
    pixelsAt: behindPalette,
  };
}

function layoutOf(bits: number, masks: readonly number[]): Pick<BmpHeader, "order" | "greenBits"> {
  const [red = 0, green = 0, blue = 0, alpha = 0] = masks;
  const equals = (known: readonly number[]): boolean =>
    known[0] === red && known[1] === green && known[2] === blue;
  if (bits === 32) {
    const known = ORDERS_32.find(([four]) => equals(four) && four[3] === alpha);
    if (known !== undefined) return { order: known[1], greenBits: 5 };
  }
  if (bits === 24 && equals([0xff0000, 0xff00, 0xff])) return { order: BLUE_FIRST, greenBits: 5 };
  if (bits === 16 && equals([0xf800, 0x7e0, 0x1f])) return { order: BLUE_FIRST, greenBits: 6 };
  if (bits === 16 && equals([0x7c00, 0x3e0, 0x1f])) return { order: BLUE_FIRST, greenBits: 5 };
  throw undecodable("BMP", "its colour masks are of no known kind");
}

/** @throws {ServeError} IMAGE_UNDECODABLE when pixels or palette are cut short. */
export function decodeBmp(bytes: Uint8Array, header: BmpHeader): RgbPicture {
  const { width, height, bits, compression, isTopDown, pixelsAt } = header;
  const palette = bits <= 8 ? readPalette(bytes, header) : undefined;
  const isRunLength = compression !== "none";
  const source = isRunLength
    ? decodeBmpRle(bytes, pixelsAt, width, height, compression === "rle4")
    : bytes.subarray(pixelsAt);
  const bitsOfSource = isRunLength ? 8 : bits;
  const rowBytes = isRunLength ? width : 4 * Math.ceil((width * bits) / 32);
  // The last row's padding may be missing.
  if (source.length < rowBytes * (height - 1) + Math.ceil((width * bitsOfSource) / 8)) {
    throw undecodable("BMP", "it is cut short");
  }
  const pixels = new Uint8Array(3 * width * height);
  const write = rowWriter(header, bitsOfSource, palette);
  for (let row = 0; row < height; row += 1) {
    const to = isTopDown ? row : height - 1 - row;
    write(
      source.subarray(row * rowBytes, (row + 1) * rowBytes),
      pixels.subarray(3 * width * to, 3 * width * (to + 1)),
    );
  }
  return { width, height, pixels };
}

/** Red, green, blue of each index; black beyond the last that the file holds. */
function readPalette(bytes: Uint8Array, { palette: { at, step, colours } }: BmpHeader): Uint8Array {
  if (colours > 65_536) throw undecodable("BMP", `its palette has ${colours} colours`);
  const palette = new Uint8Array(3 * 256);
  for (let index = 0; index < Math.min(colours, 256); index += 1) {
    const entry = at + index * step;
    palette.set([bytes[entry + 2] ?? 0, bytes[entry + 1] ?? 0, bytes[entry] ?? 0], 3 * index);
  }
  return palette;
}

function rowWriter(
  { order: [red, green, blue], greenBits, bits }: BmpHeader,
  bitsOfSource: number,
  palette: Uint8Array | undefined,
): (row: Uint8Array, target: Uint8Array) => void {
  if (palette !== undefined) {
    const perByte = 8 / bitsOfSource;
    const mask = 2 ** bitsOfSource - 1;
    return (row, target) => {
      for (let to = 0, x = 0; to < target.length; to += 3, x += 1) {
        const shift = 8 - bitsOfSource * ((x % perByte) + 1);
        const entry = 3 * (((row[Math.trunc(x / perByte)] as number) >> shift) & mask);
        target[to] = palette[entry] as number;
        target[to + 1] = palette[entry + 1] as number;
        target[to + 2] = palette[entry + 2] as number;
      }
    };
  }
  if (bits === 16) {
    const greenMost = 2 ** greenBits - 1;
    return (row, target) => {
      for (let to = 0, from = 0; to < target.length; to += 3, from += 2) {
        const value = (row[from] as number) | ((row[from + 1] as number) << 8);
        target[to] = (((value >> (5 + greenBits)) & 31) * 255) / 31;
        target[to + 1] = (((value >> 5) & greenMost) * 255) / greenMost;
        target[to + 2] = ((value & 31) * 255) / 31;
      }
    };
  }
  const step = bits / 8;
  return (row, target) => {
    for (let to = 0, from = 0; to < target.length; to += 3, from += step) {
      target[to] = row[from + red] as number;
      target[to + 1] = row[from + green] as number;
      target[to + 2] = row[from + blue] as number;
    }
  };
}
