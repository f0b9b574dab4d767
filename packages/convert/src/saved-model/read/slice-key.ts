/** Keys under which a bundle stores the slices of a partitioned variable. */

/** A part of a tensor along each axis; a length of -1 is the whole axis. */
export type Slice = readonly { readonly start: number; readonly length: number }[];

/**
 * Key of one slice, a character per byte: the name, then start and length of each axis, in a code whose bytes sort
 * as the numbers do.
 *
 * Source: tensorflow/core/util/saved_tensor_slice_util.cc, tensorflow/core/lib/strings/ordered_code.cc.
 */
export function sliceKey(name: string, slice: Slice): string {
  const bytes = [0];
  for (const byte of Buffer.from(name)) {
    bytes.push(byte);
    if (byte === 0) bytes.push(0xff);
    else if (byte === 0xff) bytes.push(0);
  }
  bytes.push(0, 1, ...unsigned(slice.length));
  for (const { start, length } of slice) bytes.push(...signed(start), ...signed(length));
  return Buffer.from(bytes).toString("latin1");
}

function unsigned(value: number): number[] {
  const bytes = bigEndian(BigInt(value));
  const first = bytes.findIndex((byte) => byte !== 0);
  const significant = first === -1 ? [] : bytes.slice(first);
  return [significant.length, ...significant];
}

/** One byte for 6 bits and a sign, then one byte for each 7 bits more; leading ones state how many there are. */
function signed(value: number): number[] {
  const magnitude = BigInt(value < 0 ? -value - 1 : value);
  const bits = magnitude === 0n ? 0 : magnitude.toString(2).length;
  const count = Math.floor(bits / 7) + 1;
  const sign = value < 0 ? 0xff : 0;
  const bytes = [sign, sign, ...bigEndian(BigInt(value))].slice(-count);
  const ones = (1n << 16n) - (1n << BigInt(16 - count));
  bytes[0] = (bytes[0] ?? 0) ^ Number(ones >> 8n);
  if (count > 1) bytes[1] = (bytes[1] ?? 0) ^ Number(ones & 0xffn);
  return bytes;
}

function bigEndian(value: bigint): number[] {
  const bits = BigInt.asUintN(64, value);
  return Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(8 * (7 - index))) & 0xffn));
}
