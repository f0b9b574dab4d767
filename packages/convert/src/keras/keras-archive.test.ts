import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { openGolden } from "../testing/golden.js";
import { makeZip, type ZipMember } from "../testing/zip.js";
import { openKerasArchive } from "./keras-archive.js";
import { readKeras } from "./read-keras.js";

const hdf5WorkerUrl = new URL("../../dist/keras/hdf5-worker.js", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "vitrine-archive-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const config: ZipMember = { name: "config.json", content: Buffer.from("{}") };
const weights: ZipMember = { name: "model.weights.h5", content: Buffer.from("weights") };

async function opened(
  members: readonly ZipMember[],
  change = (zip: Buffer): Buffer => zip,
): Promise<unknown> {
  const path = join(folder, `${files++}.keras`);
  writeFileSync(path, change(makeZip(members)));
  return openKerasArchive(path, `${path}.weights`).catch((error: unknown) => error);
}

describe("openKerasArchive", () => {
  it("reads members that are stored and that are deflated", async () => {
    const text = Buffer.from('{"a": 1}');
    for (const deflated of [false, true]) {
      const path = join(folder, `good-${deflated}.keras`);
      writeFileSync(
        path,
        makeZip([
          { name: "config.json", content: text, deflated },
          { ...weights, deflated },
        ]),
      );
      expect(await openKerasArchive(path, `${path}.h5`)).toEqual({ config: '{"a": 1}', metadata: undefined });
      expect(readFileSync(`${path}.h5`, "utf8")).toBe("weights");
    }
  });

  it.each([
    ["nothing in it", [], "no config.json"],
    ["no weights", [config], "no model.weights.h5"],
    [
      "weights in shards",
      [config, { name: "model.weights.json", content: Buffer.from("{}") }],
      "max_shard_size",
    ],
    [
      "a member that says it is larger than it is",
      [config, { ...weights, deflated: true, statedSize: 4 * 2 ** 20 }],
      "too much",
    ],
    [
      "a member that is larger than it says",
      [{ ...config, deflated: true, content: Buffer.alloc(4000), statedSize: 8 }, weights],
      "damaged",
    ],
    ["a bomb", [config, { ...weights, deflated: true, content: Buffer.alloc(8 * 2 ** 20) }], "too much"],
  ] satisfies [string, ZipMember[], string][])("refuses a zip with %s", async (_words, members, message) => {
    expect(await opened(members)).toMatchObject({
      reason: "MODEL_INVALID",
      message: expect.stringContaining(message),
    });
  });

  it("refuses a zip that ends early, at every length", async () => {
    const { length } = makeZip([config, weights]);
    for (let end = 0; end < length; end += 7)
      expect(await opened([config, weights], (zip) => zip.subarray(0, end))).toMatchObject({
        reason: "MODEL_INVALID",
      });
  });
});

afterEach(() => vi.unstubAllEnvs());

describe("a .keras file", () => {
  it("leaves nothing behind, whether it is sound or not", async () => {
    const scratch = mkdtempSync(join(folder, "scratch-"));
    vi.stubEnv("TMPDIR", scratch);
    const golden = openGolden("dense.keras3");
    try {
      await readKeras(join(golden.folder, "model.keras"), { hdf5WorkerUrl });
      const path = join(folder, "broken.keras");
      writeFileSync(path, makeZip([config, weights]));
      await expect(readKeras(path, { hdf5WorkerUrl })).rejects.toMatchObject({ reason: "MODEL_INVALID" });
      expect(await readdir(scratch)).toEqual([golden.folder.split("/").at(-1)]);
    } finally {
      golden.remove();
    }
  });
});
