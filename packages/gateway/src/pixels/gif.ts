/**
 * The first frame of a GIF, decoded here: libvips hands out RGBA in which the colour of the transparent index is
 * lost, and Pillow keeps it. Rules from Pillow's GifImagePlugin.py (`_seek`, `load_prepare`).
 */
import { undecodable, viewOf } from "./byte-reader.js";
import type { RgbPicture } from "./rgb-picture.js";

export interface GifFrame {
  /** Size of the screen, widened so that it holds the whole frame. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  readonly frameWidth: number;
  readonly frameHeight: number;
  readonly isInterlaced: boolean;
  /** 256 RGB triples. */
  readonly palette: Uint8Array;
  /** Index around the frame. */
  readonly background: number;
  /** Where the LZW code size stands; data blocks follow. */
  readonly dataAt: number;
}

const MAX_CODES = 4096;

/** @throws {ServeError} IMAGE_UNDECODABLE when there is no frame, or the file ends before its pixels begin. */
export function readGifHeader(bytes: Uint8Array): GifFrame {
  if (bytes.length < 13) throw undecodable("GIF", "its header is cut short");
  const view = viewOf(bytes);
  const screen = { width: view.getUint16(6, true), height: view.getUint16(8, true) };
  const screenPalette = readPalette(bytes, 13, view.getUint8(10));
  let transparent: number | undefined;
  for (let at = screenPalette.end; at < bytes.length; ) {
    const introducer = bytes[at];
    if (introducer === 0x21) {
      if (bytes[at + 1] === 0xf9 && bytes[at + 2] !== 0) {
        transparent = (bytes[at + 3] ?? 0) & 1 ? bytes[at + 6] : transparent;
      }
      at = endOfBlocks(bytes, at + 2);
    } else if (introducer === 0x2c) {
      if (at + 11 > bytes.length) break;
      const [left, top] = [view.getUint16(at + 1, true), view.getUint16(at + 3, true)];
      const [frameWidth, frameHeight] = [view.getUint16(at + 5, true), view.getUint16(at + 7, true)];
      const flags = view.getUint8(at + 9);
      const framePalette = readPalette(bytes, at + 10, flags);
      return {
        width: Math.max(screen.width, left + frameWidth),
        height: Math.max(screen.height, top + frameHeight),
        left,
        top,
        frameWidth,
        frameHeight,
        isInterlaced: (flags & 0x40) !== 0,
        palette: framePalette.colours ?? screenPalette.colours ?? identityPalette(),
        background: transparent ?? 0,
        dataAt: framePalette.end,
      };
    } else if (introducer === 0x3b) {
      break;
    } else {
      at += 1;
    }
  }
  throw undecodable("GIF", "it holds no picture");
}

/** @throws {ServeError} IMAGE_UNDECODABLE when the frame's pixels are cut short or no valid LZW. */
export function decodeGif(bytes: Uint8Array, frame: GifFrame): RgbPicture {
  const { width, height, palette } = frame;
  const screen = new Uint8Array(width * height).fill(frame.background);
  const indices = decodeLzw(
    joinBlocks(bytes, frame.dataAt + 1),
    bytes[frame.dataAt] ?? 0,
    frame.frameWidth * frame.frameHeight,
  );
  let row = 0;
  for (const y of rowOrder(frame.frameHeight, frame.isInterlaced)) {
    const start = row * frame.frameWidth;
    screen.set(indices.subarray(start, start + frame.frameWidth), (frame.top + y) * width + frame.left);
    row += 1;
  }
  const pixels = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < screen.length; from += 1, to += 3) {
    const colour = 3 * (screen[from] as number);
    pixels[to] = palette[colour] as number;
    pixels[to + 1] = palette[colour + 1] as number;
    pixels[to + 2] = palette[colour + 2] as number;
  }
  return { width, height, pixels };
}

/** The colour table announced by `flags`, if any, and where it ends; indices beyond it are black. */
function readPalette(bytes: Uint8Array, at: number, flags: number): { colours?: Uint8Array; end: number } {
  if ((flags & 0x80) === 0) return { end: at };
  const end = at + 3 * 2 ** ((flags & 7) + 1);
  if (end > bytes.length) throw undecodable("GIF", "its palette is cut short");
  const colours = new Uint8Array(768);
  colours.set(bytes.subarray(at, end));
  return { colours: isIdentity(bytes.subarray(at, end)) ? identityPalette() : colours, end };
}

/** Pillow reads a table whose entry i is gray i as mode L, where an index beyond the table is gray too. */
function isIdentity(table: Uint8Array): boolean {
  return table.every((value, index) => value === Math.trunc(index / 3));
}

function identityPalette(): Uint8Array {
  return Uint8Array.from({ length: 768 }, (_, index) => Math.trunc(index / 3));
}

function endOfBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] as number);
  return at + 1;
}

function joinBlocks(bytes: Uint8Array, start: number): Uint8Array {
  const end = Math.min(endOfBlocks(bytes, start), bytes.length);
  const joined = new Uint8Array(end - start);
  let length = 0;
  for (let at = start; at < end && bytes[at] !== 0; at += 1 + (bytes[at] as number)) {
    const block = bytes.subarray(at + 1, Math.min(at + 1 + (bytes[at] as number), end));
    joined.set(block, length);
    length += block.length;
  }
  return joined.subarray(0, length);
}

function rowOrder(height: number, isInterlaced: boolean): number[] {
  const passes: [start: number, step: number][] = isInterlaced ? [[0, 8], [4, 8], [2, 4], [1, 2]] : [[0, 1]]; // biome-ignore format: one line
  return passes.flatMap(([start, step]) =>
    Array.from(
      { length: Math.max(0, Math.ceil((height - start) / step)) },
      (_, index) => start + index * step,
    ),
  );
}

/** GIF's variable-length LZW, least significant bit first; returns exactly `length` indices. */
function decodeLzw(data: Uint8Array, minCodeSize: number, length: number): Uint8Array {
  if (minCodeSize < 1 || minCodeSize > 11) throw undecodable("GIF", `its code size is ${minCodeSize}`);
  const clearCode = 1 << minCodeSize;
  // Each entry is its prefix's entry and one index more; `firsts` saves the walk to the front.
  const prefixes = new Uint16Array(MAX_CODES);
  const suffixes = new Uint8Array(MAX_CODES);
  const firsts = new Uint8Array(MAX_CODES);
  const lengths = new Uint16Array(MAX_CODES);
  for (let code = 0; code < clearCode; code += 1) {
    suffixes[code] = code;
    firsts[code] = code;
    lengths[code] = 1;
  }
  const indices = new Uint8Array(length);
  let codeSize = minCodeSize + 1;
  let next = clearCode + 2;
  let previous = -1;
  let [bits, held, at, filled] = [0, 0, 0, 0];
  while (filled < length) {
    while (held < codeSize) {
      if (at >= data.length) throw undecodable("GIF", "its pixels are cut short");
      bits |= (data[at] as number) << held;
      at += 1;
      held += 8;
    }
    const code = bits & ((1 << codeSize) - 1);
    bits >>>= codeSize;
    held -= codeSize;
    if (code === clearCode) {
      codeSize = minCodeSize + 1;
      next = clearCode + 2;
      previous = -1;
      continue;
    }
    if (code === clearCode + 1) throw undecodable("GIF", "its pixels are cut short");
    if (code > next || (code === next && previous < 0) || (code >= clearCode && previous < 0)) {
      throw undecodable("GIF", "its pixels are no valid LZW code");
    }
    if (previous >= 0 && next < MAX_CODES) {
      prefixes[next] = previous;
      suffixes[next] = firsts[code === next ? previous : code] as number;
      firsts[next] = firsts[previous] as number;
      lengths[next] = (lengths[previous] as number) + 1;
      next += 1;
      if (next === 1 << codeSize && codeSize < 12) codeSize += 1;
    } else if (code >= next) {
      throw undecodable("GIF", "its pixels are no valid LZW code");
    }
    let entry = code;
    const end = filled + (lengths[code] as number);
    for (let to = end - 1; to >= filled; to -= 1) {
      if (to < length) indices[to] = suffixes[entry] as number;
      entry = prefixes[entry] as number;
    }
    filled = end;
    previous = code;
  }
  return indices;
}
