import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startPictureServer } from "./picture-server.js";
import { DRAWING, PHOTOS, runVitrine, startUp, startVitrine } from "./vitrine.js";

/** A folder with two labels, three good pictures, one broken and one file that is none. */
async function pictureFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "classify-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const label of ["pants", "hat"]) await mkdir(path.join(folder, label));
  for (const name of ["pants/1.jpg", "pants/2.jpg", "hat/1.jpg"]) {
    await copyFile(DRAWING, path.join(folder, name));
  }
  await writeFile(path.join(folder, "hat/broken.jpg"), "no picture");
  await writeFile(path.join(folder, "hat/notes.txt"), "no picture either");
  return folder;
}

const jsonRows = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("a folder is classified by tiers of its own, one jsonl row a picture in order, 1 for the broken one", async () => {
  const folder = await pictureFolder();
  const { code, stdout, stderr } = await runVitrine(["classify", folder, "--format", "jsonl"]);
  expect(code).toBe(1);
  const rows = jsonRows(stdout);
  expect(rows.map(({ source }) => path.relative(folder, source))).toEqual([
    "hat/1.jpg",
    "hat/broken.jpg",
    "pants/1.jpg",
    "pants/2.jpg",
  ]);
  const [first, broken] = rows;
  expect(Object.keys(first)).toEqual(["source", "top_class", "top_probability", "predictions"]);
  expect(Object.keys(first.predictions)).toHaveLength(10);
  expect(first.predictions[first.top_class]).toBe(first.top_probability);
  expect(Object.keys(broken)).toEqual(["source", "error"]);
  expect(Object.keys(broken.error)).toEqual(["code", "reason", "message"]);
  expect(stderr).toMatch(/4 pictures in .*, 1 failed\nskipped 1 files/);
  expect(stderr).toMatch(/accuracy 0\.\d{4} \(\d of 4\)/);
});

test("files, links and lists are classified by a gateway that is up, in each format", async () => {
  const pictures = await startPictureServer(DRAWING);
  const up = await startUp([`--allow-image-host=${pictures.host}`, "--log-level=warn"]);
  const folder = await pictureFolder();
  const list = path.join(folder, "list");
  await writeFile(list, `${DRAWING}\n${pictures.url}\n`);
  const gateway = ["--gateway", up.url];

  const csv = await runVitrine(["classify", `@${list}`, "--format=csv", ...gateway]);
  expect(csv.code).toBe(0);
  const [header, ...lines] = csv.stdout.trimEnd().split("\n");
  expect(header).toBe("source,top_class,top_probability,error");
  expect(lines.map((line) => line.split(",")[0])).toEqual([DRAWING, pictures.url]);

  const table = await runVitrine(["classify", DRAWING, "/no/such.jpg", "--top=2", ...gateway]);
  expect(table.code).toBe(1);
  expect(table.stdout).toMatch(/^\S+trousers\.jpg {2}[a-z-]+ \d+\.\d% {2}[a-z-]+ \d+\.\d%$/m);
  expect(table.stdout).toMatch(/^\/no\/such\.jpg +error FILE_UNREADABLE: /m);
});

test("a run that was cut off is resumed to the same rows, without asking for the first ones again", async () => {
  const up = await startUp(["--log-level=warn"]);
  const folder = await pictureFolder();
  const output = path.join(folder, "rows.jsonl");
  const command = ["classify", folder, "--format=jsonl", `--output=${output}`, "--gateway", up.url];
  expect((await runVitrine(command)).code).toBe(1);
  const whole = await readFile(output, "utf8");

  const cut = whole.indexOf("\n", whole.indexOf("\n") + 1) + 20;
  await truncate(output, cut);
  // Were it asked again, its row would be an error.
  await writeFile(path.join(folder, "hat/1.jpg"), "no picture");
  const resumed = await runVitrine([...command, "--resume"]);
  expect(resumed.code).toBe(1);
  expect(await readFile(output, "utf8")).toBe(whole);
  expect(resumed.stderr).toMatch(/4 pictures in/);
});

test("Ctrl-C lets the pictures under way finish and takes no more", async () => {
  const pictures = await startPictureServer(DRAWING);
  const up = await startUp([`--allow-image-host=${pictures.host}`, "--log-level=warn"]);
  const asked = pictures.slowAsked();
  const sources = [DRAWING, pictures.slowUrl, DRAWING, DRAWING];
  const classify = startVitrine([
    "classify",
    ...sources,
    "--format=jsonl",
    "--concurrency=1",
    `--gateway=${up.url}`,
  ]);
  const release = await asked;
  classify.child.kill("SIGINT");
  await classify.says(/^\{.*trousers/m);
  release();
  expect(await classify.ended).toBe(1);
  expect(jsonRows(classify.stdout()).map(({ source }) => source)).toEqual([DRAWING, pictures.slowUrl]);
  expect(classify.stderr()).toMatch(/2 pictures in .*\ninterrupted/);
});

test("a gateway that is not there ends it with 1 and one sentence", async () => {
  const gone = await startPictureServer(DRAWING);
  await gone.close();
  const { code, stdout, stderr } = await runVitrine(["classify", DRAWING, `--gateway=http://${gone.host}`]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(
    /^vitrine classify: http:\/\/127\.0\.0\.1:\d+ did not answer, expected a gateway there: .+\n$/,
  );
});

test.runIf(PHOTOS !== undefined)(
  "the validation photos are classified with an accuracy on stderr",
  async () => {
    const { code, stderr } = await runVitrine([
      "classify",
      path.join(PHOTOS ?? "", "validation"),
      "--format=jsonl",
      "--output=/dev/null",
    ]);
    expect(code).toBe(0);
    expect(Number(/^accuracy (0\.\d+) \(\d+ of 341\)$/m.exec(stderr)?.[1])).toBeGreaterThan(0.6);
  },
);
