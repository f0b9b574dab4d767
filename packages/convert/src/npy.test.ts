import { DataType, type NumericData, type Tensor } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import { encodeNpy, readNpy } from "./npy.js";

/** A file as NumPy writes it. */
function npy(version: number, header: string, content: Uint8Array): Uint8Array {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(header.length, 0, length.length);
  return Buffer.concat([
    Buffer.from("\x93NUMPY", "latin1"),
    Buffer.of(version, 0),
    length,
    Buffer.from(header, "utf8"),
    content,
  ]);
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe("readNpy", () => {
  it.each([1, 2, 3])("reads version %i", (version) => {
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    expect(readNpy(npy(version, header, floats(1.5, -2)), "x.npy")).toEqual({
      dtype: DataType.DT_FLOAT,
      shape: [2, 1],
      data: Float32Array.of(1.5, -2),
    });
  });

  it("reads scalars, lists, other orders of keys and one-byte types", () => {
    const scalar = npy(1, "{'shape': (), 'fortran_order': False, 'descr': '<f4'}", floats(3));
    expect(readNpy(scalar, "x.npy").shape).toEqual([]);
    const list = npy(
      1,
      "{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }\n",
      Uint8Array.of(1, 2, 255),
    );
    expect(readNpy(list, "x.npy")).toMatchObject({
      dtype: DataType.DT_UINT8,
      data: Uint8Array.of(1, 2, 255),
    });
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["another file", Buffer.from("PK\x03\x04 and so on"), /no .npy file/],
    ["nothing", new Uint8Array(0), /no .npy file/],
    ["a cut header", npy(1, "{'descr': ", floats()).subarray(0, 9), /cut off/],
    [
      "a header longer than the file",
      npy(1, "{}".padEnd(50), floats()).subarray(0, 40),
      /header of 50 bytes/,
    ],
    [
      "column-major order",
      npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", floats(1, 2, 3, 4)),
      /column-major/,
    ],
    [
      "big endian",
      npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", floats(1)),
      /type >f4/,
    ],
    ["objects", npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", floats(1)), /type \|O/],
    [
      "too few bytes",
      npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", floats(1)),
      /4 bytes, expected 8/,
    ],
    [
      "a shape of 100 GB",
      npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (25000000000,), }", floats(1)),
      /4 bytes/,
    ],
    [
      "a shape beyond numbers",
      npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999, 999999999999), }", floats(1)),
      /memory/,
    ],
  ])("refuses %s", (_, file, message) => {
    expect(() => readNpy(file, "x.npy")).toThrow(message);
  });
});

describe("encodeNpy", () => {
  const tensors: readonly Tensor[] = [
    { dtype: DataType.DT_FLOAT, shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
    { dtype: DataType.DT_UINT8, shape: [3], data: Uint8Array.of(1, 2, 3) },
    { dtype: DataType.DT_INT64, shape: [], data: BigInt64Array.of(-5n) },
    { dtype: DataType.DT_HALF, shape: [0, 4], data: new Uint16Array(0) },
    { dtype: DataType.DT_BOOL, shape: [1, 2], data: Uint8Array.of(0, 1) },
  ];
  for (const tensor of tensors) {
    it(`gives what readNpy reads back: dtype ${tensor.dtype} of [${tensor.shape.join()}]`, () => {
      const file = encodeNpy(tensor);
      expect(readNpy(file, "x.npy")).toEqual(tensor);
      expect((file.length - (tensor.data as NumericData).byteLength) % 64).toBe(0);
    });
  }

  it("refuses strings", () => {
    const text = { dtype: DataType.DT_STRING, shape: [1], data: [Buffer.from("a")] };
    expect(() => encodeNpy(text)).toThrow(/string/);
  });
});
