import { expect, test } from "vitest";
import { TensorProto } from "./gen/tensorflow/core/framework/tensor.js";
import { MessageReader } from "./message-reader.js";
import { PREDICT } from "./services.js";
import { DataType, tensorToProto } from "./tensor.js";

function repeated(bytes: readonly number[], times: number): Buffer {
  return Buffer.alloc(bytes.length * times, Buffer.from(bytes));
}

test.each([
  ["empty strings", repeated([0x42, 0], 10_000)],
  ["dimensions", Buffer.concat([Buffer.of(0x12, 0xa0, 0x9c, 0x01), repeated([0x12, 0], 10_000)])],
  ["small int64 values", repeated([0x50, 1], 10_000)],
  ["small int32 values", repeated([0x38, 1], 10_000)],
])("10000 %s do not pass for 20 KB", (_, bytes) => {
  expect(TensorProto.decode(new MessageReader(bytes)).dtype).toBe(0);
  expect(() => TensorProto.decode(new MessageReader(bytes, 200_000))).toThrow(
    expect.objectContaining({ reason: "MESSAGE_TOO_LARGE" }),
  );
});

test("a batch of pictures passes, as content and value by value", () => {
  const data = new Uint8Array(2 * 299 * 299 * 3).fill(3);
  for (const form of ["content", "values"] as const) {
    const image = tensorToProto({ dtype: DataType.DT_UINT8, shape: [2, 299, 299, 3], data }, form);
    const bytes = Buffer.concat(
      PREDICT.encodeRequest({ modelSpec: undefined, inputs: new Map([["image", image]]), outputFilter: [] }),
    );
    const read = PREDICT.decodeRequest(bytes).inputs.get("image");
    expect(form === "content" ? read?.tensorContent.length : read?.intVal.length).toBe(data.length);
  }
});
