/** The attack corpus against a whole gateway as a process, over the shipped model. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { findMetadata } from "@vitrine/gateway/pixels/picture-file";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AtEnd, DRAWING, startVitrine } from "../e2e/vitrine.js";
import { ATTACKS, type Target } from "./attack-corpus.js";
import { type HostileHost, startHostileHost } from "./hostile-host.js";

const MAX_IMAGE_BYTES = 4 * 1024 * 1024;
/** Decoded: 150 MB. */
const MAX_IMAGE_PIXELS = 50_000_000;
/** Above what the idle gateway takes: two workers that each decode and resize the largest picture, and room. */
const MEMORY_CEILING_BYTES = 640 * 1024 * 1024;

const ends: (() => void)[] = [];
const atEnd: AtEnd = (end) => ends.push(end);

let host: HostileHost;
let target: Target;
/** Where corrections are kept. */
let corrections = "";
let idleBytes = 0;
let greatestBytes = 0;

async function residentBytes(): Promise<number> {
  const text = await (await fetch(`${target.url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

beforeAll(async () => {
  const photo = await readFile(DRAWING);
  host = await startHostileHost(photo);
  const base = new URL("../../models/clothing-model", import.meta.url).pathname;
  const server = startVitrine(
    ["serve", `--model-base-path=${base}`, "--port=auto", "--rest-api-port=0", "--host=127.0.0.1"],
    {},
    atEnd,
  );
  const [, grpc = ""] = await server.says(/grpc:\/\/(\S+)/);
  corrections = await mkdtemp(path.join(tmpdir(), "vitrine-attacks-"));
  const gateway = startVitrine(
    [
      "gateway",
      "--host=127.0.0.1",
      "--port=0",
      `--tf-serving-host=${grpc}`,
      `--allow-image-host=${host.authority}`,
      `--allow-image-host=${host.rawAuthority}`,
      `--max-image-bytes=${MAX_IMAGE_BYTES}`,
      `--max-image-pixels=${MAX_IMAGE_PIXELS}`,
      "--fetch-timeout-ms=1500",
      "--upload-timeout-ms=2000",
      "--preprocess-workers=2",
      `--feedback-dir=${path.join(corrections, "inner")}`,
    ],
    {},
    atEnd,
  );
  const [, url = ""] = await gateway.says(/^ready (\S+)$/m);
  target = { url, host: host.authority, rawHost: host.rawAuthority, photo, maxImageBytes: MAX_IMAGE_BYTES };
  idleBytes = await residentBytes();
});

afterAll(async () => {
  for (const end of ends) end();
  await host?.close();
  await rm(corrections, { recursive: true, force: true });
});

describe("an attack", () => {
  it.each(ATTACKS)("$name", async ({ send, expected }) => {
    const reason = await send(target);
    greatestBytes = Math.max(greatestBytes, await residentBytes());
    expect(expected).toContain(reason);
  });
});

describe("after the attacks", () => {
  it("the gateway answers a photo as ever, from the same process", async () => {
    const body = new Uint8Array(target.photo);
    const answer = await fetch(`${target.url}/predict`, {
      method: "POST",
      body,
      headers: { "content-type": "image/jpeg" },
    });
    expect(answer.status).toBe(200);
    expect((await fetch(`${target.url}/readyz`)).status).toBe(200);
  });

  it("corrections lie in their folder alone, and every one is a picture without metadata", async () => {
    expect(await readdir(corrections)).toEqual(["inner"]);
    const inner = path.join(corrections, "inner");
    const names = await readdir(inner);
    expect(names.filter((name) => !/^\.feedback-(?:[\w-]{22}\.json|folder-[\w-]{11})$/.test(name))).toEqual([
      "pants",
    ]);
    const pictures = await readdir(path.join(inner, "pants"));
    expect(pictures.length).toBeGreaterThan(3);
    for (const name of pictures) {
      expect(name).toMatch(/^feedback-[0-9a-f]{32}\.(jpg|png)$/);
      expect(await findMetadata(await readFile(path.join(inner, "pants", name)))).toEqual([]);
    }
  });

  it("its memory stayed below the ceiling", async ({ annotate }) => {
    await annotate(`${Math.round((greatestBytes - idleBytes) / 1e6)} MB above the idle gateway at most`);
    expect(greatestBytes - idleBytes).toBeLessThan(MEMORY_CEILING_BYTES);
  });

  it("it holds no bytes and no permits of them", async () => {
    const text = await (await fetch(`${target.url}/metrics`)).text();
    expect(text).toMatch(/^vitrine_gateway_held_bytes 0$/m);
    expect(text).toMatch(/^vitrine_gateway_predictions_in_flight 0$/m);
  });
});
