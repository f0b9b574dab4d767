/** What a JPEG says before its first scan, as the decoder in jpeg-baseline.ts needs it. */
import { latin1, viewOf } from "./byte-reader.js";

export interface FrameComponent {
  readonly id: number;
  /** Samples per MCU, in blocks across and down. */
  readonly across: number;
  readonly down: number;
  /** 64 factors, row-major. */
  readonly quantization: Int16Array;
}

export interface JpegComponent extends FrameComponent {
  readonly dc: HuffmanTable;
  readonly ac: HuffmanTable;
}

export interface BaselineJpeg {
  readonly width: number;
  readonly height: number;
  /** One, gray; or three, luma first. */
  readonly components: readonly JpegComponent[];
  /** MCUs between restart markers; 0: none. */
  readonly restartInterval: number;
  /** Where the entropy-coded bytes begin. */
  readonly scanAt: number;
}

export const FAST_BITS = 9;

export interface HuffmanTable {
  /** By the next 9 bits: code length * 256 + symbol; 0 where the code is longer. */
  readonly fast: Uint16Array;
  /** By the next 9 bits, AC only: value * 256 + run * 16 + bits of code and value; 0 where they do not fit. */
  readonly fastValues: Int16Array;
  /** By code length: the first code beyond it, left-aligned in 16 bits. [17] ends the search. */
  readonly codeEnds: Int32Array;
  /** By code length: index of a code's symbol less the code. */
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
}

/** Row-major position of each coefficient in its coded order. */
export const ZIGZAG: Uint8Array = zigzag();

function zigzag(): Uint8Array {
  const positions = Array.from({ length: 64 }, (_, at) => ({ at, row: at >> 3, column: at & 7 }));
  const climbs = (diagonal: number) => diagonal % 2 === 0;
  positions.sort((a, b) => {
    const [here, there] = [a.row + a.column, b.row + b.column];
    return here - there || (climbs(here) ? b.row - a.row : a.row - b.row);
  });
  return Uint8Array.from(positions, ({ at }) => at);
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly { id: number; across: number; down: number; table: number }[];
}

/** Everything up to the first scan. */
export interface JpegHead {
  readonly isProgressive: boolean;
  readonly frame: Frame;
  readonly quantization: ReadonlyMap<number, Int16Array>;
  readonly huffman: ReadonlyMap<number, HuffmanTable>;
  /** MCUs between restart markers; 0: none. */
  readonly restartInterval: number;
  /** Where the first scan's marker stands. */
  readonly scanAt: number;
}

/** @returns undefined where {@link readJpegHead} gives a progressive one, or the scan is not of all components. */
export function baselineOf(bytes: Uint8Array, head: JpegHead): BaselineJpeg | undefined {
  const { frame, quantization, huffman, restartInterval, scanAt } = head;
  const end = scanAt + 2 + viewOf(bytes).getUint16(scanAt + 2);
  const payload = bytes.subarray(scanAt + 4, end);
  const components = scanComponents(payload, frame, quantization, huffman);
  if (head.isProgressive || components === undefined) return undefined;
  return { width: frame.width, height: frame.height, components, restartInterval, scanAt: end };
}

/** The frame's components with their factors; undefined where a table is missing. */
export function frameComponents({ frame, quantization }: JpegHead): FrameComponent[] | undefined {
  const components = frame.components.flatMap(({ id, across, down, table }) => {
    const factors = quantization.get(table);
    return factors === undefined ? [] : [{ id, across, down, quantization: factors }];
  });
  return components.length === frame.components.length ? components : undefined;
}

/**
 * Reads everything up to the first scan.
 *
 * @returns undefined for whatever is not plain: another process than Huffman, baseline or progressive, another number of
 *   components, other sampling than 4:4:4, 4:2:2 or 4:2:0, colours that are not YCbCr, tables that are broken.
 */
export function readJpegHead(bytes: Uint8Array): JpegHead | undefined {
  const view = viewOf(bytes);
  const quantization = new Map<number, Int16Array>();
  const huffman = new Map<number, HuffmanTable>();
  let frame: Frame | undefined;
  let isProgressive = false;
  let restartInterval = 0;
  let hasJfif = false;
  let adobeTransform: number | undefined;
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    const end = at + 2 + view.getUint16(at + 2);
    const payload = bytes.subarray(at + 4, end);
    if (end > bytes.length) return undefined;
    if (marker === 0xdb && !readQuantization(payload, quantization)) return undefined;
    if (marker === 0xc4 && !readHuffman(payload, huffman)) return undefined;
    // Another kind of frame, a second one, or arithmetic coding.
    const isFrame = marker === 0xc0 || marker === 0xc2;
    if (marker > 0xc0 && marker <= 0xcf && marker !== 0xc4 && !isFrame) return undefined;
    if (isFrame && frame !== undefined) return undefined;
    if (isFrame) frame = readFrame(payload);
    isProgressive ||= marker === 0xc2;
    if (marker === 0xdd && payload.length >= 2) restartInterval = viewOf(payload).getUint16(0);
    if (marker === 0xe0) hasJfif ||= latin1(payload, 0, 5) === "JFIF\0";
    if (marker === 0xee && latin1(payload, 0, 5) === "Adobe") adobeTransform = payload[11];
    if (marker === 0xda) {
      if (frame === undefined || !isYcc(frame, hasJfif, adobeTransform)) return undefined;
      return { isProgressive, frame, quantization, huffman, restartInterval, scanAt: at };
    }
    at = end;
  }
  return undefined;
}

/** libjpeg's guess (jdapimin.c, `default_decompress_parms`), as far as it is sure. */
function isYcc({ components }: Frame, hasJfif: boolean, adobeTransform: number | undefined): boolean {
  if (components.length === 1 || hasJfif) return true;
  if (adobeTransform !== undefined) return adobeTransform === 1;
  return components.every(({ id }, index) => id === index + 1);
}

function readFrame(payload: Uint8Array): Frame | undefined {
  if (payload.length < 6) return undefined;
  const view = viewOf(payload);
  const count = view.getUint8(5);
  if (payload[0] !== 8 || payload.length < 6 + 3 * count) return undefined;
  const components = Array.from({ length: count }, (_, index) => {
    const at = 6 + 3 * index;
    const sampling = view.getUint8(at + 1);
    return {
      id: view.getUint8(at),
      across: sampling >> 4,
      down: sampling & 15,
      table: view.getUint8(at + 2),
    };
  });
  const frame = { width: view.getUint16(3), height: view.getUint16(1), components };
  if (count === 1)
    return { ...frame, components: components.map((only) => ({ ...only, across: 1, down: 1 })) };
  const [luma, ...chroma] = components;
  const isPlain = count === 3 && chroma.every(({ across, down }) => across === 1 && down === 1);
  const sampling = `${luma?.across}x${luma?.down}`;
  return isPlain && ["1x1", "2x1", "2x2"].includes(sampling) ? frame : undefined;
}

/** Factors stand in zigzag order, 8 or 16 bits each. */
function readQuantization(payload: Uint8Array, tables: Map<number, Int16Array>): boolean {
  for (let at = 0; at < payload.length; at += 65) {
    const head = payload[at] as number;
    if (head >> 4 !== 0 || at + 65 > payload.length) return false;
    const table = new Int16Array(64);
    for (let index = 0; index < 64; index += 1)
      table[ZIGZAG[index] as number] = payload[at + 1 + index] as number;
    tables.set(head, table);
  }
  return true;
}

/** @returns whether the segment was sound. */
export function readHuffman(payload: Uint8Array, tables: Map<number, HuffmanTable>): boolean {
  for (let at = 0; at < payload.length; ) {
    const counts = payload.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = payload.subarray(at + 17, at + 17 + total);
    if (counts.length < 16 || total > 256 || symbols.length < total) return false;
    // A DC symbol is a number of bits.
    const isDc = (payload[at] as number) < 0x10;
    if (isDc && symbols.some((symbol) => symbol > 15)) return false;
    const table = huffmanTable(counts, symbols);
    if (table === undefined) return false;
    tables.set(payload[at] as number, table);
    at += 17 + total;
  }
  return true;
}

function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable | undefined {
  const fast = new Uint16Array(1 << FAST_BITS);
  const codeEnds = new Int32Array(18);
  const offsets = new Int32Array(17);
  let [code, index] = [0, 0];
  for (let length = 1; length <= 16; length += 1, code <<= 1) {
    offsets[length] = index - code;
    for (let count = counts[length - 1] as number; count > 0; count -= 1, code += 1, index += 1) {
      if (length > FAST_BITS) continue;
      const first = code << (FAST_BITS - length);
      fast.fill((length << 8) | (symbols[index] as number), first, first + (1 << (FAST_BITS - length)));
    }
    // No code may be all ones.
    if ((counts[length - 1] as number) > 0 && code >= 1 << length) return undefined;
    codeEnds[length] = code << (16 - length);
  }
  codeEnds[17] = 0x7fff_ffff;
  return { fast, fastValues: fastValuesOf(fast), codeEnds, offsets, symbols };
}

function fastValuesOf(fast: Uint16Array): Int16Array {
  const values = new Int16Array(fast.length);
  for (let bits = 0; bits < fast.length; bits += 1) {
    const length = (fast[bits] as number) >> 8;
    const run = ((fast[bits] as number) >> 4) & 15;
    const size = (fast[bits] as number) & 15;
    if (length === 0 || size === 0 || length + size > FAST_BITS) continue;
    const raw = (bits >> (FAST_BITS - length - size)) & ((1 << size) - 1);
    const value = raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw;
    if (value >= -128 && value <= 127) values[bits] = value * 256 + run * 16 + length + size;
  }
  return values;
}

function scanComponents(
  payload: Uint8Array,
  frame: Frame,
  quantization: ReadonlyMap<number, Int16Array>,
  huffman: ReadonlyMap<number, HuffmanTable>,
): JpegComponent[] | undefined {
  if (payload[0] !== frame.components.length || payload.length < 4 + 2 * frame.components.length)
    return undefined;
  const components: JpegComponent[] = [];
  for (const [index, { id, across, down, table }] of frame.components.entries()) {
    const selectors = payload[2 + 2 * index] as number;
    const factors = quantization.get(table);
    const dc = huffman.get(selectors >> 4);
    const ac = huffman.get(0x10 | (selectors & 15));
    if (payload[1 + 2 * index] !== id || !factors || !dc || !ac) return undefined;
    components.push({ id, across, down, quantization: factors, dc, ac });
  }
  return components;
}
