/** The sorted table of LevelDB that a bundle's index is. */

import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";
import { ServeError } from "@vitrine/protocol/status";
import { expandSnappy } from "./snappy.js";

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
/** Keys share prefixes, so that few bytes of a file can make many long ones. */
const MAX_KEY_BYTES = 64 * 1024 * 1024;
const MAGIC = 0xdb4775248b80fb57n;

/**
 * Reads all entries of a table.
 *
 * @param name of the file, for messages.
 * @returns values by key, a character per byte (keys of slices are no text); views of `file` where blocks are not
 *   compressed.
 * @throws {ServeError} MODEL_INVALID when lengths, checksums or the order of keys are wrong.
 *
 * Source: leveldb/doc/table_format.md.
 */
export function readSortedTable(file: Uint8Array, name: string): ReadonlyMap<string, Uint8Array> {
  const damaged = (what: string) =>
    new ServeError("MODEL_INVALID", `${name} was damaged (${what}), expected the index of a checkpoint`);
  if (file.length < FOOTER_BYTES) throw damaged(`it has ${file.length} bytes`);
  const footer = file.subarray(file.length - FOOTER_BYTES);
  if (viewOf(footer).getBigUint64(FOOTER_BYTES - 8, true) !== MAGIC)
    throw damaged("its last bytes are others");

  const read = (offset: number, size: number): Uint8Array => {
    // Written so that no sum can pass 2^53.
    if (size > file.length - FOOTER_BYTES - TRAILER_BYTES - offset)
      throw damaged("a block lies outside of it");
    const block = file.subarray(offset, offset + size);
    const trailer = file.subarray(offset, offset + size + TRAILER_BYTES);
    const compression = trailer[size];
    if (maskCrc(crc32c(trailer.subarray(0, size + 1))) !== viewOf(trailer).getUint32(size + 1, true)) {
      throw damaged("a block's checksum is wrong");
    }
    if (compression === 0) return block;
    if (compression === 1) return expandSnappy(block);
    throw damaged(`a block is compressed by method ${compression}`);
  };

  const handles = new Cursor(footer.subarray(0, FOOTER_BYTES - 8), damaged);
  // The metaindex block, which is empty.
  handles.varint();
  handles.varint();
  const entries = new Map<string, Uint8Array>();
  const seen = new Set<number>();
  let keyBytes = 0;
  for (const [, handle] of entriesOf(read(handles.varint(), handles.varint()), damaged)) {
    const cursor = new Cursor(handle, damaged);
    const offset = cursor.varint();
    // One block named again and again would cost time without end.
    if (seen.has(offset)) throw damaged("a block is named twice");
    seen.add(offset);
    for (const [key, value] of entriesOf(read(offset, cursor.varint()), damaged)) {
      keyBytes += key.length;
      if (keyBytes > MAX_KEY_BYTES) throw damaged("its keys are too long");
      entries.set(key, value);
    }
  }
  return entries;
}

type Damaged = (what: string) => ServeError;

function* entriesOf(block: Uint8Array, damaged: Damaged): Generator<[key: string, value: Uint8Array]> {
  if (block.length < 4) throw damaged("a block is too short");
  const restarts = viewOf(block).getUint32(block.length - 4, true);
  const end = block.length - 4 - 4 * restarts;
  if (end < 0) throw damaged("a block has more restarts than bytes");
  const cursor = new Cursor(block.subarray(0, end), damaged);
  let key = new Uint8Array(0);
  while (!cursor.done) {
    const shared = cursor.varint();
    const unshared = cursor.varint();
    const length = cursor.varint();
    if (shared > key.length) throw damaged("a key shares more than there is");
    const suffix = cursor.bytes(unshared);
    const next = new Uint8Array(shared + suffix.length);
    next.set(key.subarray(0, shared));
    next.set(suffix, shared);
    key = next;
    yield [Buffer.from(key.buffer).toString("latin1"), cursor.bytes(length)];
  }
}

class Cursor {
  readonly #bytes: Uint8Array;
  readonly #damaged: Damaged;
  #at = 0;

  constructor(bytes: Uint8Array, damaged: Damaged) {
    this.#bytes = bytes;
    this.#damaged = damaged;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 53; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw this.#damaged("it ends early");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
    }
    throw this.#damaged("a length is too long");
  }

  bytes(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw this.#damaged("it ends early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
