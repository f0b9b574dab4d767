import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { UsageError } from "@vitrine/runtime/settings";
import { expect, onTestFinished, test } from "vitest";
import { checkLists, findSources, type Source } from "./sources.js";

async function folderOf(files: readonly string[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "sources-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const file of files) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), "");
  }
  return folder;
}

async function all(given: readonly string[]): Promise<Source[]> {
  const found: Source[] = [];
  for await (const source of findSources(given)) found.push(source);
  return found;
}

test("a folder is walked by name, with the name of the folder that each picture lies in", async () => {
  const folder = await folderOf(["b/2.png", "b/1.jpg", "a.JPEG", "c/notes.txt", ".hidden.jpg"]);
  expect(await all([`${folder}/`])).toEqual([
    { source: `${folder}/a.JPEG`, kind: "file", folder: path.basename(folder) },
    { source: `${folder}/b/1.jpg`, kind: "file", folder: "b" },
    { source: `${folder}/b/2.png`, kind: "file", folder: "b" },
  ]);
});

test("files that are no pictures by their names are told, once each", async () => {
  const folder = await folderOf(["a.jpg", "notes.txt"]);
  const skipped: string[] = [];
  for await (const _ of findSources([folder], (file) => skipped.push(file)));
  expect(skipped).toEqual([`${folder}/notes.txt`]);
});

test("a file is taken whatever its name, and a missing one too, for its row", async () => {
  const folder = await folderOf(["photo"]);
  expect(await all([`${folder}/photo`, `${folder}/none.jpg`])).toEqual([
    { source: `${folder}/photo`, kind: "file" },
    { source: `${folder}/none.jpg`, kind: "file" },
  ]);
});

test("links are links", async () => {
  expect(await all(["https://example.com/a.jpg", "HTTP://example.com/b"])).toEqual([
    { source: "https://example.com/a.jpg", kind: "url" },
    { source: "HTTP://example.com/b", kind: "url" },
  ]);
});

test("a list names one path or link a line", async () => {
  const folder = await folderOf(["a.jpg"]);
  await writeFile(`${folder}/list.txt`, `${folder}/a.jpg\n\nhttps://example.com/b.jpg\r\n`);
  expect((await all([`@${folder}/list.txt`])).map(({ source }) => source)).toEqual([
    `${folder}/a.jpg`,
    "https://example.com/b.jpg",
  ]);
});

test("a list that cannot be read is wrong usage", async () => {
  await expect(checkLists(["a.jpg", "@/no/list"])).rejects.toThrow(UsageError);
});

test("a link to a folder is not followed, so that a circle ends", async () => {
  const folder = await folderOf(["a.jpg"]);
  await symlink(folder, `${folder}/again`);
  expect(await all([folder])).toHaveLength(1);
});
