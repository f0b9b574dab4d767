/**
 * TFRecord, the file of byte strings in which TensorFlow keeps warm-up requests: per record its length (uint64), a
 * masked CRC-32C of that, the bytes, and a masked CRC-32C of those; all numbers little-endian.
 *
 * Source: tensorflow/core/lib/io/record_writer.h.
 */
import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";

const LENGTH_BYTES = 8;
const CRC_BYTES = 4;
const HEADER_BYTES = LENGTH_BYTES + CRC_BYTES;

/**
 * Splits a file into its records.
 *
 * @returns views of the file's bytes.
 * @throws {Error} that names the record (from 1) when it is cut short or its checksum is wrong.
 */
export function* readTfRecords(file: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let offset = 0;
  for (let record = 1; offset < file.byteLength; record++) {
    if (file.byteLength - offset < HEADER_BYTES) throw new Error(`record ${record} was cut short`);
    const lengthBytes = file.subarray(offset, offset + LENGTH_BYTES);
    if (maskCrc(crc32c(lengthBytes)) !== view.getUint32(offset + LENGTH_BYTES, true)) {
      throw new Error(`record ${record} had a length with a wrong checksum`);
    }
    const length = Number(view.getBigUint64(offset, true));
    const start = offset + HEADER_BYTES;
    if (length + CRC_BYTES > file.byteLength - start) throw new Error(`record ${record} was cut short`);
    const payload = file.subarray(start, start + length);
    if (maskCrc(crc32c(payload)) !== view.getUint32(start + length, true)) {
      throw new Error(`record ${record} had a wrong checksum`);
    }
    yield payload;
    offset = start + length + CRC_BYTES;
  }
}

/** The bytes of one record in a file. */
export function tfRecord(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER_BYTES + payload.byteLength + CRC_BYTES);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.byteLength), true);
  view.setUint32(LENGTH_BYTES, maskCrc(crc32c(record.subarray(0, LENGTH_BYTES))), true);
  record.set(payload, HEADER_BYTES);
  view.setUint32(HEADER_BYTES + payload.byteLength, maskCrc(crc32c(payload)), true);
  return record;
}
