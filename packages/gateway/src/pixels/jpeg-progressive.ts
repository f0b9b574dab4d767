/** The scans of a progressive JPEG to coefficients, as libjpeg reads them (jdphuff.c; ITU T.81, annex G). */
import { viewOf } from "./byte-reader.js";
import { FAST_BITS, type HuffmanTable, type JpegHead, readHuffman, ZIGZAG } from "./jpeg-tables.js";

/** One component's blocks: those of all its MCUs, 64 coefficients each, row-major. */
export interface ComponentBlocks {
  readonly coefficients: Int16Array;
  readonly blocksPerRow: number;
}

interface TrackedBlocks extends ComponentBlocks {
  /** Two int32 per block: the bit of each coefficient, in coded order, that is not 0. */
  readonly filled: Int32Array;
}

/** More are no picture that somebody saved: libvips may say what becomes of it. */
const MAX_SCANS = 100;
/** What 8-bit samples can need. */
const MAX_DC_BITS = 11;
const MAX_AC_BITS = 10;
const MAX_DC = 2047;
const NOT_SEEN = -1;

interface Scan {
  /** Indices of components. */
  readonly members: readonly { readonly index: number; readonly dc: number; readonly ac: number }[];
  readonly first: number;
  readonly last: number;
  /** Bits that came before, and bits that are still to come. */
  readonly high: number;
  readonly low: number;
}

/** Thrown and caught in here: the scan is not sound, or not plain. */
class Unsound extends Error {}

/**
 * Adds up all scans.
 *
 * @param blocks of each component of the frame, all zero.
 * @returns false when anything is not plain and sound: a marker or code that does not fit, coefficients that are left out or
 *   inexact (which libjpeg smooths over), tables of quantization between scans.
 */
export function readScans(bytes: Uint8Array, head: JpegHead, blocks: readonly ComponentBlocks[]): boolean {
  try {
    readAll(bytes, head, blocks);
    return true;
  } catch (error) {
    if (error instanceof Unsound) return false;
    throw error;
  }
}

function readAll(bytes: Uint8Array, head: JpegHead, components: readonly ComponentBlocks[]): void {
  const blocks = components.map((own): TrackedBlocks => {
    return { ...own, filled: new Int32Array(own.coefficients.length / 32) };
  });
  const view = viewOf(bytes);
  const huffman = new Map(head.huffman);
  const data = new Uint8Array(bytes.length + SLACK_BYTES);
  /** By component and coefficient: the bits that are still to come. */
  const pending = blocks.map(() => new Int8Array(64).fill(NOT_SEEN));
  let { restartInterval } = head;
  let at = head.scanAt;
  for (let scans = 0; bytes[at] === 0xff && bytes[at + 1] !== 0xd9; ) {
    if (at + 4 > bytes.length) throw new Unsound();
    const marker = view.getUint8(at + 1);
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw new Unsound();
    const payload = bytes.subarray(at + 4, end);
    at = end;
    if (marker === 0xda) {
      scans += 1;
      if (scans > MAX_SCANS) throw new Unsound();
      const scan = scanOf(payload, head);
      notePending(scan, pending);
      at = readScan(bytes, end, scan, { head, blocks, huffman, restartInterval, data });
    } else if (marker === 0xc4) {
      if (!readHuffman(payload, huffman)) throw new Unsound();
    } else if (marker === 0xdd && payload.length >= 2) restartInterval = viewOf(payload).getUint16(0);
    else if (marker !== 0xfe && (marker < 0xe0 || marker > 0xef)) throw new Unsound();
  }
  const isEnd = bytes[at] === 0xff && bytes[at + 1] === 0xd9;
  if (!isEnd || pending.some((bits) => bits.some((count) => count !== 0))) throw new Unsound();
}

function scanOf(payload: Uint8Array, { frame }: JpegHead): Scan {
  const count = payload[0] ?? 0;
  if (payload.length < 4 + 2 * count || count === 0) throw new Unsound();
  const members = Array.from({ length: count }, (_, member) => {
    const selectors = payload[2 + 2 * member] as number;
    const index = frame.components.findIndex(({ id }) => id === payload[1 + 2 * member]);
    return { index, dc: selectors >> 4, ac: 0x10 | (selectors & 15) };
  });
  const isOrdered = members.every(({ index }, member) => index > (members[member - 1]?.index ?? -1));
  const [first, last, approximation] = payload.subarray(1 + 2 * count) as unknown as [number, number, number];
  const [high, low] = [approximation >> 4, approximation & 15];
  const isBand = first === 0 ? last === 0 : first <= last && last <= 63 && count === 1;
  if (!isOrdered || !isBand || low > 13 || (high !== 0 && high !== low + 1)) throw new Unsound();
  return { members, first, last, high, low };
}

/** Every coefficient comes once, and then bit by bit. */
function notePending({ members, first, last, high, low }: Scan, pending: readonly Int8Array[]): void {
  for (const { index } of members) {
    const bits = pending[index];
    for (let at = first; at <= last; at += 1) {
      if (bits === undefined || bits[at] !== (high === 0 ? NOT_SEEN : high)) throw new Unsound();
      if (first > 0 && bits[0] === NOT_SEEN) throw new Unsound();
      bits[at] = low;
    }
  }
}

interface ScanSurroundings {
  readonly head: JpegHead;
  readonly blocks: readonly TrackedBlocks[];
  readonly huffman: ReadonlyMap<number, HuffmanTable>;
  readonly restartInterval: number;
  /** Room for any part of the file. */
  readonly data: Uint8Array;
}

/**
 * Reads the blocks of some MCUs, from a restart or the beginning on.
 *
 * @param data bits without what lies between them in the file, zeros behind them.
 * @returns how many bits were used.
 */
type ReadMcus = (data: Uint8Array, bits: number, fromMcu: number, toMcu: number) => number;

/** @returns where the marker behind it stands. */
function readScan(bytes: Uint8Array, start: number, scan: Scan, surroundings: ScanSurroundings): number {
  const { mcus, read } = readerOf(scan, surroundings);
  const { data } = surroundings;
  const interval = surroundings.restartInterval === 0 ? mcus : surroundings.restartInterval;
  let at = start;
  for (let first = 0, restarts = 0; first < mcus; first += interval, restarts += 1) {
    if (first > 0) {
      if (bytes[at + 1] !== 0xd0 + ((restarts - 1) & 7)) throw new Unsound();
      at += 2;
    }
    const segment = segmentFrom(bytes, at, data);
    const used = read(data, segment.bits, first, Math.min(first + interval, mcus));
    // A byte or more that the scan does not need.
    if (used > segment.bits || segment.bits - used >= 8) throw new Unsound();
    at = segment.markerAt;
  }
  return at;
}

interface Segment {
  readonly bits: number;
  readonly markerAt: number;
}

/** More than the codes of one MCU can take. */
const SLACK_BYTES = 512;

/** What is coded up to the next marker, without the 0 that follows each 0xff, at the start of `data`. */
function segmentFrom(bytes: Uint8Array, start: number, data: Uint8Array): Segment {
  let markerAt = start;
  do markerAt = bytes.indexOf(0xff, markerAt) + 2;
  while (markerAt > 1 && bytes[markerAt - 1] === 0);
  markerAt -= 2;
  if (markerAt < 0) throw new Unsound();
  let to = 0;
  for (let at = start; at < markerAt; ) {
    const stuffed = bytes.indexOf(0xff, at);
    const end = Math.min(stuffed + 1, markerAt);
    data.set(bytes.subarray(at, end), to);
    to += end - at;
    at = stuffed + 2;
  }
  data.fill(0, to, to + SLACK_BYTES);
  return { bits: 8 * to, markerAt };
}

function readerOf(
  scan: Scan,
  { head, blocks, huffman }: ScanSurroundings,
): { readonly mcus: number; readonly read: ReadMcus } {
  const { components, width, height } = head.frame;
  const most = { across: components[0]?.across ?? 1, down: components[0]?.down ?? 1 };
  const members = scan.members.map(({ index, dc, ac }): Member => {
    const [component, own] = [components[index], blocks[index]];
    const table = huffman.get(scan.first === 0 ? dc : ac);
    const needsTable = scan.first > 0 || scan.high === 0;
    if (component === undefined || own === undefined || (needsTable && table === undefined))
      throw new Unsound();
    const { across, down } = component;
    return { ...own, across, down, table: table ?? NO_TABLE };
  });
  const [only] = members;
  if (scan.members.length > 1 || only === undefined) {
    const mcusAcross = Math.ceil(width / (8 * most.across));
    const mcus = mcusAcross * Math.ceil(height / (8 * most.down));
    return { mcus, read: dcReader(scan, members, mcusAcross) };
  }
  // A scan of one component has no MCUs, and none of the blocks that only fill them up.
  const blocksAcross = Math.ceil(Math.ceil((width * only.across) / most.across) / 8);
  const mcus = blocksAcross * Math.ceil(Math.ceil((height * only.down) / most.down) / 8);
  if (scan.first === 0) {
    return { mcus, read: dcReader(scan, [{ ...only, across: 1, down: 1 }], blocksAcross) };
  }
  const reader = scan.high === 0 ? acReader : acRefiner;
  return { mcus, read: reader(scan, only, blocksAcross) };
}

interface Member extends TrackedBlocks {
  readonly across: number;
  readonly down: number;
  readonly table: HuffmanTable;
}

const NO_TABLE: HuffmanTable = {
  fast: new Uint16Array(0),
  fastValues: new Int16Array(0),
  codeEnds: new Int32Array(0),
  offsets: new Int32Array(0),
  symbols: new Uint8Array(0),
};

/** The next 16 bits. */
function ahead(data: Uint8Array, at: number): number {
  const byte = at >> 3;
  const three =
    ((data[byte] as number) << 16) | ((data[byte + 1] as number) << 8) | (data[byte + 2] as number);
  return (three >> (8 - (at & 7))) & 0xffff;
}

function bitAt(data: Uint8Array, at: number): number {
  return ((data[at >> 3] as number) >> (7 - (at & 7))) & 1;
}

/** A number of `size` bits, at least 1, whose first bit tells the sign. */
function valueAt(data: Uint8Array, at: number, size: number): number {
  const raw = ahead(data, at) >> (16 - size);
  return raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw;
}

/** Length of the next code * 256 + its symbol. */
function codeAt(data: Uint8Array, at: number, table: HuffmanTable): number {
  const next = ahead(data, at);
  const short = table.fast[next >> (16 - FAST_BITS)] as number;
  return short === 0 ? longCode(next, table) : short;
}

function longCode(next: number, { codeEnds, offsets, symbols }: HuffmanTable): number {
  let length = FAST_BITS + 1;
  while (next >= (codeEnds[length] as number)) length += 1;
  if (length > 16) throw new Unsound();
  return (length << 8) | (symbols[(next >> (16 - length)) + (offsets[length] as number)] as number);
}

function dcReader({ high, low }: Scan, members: readonly Member[], mcusAcross: number): ReadMcus {
  return (data, bits, fromMcu, toMcu) => {
    let at = 0;
    const previous = members.map(() => 0);
    for (let mcu = fromMcu; mcu < toMcu; mcu += 1) {
      const [row, column] = [Math.trunc(mcu / mcusAcross), mcu % mcusAcross];
      for (let member = 0; member < members.length; member += 1) {
        const { coefficients, blocksPerRow, across, down, table } = members[member] as Member;
        for (let block = 0; block < across * down; block += 1) {
          const y = row * down + Math.trunc(block / across);
          const place = 64 * (y * blocksPerRow + column * across + (block % across));
          if (high > 0) {
            coefficients[place] = (coefficients[place] as number) | (bitAt(data, at) << low);
            at += 1;
            continue;
          }
          const code = codeAt(data, at, table);
          const size = code & 255;
          at += code >> 8;
          if (size > MAX_DC_BITS) throw new Unsound();
          const value = (previous[member] as number) + (size === 0 ? 0 : valueAt(data, at, size));
          at += size;
          if (Math.abs(value * (1 << low)) > MAX_DC) throw new Unsound();
          previous[member] = value;
          coefficients[place] = value << low;
        }
      }
      if (at > bits) throw new Unsound();
    }
    return at;
  };
}

function acReader(
  { first, last, low }: Scan,
  { coefficients, blocksPerRow, table, filled }: Member,
  across: number,
): ReadMcus {
  // The values that come with their code in one look have up to 7 bits.
  const isShort = 7 + low <= MAX_AC_BITS;
  return (data, bits, fromBlock, toBlock) => {
    let at = 0;
    for (let block = fromBlock; block < toBlock; block += 1) {
      const place = Math.trunc(block / across) * blocksPerRow + (block % across);
      for (let index = first; index <= last; index += 1) {
        const short = table.fastValues[ahead(data, at) >> (16 - FAST_BITS)] as number;
        if (isShort && short !== 0) {
          index += (short >> 4) & 15;
          if (index > last) throw new Unsound();
          coefficients[64 * place + (ZIGZAG[index] as number)] = (short >> 8) << low;
          markFilled(filled, place, index);
          at += short & 15;
          continue;
        }
        const code = codeAt(data, at, table);
        at += code >> 8;
        const run = (code >> 4) & 15;
        const size = code & 15;
        if (size === 0) {
          if (run === 15) {
            index += 15;
            continue;
          }
          // So many blocks, this one included, have nothing more in this band.
          block += (1 << run) - 1 + (ahead(data, at) >> (16 - run));
          at += run;
          break;
        }
        index += run;
        if (index > last || size + low > MAX_AC_BITS) throw new Unsound();
        coefficients[64 * place + (ZIGZAG[index] as number)] = valueAt(data, at, size) << low;
        markFilled(filled, place, index);
        at += size;
      }
      if (at > bits) throw new Unsound();
    }
    return at;
  };
}

function markFilled(filled: Int32Array, place: number, index: number): void {
  const half = 2 * place + (index >> 5);
  filled[half] = (filled[half] as number) | (1 << (index & 31));
}

/** The first coefficient from `index` on that is not 0; 64 when there is none. */
function nextFilled(filled: Int32Array, place: number, index: number): number {
  if (index < 32) {
    const low = (filled[2 * place] as number) & (-1 << index);
    if (low !== 0) return 31 - Math.clz32(low & -low);
  } else if (index > 63) return 64;
  const high = (filled[2 * place + 1] as number) & (-1 << Math.max(0, index - 32));
  return high === 0 ? 64 : 63 - Math.clz32(high & -high);
}

function acRefiner(
  { first, last, low }: Scan,
  { coefficients, blocksPerRow, table, filled }: Member,
  across: number,
): ReadMcus {
  const one = 1 << low;
  return (data, bits, fromBlock, toBlock) => {
    let at = 0;
    /** Blocks to come, this one included, that have nothing new in this band. */
    let emptyBlocks = 0;
    for (let block = fromBlock; block < toBlock; block += 1) {
      const place = Math.trunc(block / across) * blocksPerRow + (block % across);
      let index = first;
      while (index <= last) {
        let zeros = 64;
        let fresh = 0;
        if (emptyBlocks === 0) {
          const code = codeAt(data, at, table);
          at += code >> 8;
          zeros = (code >> 4) & 15;
          const size = code & 15;
          if (size > 1) throw new Unsound();
          if (size === 1) {
            fresh = bitAt(data, at) === 1 ? one : -one;
            at += 1;
          } else if (zeros < 15) {
            emptyBlocks = (1 << zeros) + (ahead(data, at) >> (16 - zeros));
            at += zeros;
            zeros = 64;
          }
        }
        // Over so many zeros; what is not 0 on the way gets its next bit.
        while (index <= last) {
          const next = Math.min(nextFilled(filled, place, index), last + 1);
          if (zeros < next - index) {
            index += zeros;
            break;
          }
          zeros -= next - index;
          index = next;
          if (index > last) break;
          const here = 64 * place + (ZIGZAG[index] as number);
          const value = coefficients[here] as number;
          if (bitAt(data, at) === 1 && (value & one) === 0)
            coefficients[here] = value > 0 ? value + one : value - one;
          at += 1;
          index += 1;
        }
        if (fresh !== 0) {
          if (index > last) throw new Unsound();
          coefficients[64 * place + (ZIGZAG[index] as number)] = fresh;
          markFilled(filled, place, index);
        }
        index += 1;
      }
      if (emptyBlocks > 0) emptyBlocks -= 1;
      if (at > bits) throw new Unsound();
    }
    return at;
  };
}
