import { expect, test } from "vitest";
import { TensorProto } from "./gen/tensorflow/core/framework/tensor.js";
import { ServeError } from "./status.js";
import { DataType, dtypeName, type Tensor, tensorFromProto, tensorToProto } from "./tensor.js";
import { GOLDEN_TENSORS } from "./testing/golden.js";

function bytesOf({ data }: Tensor): Buffer {
  if (!ArrayBuffer.isView(data)) throw new Error("a tensor of strings has no bytes");
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

test.each(GOLDEN_TENSORS)("TensorFlow and we agree on $name", ({ proto, parsed }) => {
  const message = TensorProto.decode(proto);
  if (parsed === null) {
    expect(() => tensorFromProto(message, "x")).toThrow(
      expect.objectContaining({
        reason: "TENSOR_INVALID",
        message: expect.stringMatching(/^tensor parsing error: x: /),
      }),
    );
    return;
  }
  const tensor = tensorFromProto(message, "x");
  expect(tensor.dtype).toBe(message.dtype);
  expect(tensor.shape).toEqual(parsed.shape);
  if ("strings" in parsed) expect(tensor.data).toEqual(parsed.strings);
  else expect(bytesOf(tensor).equals(parsed.content)).toBe(true);
});

const full = GOLDEN_TENSORS.filter(({ name }) => /^DT_\w+ (content|values)$/.test(name));

test.each(full)("what we write is byte for byte $name", ({ name, proto }) => {
  const form = name.endsWith("content") ? "content" : "values";
  const tensor = tensorFromProto(TensorProto.decode(proto), "x");
  const expected = name === "DT_STRING content" ? goldenNamed("DT_STRING values") : proto;
  expect(Buffer.from(TensorProto.encode(tensorToProto(tensor, form)).finish()).equals(expected)).toBe(true);
});

function goldenNamed(name: string): Uint8Array {
  const found = GOLDEN_TENSORS.find((golden) => golden.name === name);
  if (found === undefined) throw new Error(`no golden tensor ${name}`);
  return found.proto;
}

test("content of one-byte elements is a view of the message", () => {
  const message = goldenNamed("DT_UINT8 content");
  const { data } = tensorFromProto(TensorProto.decode(message), "x");
  expect(ArrayBuffer.isView(data) && data.buffer).toBe(message.buffer);
});

test("content at an odd offset of a Buffer is read correctly, by a copy", () => {
  const content = Buffer.alloc(9);
  content.writeFloatLE(1.5, 1);
  content.writeFloatLE(-2, 5);
  const proto = {
    ...tensorToProto({ dtype: DataType.DT_FLOAT, shape: [0], data: new Float32Array() }, "content"),
  };
  proto.tensorShape = { dim: [{ size: 2, name: "" }], unknownRank: false };
  proto.tensorContent = content.subarray(1);
  expect(tensorFromProto(proto, "x").data).toEqual(Float32Array.of(1.5, -2));
});

test("content at a fitting offset is a view", () => {
  const buffer = new ArrayBuffer(16);
  new Float32Array(buffer).set([9, 1.5, -2, 9]);
  const data = new Float32Array(buffer, 4, 2);
  const proto = tensorToProto({ dtype: DataType.DT_FLOAT, shape: [2], data }, "content");
  expect(proto.tensorContent.buffer).toBe(buffer);
  const parsed = tensorFromProto(proto, "x").data;
  expect(parsed).toEqual(data);
  expect(ArrayBuffer.isView(parsed) && parsed.buffer).toBe(buffer);
});

test("one value cannot be made to fill a huge tensor", () => {
  const huge = (shape: number[]) => ({
    ...tensorToProto({ dtype: DataType.DT_FLOAT, shape: [], data: Float32Array.of(1) }, "values"),
    tensorShape: { dim: shape.map((size) => ({ size, name: "" })), unknownRank: false },
  });
  expect(() => tensorFromProto(huge([2 ** 31]), "x")).toThrow(
    "tensor parsing error: x: shape was [2147483648], expected at most 67108864 elements",
  );
  expect(() => tensorFromProto(huge(Array(254).fill(2 ** 53 - 1)), "x")).toThrow(ServeError);
  expect(() => tensorFromProto(huge([26]), "x", { maxBytes: 100 })).toThrow("expected at most 25 elements");
  expect(tensorFromProto(huge([25]), "x", { maxBytes: 100 }).data).toHaveLength(25);
});

test("one string cannot be made to fill a huge tensor", () => {
  const proto = tensorToProto({ dtype: DataType.DT_STRING, shape: [1], data: [Buffer.from("a")] }, "values");
  proto.tensorShape = { dim: [{ size: 2 ** 31, name: "" }], unknownRank: false };
  expect(() => tensorFromProto(proto, "x")).toThrow("expected at most 33554432 elements");
  proto.tensorContent = new Uint8Array([1, 1, 1]);
  proto.tensorShape = { dim: [{ size: 2 ** 24, name: "" }], unknownRank: false };
  expect(() => tensorFromProto(proto, "x")).toThrow("was not 16777216 lengths and their strings");
});

test.each([
  [DataType.DT_INT4, "int4"],
  [DataType.DT_QUINT8, "quint8"],
  [DataType.DT_RESOURCE, "resource"],
  [DataType.DT_FLOAT8_E5M2, "float8_e5m2"],
])("dtype %i is refused by its name %s", (dtype, name) => {
  const proto = tensorToProto({ dtype, shape: [0], data: new Uint8Array() }, "content");
  expect(() => tensorFromProto(proto, "x")).toThrow(`tensor parsing error: x: dtype was ${name}, expected`);
});

test("a dtype number that no TensorFlow has is refused", () => {
  const unknown = TensorProto.decode(Uint8Array.of(0x08, 0xe7, 0x07));
  expect(() => tensorFromProto(unknown, "x")).toThrow("dtype was dtype 999");
});

test("a tensor whose entries do not fit its shape is not written", () => {
  const tensor = { dtype: DataType.DT_COMPLEX64, shape: [2], data: new Float32Array(2) };
  expect(() => tensorToProto(tensor, "content")).toThrow(
    "complex64 tensor of shape [2] had 2 entries, expected 4",
  );
});

test("a dtype is named as in TensorFlow's messages", () => {
  expect([DataType.DT_FLOAT, DataType.DT_HALF, DataType.DT_STRING, DataType.DT_BOOL].map(dtypeName)).toEqual([
    "float",
    "half",
    "string",
    "bool",
  ]);
});
