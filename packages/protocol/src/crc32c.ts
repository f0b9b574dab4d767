/** CRC-32C (Castagnoli), which guards TensorFlow's records and the blocks and tensors of its bundles. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;
const ENTRIES = 256;

const NO_WORDS = new Int32Array(0);

/** At `256 s + b`: what byte `b` does to the checksum when `s` more bytes follow it. */
const TABLE = makeTable();

/** @param before checksum of what precedes `bytes`, to continue it. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  // Words want to begin at a multiple of four.
  const lead = Math.min(bytes.length, (4 - (bytes.byteOffset % 4)) % 4);
  const count = 2 * Math.floor((bytes.length - lead) / SLICES);
  // Fewer bytes than `lead` leaves them at an offset that no words can have.
  const words = count === 0 ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + lead, count);
  const tail = lead + 4 * words.length;
  for (let at = 0; at < lead; at++) crc = (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  // Eight bytes a step: a lookup each, none of which waits for another.
  for (let at = 0; at < words.length; at += 2) {
    const low = crc ^ (words[at] ?? 0);
    const high = words[at + 1] ?? 0;
    crc =
      (TABLE[7 * ENTRIES + (low & 0xff)] ?? 0) ^
      (TABLE[6 * ENTRIES + ((low >>> 8) & 0xff)] ?? 0) ^
      (TABLE[5 * ENTRIES + ((low >>> 16) & 0xff)] ?? 0) ^
      (TABLE[4 * ENTRIES + (low >>> 24)] ?? 0) ^
      (TABLE[3 * ENTRIES + (high & 0xff)] ?? 0) ^
      (TABLE[2 * ENTRIES + ((high >>> 8) & 0xff)] ?? 0) ^
      (TABLE[ENTRIES + ((high >>> 16) & 0xff)] ?? 0) ^
      (TABLE[high >>> 24] ?? 0);
  }
  for (let at = tail; at < bytes.length; at++) {
    crc = (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** The form in which checksums are stored beside what they cover. Source: leveldb/util/crc32c.h. */
export function maskCrc(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * ENTRIES);
  for (let byte = 0; byte < ENTRIES; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = ENTRIES; at < table.length; at++) {
    const crc = table[at - ENTRIES] ?? 0;
    table[at] = (table[crc & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return table;
}
