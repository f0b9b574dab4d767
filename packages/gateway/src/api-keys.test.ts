import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { model, startTestGateway, type TestGateway } from "./testing/gateway.js";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const SHOP = `shop ${sha256("key-of-shop")}\n`;
const BATCH = `batch ${sha256("key-of-batch")}\n`;

let folder: string;
let setup: TestGateway;
let versions = 0;

/** As kubelet lays out a Secret: files are links into `..data`, which is a link that is swapped. */
async function mount(text: string): Promise<void> {
  const version = `..${++versions}`;
  await mkdir(path.join(folder, version));
  await writeFile(path.join(folder, version, "keys"), text);
  await symlink(version, path.join(folder, "..data.new"));
  await rename(path.join(folder, "..data.new"), path.join(folder, "..data"));
  await rm(path.join(folder, `..${versions - 1}`), { recursive: true, force: true });
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-keys-"));
  await mount(SHOP);
  await symlink("..data/keys", path.join(folder, "keys"));
  setup = await startTestGateway(model(), { apiKeysFile: path.join(folder, "keys") });
});
afterEach(async () => {
  await setup.close();
  await rm(folder, { recursive: true });
});

const statusWith = async (key: string) =>
  (await fetch(setup.url("/info"), { headers: { "x-api-key": key } })).status;

const logged = (msg: string) =>
  vi.waitFor(() => expect(setup.log).toContainEqual(expect.objectContaining({ msg })), 10_000);

describe("API keys in a mounted Secret", () => {
  it("count and cease to count when the Secret is replaced, without a restart", async () => {
    expect([await statusWith("key-of-shop"), await statusWith("key-of-batch")]).toEqual([200, 401]);
    await mount(BATCH);
    await logged("API keys were read anew");
    expect([await statusWith("key-of-shop"), await statusWith("key-of-batch")]).toEqual([401, 200]);
  });

  it("stay as they were when the new ones are not valid, which is logged without a line of the file", async () => {
    await mount(`${BATCH}shop key-of-shop\n`);
    await logged("API keys could not be read anew, those from before still count");
    expect([await statusWith("key-of-shop"), await statusWith("key-of-batch")]).toEqual([200, 401]);
    expect(JSON.stringify(setup.log)).toContain("line 2 was not a key's hash");
    expect(JSON.stringify(setup.log)).not.toContain("key-of-shop");
    await mount(SHOP + BATCH);
    await logged("API keys were read anew");
    expect(await statusWith("key-of-batch")).toBe(200);
  });
});
