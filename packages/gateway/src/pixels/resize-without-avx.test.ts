import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);

/** Compares the SIMD kernels with the plain loops on noise, in a process of its own. */
const COMPARISON = `
  const { resize } = await import(${JSON.stringify(new URL("../../dist/pixels/resize.js", import.meta.url))});
  const { createSimdResize } = await import(${JSON.stringify(new URL("../../dist/pixels/resize-simd.js", import.meta.url))});
  const pixels = Uint8Array.from({ length: 3 * 640 * 480 }, (_, index) => (index * 2654435761) >>> 24);
  const picture = { width: 640, height: 480, pixels };
  for (const filter of ["box", "bilinear", "bicubic", "lanczos"]) {
    const target = { width: 256, height: 200, filter };
    const [plain, simd] = [resize, createSimdResize()].map((way) => Buffer.from(way(picture, target).pixels));
    console.log(filter, plain.equals(simd));
  }
`;

it.runIf(process.arch === "x64")(
  "a processor without AVX gives the same bytes, before and after V8 has optimised the kernels",
  async () => {
    for (const compiler of ["--liftoff-only", "--no-liftoff"]) {
      const flags = ["--no-enable-avx", compiler, "--input-type=module", "--eval", COMPARISON];
      const { stdout } = await run(process.execPath, flags);
      expect(stdout).toBe("box true\nbilinear true\nbicubic true\nlanczos true\n");
    }
  },
);
