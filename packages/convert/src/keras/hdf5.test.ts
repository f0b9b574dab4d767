import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { File as Hdf5File, ready } from "h5wasm/node";
import { afterAll, describe, expect, it } from "vitest";
import { openGolden } from "../testing/golden.js";
import { type Hdf5, readHdf5 } from "./hdf5.js";

const REAL_WORKER = new URL("../../dist/keras/hdf5-worker.js", import.meta.url);
const PARKING_WORKER = new URL("../testing/parking-hdf5-worker.js", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "vitrine-hdf5-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

async function makeFile(fill: (file: Hdf5File) => void): Promise<string> {
  await ready;
  const path = join(folder, `${files++}.h5`);
  const file = new Hdf5File(path, "w");
  fill(file);
  file.close();
  return path;
}

function read(path: string, workerUrl = REAL_WORKER): Promise<Hdf5> {
  return readHdf5(path, { skippedGroups: ["/optimizer_weights"], workerUrl, silenceMs: 20_000 });
}

async function refusal(reading: Promise<unknown>): Promise<string> {
  const error: unknown = await reading.then(
    () => "no error",
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(ServeError);
  expect(error).toMatchObject({ reason: "MODEL_INVALID" });
  return error instanceof ServeError ? error.message : "";
}

/** The file with every occurrence of a little-endian 64-bit number replaced. */
function patched(path: string, from: bigint, to: bigint): string {
  const bytes = readFileSync(path);
  const [pattern, replacement] = [from, to].map((value) => {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(value);
    return word;
  });
  if (pattern === undefined || replacement === undefined) throw new Error("no pattern");
  let found = 0;
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    replacement.copy(bytes, at);
    found++;
  }
  expect(found).toBeGreaterThan(0);
  writeFileSync(path, bytes);
  return path;
}

describe("readHdf5", () => {
  it("reads groups, texts and arrays of several types", async () => {
    const path = await makeFile((file) => {
      file.create_attribute("model_config", '{"class_name": "Modèle"}');
      file.create_attribute("layer_names", ["a", "b/c"]);
      file.create_group("weights");
      file.create_dataset({
        name: "weights/kernel:0",
        data: Float32Array.of(1, 2, 3, 4, 5, 6),
        shape: [2, 3],
      });
      file.create_dataset({ name: "weights/count", data: new BigInt64Array([7n]), shape: [] });
      file.create_dataset({ name: "weights/text", data: "no array" });
      file.create_group("optimizer_weights");
      file.create_dataset({ name: "optimizer_weights/m", data: Float32Array.of(1), shape: [1] });
    });
    const { groups, datasets } = await read(path);
    expect(groups.get("/")).toEqual({ model_config: '{"class_name": "Modèle"}', layer_names: ["a", "b/c"] });
    expect([...datasets.keys()].sort()).toEqual(["/weights/count", "/weights/kernel:0"]);
    const kernel = datasets.get("/weights/kernel:0");
    expect(kernel).toMatchObject({ type: "float32", shape: [2, 3] });
    expect(new Float32Array(kernel?.bytes.slice().buffer ?? [])).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(datasets.get("/weights/count")).toMatchObject({ type: "int64", shape: [] });
  });

  it("reads an array in slices as it reads it whole", async () => {
    const values = Float32Array.from({ length: 3000 * 1001 }, (_, index) => index);
    const path = await makeFile((file) => {
      file.create_dataset({ name: "large", data: values, shape: [3000, 1001] });
    });
    const bytes = (await read(path)).datasets.get("/large")?.bytes;
    expect(Buffer.from(bytes ?? []).equals(Buffer.from(values.buffer))).toBe(true);
  });

  it("refuses a file that ends early", async () => {
    const golden = openGolden("dense.keras2");
    try {
      const whole = readFileSync(join(golden.folder, "model.h5"));
      for (const share of [0.02, 0.3, 0.6, 0.9, 0.999]) {
        const path = join(folder, `short-${share}.h5`);
        writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
        expect(await refusal(read(path))).toContain("HDF5 file was unreadable");
      }
    } finally {
      golden.remove();
    }
  });

  it("refuses an array that the file has no room for before it takes memory for it", async () => {
    const path = await makeFile((file) => {
      file.create_dataset({ name: "huge", data: new Float32Array(1237), shape: [1237] });
    });
    patched(path, 1237n, 26_843_545_600n);
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal(read(path))).toMatch(/unreadable/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  it("refuses a compressed array that unpacks to more than weights ever do", async () => {
    const path = await makeFile((file) => {
      const made = file.create_dataset({
        name: "bomb",
        data: new Float32Array(1024),
        shape: [1024],
        maxshape: [null],
        chunks: [1024],
        compression: 9,
      });
      made.resize([2 ** 33]);
    });
    expect(await refusal(read(path))).toContain("/bomb had shape [8589934592], too much for a file of");
  });

  it("refuses groups that hold themselves", async () => {
    const path = await makeFile((file) => {
      file.create_group("a");
      file.create_hard_link("/", "/a/again");
    });
    expect(await refusal(read(path))).toContain("nested deeper than 64 levels");
  });

  it("never opens another file that this one points at", async () => {
    const secret = await makeFile((file) => {
      file.create_dataset({ name: "secret", data: Float32Array.of(42), shape: [1] });
    });
    const path = await makeFile((file) => {
      file.create_external_link(secret, "/secret", "stolen");
      file.create_dataset({ name: "own", data: Float32Array.of(1), shape: [1] });
    });
    expect([...(await read(path)).datasets.keys()]).toEqual(["/own"]);
  });

  it("says so when a file keeps the library busy for too long", async () => {
    const reading = readHdf5("any.h5", { skippedGroups: [], workerUrl: PARKING_WORKER, silenceMs: 50 });
    expect(await refusal(reading)).toContain("took more than 0.05 s without a result");
  });

  it("answers every damage with a clear error or the file's contents", { timeout: 120_000 }, async () => {
    const golden = openGolden("sequential-deferred.keras2");
    try {
      const whole = readFileSync(join(golden.folder, "model.h5"));
      let seed = 11;
      const random = (below: number): number => {
        seed = (seed * 48271) % 2147483647;
        return seed % below;
      };
      for (let round = 0; round < 16; round++) {
        const bytes = Buffer.from(whole);
        for (let change = 0; change < 1 + round; change++) bytes[random(bytes.length)] = random(256);
        const path = join(folder, "mutant.h5");
        writeFileSync(path, bytes);
        const outcome = await read(path).catch((error: unknown) => error);
        if (!(outcome instanceof ServeError)) expect(outcome).toHaveProperty("datasets");
      }
    } finally {
      golden.remove();
    }
  });
});
