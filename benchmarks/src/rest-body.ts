/**
 * A picture of 256 pixels in the body of a REST `:predict`, to the tensor: ours against JSON.parse and a walk over its
 * arrays, by turns in one process. Each blocks the event loop for as long.
 */
import { parseRestBody, readRestInputs } from "@vitrine/model-server/rest/rest-request";
import { signatureOf } from "@vitrine/model-server/signature";
import { median } from "./harness/statistics.js";

const SIZE = 256;
const ELEMENTS = SIZE * SIZE * 3;
const ROUNDS = 21;

type ElementType = "uint8" | "float32";

const PICTURES: readonly (readonly [name: string, type: ElementType, element: (byte: number) => number])[] = [
  ["bytes, uint8", "uint8", (byte) => byte],
  ["bytes / 255, float32", "float32", (byte) => byte / 255],
  ["float32 in full length", "float32", (byte) => Math.fround(byte / 127.5 - 1)],
];

function bodyOf(element: (byte: number) => number): Buffer {
  const rows = Array.from({ length: SIZE }, (_, y) =>
    Array.from({ length: SIZE }, (__, x) => [x, y, x ^ y].map((byte) => element(byte % 256))),
  );
  return Buffer.from(JSON.stringify({ instances: [rows] }));
}

/** What a server over JSON.parse does. */
function readPlainly(body: Buffer, type: ElementType): Uint8Array | Float32Array {
  const { instances } = JSON.parse(body.toString("utf8"));
  const data = type === "uint8" ? new Uint8Array(ELEMENTS) : new Float32Array(ELEMENTS);
  let offset = 0;
  for (const picture of instances) {
    for (const row of picture) {
      for (const pixel of row) {
        for (const value of pixel) data[offset++] = value;
      }
    }
  }
  return data;
}

function timeMs(run: () => void): number {
  const startedMs = performance.now();
  run();
  return performance.now() - startedMs;
}

console.log(`reading a ${SIZE} px picture from a REST body; medians of ${ROUNDS} rounds, by turns`);
for (const [name, type, element] of PICTURES) {
  const body = bodyOf(element);
  const signature = signatureOf({
    inputs: [{ name: "pixels", type, shape: ["n", SIZE, SIZE, 3] }],
    outputs: [],
  });
  const read = () => readRestInputs(parseRestBody(body), signature).inputs.get("pixels")?.data;
  const plain = readPlainly(body, type);
  if (Buffer.compare(Buffer.from(Float64Array.from(plain).buffer), float64Bytes(read())) !== 0) {
    throw new Error("the two ways differ");
  }
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(timeMs(read));
    theirs.push(timeMs(() => readPlainly(body, type)));
  }
  const ratio = median(ours) / median(theirs);
  console.log(
    `${name.padEnd(24)} ${(body.byteLength / 1e6).toFixed(1)} MB   ours ${median(ours).toFixed(1)} ms   ` +
      `JSON.parse and a walk ${median(theirs).toFixed(1)} ms   ours / theirs ${ratio.toFixed(2)}`,
  );
}

function float64Bytes(data: unknown): Buffer {
  if (!(data instanceof Uint8Array) && !(data instanceof Float32Array)) throw new Error("no numbers");
  return Buffer.from(Float64Array.from(data).buffer);
}
