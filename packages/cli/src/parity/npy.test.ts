import { expect, test } from "vitest";
import { readNpy } from "./npy.js";

/** A file as `np.save` writes it, version 1. */
function npy(descr: string, shape: string, data: Uint8Array, order = "False"): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const header = `${text.padEnd(117)}\n`;
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(header.length, 8);
  return Buffer.concat([head, Buffer.from(header), data]);
}

const bytesOf = (values: ArrayBufferView) =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

test.each([
  ["|u1", Uint8Array.of(0, 7, 255)],
  ["<f4", Float32Array.of(0, 7, 255)],
  ["<f8", Float64Array.of(0, 7, 255)],
  ["<i4", Int32Array.of(0, 7, 255)],
  ["<i8", BigInt64Array.of(0n, 7n, 255n)],
  ["<f2", Uint16Array.of(0, 0x4700, 0x5bf8)],
])("values of %s are read as numbers", (descr, values) => {
  expect([...readNpy(npy(descr, "(3,)", bytesOf(values)), "a.npy").values]).toEqual([0, 7, 255]);
});

test("Motorola's byte order is read", () => {
  expect([...readNpy(npy(">u2", "(2,)", Uint8Array.of(1, 2, 3, 4)), "a.npy").values]).toEqual([258, 772]);
});

test("an array in Fortran's order is put in C's", () => {
  const { shape, values } = readNpy(npy("|u1", "(2, 3)", Uint8Array.of(1, 4, 2, 5, 3, 6), "True"), "a.npy");

  expect([shape, [...values]]).toEqual([
    [2, 3],
    [1, 2, 3, 4, 5, 6],
  ]);
});

test.each([
  ["no .npy file", Buffer.from("hello, this is text")],
  ["cut short", npy("<f4", "(2, 2)", new Uint8Array(15))],
  ["expected an array of integers or floats", npy("<c8", "(1,)", new Uint8Array(8))],
  ["expected a picture's", npy("|u1", "(100000, 100000)", new Uint8Array(8))],
])("a file is refused when it is %s", (words, bytes) => {
  expect(() => readNpy(bytes, "a.npy")).toThrow(words);
});
