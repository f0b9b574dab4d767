/** What becomes of a build whose tier ends otherwise than it should, with a few lines in the tier's place. */
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const OTHER = process.arch === "arm64" ? "x64" : "arm64";
const CRASHES = `process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);`;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-warm-"));
  for (const name of ["warm.js", "tiers.js"]) {
    await copyFile(path.join(import.meta.dirname, name), path.join(folder, name));
  }
  await writeFile(path.join(folder, "package.json"), `{ "type": "module" }`);
});

afterEach(() => rm(folder, { recursive: true }));

/** As the Dockerfiles' RUN does, on a machine with the processor `builtOn`. */
async function warm(image: string, builtOn: string): Promise<{ failed: boolean; said: string }> {
  await writeFile(path.join(folder, "image.js"), image);
  await writeFile(path.join(folder, "built-on"), `${builtOn}\n`);
  const words = [path.join(folder, "warm.js"), "gateway", path.join(folder, "image.js")];
  // What Node.js left there could be taken away by nobody but root.
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: path.join(folder, "compiled"),
    NODE_DISABLE_COMPILE_CACHE: "1",
  };
  return new Promise((resolve) => {
    execFile(process.execPath, words, { env }, (error, _stdout, stderr) =>
      resolve({ failed: error !== null, said: stderr }),
    );
  });
}

it("a tier that crashes on the build's own processor ends the build", async () => {
  const { failed, said } = await warm(CRASHES, process.arch);
  expect(failed).toBe(true);
  expect(said).toContain("gateway ended with SIGKILL, expected 0");
});

it("a tier that crashes under the emulation of another processor leaves an image without compiled code", async () => {
  const { failed, said } = await warm(CRASHES, OTHER);
  expect(failed).toBe(false);
  expect(said).toContain("gateway was ended by SIGKILL: the image is made without compiled code");
});

it("a tier that ends with an error ends the build under emulation, too", async () => {
  const { failed, said } = await warm("process.exitCode = 3;", OTHER);
  expect(failed).toBe(true);
  expect(said).toContain("gateway ended with 3, expected 0");
});
