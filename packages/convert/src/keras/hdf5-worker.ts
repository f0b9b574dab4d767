/**
 * Reads one HDF5 file in a thread of its own, so that a damaged file can neither hold the process up nor leave its
 * memory behind: the library is C, compiled to WebAssembly, and its memory never shrinks.
 */
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { ELEMENT_BYTES } from "../graph/element-type.js";
import type { ElementType } from "../graph/graph.js";
import type { Hdf5Attributes, Hdf5Message } from "./hdf5-messages.js";

const MAX_OBJECTS = 200_000;
const MAX_DEPTH = 64;
const MAX_ATTRIBUTE_BYTES = 256 * 2 ** 20;
/** A dataset is read in slices of about this size: WebAssembly's memory grows by the largest. */
const SLICE_BYTES = 8 * 2 ** 20;
/** What compressed datasets may come to, beside a multiple of the file: weights hardly compress. */
const MAX_EXPANSION = 8;
const ALWAYS_ALLOWED_BYTES = 64 * 2 ** 20;

const Task = z.object({ file: z.string(), skippedGroups: z.array(z.string()) });
const { file, skippedGroups } = Task.parse(workerData);
const fs: typeof import("node:fs") = createRequire(import.meta.url)("node:fs");
const fileBytes = fs.statSync(file).size;

// Loaded before the lock below: from Node.js 24 on, the loader of modules opens files through it, too.
const { ready } = await import("h5wasm/node");
const library = await ready;

// HDF5 files may point at other files (external links and storage, filter plug-ins): only this one can be opened.
const openSync = fs.openSync;
fs.openSync = (path, ...rest) => {
  if (path !== file) throw Object.assign(new Error("not opened"), { code: "ENOENT" });
  return openSync(path, ...rest);
};
// The library prints each failure to standard error, and throws it too.
fs.writeSync = (_fd: number, bytes: ArrayBufferView | string, _offset?: unknown, length?: unknown) =>
  typeof length === "number" ? length : typeof bytes === "string" ? bytes.length : bytes.byteLength;

function post(message: Hdf5Message, ...transfer: ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}

/** A fault of the file, in words for the caller. */
class FileFault extends Error {}

let bytesLeft = Math.max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * fileBytes);
let objectsLeft = MAX_OBJECTS;

function readGroup(id: bigint, path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new FileFault(`groups were nested deeper than ${MAX_DEPTH} levels`);
  post({ kind: "group", path, attributes: readAttributes(id, path) });
  for (const name of library.get_names(id, path, false)) {
    if (--objectsLeft < 0) throw new FileFault(`there were more than ${MAX_OBJECTS} groups and datasets`);
    const child = path === "/" ? `/${name}` : `${path}/${name}`;
    const type = library.get_type(id, child);
    if (type === library.H5G_GROUP) {
      if (!skippedGroups.includes(child)) readGroup(id, child, depth + 1);
    } else if (type === library.H5G_DATASET) {
      readDataset(id, child);
    }
  }
}

function readAttributes(id: bigint, path: string): Hdf5Attributes {
  const attributes: Record<string, string | readonly string[]> = {};
  for (const name of library.get_attribute_names(id, path)) {
    const metadata = library.get_attribute_metadata(id, path, name);
    if (metadata.type !== library.H5T_class_t.H5T_STRING.value || metadata.shape === null) continue;
    const bytes = metadata.size * metadata.total_size;
    if (!(bytes <= Math.min(MAX_ATTRIBUTE_BYTES, 2 * fileBytes)))
      throw new FileFault(`attribute ${name} of ${path} had ${bytes} bytes, the file has ${fileBytes}`);
    const values = metadata.vlen
      ? variableTexts(id, path, name, metadata.total_size)
      : fixedTexts(id, path, name, metadata.size, metadata.total_size);
    attributes[name] = metadata.shape.length === 0 ? (values[0] ?? "") : values;
  }
  return attributes;
}

function fixedTexts(id: bigint, path: string, name: string, size: number, count: number): string[] {
  return withMemory(size * count, (pointer) => {
    library.get_attribute_data(id, path, name, BigInt(pointer));
    return Array.from({ length: count }, (_, index) => textAt(pointer + index * size, size));
  });
}

function variableTexts(id: bigint, path: string, name: string, count: number): string[] {
  return withMemory(4 * count, (pointer) => {
    library.get_attribute_data(id, path, name, BigInt(pointer));
    const heap = library.HEAPU8;
    const pointers = new DataView(heap.buffer, heap.byteOffset + pointer, 4 * count);
    const texts = Array.from({ length: count }, (_, index) => {
      const start = pointers.getUint32(4 * index, true);
      return start === 0 ? "" : textAt(start, heap.length - start);
    });
    library.reclaim_vlen_memory(id, path, name, BigInt(pointer));
    return texts;
  });
}

/** UTF-8 up to the first zero byte. */
function textAt(start: number, size: number): string {
  const bytes = library.HEAPU8.subarray(start, start + size);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function readDataset(id: bigint, path: string): void {
  const { shape, type, size, signed, chunks, littleEndian } = library.get_dataset_metadata(id, path);
  const elementType = elementTypeOf(type, size, signed);
  // Texts and compounds: no layer that is converted has such weights.
  if (elementType === undefined || shape === null) return;
  if (!littleEndian && size > 1 && elementType !== "bfloat16")
    throw new FileFault(`${path} was big-endian, expected little-endian`);
  const bytes = shape.reduce((product, length) => product * length, ELEMENT_BYTES[elementType]);
  if (chunks === null && !(bytes <= fileBytes))
    throw new FileFault(
      `${path} had shape [${shape.join(", ")}] (${bytes} bytes), the file has ${fileBytes}`,
    );
  if (!(bytes <= bytesLeft))
    throw new FileFault(`${path} had shape [${shape.join(", ")}], too much for a file of ${fileBytes} bytes`);
  bytesLeft -= bytes;
  const content = readSlices(id, path, shape, bytes);
  post({ kind: "dataset", path, constant: { type: elementType, shape, bytes: content } }, content.buffer);
}

function readSlices(
  id: bigint,
  path: string,
  shape: readonly number[],
  bytes: number,
): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(bytes);
  if (bytes === 0) return content;
  const [rows = 1, ...rest] = shape;
  const rowBytes = bytes / rows;
  const step = shape.length === 0 ? 1 : Math.max(1, Math.floor(SLICE_BYTES / rowBytes));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    withMemory(count * rowBytes, (pointer) => {
      const part = shape.length === 0 ? null : [count, ...rest].map(BigInt);
      const offset = shape.length === 0 ? null : shape.map((_, axis) => BigInt(axis === 0 ? row : 0));
      const strides = shape.length === 0 ? null : shape.map(() => 1n);
      library.get_dataset_data(id, path, part, offset, strides, BigInt(pointer));
      content.set(library.HEAPU8.subarray(pointer, pointer + count * rowBytes), row * rowBytes);
    });
  }
  return content;
}

function withMemory<T>(bytes: number, use: (pointer: number) => T): T {
  const pointer = library._malloc(Math.max(bytes, 8));
  if (pointer === 0) throw new FileFault(`${bytes} bytes at once were too many`);
  try {
    return use(pointer);
  } finally {
    library._free(pointer);
  }
}

function elementTypeOf(kind: number, size: number, signed: boolean): ElementType | undefined {
  if (kind === library.H5T_class_t.H5T_FLOAT.value)
    return size === 4 ? "float32" : size === 8 ? "float64" : size === 2 ? "float16" : undefined;
  // h5py has no type for bfloat16, and stores two bytes of no meaning.
  if (kind === library.H5T_class_t.H5T_OPAQUE.value) return size === 2 ? "bfloat16" : undefined;
  if (kind !== library.H5T_class_t.H5T_INTEGER.value) return undefined;
  switch (size) {
    case 1:
      return signed ? "int8" : "uint8";
    case 2:
      return signed ? "int16" : "uint16";
    case 4:
      return signed ? "int32" : "uint32";
    case 8:
      return signed ? "int64" : "uint64";
    default:
      return undefined;
  }
}

try {
  const id = library.open(file, library.H5F_ACC_RDONLY, false, -1, -1);
  readGroup(id, "/", 0);
  post({ kind: "done" });
} catch (error) {
  // What the library throws is text, an Error, or the number of a C++ exception.
  const words =
    error instanceof FileFault ? error.message : `it is damaged or was cut short (${String(error)})`;
  post({ kind: "failure", message: words.split("\n", 1)[0] ?? "" });
}
