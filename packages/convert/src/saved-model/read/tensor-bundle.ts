/** variables/: the tensors of a SavedModel, in TensorFlow's bundle of an index and data files. */
import { type FileHandle, open, readFile } from "node:fs/promises";
import path from "node:path";
import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";
import { ServeError } from "@vitrine/protocol/status";
import {
  BundleEntryProto,
  BundleHeaderProto,
  BundleHeaderProto_Endianness,
} from "../../gen/tensorflow/core/protobuf/tensor_bundle.js";
import { ELEMENT_BYTES, elementTypeOfTensorFlow } from "../../graph/element-type.js";
import type { Constant, Shape } from "../../graph/graph.js";
import { boundedReader, decoded } from "./saved-model-file.js";
import { type Slice, sliceKey } from "./slice-key.js";
import { readSortedTable } from "./sorted-table.js";
import { cutSlice, joinSlices } from "./tensor-slices.js";

/** More data files than any checkpoint has; each stays open while tensors are read. */
const MAX_SHARDS = 4096;
/** Largest tensor that can be read: the longest Uint8Array of Node 20. */
const MAX_TENSOR_BYTES = 2 ** 32;

interface Shard {
  readonly file: FileHandle;
  readonly bytes: number;
}

export class TensorBundle {
  readonly #prefix: string;
  readonly #entries: ReadonlyMap<string, Uint8Array>;
  readonly #header: BundleHeaderProto;
  readonly #shards = new Map<number, Promise<Shard>>();
  /** Bytes taken from each shard. */
  readonly #taken = new Map<number, number>();
  /** By key of the table: each entry is read once. */
  readonly #tensors = new Map<string, Promise<Constant>>();
  /** Bytes of slices cut from each tensor. */
  readonly #cut = new Map<string, number>();

  private constructor(prefix: string, entries: ReadonlyMap<string, Uint8Array>, header: BundleHeaderProto) {
    this.#prefix = prefix;
    this.#entries = entries;
    this.#header = header;
  }

  /**
   * Reads the index.
   *
   * @param prefix path of the bundle without `.index`; close() releases the data files that reads open.
   * @throws {ServeError} MODEL_INVALID when it is missing or damaged.
   */
  static async open(prefix: string): Promise<TensorBundle> {
    const name = `${path.basename(prefix)}.index`;
    let file: Uint8Array;
    try {
      file = await readFile(`${prefix}.index`);
    } catch (cause) {
      throw new ServeError("MODEL_INVALID", `${name} could not be read, expected the index of a checkpoint`, {
        cause,
      });
    }
    const entries = readSortedTable(file, name);
    const header = entries.get("");
    if (header === undefined) {
      throw new ServeError("MODEL_INVALID", `${name} had no header, expected the index of a checkpoint`);
    }
    const bundle = decoded(name, () => BundleHeaderProto.decode(boundedReader(header)));
    if (bundle.numShards < 1 || bundle.numShards > MAX_SHARDS) {
      throw new ServeError(
        "MODEL_INVALID",
        `${name} named ${bundle.numShards} data files, expected 1 to ${MAX_SHARDS}`,
      );
    }
    return new TensorBundle(prefix, entries, bundle);
  }

  has(key: string): boolean {
    return this.#entries.has(latin1(key));
  }

  /**
   * Reads one tensor and proves its checksum. Its bytes are its own: nothing else of the file stays in memory.
   *
   * @param slice the part wanted; all of the tensor when not given.
   * @throws {ServeError} MODEL_INVALID when it is missing or damaged; MODEL_UNSUPPORTED for types that are no numbers
   *   of whole bytes.
   */
  async read(key: string, slice?: Slice): Promise<Constant> {
    const entry = this.#entry(key, latin1(key));
    if (entry.slices.length === 0) {
      const whole = await this.#readEntry(key, latin1(key), entry);
      return slice === undefined ? whole : this.#slice(key, whole, slice);
    }
    if (slice !== undefined && this.#entries.has(sliceKey(key, slice))) return this.#readSlice(key, slice);
    const parts = [];
    for (const { extent } of entry.slices) {
      const stored = extent.map(({ start, hasLengthHack }) => ({
        start,
        length: hasLengthHack === undefined ? -1 : Number(hasLengthHack.value),
      }));
      parts.push({ slice: stored, tensor: await this.#readSlice(key, stored) });
    }
    const whole = joinSlices(key, shapeOf(key, entry), parts);
    return slice === undefined ? whole : this.#slice(key, whole, slice);
  }

  async close(): Promise<void> {
    const shards = await Promise.allSettled(this.#shards.values());
    this.#shards.clear();
    this.#tensors.clear();
    // One that could not be opened has failed the read that asked for it.
    const opened = shards.flatMap((shard) => (shard.status === "fulfilled" ? [shard.value] : []));
    await Promise.all(opened.map(({ file }) => file.close()));
  }

  #entry(key: string, tableKey: string): BundleEntryProto {
    const bytes = this.#entries.get(tableKey);
    if (bytes === undefined) {
      throw new ServeError("MODEL_INVALID", `Key ${key} not found in checkpoint`);
    }
    return decoded(`entry ${key} of the checkpoint`, () => BundleEntryProto.decode(boundedReader(bytes)));
  }

  #slice(key: string, whole: Constant, slice: Slice): Constant {
    const part = cutSlice(key, whole, slice);
    // Partitions do not overlap, so that few bytes of a file cannot become many of memory.
    const cut = (this.#cut.get(key) ?? 0) + part.bytes.length;
    if (cut > whole.bytes.length) throw damaged(key, "its slices overlap");
    this.#cut.set(key, cut);
    return part;
  }

  #readSlice(key: string, slice: Slice): Promise<Constant> {
    const tableKey = sliceKey(key, slice);
    const entry = this.#entry(key, tableKey);
    if (entry.slices.length > 0) throw damaged(key, "a slice has slices");
    return this.#readEntry(key, tableKey, entry);
  }

  #readEntry(key: string, tableKey: string, entry: BundleEntryProto): Promise<Constant> {
    const known = this.#tensors.get(tableKey);
    if (known !== undefined) return known;
    const tensor = this.#readTensor(key, entry);
    this.#tensors.set(tableKey, tensor);
    return tensor;
  }

  async #readTensor(key: string, entry: BundleEntryProto): Promise<Constant> {
    const type = elementTypeOfTensorFlow(entry.dtype);
    if (type === undefined) {
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        `variable ${key} is of dtype ${entry.dtype}, expected strings or numbers of whole bytes`,
      );
    }
    const shape = shapeOf(key, entry);
    const elements = shape.reduce((product, size) => product * size, 1);
    if (type !== "string" && elements * ELEMENT_BYTES[type] !== entry.size) {
      throw damaged(key, `${entry.size} bytes for shape [${shape.join(", ")}] of ${type}`);
    }
    const bytes = await this.#readBytes(key, entry);
    if (type === "string") return { type, shape, ...stringsOf(key, bytes, elements, entry.crc32c) };
    if (maskCrc(crc32c(bytes)) !== entry.crc32c) throw damaged(key, "its checksum is wrong");
    if (this.#header.endianness === BundleHeaderProto_Endianness.BIG)
      reverseElements(bytes, ELEMENT_BYTES[type]);
    return { type, shape, bytes };
  }

  async #readBytes(key: string, { shardId, offset, size }: BundleEntryProto): Promise<Uint8Array> {
    const shard = await this.#shard(key, shardId);
    if (offset < 0 || size < 0 || size > MAX_TENSOR_BYTES || size > shard.bytes - offset) {
      throw damaged(key, `${size} bytes at ${offset} of a file of ${shard.bytes}`);
    }
    // Tensors do not overlap, so that the file bounds what all of them take together.
    const taken = (this.#taken.get(shardId) ?? 0) + size;
    if (taken > shard.bytes) throw damaged(key, "tensors overlap");
    this.#taken.set(shardId, taken);
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await shard.file.read(bytes, at, size - at, offset + at);
      if (bytesRead === 0) throw damaged(key, "its file became shorter");
      at += bytesRead;
    }
    return bytes;
  }

  async #shard(key: string, id: number): Promise<Shard> {
    const { numShards } = this.#header;
    if (id < 0 || id >= numShards) throw damaged(key, `data file ${id} of ${numShards}`);
    const shard = this.#shards.get(id) ?? openShard(this.#prefix, id, numShards);
    this.#shards.set(id, shard);
    return shard;
  }
}

async function openShard(prefix: string, id: number, count: number): Promise<Shard> {
  const name = `${prefix}.data-${fiveDigits(id)}-of-${fiveDigits(count)}`;
  try {
    const file = await open(name);
    return { file, bytes: (await file.stat()).size };
  } catch (cause) {
    throw new ServeError(
      "MODEL_INVALID",
      `${path.basename(name)} could not be read, expected the data of a checkpoint`,
      { cause },
    );
  }
}

function shapeOf(key: string, entry: BundleEntryProto): Shape {
  const shape = entry.shape?.dim.map(({ size }) => size) ?? [];
  if (shape.length > 254 || shape.some((size) => size < 0)) {
    throw damaged(key, `a shape of [${shape.slice(0, 10).join(", ")}]`);
  }
  return shape;
}

/**
 * Lengths as varints, the masked checksum of the lengths (four bytes each), the bytes. The entry's checksum covers
 * lengths, that checksum and the bytes.
 */
function stringsOf(
  key: string,
  bytes: Uint8Array,
  elements: number,
  checksum: number,
): { bytes: Uint8Array; strings: Uint8Array[] } {
  // A length takes a byte at least.
  if (elements > bytes.length) throw damaged(key, `${bytes.length} bytes for ${elements} strings`);
  const reader = boundedReader(bytes);
  const lengths = decoded(`entry ${key} of the checkpoint`, () =>
    Array.from({ length: elements }, () => reader.uint32()),
  );
  const start = reader.pos + 4;
  if (start > bytes.length) throw damaged(key, "its strings end early");
  const lengthCrc = crc32c(new Uint8Array(Uint32Array.from(lengths).buffer));
  const stored = bytes.subarray(reader.pos, start);
  const view = new DataView(stored.buffer, stored.byteOffset, 4);
  if (view.getUint32(0, true) !== maskCrc(lengthCrc))
    throw damaged(key, "the checksum of its lengths is wrong");
  if (maskCrc(crc32c(bytes.subarray(start), crc32c(stored, lengthCrc))) !== checksum) {
    throw damaged(key, "its checksum is wrong");
  }
  let at = start;
  const strings = lengths.map((length) => {
    at += length;
    return bytes.subarray(at - length, at);
  });
  if (at !== bytes.length) throw damaged(key, "its strings have another length");
  return { bytes: new Uint8Array(0), strings };
}

function reverseElements(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

function fiveDigits(number: number): string {
  return String(number).padStart(5, "0");
}

function latin1(key: string): string {
  return Buffer.from(key).toString("latin1");
}

function damaged(key: string, what: string): ServeError {
  return new ServeError(
    "MODEL_INVALID",
    `variable ${key} was damaged (${what}), expected a whole checkpoint`,
  );
}
