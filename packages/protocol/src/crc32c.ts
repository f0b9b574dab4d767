/** CRC-32C (Castagnoli), which guards TensorFlow's records and the blocks and tensors of its bundles. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** `TABLES[s][b]`: what byte `b` does to the checksum when `s` more bytes follow it. */
const TABLES = makeTables();

/** @param before checksum of what precedes `bytes`, to continue it. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let crc = ~before;
  let at = 0;
  // Eight bytes a step: a lookup each, none of which waits for another.
  for (const whole = bytes.length - (bytes.length % SLICES); at < whole; at += SLICES) {
    const low =
      crc ^
      (at0(bytes, at) | (at0(bytes, at + 1) << 8) | (at0(bytes, at + 2) << 16) | (at0(bytes, at + 3) << 24));
    crc =
      entry(t7, low & 0xff) ^
      entry(t6, (low >>> 8) & 0xff) ^
      entry(t5, (low >>> 16) & 0xff) ^
      entry(t4, low >>> 24) ^
      entry(t3, at0(bytes, at + 4)) ^
      entry(t2, at0(bytes, at + 5)) ^
      entry(t1, at0(bytes, at + 6)) ^
      entry(t0, at0(bytes, at + 7));
  }
  for (; at < bytes.length; at++) crc = entry(t0, (crc ^ at0(bytes, at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The form in which checksums are stored beside what they cover. Source: leveldb/util/crc32c.h. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function at0(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

function entry(table: Uint32Array | undefined, index: number): number {
  return table?.[index] ?? 0;
}

function makeTables(): readonly Uint32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Uint32Array(256));
  const [first = new Uint32Array(256)] = tables;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  for (let slice = 1; slice < SLICES; slice++) {
    const previous = tables[slice - 1] ?? first;
    const table = tables[slice] ?? first;
    for (let byte = 0; byte < 256; byte++) {
      const crc = entry(previous, byte);
      table[byte] = entry(first, crc & 0xff) ^ (crc >>> 8);
    }
  }
  return tables;
}
