import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { crc32c, maskCrc } from "@vitrine/protocol/crc32c";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BundleEntryProto, BundleHeaderProto } from "../../gen/tensorflow/core/protobuf/tensor_bundle.js";
import { float32Constant } from "../../graph/constant-values.js";
import { encodeSortedTable } from "../write/sorted-table.js";
import { sliceKey } from "./slice-key.js";
import { TensorBundle } from "./tensor-bundle.js";
import { cutSlice, joinSlices, parseSliceSpec } from "./tensor-slices.js";

const FLOAT = 1;
const STRING = 7;

let folder: string;
let prefix: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-bundle-"));
  prefix = path.join(folder, "variables");
});
afterEach(() => rm(folder, { recursive: true }));

type Entry = Parameters<typeof BundleEntryProto.encode>[0];

function entry(bytes: Uint8Array, shape: readonly number[], more: Partial<Entry> = {}): Entry {
  return {
    dtype: FLOAT,
    shape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
    shardId: 0,
    offset: 0,
    size: bytes.byteLength,
    crc32c: maskCrc(crc32c(bytes)),
    slices: [],
    ...more,
  };
}

async function write(
  data: Uint8Array,
  entries: Readonly<Record<string, Entry>>,
  header: { endianness?: 0 | 1; numShards?: number } = {},
): Promise<void> {
  const encoded = Object.entries(entries).map(([key, value]): [string, Uint8Array] => [
    key,
    BundleEntryProto.encode(value).finish(),
  ]);
  const first = BundleHeaderProto.encode({
    numShards: 1,
    endianness: 0,
    version: undefined,
    ...header,
  }).finish();
  await writeFile(`${prefix}.index`, encodeSortedTable(new Map([["", first], ...encoded])));
  await writeFile(`${prefix}.data-00000-of-00001`, data);
}

const NUMBERS = Float32Array.of(1, 2, 3, 4, 5, 6);
const BYTES = new Uint8Array(NUMBERS.buffer);

describe("a bundle gives its tensors", () => {
  test("numbers, as they lie in the file", async () => {
    await write(BYTES, { w: entry(BYTES, [2, 3]) });
    const bundle = await TensorBundle.open(prefix);
    expect(bundle.has("w")).toBe(true);
    expect(bundle.has("v")).toBe(false);
    expect(await bundle.read("w")).toEqual(float32Constant(NUMBERS, [2, 3]));
    await bundle.close();
  });

  test("numbers of a machine that stores the largest byte first", async () => {
    const swapped = new Uint8Array(Buffer.from(BYTES).swap32());
    await write(swapped, { w: entry(swapped, [6]) }, { endianness: 1 });
    const bundle = await TensorBundle.open(prefix);
    expect(await bundle.read("w")).toEqual(float32Constant(NUMBERS, [6]));
    await bundle.close();
  });

  test("strings", async () => {
    const strings = ["cat", "", "Käse"].map((text) => new TextEncoder().encode(text));
    const lengths = Uint8Array.from(strings, ({ length }) => length);
    const lengthCrc = crc32c(new Uint8Array(Uint32Array.from(lengths).buffer));
    const stored = new Uint8Array(Uint32Array.of(maskCrc(lengthCrc)).buffer);
    const text = Buffer.concat(strings);
    const data = new Uint8Array(Buffer.concat([lengths, stored, text]));
    const checksum = maskCrc(crc32c(text, crc32c(stored, lengthCrc)));
    await write(data, { labels: entry(data, [3], { dtype: STRING, crc32c: checksum }) });
    const bundle = await TensorBundle.open(prefix);
    expect((await bundle.read("labels")).strings).toEqual(strings);
    await bundle.close();
  });
});

describe("a damaged bundle is refused", () => {
  const refused = async (read: () => Promise<unknown>, words: RegExp) => {
    await expect(read()).rejects.toMatchObject({
      reason: "MODEL_INVALID",
      message: expect.stringMatching(words),
    });
  };
  const readAll = async (key = "w") => {
    const bundle = await TensorBundle.open(prefix);
    try {
      await bundle.read(key);
    } finally {
      await bundle.close();
    }
  };

  test("without its index", () => refused(readAll, /variables\.index could not be read/));

  test("without its data", async () => {
    await write(BYTES, { w: entry(BYTES, [6]) });
    await rm(`${prefix}.data-00000-of-00001`);
    await refused(readAll, /variables\.data-00000-of-00001 could not be read/);
  });

  test("without the tensor, in TensorFlow's words", async () => {
    await write(BYTES, { w: entry(BYTES, [6]) });
    await refused(() => readAll("v"), /Key v not found in checkpoint/);
  });

  test("with another byte among its numbers", async () => {
    await write(BYTES.with(5, 1), { w: entry(BYTES, [6]) });
    await refused(readAll, /variable w was damaged \(its checksum is wrong\)/);
  });

  test("with its data cut off", async () => {
    await write(BYTES, { w: entry(BYTES, [6]) });
    await truncate(`${prefix}.data-00000-of-00001`, 20);
    await refused(readAll, /24 bytes at 0 of a file of 20/);
  });

  test.each([
    ["a shape of 100 GB", { shape: [25_000_000_000] }],
    ["a shape above 2^63", { shape: [2 ** 40, 2 ** 40] }],
    ["a negative size", { shape: [-6] }],
    ["a negative offset", { shape: [6], offset: -4 }],
    ["an offset beyond the file", { shape: [6], offset: 2 ** 50 }],
    ["a data file that does not exist", { shape: [6], shardId: 1 }],
    ["a negative data file", { shape: [6], shardId: -1 }],
  ])("with %s", async (_, { shape, ...more }) => {
    await write(BYTES, { w: entry(BYTES, shape, more) });
    await refused(readAll, /variable w was damaged/);
  });

  test("with a million data files", async () => {
    await write(BYTES, { w: entry(BYTES, [6]) }, { numShards: 1_000_000 });
    await refused(readAll, /named 1000000 data files/);
  });

  test("with tensors that lie upon each other, which would make much of little", async () => {
    await write(BYTES, { a: entry(BYTES, [6]), b: entry(BYTES, [6]) });
    const bundle = await TensorBundle.open(prefix);
    await bundle.read("a");
    await bundle.read("a");
    await refused(() => bundle.read("b"), /tensors overlap/);
    await bundle.close();
  });

  test("with any byte of its index changed, unless the byte means nothing", async () => {
    await write(BYTES, { w: entry(BYTES, [6]), "layer/kernel": entry(BYTES, [6]) });
    const index = new Uint8Array(await readFile(`${prefix}.index`));
    let read = 0;
    for (let at = 0; at < index.length; at++) {
      await writeFile(`${prefix}.index`, index.with(at, (index[at] ?? 0) ^ 0xff));
      try {
        await readAll();
        read += 1;
      } catch (error) {
        if (!(error instanceof Error && "reason" in error)) throw error;
        expect(error).toMatchObject({ reason: "MODEL_INVALID" });
      }
    }
    // The block of 8 bytes for statistics with its trailer, and what pads the footer.
    expect(read).toBeLessThanOrEqual(13 + 40);
  });

  test("with its index cut off anywhere", async () => {
    await write(BYTES, { w: entry(BYTES, [6]) });
    const index = new Uint8Array(await readFile(`${prefix}.index`));
    for (let length = 0; length < index.length; length++) {
      await writeFile(`${prefix}.index`, index.subarray(0, length));
      await refused(readAll, /index/);
    }
  });
});

describe("slices of variables", () => {
  const WHOLE = float32Constant(NUMBERS, [2, 3]);
  const all = { start: 0, length: -1 };
  const LEFT = { slice: [all, { start: 0, length: 1 }], tensor: float32Constant([1, 4], [2, 1]) };
  const RIGHT = { slice: [all, { start: 1, length: 2 }], tensor: float32Constant([2, 3, 5, 6], [2, 2]) };

  test("are put together and taken apart", () => {
    expect(joinSlices("w", [2, 3], [RIGHT, LEFT])).toEqual(WHOLE);
    expect(cutSlice("w", WHOLE, RIGHT.slice)).toEqual(RIGHT.tensor);
    expect(cutSlice("w", WHOLE, [{ start: 1, length: 1 }, all])).toEqual(float32Constant([4, 5, 6], [1, 3]));
  });

  test.each([
    ["leave a hole", [2, 3], [LEFT]],
    ["lie upon each other", [2, 2], [LEFT, LEFT]],
    ["reach beyond the tensor", [2, 2], [LEFT, RIGHT]],
    ["are of another shape", [2, 3], [LEFT, { ...RIGHT, tensor: float32Constant([2, 3, 5, 6], [4, 1]) }]],
    ["are for 100 GB", [250_000, 100_000], [LEFT, RIGHT]],
  ])("that %s are refused", (_, shape, parts) => {
    expect(() => joinSlices("w", shape, parts)).toThrow(expect.objectContaining({ reason: "MODEL_INVALID" }));
  });

  test.each([
    ["", undefined],
    [
      "100 10 0,50:-",
      [
        { start: 0, length: 50 },
        { start: 0, length: -1 },
      ],
    ],
    ["7 2,3", [{ start: 2, length: 3 }]],
  ])("%j is read", (spec, expected) => {
    expect(parseSliceSpec("w", spec)).toEqual(expected);
  });

  test.each(["7 2", "7 7 2,3", "7 -1,3", "7 2,99999999999999999", "x"])("%j is refused", (spec) => {
    expect(() => parseSliceSpec("w", spec)).toThrow(expect.objectContaining({ reason: "MODEL_INVALID" }));
  });

  // Bytes that TensorFlow wrote for tf1-partitioned, and the code's borders.
  test.each([
    [0, 3, "80 83"],
    [64, -1, "c0 40 7f"],
    [8191, 8192, "df ff e0 20 00"],
    [0, -65, "80 3f bf"],
  ])("start %i and length %i are coded in order", (start, length, expected) => {
    const key = Buffer.from(sliceKey("", [{ start, length }]), "latin1").toString("hex");
    expect(key).toBe(`0000010101${expected.replaceAll(" ", "")}`);
  });
});
