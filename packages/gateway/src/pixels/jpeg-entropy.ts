/** Huffman-coded bytes of a baseline JPEG to coefficients. */
import {
  type BaselineJpeg,
  FAST_BITS,
  type HuffmanTable,
  type JpegComponent,
  ZIGZAG,
} from "./jpeg-tables.js";

/** What 8-bit samples can need. */
const MAX_DC_BITS = 11;
const MAX_AC_BITS = 10;
const MAX_DC = 2047;

/** One block of each MCU: whose it is and where it goes. */
export interface BlockPlace {
  /** Index of the component. */
  readonly component: number;
  /** In a row of MCUs, in int16: of the first MCU's block, and from one MCU to the next. */
  readonly first: number;
  readonly step: number;
}

/** Where decoding stands between two rows of MCUs. */
export interface EntropyState {
  at: number;
  /** The next bits, left-aligned. */
  bits: number;
  held: number;
  /** Bits among those held that are not in the file: zeros in place of a marker. */
  padding: number;
  readonly previous: Int32Array;
  untilRestart: number;
  nextRestart: number;
}

export function startEntropy(jpeg: BaselineJpeg): EntropyState {
  return {
    at: jpeg.scanAt,
    bits: 0,
    held: 0,
    padding: 0,
    previous: new Int32Array(jpeg.components.length),
    untilRestart: jpeg.restartInterval === 0 ? Number.POSITIVE_INFINITY : jpeg.restartInterval,
    nextRestart: 0,
  };
}

/**
 * Decodes a row of MCUs.
 *
 * One long function on purpose: the bits stay in registers from block to block.
 *
 * @param coefficients filled with 0; values go in row-major, not yet multiplied.
 * @returns whether the bytes were sound. What was decoded from a bit that is not in the file is not sound.
 */
export function decodeMcuRow(
  bytes: Uint8Array,
  jpeg: BaselineJpeg,
  places: readonly BlockPlace[],
  mcus: number,
  coefficients: Int16Array,
  state: EntropyState,
): boolean {
  let { at, bits, held } = state;
  const { previous } = state;
  for (let mcu = 0; mcu < mcus; mcu += 1) {
    if (state.untilRestart === 0) {
      Object.assign(state, { at, bits, held });
      if (!restart(bytes, jpeg, state)) return false;
      ({ at, bits, held } = state);
    }
    state.untilRestart -= 1;
    for (let block = 0; block < places.length; block += 1) {
      const { component, first, step } = places[block] as BlockPlace;
      const { dc, ac } = jpeg.components[component] as JpegComponent;
      const place = first + mcu * step;
      const acValues = ac.fastValues;
      let table: HuffmanTable = dc;
      for (let index = 0; index < 64; ) {
        while (held <= 24) {
          const byte = bytes[at] as number;
          if (byte !== 0xff) {
            bits |= byte << (24 - held);
            at += 1;
          } else if (bytes[at + 1] === 0) {
            bits |= 0xff << (24 - held);
            at += 2;
          } else {
            state.padding += 8;
          }
          held += 8;
        }
        const ahead = bits >>> (32 - FAST_BITS);
        if (index > 0) {
          const fast = acValues[ahead] as number;
          if (fast !== 0) {
            const length = fast & 15;
            bits <<= length;
            held -= length;
            index += (fast >> 4) & 15;
            if (index > 63) return false;
            coefficients[place + (ZIGZAG[index] as number)] = fast >> 8;
            index += 1;
            continue;
          }
        }
        const known = table.fast[ahead] as number;
        let length = known >> 8;
        let symbol = known & 255;
        if (length === 0) {
          const code = bits >>> 16;
          length = FAST_BITS + 1;
          while (code >= (table.codeEnds[length] as number)) length += 1;
          if (length > 16) return false;
          symbol = table.symbols[(code >>> (16 - length)) + (table.offsets[length] as number)] as number;
        }
        bits <<= length;
        held -= length;
        const size = symbol & 15;
        if (index === 0) {
          if (symbol > MAX_DC_BITS) return false;
        } else if (size === 0) {
          if (symbol !== 0xf0) break;
          index += 16;
          continue;
        } else {
          index += symbol >> 4;
          if (index > 63 || size > MAX_AC_BITS) return false;
        }
        let value = 0;
        if (size > 0) {
          while (held < size) {
            const byte = bytes[at] as number;
            if (byte !== 0xff) {
              bits |= byte << (24 - held);
              at += 1;
            } else if (bytes[at + 1] === 0) {
              bits |= 0xff << (24 - held);
              at += 2;
            } else {
              state.padding += 8;
            }
            held += 8;
          }
          const raw = bits >>> (32 - size);
          value = raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw;
          bits <<= size;
          held -= size;
        }
        if (index === 0) {
          value += previous[component] as number;
          if (value > MAX_DC || value < -MAX_DC) return false;
          previous[component] = value;
          table = ac;
        }
        coefficients[place + (ZIGZAG[index] as number)] = value;
        index += 1;
      }
      if (held < state.padding) return false;
    }
  }
  // Past the end of the bytes, `at` only ever points there.
  Object.assign(state, { at, bits, held });
  return at < bytes.length;
}

/** Whether the scan's last bits are followed by the end of the picture. */
export function isAtEnd(bytes: Uint8Array, state: EntropyState): boolean {
  return state.held - state.padding < 8 && bytes[state.at] === 0xff && bytes[state.at + 1] === 0xd9;
}

function restart(bytes: Uint8Array, jpeg: BaselineJpeg, state: EntropyState): boolean {
  const isSound = state.held - state.padding < 8;
  if (!isSound || bytes[state.at] !== 0xff || bytes[state.at + 1] !== 0xd0 + state.nextRestart) return false;
  state.at += 2;
  state.bits = 0;
  state.held = 0;
  state.padding = 0;
  state.previous.fill(0);
  state.untilRestart = jpeg.restartInterval;
  state.nextRestart = (state.nextRestart + 1) & 7;
  return true;
}
