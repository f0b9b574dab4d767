/** Writes LevelDB's sorted table, which the index of a bundle is. */
import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";

/** A block is closed when it has grown to this. */
const BLOCK_BYTES = 256 * 1024;
/** Every so many entries a key stands whole, so that readers can search. */
const RESTART_INTERVAL = 16;
const FOOTER_BYTES = 48;
const MAGIC = 0xdb4775248b80fb57n;

/**
 * Encodes a table of uncompressed blocks, as TensorFlow writes them.
 *
 * @param entries in any order.
 *
 * Source: leveldb/doc/table_format.md.
 */
export function encodeSortedTable(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...entries]
    .map(([key, value]) => ({ key: Buffer.from(key), value }))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  const parts: Uint8Array[] = [];
  let offset = 0;
  const close = (block: BlockWriter): Uint8Array => {
    const bytes = block.finish();
    const handle = Buffer.from([...varint(offset), ...varint(bytes.byteLength)]);
    const trailer = Buffer.alloc(5);
    trailer.writeUInt32LE(maskCrc(crc32c(trailer.subarray(0, 1), crc32c(bytes))), 1);
    parts.push(bytes, trailer);
    offset += bytes.byteLength + trailer.byteLength;
    return handle;
  };

  const index = new BlockWriter(1);
  let block = new BlockWriter(RESTART_INTERVAL);
  for (const [position, { key, value }] of sorted.entries()) {
    block.add(key, value);
    if (block.byteLength < BLOCK_BYTES && position < sorted.length - 1) continue;
    index.add(key, close(block));
    block = new BlockWriter(RESTART_INTERVAL);
  }
  const handles = Buffer.concat([close(new BlockWriter(1)), close(index)]);
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.set(handles);
  footer.writeBigUInt64LE(MAGIC, FOOTER_BYTES - 8);
  return Buffer.concat([...parts, footer]);
}

class BlockWriter {
  readonly #restartInterval: number;
  readonly #parts: Uint8Array[] = [];
  readonly #restarts: number[] = [];
  #entries = 0;
  #last: Uint8Array = Buffer.alloc(0);
  byteLength = 0;

  constructor(restartInterval: number) {
    this.#restartInterval = restartInterval;
  }

  add(key: Uint8Array, value: Uint8Array): void {
    const restarts = this.#entries % this.#restartInterval === 0;
    if (restarts) this.#restarts.push(this.byteLength);
    const shared = restarts ? 0 : sharedBytes(this.#last, key);
    const header = [...varint(shared), ...varint(key.byteLength - shared), ...varint(value.byteLength)];
    for (const part of [Buffer.from(header), key.subarray(shared), value]) {
      this.#parts.push(part);
      this.byteLength += part.byteLength;
    }
    this.#last = key;
    this.#entries++;
  }

  finish(): Uint8Array {
    // A block without entries has one restart, too.
    const restarts = this.#restarts.length === 0 ? [0] : this.#restarts;
    const tail = Buffer.alloc(4 * (restarts.length + 1));
    for (const [position, restart] of restarts.entries()) tail.writeUInt32LE(restart, 4 * position);
    tail.writeUInt32LE(restarts.length, 4 * restarts.length);
    return Buffer.concat([...this.#parts, tail]);
  }
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.byteLength, b.byteLength);
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
}

/** The number in groups of seven bits, lowest first. @param value a size: 0 to 2^53. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}
