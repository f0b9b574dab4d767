import { expect, test } from "vitest";
import { type Frame, FrameReader, frameMessage } from "./framing.js";

function readAll(
  chunks: readonly Uint8Array[],
  maxMessageBytes = 1000,
): { frames: Frame[]; unfinished: boolean } {
  const reader = new FrameReader(maxMessageBytes);
  const frames: Frame[] = [];
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push(frame));
  return { frames, unfinished: reader.unfinished };
}

const three = Buffer.concat([
  ...frameMessage([Buffer.from("one")]),
  ...frameMessage([]),
  ...frameMessage([Buffer.from("th"), Buffer.from("ree")]),
]);

test.each([1, 2, 3, 5, 7, 100])("messages cut into pieces of %i bytes come out whole", (size) => {
  const chunks: Uint8Array[] = [];
  for (let offset = 0; offset < three.length; offset += size)
    chunks.push(three.subarray(offset, offset + size));
  const { frames, unfinished } = readAll(chunks);
  expect(frames.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["one", "", "three"]);
  expect(unfinished).toBe(false);
});

test("a message within one chunk is a view of it", () => {
  const { frames } = readAll([three]);
  expect(frames[0]?.bytes.buffer).toBe(three.buffer);
});

test.each([1, 3, 5, 7])("a message of which %i bytes have come is unfinished", (bytes) => {
  expect(readAll([three.subarray(0, bytes)]).unfinished).toBe(true);
});

test("a message put together from pieces ends at a multiple of 8", () => {
  for (const length of [8, 9, 15, 1000]) {
    const bytes = Buffer.concat(frameMessage([Buffer.alloc(length)]));
    const { frames } = readAll([bytes.subarray(0, 7), bytes.subarray(7)]);
    const message = frames[0]?.bytes;
    expect(message?.byteLength).toBe(length);
    expect(((message?.byteOffset ?? 0) + length) % 8).toBe(0);
  }
});

test("a message of the greatest length is read, one byte more is refused by its prefix alone", () => {
  const greatest = Buffer.alloc(1000, 1);
  expect(readAll(frameMessage([greatest])).frames[0]?.bytes).toEqual(greatest);
  const [prefix] = frameMessage([Buffer.alloc(1001)]);
  expect(() => readAll([prefix ?? Buffer.alloc(0)])).toThrow("message had 1001 bytes, expected at most 1000");
});

test("the compressed flag is read, any other value is refused", () => {
  expect(readAll([Buffer.from([1, 0, 0, 0, 0])]).frames).toEqual([
    { compressed: true, bytes: expect.anything() },
  ]);
  expect(() => readAll([Buffer.from([2, 0, 0, 0, 0])])).toThrow("compressed-flag was 2, expected 0 or 1");
});
