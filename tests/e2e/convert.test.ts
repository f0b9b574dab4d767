import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { DRAWING, runVitrine } from "./vitrine.js";

/** The course's model, narrow, as Keras 2 saved it. See packages/convert/golden/README.md. */
const COURSE = fileURLToPath(
  new URL("../../packages/convert/golden/keras/course.keras2.tar.br", import.meta.url),
);
const LABELS = "dress,hat,longsleeve,outwear,pants,shirt,shoes,shorts,skirt,t-shirt";

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "vitrine-convert-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** Takes one file out of the archive: a header of 512 bytes each, contents padded to 512. */
async function unpack(name: string, target: string): Promise<void> {
  const archive = brotliDecompressSync(await readFile(COURSE));
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const text = (start: number, length: number) =>
      archive
        .subarray(at + start, at + start + length)
        .toString("latin1")
        .replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 12), 8);
    if (text(0, 100) === name) await writeFile(target, archive.subarray(at + 512, at + 512 + size));
    at += 512 + 512 * Math.ceil(size / 512);
  }
}

test("the course's .h5 becomes a SavedModel that is inspected, served and asked", async () => {
  const folder = await scratchFolder();
  const source = path.join(folder, "course.h5");
  await unpack("model.h5", source);
  await unpack("input-0.npy", path.join(folder, "in.npy"));
  await unpack("output-0.npy", path.join(folder, "out.npy"));
  const base = path.join(folder, "clothing");

  const converted = await runVitrine([
    "convert",
    source,
    path.join(base, "1"),
    "--preprocess",
    "xception",
    "--labels",
    LABELS,
    "--verify",
    path.join(folder, "in.npy"),
    path.join(folder, "out.npy"),
  ]);
  expect(converted.stderr).toContain("running what was written");
  expect(converted.code).toBe(0);
  expect(converted.stdout).toMatch(/^source +verified: largest difference/m);
  expect(converted.stdout).toContain(`vitrine up ${base}`);

  const shown = await runVitrine([
    "inspect",
    "--dir",
    path.join(base, "1"),
    "--tag_set",
    "serve",
    "--signature_def",
    "serving_default",
  ]);
  expect(shown.stdout).toContain(
    "  inputs['input_8'] tensor_info:\n      dtype: DT_FLOAT\n      shape: (-1, 75, 75, 3)\n",
  );
  expect(shown.stdout).toContain(
    "  outputs['dense_7'] tensor_info:\n      dtype: DT_FLOAT\n      shape: (-1, 10)\n",
  );

  const classified = await runVitrine(["classify", DRAWING, "--base-path", base, "--format", "jsonl"]);
  expect(classified.stderr).not.toContain("error");
  const row = JSON.parse(classified.stdout);
  expect(Object.keys(row.predictions).sort()).toEqual(LABELS.split(","));
});

test("pixels and an ONNX file from the same model give the same answer", async () => {
  const folder = await scratchFolder();
  const source = path.join(folder, "course.h5");
  await unpack("model.h5", source);
  const flags = ["--preprocess", "xception", "--labels", LABELS];
  const answers: number[][] = [];
  for (const more of [
    ["--to", "savedmodel"],
    ["--to", "onnx", "--input-dtype", "uint8"],
  ]) {
    const base = await mkdtemp(path.join(folder, "model-"));
    const { code, stderr } = await runVitrine(["convert", source, path.join(base, "1"), ...flags, ...more]);
    expect(code, stderr).toBe(0);
    const { stdout } = await runVitrine(["classify", DRAWING, "--base-path", base, "--format", "jsonl"]);
    answers.push(Object.values<number>(JSON.parse(stdout).predictions));
  }
  const [floats = [], pixels = []] = answers;
  expect(pixels).toHaveLength(10);
  for (const [index, score] of pixels.entries()) expect(score).toBeCloseTo(floats[index] ?? Number.NaN, 5);
});

test("a damaged file is refused in a sentence, and nothing is written", async () => {
  const folder = await scratchFolder();
  const source = path.join(folder, "course.h5");
  await unpack("model.h5", source);
  await writeFile(source, (await readFile(source)).subarray(0, 5000));
  const { code, stderr, stdout } = await runVitrine(["convert", source, path.join(folder, "out", "1")]);
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(await readdir(path.join(folder, "out"))).toEqual([]);
});

test.each([
  [["convert", "one.h5"], /1 paths were given, expected two: SRC DST/],
  [["convert", "a.h5", "b", "--to", "tflite"], /--to was tflite, expected one of savedmodel, onnx/],
  [["inspect"], /the model was not named once, expected PATH or --dir PATH/],
])("vitrine %s is wrong usage", async (args, words) => {
  const { code, stderr } = await runVitrine(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(words);
});
