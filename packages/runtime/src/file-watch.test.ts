import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { watchFile } from "./file-watch.js";

let folder: string;
const watches: { close(): void }[] = [];
const failures: unknown[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-watch-"));
});
afterEach(async () => {
  for (const each of watches.splice(0)) each.close();
  await rm(folder, { recursive: true });
  expect(failures.splice(0)).toEqual([]);
});

/** Resolves as soon as the file is told to have changed to this text. */
async function until(file: string) {
  const waiting = new Map<string, () => void>();
  const watch = await watchFile(file, {
    changed: () =>
      void readFile(file, "utf8").then(
        (text) => waiting.get(text)?.(),
        () => {},
      ),
    failed: (error) => void failures.push(error),
  });
  watches.push(watch);
  return (text: string) => new Promise<void>((resolve) => waiting.set(text, resolve));
}

/** Puts a link in the place of another, in one step. */
async function relink(target: string, link: string): Promise<void> {
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
}

describe("a watched file", () => {
  it("is told to have changed when it is written anew, replaced, removed and made again", async () => {
    const file = path.join(folder, "keys");
    await writeFile(file, "one");
    const changedTo = await until(file);
    const written = changedTo("two");
    await writeFile(file, "two");
    await written;
    const replaced = changedTo("three");
    await writeFile(`${file}.new`, "three");
    await rename(`${file}.new`, file);
    await replaced;
    const again = changedTo("four");
    await rm(file);
    await writeFile(file, "four");
    await again;
  });

  it("is told to have changed when Kubernetes swaps the folder behind it, time after time", async () => {
    for (const [name, text] of Object.entries({ "..1": "one", "..2": "two", "..3": "three" })) {
      await mkdir(path.join(folder, name));
      await writeFile(path.join(folder, name, "keys"), text);
    }
    await symlink("..1", path.join(folder, "..data"));
    await symlink("..data/keys", path.join(folder, "keys"));
    const changedTo = await until(path.join(folder, "keys"));
    for (const [next, last, text] of [
      ["..2", "..1", "two"],
      ["..3", "..2", "three"],
    ] as const) {
      const swapped = changedTo(text);
      await relink(next, path.join(folder, "..data"));
      await rm(path.join(folder, last), { recursive: true });
      await swapped;
    }
  });

  it("is told to have changed behind a link to another folder, and when a folder on the way is a link that is replaced", async () => {
    await mkdir(path.join(folder, "a"));
    await mkdir(path.join(folder, "b"));
    await writeFile(path.join(folder, "a/real"), "one");
    await writeFile(path.join(folder, "b/real"), "three");
    await symlink("a", path.join(folder, "current"));
    await symlink("current/real", path.join(folder, "keys"));
    const changedTo = await until(path.join(folder, "keys"));
    const written = changedTo("two");
    await writeFile(path.join(folder, "a/real"), "two");
    await written;
    const swapped = changedTo("three");
    await relink("b", path.join(folder, "current"));
    await swapped;
    const after = changedTo("four");
    await writeFile(path.join(folder, "b/real"), "four");
    await after;
  });

  it("is told to have changed when a folder on the way is moved away and another takes its place", async () => {
    for (const [name, text] of Object.entries({ a: "one", b: "two", c: "four" })) {
      await mkdir(path.join(folder, name, "in"), { recursive: true });
      await writeFile(path.join(folder, name, "in/keys"), text);
    }
    const changedTo = await until(path.join(folder, "a/in/keys"));
    const moved = changedTo("two");
    await rename(path.join(folder, "a"), path.join(folder, "old"));
    await rename(path.join(folder, "b"), path.join(folder, "a"));
    await moved;
    const written = changedTo("three");
    await writeFile(path.join(folder, "a/in/keys"), "three");
    await written;
    const movedWithin = changedTo("four");
    await rename(path.join(folder, "a/in"), path.join(folder, "a/old"));
    await rename(path.join(folder, "c/in"), path.join(folder, "a/in"));
    await movedWithin;
  });

  it("is told to have changed when it is there again with the folders that it was removed with", async () => {
    const file = path.join(folder, "a/in/keys");
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "one");
    const changedTo = await until(file);
    for (const text of ["two", "three"]) {
      const again = changedTo(text);
      await rm(path.join(folder, "a"), { recursive: true });
      // By now it may look for the way, and find as much of it as is there.
      await mkdir(path.join(folder, "a"));
      await mkdir(path.dirname(file));
      await writeFile(file, text);
      await again;
    }
  });

  it("is told when it comes where no folder is yet, nor what a link leads to", async () => {
    await symlink("b/in", path.join(folder, "a"));
    const changedTo = await until(path.join(folder, "a/keys"));
    const come = changedTo("one");
    await mkdir(path.join(folder, "b/in"), { recursive: true });
    await writeFile(path.join(folder, "b/in/keys"), "one");
    await come;
  });

  it("that cannot be watched is told once, and no way in a circle is followed", async () => {
    const told: unknown[] = [];
    const listener = { changed: () => {}, failed: (error: unknown) => void told.push(error) };
    watches.push(await watchFile(path.join(folder, "x".repeat(300), "in/keys"), listener));
    expect(told).toEqual([expect.objectContaining({ code: "ENAMETOOLONG" })]);
    await symlink("keys", path.join(folder, "keys"));
    watches.push(await watchFile(path.join(folder, "keys"), listener));
    expect(told).toHaveLength(1);
  });
});
