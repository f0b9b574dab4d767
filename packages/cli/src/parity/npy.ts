/** NumPy's file format (numpy/lib/format.py): one array, as `np.save` writes it. */
import { CommandFailure } from "../command-failure.js";

export interface NpyArray {
  /** NumPy's name without its byte order, such as `f4` or `u1`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** In C order, whatever the file's was. */
  readonly values: Float64Array;
}

const MAGIC = "\x93NUMPY";
const MAX_ELEMENTS = 100_000_000;

type Reader = (view: DataView, at: number, isLittle: boolean) => number;

const READERS: Readonly<Record<string, { readonly bytes: number; readonly read: Reader }>> = {
  u1: { bytes: 1, read: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, read: (view, at, isLittle) => view.getUint16(at, isLittle) },
  i2: { bytes: 2, read: (view, at, isLittle) => view.getInt16(at, isLittle) },
  i4: { bytes: 4, read: (view, at, isLittle) => view.getInt32(at, isLittle) },
  i8: { bytes: 8, read: (view, at, isLittle) => Number(view.getBigInt64(at, isLittle)) },
  f2: { bytes: 2, read: (view, at, isLittle) => halfOf(view.getUint16(at, isLittle)) },
  f4: { bytes: 4, read: (view, at, isLittle) => view.getFloat32(at, isLittle) },
  f8: { bytes: 8, read: (view, at, isLittle) => view.getFloat64(at, isLittle) },
};

/**
 * @param name of the file, for messages.
 * @throws {CommandFailure} when it is no .npy file, is cut short, or holds what is no number.
 */
export function readNpy(bytes: Uint8Array, name: string): NpyArray {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (text.toString("latin1", 0, 6) !== MAGIC || bytes.length < 12) {
    throw new CommandFailure(`${name} was no .npy file, expected what np.save(path, tensor) writes`);
  }
  const isOld = view.getUint8(6) === 1;
  const headerAt = isOld ? 10 : 12;
  const dataAt = headerAt + (isOld ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = text.toString("latin1", headerAt, dataAt);
  const descr = /'descr':\s*'([<>|=]?)([a-z]\d+)'/.exec(header);
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  const reader = READERS[descr?.[2] ?? ""];
  if (descr === null || shapeText === undefined || reader === undefined) {
    throw new CommandFailure(`${name} held ${header.trim()}, expected an array of integers or floats`);
  }
  const shape = shapeText
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements > MAX_ELEMENTS)
    throw new CommandFailure(`${name} held ${elements} values, expected a picture's`);
  if (bytes.length < dataAt + elements * reader.bytes) throw new CommandFailure(`${name} was cut short`);
  const values = new Float64Array(elements);
  const isLittle = descr[1] !== ">";
  for (let index = 0; index < elements; index += 1) {
    values[index] = reader.read(view, dataAt + index * reader.bytes, isLittle);
  }
  const isFortran = /'fortran_order':\s*True/.test(header);
  return { dtype: descr[2] ?? "", shape, values: isFortran ? inCOrder(values, shape) : values };
}

/** First index fastest to last index fastest. */
function inCOrder(values: Float64Array, shape: readonly number[]): Float64Array {
  const ordered = new Float64Array(values.length);
  for (let to = 0; to < values.length; to += 1) {
    let [rest, from, stride] = [to, 0, values.length];
    for (const size of [...shape].reverse()) {
      stride /= size;
      from += (rest % size) * stride;
      rest = Math.trunc(rest / size);
    }
    ordered[to] = values[from] as number;
  }
  return ordered;
}

function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
