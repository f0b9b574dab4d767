/** Huffman-coded bytes of a baseline JPEG to coefficients: the kernel, and how it finds what it needs in the memory. */
import { FAST_BITS, type HuffmanTable } from "./jpeg-tables.js";
import {
  type Code,
  i32,
  increase,
  RETURN,
  repeatWhile,
  set,
  type WasmFunction,
  wasmFunction,
  when,
  whileTrue,
} from "./wasm-assembler.js";

/** Byte offsets of the int32 that make up the state between two calls. */
export const STATE = {
  /** Address of the next byte. Behind the last byte there must be a marker. */
  at: 0,
  /** The next bits, left-aligned, and how many. */
  bits: 4,
  held: 8,
  /** How many of them are not in the file: zeros in place of a marker. */
  padding: 12,
  /** Not 0 when the codes were not sound. What was decoded from a bit that is not in the file is not sound. */
  isBroken: 16,
  bytes: 20,
} as const;

/** Byte offsets of the int32 that describe one block of each MCU. */
export const PLACE = {
  dcTable: 0,
  acTable: 4,
  /** Address of the component's int32 that holds the DC value before. */
  previous: 8,
  /** Address of the first MCU's block, and bytes from one MCU's to the next. */
  first: 12,
  step: 16,
  bytes: 20,
} as const;

/** Byte offsets within a Huffman table. */
const TABLE = { fast: 0, fastValues: 1024, codeEnds: 2048, offsets: 2120, symbols: 2188 } as const;
export const TABLE_BYTES = 2188 + 256;

/** What 8-bit samples can need. */
const MAX_DC_BITS = 11;
const MAX_AC_BITS = 10;
const MAX_DC = 2047;
/** The symbol for 16 zeros. */
const SIXTEEN_ZEROS = 0xf0;

/** Writes a table where the kernel is to find it; a DC table has no fast values. */
export function writeTable(buffer: ArrayBuffer, address: number, table: HuffmanTable, isDc: boolean): void {
  new Uint16Array(buffer, address + TABLE.fast, 1 << FAST_BITS).set(table.fast);
  const fastValues = new Int16Array(buffer, address + TABLE.fastValues, 1 << FAST_BITS);
  if (isDc) fastValues.fill(0);
  else fastValues.set(table.fastValues);
  new Int32Array(buffer, address + TABLE.codeEnds, 18).set(table.codeEnds);
  new Int32Array(buffer, address + TABLE.offsets, 17).set(table.offsets);
  new Uint8Array(buffer, address + TABLE.symbols, 256).set(table.symbols);
}

export function entropyKernel(): WasmFunction {
  const parameters = ["state", "places", "placesEnd", "mcu", "mcusEnd", "zigzag"] as const;
  return wasmFunction("decodeMcus", parameters, (p, locals) => {
    const [at, bits, held, padding] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [place, coefficients, table, index] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const [byte, ahead, code, length, symbol, size, value] = [
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
      locals.i32(),
    ];
    const number = i32.constant;
    const fail: Code = [...i32.store(p.state.get, number(1), STATE.isBroken), ...RETURN];
    const takeByte = (byteCode: Code, count: number): Code[] => [
      set(bits, i32.or(bits.get, i32.shiftLeft(byteCode, i32.subtract(number(24), held.get)))),
      increase(at, number(count)),
    ];
    /** One byte more, without the 0 that follows an 0xff; zeros for ever where a marker stands. */
    const fill: Code[] = [
      set(byte, i32.load8U(at.get)),
      when(i32.lessThan(byte.get, number(0xff)), takeByte(byte.get, 1), [
        when(i32.load8U(at.get, 1), [increase(padding, number(8))], takeByte(number(0xff), 2)),
      ]),
      increase(held, number(8)),
    ];
    const drop = (count: Code): Code[] => [
      set(bits, i32.shiftLeft(bits.get, count)),
      set(held, i32.subtract(held.get, count)),
    ];
    const store = (coefficient: Code): Code[] => [
      i32.store16(
        i32.add(coefficients.get, i32.shiftLeft(i32.load8U(i32.add(p.zigzag.get, index.get)), number(1))),
        coefficient,
      ),
      increase(index, number(1)),
    ];
    const failBeyondLast = when(i32.atLeast(index.get, number(64)), [fail]);
    const entry = (base: number, position: Code, shift: number): Code =>
      i32.add(table.get, i32.add(number(base), i32.shiftLeft(position, number(shift))));

    const shortValue: Code[] = [
      ...drop(i32.and(value.get, number(15))),
      increase(index, i32.and(i32.shiftRight(value.get, number(4)), number(15))),
      failBeyondLast,
      ...store(i32.shiftRight(value.get, number(8))),
    ];
    const readSymbol: Code[] = [
      set(symbol, i32.load16U(entry(TABLE.fast, ahead.get, 1))),
      when(
        symbol.get,
        [set(length, i32.shiftRight(symbol.get, number(8))), set(symbol, i32.and(symbol.get, number(255)))],
        [
          set(code, i32.shiftRightUnsigned(bits.get, number(16))),
          set(length, number(FAST_BITS)),
          repeatWhile(i32.atLeast(code.get, i32.load(entry(TABLE.codeEnds, length.get, 2))), [
            increase(length, number(1)),
          ]),
          when(i32.atLeast(length.get, number(17)), [fail]),
          set(code, i32.shiftRightUnsigned(code.get, i32.subtract(number(16), length.get))),
          increase(code, i32.load(entry(TABLE.offsets, length.get, 2))),
          set(symbol, i32.load8U(entry(TABLE.symbols, i32.and(code.get, number(255)), 0))),
        ],
      ),
      ...drop(length.get),
      set(size, i32.and(symbol.get, number(15))),
    ];
    const half = i32.shiftLeft(number(1), i32.subtract(size.get, number(1)));
    const readValue: Code[] = [
      whileTrue(i32.lessThan(held.get, size.get), fill),
      set(value, i32.shiftRightUnsigned(bits.get, i32.subtract(number(32), size.get))),
      when(i32.lessThan(value.get, half), [
        set(value, i32.add(value.get, i32.subtract(number(1), i32.shiftLeft(number(1), size.get)))),
      ]),
      ...drop(size.get),
    ];
    const previous = i32.load(place.get, PLACE.previous);
    const dcValue: Code[] = [
      when(i32.atLeast(symbol.get, number(MAX_DC_BITS + 1)), [fail]),
      set(value, number(0)),
      when(size.get, readValue),
      increase(value, i32.load(previous)),
      when(i32.atLeast(i32.add(value.get, number(MAX_DC)), number(2 * MAX_DC + 1)), [fail]),
      when(i32.lessThan(value.get, number(-MAX_DC)), [fail]),
      i32.store(previous, value.get),
      set(table, i32.load(place.get, PLACE.acTable)),
      ...store(value.get),
    ];
    const acValue: Code[] = [
      when(
        size.get,
        [
          increase(index, i32.shiftRight(symbol.get, number(4))),
          failBeyondLast,
          when(i32.atLeast(size.get, number(MAX_AC_BITS + 1)), [fail]),
          ...readValue,
          ...store(value.get),
        ],
        [
          // No value: 16 zeros, or the end of the block.
          when(
            i32.equal(symbol.get, number(SIXTEEN_ZEROS)),
            [increase(index, number(16))],
            [set(index, number(64))],
          ),
        ],
      ),
    ];
    const coefficient: Code[] = [
      whileTrue(i32.lessThan(held.get, number(25)), fill),
      set(ahead, i32.shiftRightUnsigned(bits.get, number(32 - FAST_BITS))),
      set(value, i32.load16S(entry(TABLE.fastValues, ahead.get, 1))),
      when(value.get, shortValue, [...readSymbol, when(index.get, acValue, dcValue)]),
    ];
    const block: Code[] = [
      set(
        coefficients,
        i32.add(i32.load(place.get, PLACE.first), i32.multiply(p.mcu.get, i32.load(place.get, PLACE.step))),
      ),
      set(table, i32.load(place.get, PLACE.dcTable)),
      set(index, number(0)),
      repeatWhile(i32.lessThan(index.get, number(64)), coefficient),
      when(i32.lessThan(held.get, padding.get), [fail]),
      increase(place, number(PLACE.bytes)),
    ];
    return [
      set(at, i32.load(p.state.get, STATE.at)),
      set(bits, i32.load(p.state.get, STATE.bits)),
      set(held, i32.load(p.state.get, STATE.held)),
      set(padding, i32.load(p.state.get, STATE.padding)),
      repeatWhile(i32.lessThan(p.mcu.get, p.mcusEnd.get), [
        set(place, p.places.get),
        repeatWhile(i32.lessThan(place.get, p.placesEnd.get), block),
        increase(p.mcu, number(1)),
      ]),
      i32.store(p.state.get, at.get, STATE.at),
      i32.store(p.state.get, bits.get, STATE.bits),
      i32.store(p.state.get, held.get, STATE.held),
      i32.store(p.state.get, padding.get, STATE.padding),
    ];
  });
}
