/** Snappy, as LevelDB compresses the blocks of a table. */
import { ServeError } from "@vitrine/protocol/status";

/** No block of a bundle's index comes near: TensorFlow closes them at 256 KiB, a key and its entry may exceed that. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;

/**
 * Expands one Snappy block.
 *
 * @throws {ServeError} MODEL_INVALID when it is damaged or says that it is above 64 MiB.
 *
 * Source: google/snappy, format_description.txt.
 */
export function expandSnappy(block: Uint8Array): Uint8Array {
  let at = 0;
  const byte = (): number => {
    const value = block[at++];
    if (value === undefined) throw damaged("it ends early");
    return value;
  };
  const littleEndian = (count: number): number => {
    let value = 0;
    for (let index = 0; index < count; index++) value += byte() * 2 ** (8 * index);
    return value;
  };

  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const next = byte();
    length += (next & 0x7f) * 2 ** shift;
    if (next < 0x80) break;
    if (shift >= 28) throw damaged("its length is too long");
  }
  if (length > MAX_BLOCK_BYTES) throw damaged(`it expands to ${length} bytes`);

  const out = new Uint8Array(length);
  let written = 0;
  const room = (count: number): void => {
    if (count > length - written) throw damaged("it expands to more than it says");
  };
  while (at < block.length) {
    const tag = byte();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const count = (short < 60 ? short : littleEndian(short - 59)) + 1;
      room(count);
      if (count > block.length - at) throw damaged("it ends early");
      out.set(block.subarray(at, at + count), written);
      at += count;
      written += count;
      continue;
    }
    const count = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const distance = kind === 1 ? ((tag >>> 5) << 8) + byte() : littleEndian(kind === 2 ? 2 : 4);
    room(count);
    if (distance === 0 || distance > written) throw damaged("it copies from before its start");
    // Byte by byte: source and target overlap when the distance is shorter than the count.
    for (let index = 0; index < count; index++, written++) out[written] = out[written - distance] ?? 0;
  }
  if (written !== length) throw damaged(`it expands to ${written} bytes, not ${length}`);
  return out;
}

function damaged(what: string): ServeError {
  return new ServeError("MODEL_INVALID", `a compressed block was damaged (${what}), expected Snappy`);
}
