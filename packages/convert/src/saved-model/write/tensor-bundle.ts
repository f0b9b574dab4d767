/** Writes the variables of a SavedModel: TensorFlow's TensorBundle, `PREFIX.index` and `PREFIX.data-00000-of-00001`. */
import { open, writeFile } from "node:fs/promises";
import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";
import {
  BundleEntryProto,
  BundleHeaderProto,
  BundleHeaderProto_Endianness,
} from "../../gen/tensorflow/core/protobuf/tensor_bundle.js";
import { TENSORFLOW_TYPES } from "../../graph/element-type.js";
import type { ElementType, Shape } from "../../graph/graph.js";
import { encodeSortedTable } from "./sorted-table.js";

export type Room = (byteLength: number) => Uint8Array;

/** One variable. Its bytes are asked for when they are written, and one variable's at a time. */
export interface BundleTensor {
  readonly type: Exclude<ElementType, "string">;
  readonly shape: Shape;
  /**
   * Little-endian elements, row-major.
   *
   * @param room gives a place for them, which serves until the next tensor is asked for its bytes.
   */
  bytes(room: Room): Uint8Array;
}

/**
 * Writes a bundle of one shard.
 *
 * @param prefix such as `FOLDER/variables/variables`; the folder exists.
 * @param tensors by the names under which RestoreV2 finds them.
 */
export async function writeTensorBundle(
  prefix: string,
  tensors: ReadonlyMap<string, BundleTensor>,
): Promise<void> {
  const entries = new Map<string, Uint8Array>([
    [
      "",
      BundleHeaderProto.encode({
        numShards: 1,
        endianness: BundleHeaderProto_Endianness.LITTLE,
        version: { producer: 1, minConsumer: 0, badConsumers: [] },
      }).finish(),
    ],
  ]);
  let buffer = new Uint8Array(0);
  const room: Room = (byteLength) => {
    if (buffer.byteLength < byteLength) buffer = new Uint8Array(byteLength);
    return buffer.subarray(0, byteLength);
  };
  const names = [...tensors.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const file = await open(`${prefix}.data-00000-of-00001`, "w");
  try {
    let offset = 0;
    for (const name of names) {
      const tensor = tensors.get(name);
      if (tensor === undefined) continue;
      const bytes = tensor.bytes(room);
      await file.writeFile(bytes);
      entries.set(
        name,
        BundleEntryProto.encode({
          dtype: TENSORFLOW_TYPES[tensor.type],
          shape: { dim: tensor.shape.map((size) => ({ size, name: "" })), unknownRank: false },
          shardId: 0,
          offset,
          size: bytes.byteLength,
          crc32c: maskCrc(crc32c(bytes)),
          slices: [],
        }).finish(),
      );
      offset += bytes.byteLength;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await writeFile(`${prefix}.index`, encodeSortedTable(entries));
}
