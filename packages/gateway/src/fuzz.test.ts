/** Seeded noise into the two parsers that strangers reach: forms and pictures. The same bytes in every run. */
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemSchema } from "./api.js";
import { jpeg, model, startTestGateway, type TestGateway } from "./testing/gateway.js";

const PICTURES = fileURLToPath(new URL("../golden/pictures/", import.meta.url));
const ROUNDS = 300;
/** A picture that decodes is answered; all else is the caller's fault, and said so. */
const EXPECTED = new Set([200, 400, 413, 415]);

let setup: TestGateway;

beforeAll(async () => {
  setup = await startTestGateway(model(), { maxImagePixels: "1000000", logLevel: "fatal" });
});

afterAll(async () => {
  await setup.close();
});

/** Source: mulberry32. @returns whole numbers below `below`. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One to four faults: flipped, extreme, lost, doubled or strange bytes. */
function damaged(bytes: Buffer, roll: (below: number) => number): Buffer {
  let changed = Buffer.from(bytes);
  for (let faults = 1 + roll(4); faults > 0; faults--) {
    // Half of them in the first bytes, where headers are.
    const at = roll(roll(2) === 0 ? Math.min(64, changed.byteLength) : changed.byteLength);
    const length = 1 + roll(16);
    switch (roll(5)) {
      case 0:
        changed[at] = (changed[at] ?? 0) ^ (1 << roll(8));
        break;
      case 1:
        changed.fill(roll(2) === 0 ? 0xff : 0, at, Math.min(changed.byteLength, at + 1 + roll(4)));
        break;
      case 2:
        changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + length)]);
        break;
      case 3:
        changed = Buffer.concat([changed.subarray(0, at + length), changed.subarray(at)]);
        break;
      default:
        changed = changed.subarray(0, Math.max(1, at));
    }
  }
  return changed;
}

async function send(body: Buffer, type: string): Promise<number> {
  const response = await fetch(setup.url("/predict"), {
    method: "POST",
    headers: { "content-type": type },
    body: new Uint8Array(body),
  });
  const answer: unknown = await response.json();
  if (response.status !== 200) problemSchema.parse(answer);
  return response.status;
}

async function expectHealth(): Promise<void> {
  expect(await send(await jpeg(), "image/jpeg")).toBe(200);
  const metrics = await (await fetch(setup.url("/metrics"))).text();
  expect(metrics).toMatch(/^vitrine_gateway_held_bytes 0$/m);
  expect(metrics).toMatch(/^vitrine_gateway_predictions_in_flight 0$/m);
}

describe("damaged bytes", () => {
  it("as pictures of every kind are answered or refused, and the gateway goes on", async () => {
    const names = (await readdir(PICTURES)).sort();
    const pictures = await Promise.all(names.map((name) => readFile(PICTURES + name)));
    const roll = dice(7);
    for (let round = 0; round < ROUNDS; round++) {
      const index = roll(pictures.length);
      const picture = damaged(pictures[index] ?? Buffer.alloc(1), roll);
      const status = await send(picture, "image/jpeg");
      expect(EXPECTED, `round ${round}, ${names[index]}`).toContain(status);
    }
    await expectHealth();
  });

  it("as forms are answered or refused, and the gateway goes on", async () => {
    const photo = await jpeg();
    const form = Buffer.concat([
      Buffer.from('--b\r\ncontent-disposition: form-data; name="note"\r\n\r\nblue\r\n--b\r\n'),
      Buffer.from(
        'content-disposition: form-data; name="file"; filename="a.jpg"\r\ncontent-type: image/jpeg\r\n\r\n',
      ),
      photo,
      Buffer.from("\r\n--b--\r\n"),
    ]);
    const roll = dice(11);
    for (let round = 0; round < ROUNDS; round++) {
      const status = await send(damaged(form, roll), "multipart/form-data; boundary=b");
      expect(EXPECTED, `round ${round}`).toContain(status);
    }
    await expectHealth();
  });

  it("as JSON are refused or fetched, and the gateway goes on", async () => {
    const json = Buffer.from('{"urls": ["http://127.0.0.1/a.jpg", "http://10.0.0.1/b.jpg"]}');
    const roll = dice(13);
    for (let round = 0; round < ROUNDS; round++) {
      expect(EXPECTED, `round ${round}`).toContain(await send(damaged(json, roll), "application/json"));
    }
    await expectHealth();
  });
});
