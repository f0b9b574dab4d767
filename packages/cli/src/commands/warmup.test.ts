import { copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { readWarmUpFile } from "@vitrine/model-server/warm-up/warm-up-file";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { run } from "../main.js";

const SHIPPED = fileURLToPath(new URL("../../../../models/clothing-model/2", import.meta.url));
const DRAWING = fileURLToPath(new URL("../../../../tests/e2e/pictures/trousers.jpg", import.meta.url));

let base: string;
beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), "vitrine-warmup-"));
  onTestFinished(() => rm(base, { recursive: true }));
  await cp(SHIPPED, path.join(base, "7"), { recursive: true });
});

async function warmup(...args: string[]) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const code = await run(["warmup", ...args], { ...streams, env: {}, signal: new AbortController().signal });
  const textOf = (stream: PassThrough): string => String(stream.read() ?? "");
  return { code, stdout: textOf(streams.stdout), stderr: textOf(streams.stderr) };
}

test("photos become requests that the highest version runs before it is available", async () => {
  await copyFile(DRAWING, path.join(base, "again.jpg"));
  const { code, stdout, stderr } = await warmup(base, DRAWING, path.join(base, "again.jpg"));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "2 requests recorded, each tried on the model\n" });
  expect(stdout).toBe(`${path.join(base, "7", "assets.extra", "tf_serving_warmup_requests")}\n`);
  const [log] = await readWarmUpFile(path.join(base, "7"));
  const request = log?.logType?.$case === "predictLog" ? log.logType.value.request : undefined;
  expect(request?.modelSpec).toMatchObject({ name: path.basename(base), signatureName: "serving_default" });
  expect(request?.inputs.get("pixels")?.tensorShape?.dim.map(({ size }) => Number(size))).toEqual([
    1, 256, 256, 3,
  ]);
});

test("a photo that is none ends it, and nothing is written", async () => {
  const nonsense = path.join(base, "nonsense.jpg");
  await writeFile(nonsense, "nonsense");
  const { code, stderr } = await warmup(path.join(base, "7"), DRAWING, nonsense);
  expect(code).toBe(1);
  expect(stderr).toContain(`${nonsense}: picture was of a kind not known`);
  expect(stderr).toContain("nothing was written");
  expect(await readdir(path.join(base, "7"))).not.toContain("assets.extra");
});

test("a folder that is not there or has no model, and no photo, are told", async () => {
  expect((await warmup(path.join(base, "none"), DRAWING)).stderr).toContain(
    "none could not be read (ENOENT)",
  );
  await mkdir(path.join(base, "empty"));
  const { code, stderr } = await warmup(path.join(base, "empty"), DRAWING);
  expect(code).toBe(2);
  expect(stderr).toContain("empty held no model, expected a version's folder or one with versions");
  expect((await warmup(base)).stderr).toContain("missing required argument 'photos'");
  expect((await warmup(base, path.join(base, "empty"))).stderr).toContain("no photo was found");
});
