/** The boxes of an AVIF that say how large its picture is and which way up (ISO/IEC 23008-12). */
import { checkPartCount, latin1, undecodable, viewOf } from "./byte-reader.js";
import type { Orientation } from "./orientation.js";

export interface AvifHeader {
  /** As coded, before it is turned. */
  readonly width: number;
  readonly height: number;
  /** What `irot` and `imir` come to; EXIF's own word does not count, as in Pillow. */
  readonly orientation: Orientation;
}

interface Box {
  readonly kind: string;
  /** Address of its content and of what follows it. */
  readonly start: number;
  readonly end: number;
}

/** Whether an `ftyp` box says that the pictures are AV1. */
export function isAvif(start: string): boolean {
  if (start.slice(4, 8) !== "ftyp") return false;
  const brands = start.slice(8, 64);
  return /^avi[fs]/.test(brands) || (/^m[is]f1/.test(brands) && brands.includes("avif"));
}

/** @throws {ServeError} IMAGE_UNDECODABLE when no size is found. */
export function readAvifHeader(bytes: Uint8Array): AvifHeader {
  const meta = boxesOf(bytes, 0, bytes.length).find(({ kind }) => kind === "meta");
  if (meta === undefined) throw undecodable("AVIF", "it holds no picture");
  const inner = boxesOf(bytes, meta.start + 4, meta.end);
  const find = (kind: string): Box => {
    const box = inner.find((candidate) => candidate.kind === kind);
    if (box === undefined) throw undecodable("AVIF", `it has no ${kind} box`);
    return box;
  };
  const view = viewOf(bytes);
  const pitm = find("pitm");
  const primary =
    view.getUint8(pitm.start) === 0 ? view.getUint16(pitm.start + 4) : view.getUint32(pitm.start + 4);
  const [ipco, ipma] = propertyBoxes(bytes, find("iprp"));
  const properties = boxesOf(bytes, ipco.start, ipco.end);
  const own = associations(view, ipma, primary).flatMap((index) => properties[index - 1] ?? []);
  const size = own.find(({ kind }) => kind === "ispe");
  if (size === undefined || size.start + 12 > bytes.length) throw undecodable("AVIF", "its size is not said");
  const rotation = own.find(({ kind }) => kind === "irot");
  const mirror = own.find(({ kind }) => kind === "imir");
  return {
    width: view.getUint32(size.start + 4),
    height: view.getUint32(size.start + 8),
    orientation: orientationOf(
      rotation === undefined ? 0 : (bytes[rotation.start] ?? 0) & 3,
      mirror === undefined ? undefined : (bytes[mirror.start] ?? 0) & 1,
    ),
  };
}

/** @param quarterTurns anticlockwise, then mirrored: 0 top and bottom swapped, 1 left and right. */
function orientationOf(quarterTurns: number, mirror: number | undefined): Orientation {
  const turned = [1, 8, 3, 6] as const;
  const topAndBottom = [4, 5, 2, 7] as const;
  const leftAndRight = [2, 7, 4, 5] as const;
  const table = mirror === undefined ? turned : mirror === 0 ? topAndBottom : leftAndRight;
  return table[quarterTurns] ?? 1;
}

function propertyBoxes(bytes: Uint8Array, iprp: Box): [ipco: Box, ipma: Box] {
  const inner = boxesOf(bytes, iprp.start, iprp.end);
  const ipco = inner.find(({ kind }) => kind === "ipco");
  const ipma = inner.find(({ kind }) => kind === "ipma");
  if (ipco === undefined || ipma === undefined) throw undecodable("AVIF", "its properties are not said");
  return [ipco, ipma];
}

/** Numbers, from 1, of the properties of an item. */
function associations(view: DataView, { start, end }: Box, item: number): number[] {
  const isLong = view.getUint8(start) > 0;
  const isWide = (view.getUint8(start + 3) & 1) === 1;
  let at = start + 8;
  for (let left = view.getUint32(start + 4); left > 0 && at + 3 <= end; left -= 1) {
    const id = isLong ? view.getUint32(at) : view.getUint16(at);
    at += isLong ? 4 : 2;
    const count = view.getUint8(at);
    at += 1;
    const size = isWide ? 2 : 1;
    if (at + count * size > end) break;
    if (id === item) {
      return Array.from({ length: count }, (_, index) =>
        isWide ? view.getUint16(at + 2 * index) & 0x7fff : view.getUint8(at + index) & 0x7f,
      );
    }
    at += count * size;
  }
  return [];
}

/** The boxes that lie one behind the other, up to the first that is not whole. */
function boxesOf(bytes: Uint8Array, first: number, end: number): Box[] {
  const view = viewOf(bytes);
  const boxes: Box[] = [];
  for (let at = first; at + 8 <= end; ) {
    const size = view.getUint32(at);
    const isLarge = size === 1 && at + 16 <= end;
    const length = size === 0 ? end - at : isLarge ? Number(view.getBigUint64(at + 8)) : size;
    if (length < 8 || at + length > end) break;
    boxes.push({ kind: latin1(bytes, at + 4, at + 8), start: at + (isLarge ? 16 : 8), end: at + length });
    checkPartCount("AVIF", boxes.length);
    at += length;
  }
  return boxes;
}
