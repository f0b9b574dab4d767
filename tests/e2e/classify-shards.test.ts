/** A long list shared among processes that are killed, as docs/bulk.md tells it. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { startPictureServer } from "./picture-server.js";
import { DRAWING, runVitrine, startUp, startVitrine } from "./vitrine.js";

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "shards-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

test("a worker that is killed is followed by another, and the merged rows have each picture once, in order", async () => {
  const pictures = await startPictureServer(DRAWING);
  const up = await startUp([`--allow-image-host=${pictures.host}`, "--log-level=warn"]);
  const folder = await emptyFolder();
  const names = Array.from({ length: 12 }, (_, index) => path.join(folder, `${index}.jpg`));
  for (const name of names) await copyFile(DRAWING, name);
  await writeFile(names[5] ?? "", "no picture");
  // The third entry of shard 0 of 2 holds its worker up until it is killed; the same picture comes twice.
  const entries = [...names.slice(0, 4), pictures.slowUrl, ...names.slice(4), names[0]];
  const list = path.join(folder, "list.txt.gz");
  await writeFile(list, gzipSync(`${entries.join("\n")}\n`));
  const rows = path.join(folder, "rows");
  const shard = (index: number) => [
    ...["classify", `@${list}`, `--shard=${index}/2`, `--output=${rows}`, `--gateway=${up.url}`],
    "--concurrency=1",
  ];

  const asked = pictures.slowAsked();
  const first = startVitrine(shard(0));
  const release = await asked;
  first.child.kill("SIGKILL");
  expect(await first.ended).toBe("SIGKILL");
  release();

  const target = path.join(folder, "all.jsonl");
  const merge = ["classify", "merge", rows, `--list=${list}`, `--output=${target}`];
  const early = await runVitrine(merge);
  expect([early.code, early.stdout]).toEqual([1, ""]);
  expect(early.stderr).toMatch(/^2 of 14 entries have rows/);

  for (const index of [0, 1]) expect((await runVitrine(shard(index))).code).toBe(0);
  const merged = await runVitrine(merge);
  expect([merged.code, merged.stderr]).toEqual([0, "14 of 14 entries have rows, 1 of them errors\n"]);
  const answers = (await readFile(target, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.map(({ source }) => source)).toEqual(entries);
  expect(answers.filter((row) => "error" in row).map(({ source }) => source)).toEqual([names[5]]);
  expect(Object.keys(answers[0])).toEqual(["source", "top_class", "top_probability", "predictions"]);
});

test.each([
  ["a folder", ["classify", "photos/", "--shard=0/2", "--output=rows"], /expected one @LIST/],
  ["no folder for the rows", ["classify", "@list", "--shard=0/2"], /without --output, expected a folder/],
  ["a shard beyond the last", ["classify", "@list", "--shard=2/2", "--output=rows"], /I below N/],
  [
    "csv",
    ["classify", "@list", "--shard=0/2", "--output=rows", "--format=csv"],
    /expected jsonl with --shard/,
  ],
  ["no list", ["classify", "@/no/list", "--shard=0/2", "--output=rows"], /@\/no\/list was no file/],
  ["retries without a shard", ["classify", "a.jpg", "--retry-errors"], /expected --shard beside it/],
  ["a merge of nothing", ["classify", "merge", "/no/rows", "--list=list"], /\/no\/rows was not there/],
  ["a merge without its list", ["classify", "merge", "/tmp"], /--list was missing/],
])("%s is wrong usage, in one sentence", async (_, args, problem) => {
  const { code, stdout, stderr } = await runVitrine(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(problem);
});
