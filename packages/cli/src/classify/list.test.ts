import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { UsageError } from "@vitrine/runtime/settings";
import { expect, onTestFinished, test } from "vitest";
import { createListFacts, listFactsOf, readList } from "./list.js";

async function fileOf(content: string | Uint8Array): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "list-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, "list"), content);
  return path.join(folder, "list");
}

async function entriesOf(content: string | Uint8Array): Promise<string[]> {
  const entries: string[] = [];
  for await (const { source } of readList(await fileOf(content))) entries.push(source);
  return entries;
}

test("a list has an entry a line, whatever its line ends are, and none for an empty line", async () => {
  expect(await entriesOf("a.jpg\r\n\n  b c.jpg \nhttps://example.com/ü.jpg")).toEqual([
    "a.jpg",
    "b c.jpg",
    "https://example.com/ü.jpg",
  ]);
  expect(await entriesOf("")).toEqual([]);
});

test("lines that lie across the pieces in which a file is read stay whole", async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `photos/ärmel-${index}.jpg`);
  expect(await entriesOf(`${lines.join("\n")}\n`)).toEqual(lines);
});

test("a gzipped list is unzipped, also one of several members", async () => {
  expect(await entriesOf(Buffer.concat([gzipSync("a.jpg\nb"), gzipSync(".jpg\n")]))).toEqual([
    "a.jpg",
    "b.jpg",
  ]);
});

test.each([
  ["a gzipped list that was cut off", gzipSync("a.jpg\n".repeat(9_999)).subarray(0, 40)],
  ["a file without line ends", Buffer.alloc(300_000, 0x61)],
])("%s is wrong usage", async (_, content) => {
  await expect(entriesOf(content)).rejects.toThrow(UsageError);
});

test("a list that is not there is wrong usage", async () => {
  await expect(readList("/no/such/list").next()).rejects.toThrow(
    /@\/no\/such\/list could not be read: ENOENT/,
  );
});

test("the digest is of the entries: gzip and empty lines do not change it, order does", async () => {
  const plain = await listFactsOf(await fileOf("a.jpg\nb.jpg\n"));
  expect(plain.entries).toBe(2);
  expect(plain.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await listFactsOf(await fileOf(gzipSync("a.jpg\r\n\r\nb.jpg")))).toEqual(plain);
  expect((await listFactsOf(await fileOf("b.jpg\na.jpg\n"))).digest).not.toBe(plain.digest);
  const passing = createListFacts();
  for (const entry of ["a.jpg", "b.jpg"]) passing.add(entry);
  expect(passing.end()).toEqual(plain);
});
