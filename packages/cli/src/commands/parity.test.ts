import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { run } from "../main.js";

const GOLDEN = fileURLToPath(new URL("../../../gateway/golden/", import.meta.url));
const PHOTO = path.join(GOLDEN, "pictures/exif-6.jpg");
/** Written by NumPy: the photo as it lies, NEAREST to 32x32, Keras' preset tf. */
const TENSOR = path.join(GOLDEN, "notebook.npy");

async function parity(...argv: string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await run(["parity", ...argv], {
    stdout,
    stderr,
    env: {},
    signal: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-parity-"));
  return () => rm(folder, { recursive: true });
});

async function contract(preprocessor: object): Promise<string> {
  const own = await mkdtemp(path.join(folder, "contract-"));
  await writeFile(path.join(own, "config.json"), JSON.stringify({ id2label: { 0: "any" } }));
  await writeFile(path.join(own, "preprocessor_config.json"), JSON.stringify(preprocessor));
  return own;
}

test("a tensor that NumPy wrote is equal under the flags of its training, and the command succeeds", async () => {
  const { code, stdout } = await parity(PHOTO, "--expect", TENSOR, "--preprocess", "xception");

  expect(stdout).toContain("recorded  notebook.npy: f4 [1, 32, 32, 3], NHWC\n");
  expect([code, stdout.split("\n").at(-2)]).toEqual([0, "equal: every value is the same"]);
});

test("what is otherwise is named with what to set, and the command fails", async () => {
  const { code, stdout } = await parity(
    PHOTO,
    ...["--expect", TENSOR, "--preprocess", "xception", "--orientation", "exif", "--resample", "bilinear"],
  );

  expect(code).toBe(1);
  expect(stdout).toContain("first to part: orientation\n");
  expect(stdout).toMatch(/^resize filter {2}Pillow bilinear {2,}Pillow nearest /m);
  expect(stdout).toContain("With that the tensors are equal.");
  expect(stdout).toContain("or, for vitrine gateway: --resample nearest --orientation ignore\n");
});

test("a contract's folder is compared, and JSON says the same", async () => {
  const own = await contract({ size: 32, resample: 0, vitrine: { preset: "torch" } });
  onTestFinished(() => rm(own, { recursive: true }));
  const { code, stdout } = await parity(PHOTO, "--expect", TENSOR, "--contract", own, "--format", "json");

  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    changes: [{ step: "scale", recorded: "Keras preset tf" }],
    isExplained: true,
    set: { vitrine: { preset: "tf" } },
  });
});

test.each([
  [["--expect", "nowhere.npy"], 1, "nowhere.npy could not be read"],
  [["--expect", PHOTO], 1, "exif-6.jpg was no .npy file"],
  [[], 2, "expect"],
  [["--expect", TENSOR, "--contract", GOLDEN], 2, "expected a folder with config.json"],
])("with %j it says what is wrong", async (argv, exitCode, words) => {
  const { code, stderr } = await parity(PHOTO, ...argv);

  expect([code, stderr]).toEqual([exitCode, expect.stringContaining(words)]);
});
