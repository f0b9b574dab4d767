import { expect, test } from "vitest";
import { type Frame, FrameReader, frameMessage } from "./framing.js";

function readAll(
  chunks: readonly Uint8Array[],
  maxMessageBytes = 1000,
): { frames: Frame[]; pending: number } {
  const reader = new FrameReader(maxMessageBytes);
  const frames: Frame[] = [];
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push(frame));
  return { frames, pending: reader.pendingBytes };
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
  const { frames, pending } = readAll(chunks);
  expect(frames.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["one", "", "three"]);
  expect(pending).toBe(0);
});

test("a message within one chunk is a view of it", () => {
  const { frames } = readAll([three]);
  expect(frames[0]?.bytes.buffer).toBe(three.buffer);
});

test("an unfinished message is pending, also when only its prefix has come", () => {
  expect(readAll([three.subarray(0, 3)]).pending).toBe(3);
  expect(readAll([three.subarray(0, 5)]).pending).toBe(5);
  expect(readAll([three.subarray(0, 7)]).pending).toBe(7);
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
