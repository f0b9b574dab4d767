/** NumPy's .npy files: recorded inputs and outputs. Source: numpy/lib/format.py, versions 1.0 to 3.0. */
import { ServeError } from "@vitrine/protocol/status";
import type { Tensor } from "@vitrine/protocol/tensor";
import { elementsOf, sizeOf } from "./graph/constant-values.js";
import { ELEMENT_BYTES, elementTypeOfTensorFlow, TENSORFLOW_TYPES } from "./graph/element-type.js";
import type { ElementType } from "./graph/graph.js";

const MAGIC = Buffer.from("\x93NUMPY", "latin1");
/** Headers are padded to it, so that the elements can be mapped into memory. */
const ALIGNMENT_BYTES = 64;
const MAX_HEADER_BYTES = 64 * 1024;

/** NumPy's letters and sizes. "<" is little endian; single bytes have no order. */
const DESCRIPTIONS: ReadonlyMap<string, ElementType> = new Map([
  ["<f4", "float32"],
  ["<f2", "float16"],
  ["<f8", "float64"],
  ["|i1", "int8"],
  ["|u1", "uint8"],
  ["<i2", "int16"],
  ["<u2", "uint16"],
  ["<i4", "int32"],
  ["<u4", "uint32"],
  ["<i8", "int64"],
  ["<u8", "uint64"],
  ["|b1", "bool"],
]);

/**
 * Reads an array.
 *
 * @param bytes a whole file.
 * @param label names it in messages.
 * @returns row-major; a view of the file where its alignment allows.
 * @throws {ServeError} TENSOR_INVALID when it is no .npy file, of another type or order, or damaged.
 */
export function readNpy(bytes: Uint8Array, label: string): Tensor {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = file[MAGIC.length] ?? 0;
  if (!file.subarray(0, MAGIC.length).equals(MAGIC) || version < 1 || version > 3) {
    throw invalid(label, "no .npy file of version 1 to 3", "one, as numpy.save writes it");
  }
  const lengthBytes = version === 1 ? 2 : 4;
  const start = MAGIC.length + 2 + lengthBytes;
  if (file.length < start) throw invalid(label, "cut off in its header", "a whole file");
  const headerBytes = file.readUIntLE(start - lengthBytes, lengthBytes);
  if (headerBytes > MAX_HEADER_BYTES || start + headerBytes > file.length) {
    throw invalid(label, `of a header of ${headerBytes} bytes`, "one inside the file, of at most 64 KiB");
  }
  const header = file.toString(version === 3 ? "utf8" : "latin1", start, start + headerBytes);
  const { type, shape } = parseHeader(header, label);
  const elements = sizeOf(shape);
  const content = file.subarray(start + headerBytes);
  if (content.byteLength !== elements * ELEMENT_BYTES[type]) {
    throw invalid(
      label,
      `of ${content.byteLength} bytes`,
      `${elements * ELEMENT_BYTES[type]} for ${type} of shape [${shape.join(",")}]`,
    );
  }
  return { dtype: TENSORFLOW_TYPES[type], shape, data: elementsOf({ type, shape, bytes: content }) };
}

/** The header is a Python dictionary with these three keys, in any order. */
function parseHeader(header: string, label: string): { type: ElementType; shape: number[] } {
  const description = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1];
  if (description === undefined || order === undefined || sizes === undefined) {
    throw invalid(
      label,
      `of header ${JSON.stringify(header.slice(0, 200))}`,
      "descr, fortran_order and shape",
    );
  }
  const type = DESCRIPTIONS.get(description.replace("=", "<"));
  if (type === undefined) {
    throw invalid(label, `of type ${description}`, "little-endian numbers (x.astype('<f4'))");
  }
  const shape = sizes.split(",").flatMap((size) => (size.trim() === "" ? [] : [Number.parseInt(size, 10)]));
  if (order === "True" && shape.filter((size) => size !== 1).length > 1) {
    throw invalid(label, "in column-major order", "row-major (numpy.ascontiguousarray)");
  }
  if (!Number.isSafeInteger(sizeOf(shape)))
    throw invalid(label, `of shape [${shape.join(",")}]`, "a size that memory can hold");
  return { type, shape };
}

/** @throws {ServeError} TENSOR_INVALID for types that NumPy has not: strings and bfloat16. */
export function encodeNpy({ dtype, shape, data }: Tensor): Uint8Array {
  const type = elementTypeOfTensorFlow(dtype);
  const description = [...DESCRIPTIONS].find(([, one]) => one === type)?.[0];
  if (description === undefined || !ArrayBuffer.isView(data)) {
    throw new ServeError(
      "TENSOR_INVALID",
      `the tensor was of type ${type ?? dtype}, expected numbers that NumPy has`,
    );
  }
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': '${description}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const before = MAGIC.length + 4;
  const padded = Math.ceil((before + header.length + 1) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES - before;
  const length = Buffer.alloc(4);
  length.writeUInt8(1, 0);
  length.writeUInt16LE(padded, 2);
  return Buffer.concat([
    MAGIC,
    length,
    Buffer.from(`${header.padEnd(padded - 1)}\n`, "latin1"),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

function invalid(label: string, was: string, expected: string): ServeError {
  return new ServeError("TENSOR_INVALID", `${label} was ${was}, expected ${expected}`);
}
