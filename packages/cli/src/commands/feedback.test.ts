import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { crc32, deflateSync } from "node:zlib";
import { type FeedbackStore, openFeedbackStore } from "@vitrine/gateway/feedback/feedback-store";
import { makePictureFile } from "@vitrine/gateway/pixels/picture-file";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../main.js";

let folder: string;
let kept: string;
let target: string;
let store: FeedbackStore;
let now = Date.parse("2026-11-01T12:00:00Z");
const quiet = { info() {}, warn() {}, error() {} };

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "vitrine-corrections-"));
  kept = path.join(folder, "corrections");
  target = path.join(folder, "photos");
  store = await openFeedbackStore({
    folder: kept,
    keepDays: 90,
    maxBytes: 1e9,
    logger: quiet,
    now: () => now,
  });
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

/** A PNG of one pixel. */
function png(shade: number): Buffer {
  const chunk = (kind: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
    const [length, crc] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.byteLength);
    crc.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, crc]);
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.from([0, shade, 80, 120]))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

async function give(label: string, predicted: string | null, ...shades: number[]) {
  const files = await Promise.all(
    shades.map((shade) => makePictureFile(png(shade), { purpose: "keep" }, { maxPixels: 1e6 })),
  );
  const said = {
    label,
    predicted,
    model: { name: "m", version: "2" },
    contract: "sha256:0",
    request_id: null,
  };
  return await store.add({ files, ...said });
}

async function vitrine(...args: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await run(["feedback", ...args], {
    stdout,
    stderr,
    env: {},
    signal: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  return { code, out: await text(stdout), talk: await text(stderr) };
}

async function picturesIn(place: string): Promise<string[]> {
  const names = await readdir(place, { recursive: true });
  return names.filter((name) => /\.(jpg|png)$/.test(name)).sort();
}

describe("vitrine feedback export", () => {
  it("copies each picture into its label's folder, and the second time nothing", async () => {
    await give("pants", "shorts", 10);
    await give("t-shirt", "t-shirt", 20, 30);
    const first = await vitrine("export", kept, target);
    expect(first.code).toBe(0);
    expect(first.talk).toContain(`3 copied to ${target}, 0 there already`);
    expect((await picturesIn(target)).map((name) => path.dirname(name))).toEqual([
      "pants",
      "t-shirt",
      "t-shirt",
    ]);
    for (const name of await picturesIn(target)) {
      expect(await readFile(path.join(target, name))).toEqual(await readFile(path.join(kept, name)));
    }
    expect((await vitrine("export", kept, target)).talk).toContain("0 copied");
  });

  it("splits by content: the same each time, all photos of an item on one side", async () => {
    const shades = Array.from({ length: 40 }, (_, index) => 5 * index);
    for (const shade of shades) await give("pants", null, shade, shade + 2);
    const { out } = await vitrine("export", kept, target, "--split", "0.3");
    const [train, validation] = [
      await picturesIn(path.join(target, "train")),
      await picturesIn(path.join(target, "validation")),
    ];
    expect(train.length + validation.length).toBe(80);
    expect(validation.length).toBeGreaterThan(8);
    expect(validation.length).toBeLessThan(44);
    expect(out).toMatch(new RegExp(`pants +80 +${train.length} +${validation.length}`));
    for (const side of [train, validation]) expect(side.length % 2).toBe(0);
    const again = path.join(folder, "again");
    await vitrine("export", kept, again, "--split", "0.3");
    expect(await picturesIn(again)).toEqual(await picturesIn(target));
  });

  it("leaves out and names what people disagree about", async () => {
    await give("pants", null, 10);
    await give("shorts", null, 10);
    await give("hat", null, 20);
    const { out } = await vitrine("export", kept, target);
    expect(await picturesIn(target)).toHaveLength(1);
    expect(out).toContain("people gave them different labels: 1 picture");
    expect(out).toContain("pants, shorts");
  });

  it("says what was taken back since, and removes it when asked, and nothing else", async () => {
    const { id } = await give("pants", null, 10);
    await give("hat", null, 20);
    await vitrine("export", kept, target);
    const own = path.join(target, "pants", "own.jpg");
    await writeFile(own, "x");
    await store.withdraw(id);
    const told = await vitrine("export", kept, target);
    expect(told.talk).toMatch(/1 in .* add --prune/);
    expect(await picturesIn(target)).toHaveLength(3);
    const pruned = await vitrine("export", kept, target, "--prune");
    expect(pruned.talk).toContain("1 removed that are not kept or not agreed on any more");
    expect((await picturesIn(target)).map((name) => path.dirname(name))).toEqual(["hat", "pants"]);
    expect(await readFile(own, "utf8")).toBe("x");
  });

  it("takes what is newer than a day, and does not take the rest for taken back", async () => {
    await give("pants", null, 10);
    await vitrine("export", kept, target);
    now += 5 * 86_400_000;
    await give("hat", null, 20);
    const { talk } = await vitrine("export", kept, target, "--since", "2026-11-05", "--prune");
    expect(talk).toContain("1 copied");
    expect(talk).not.toContain("removed");
    expect(await picturesIn(target)).toHaveLength(2);
  });

  it.each([
    [["--split", "0.5"], [], "."],
    [["--split", "1"], ["--split", "0"], "train"],
    [[], ["--split", "1"], "validation"],
  ])(
    "moves what is older and lies as %j had it when asked with %j, and loses none",
    async (first, then, side) => {
      now = Date.parse("2026-11-01T12:00:00Z");
      for (let shade = 0; shade < 100; shade += 10) await give("pants", null, shade);
      await vitrine("export", kept, target, ...first);
      now += 5 * 86_400_000;
      await give("hat", null, 200);
      const options = [...then, "--since", "2026-11-05"];
      const told = await vitrine("export", kept, target, ...options);
      expect(told.talk).toMatch(/^10 in .* have another place by now/m);
      const before = await picturesIn(target);
      expect(before).toHaveLength(11);
      const { talk } = await vitrine("export", kept, target, ...options, "--prune");
      expect(talk).toContain("10 moved to the place that they have with this --split, or without it");
      expect(talk).not.toContain("removed");
      const after = await picturesIn(target);
      expect(after).toHaveLength(11);
      for (const name of after)
        expect(path.join(side, path.basename(path.dirname(name)))).toBe(path.dirname(name));
    },
  );

  it("keeps an older picture once where both places hold it, and one that the corrections hold damaged", async () => {
    now = Date.parse("2026-11-01T12:00:00Z");
    await give("pants", null, 10);
    await vitrine("export", kept, target, "--split", "1");
    await vitrine("export", kept, target);
    expect(await picturesIn(target)).toHaveLength(2);
    const { talk } = await vitrine("export", kept, target, "--since", "2026-11-05", "--prune");
    expect(talk).toContain("1 removed");
    const [name = ""] = await picturesIn(target);
    expect(path.dirname(name)).toBe("pants");
    const picture = await readFile(path.join(target, name));
    await writeFile(path.join(kept, name), "damaged");
    expect((await vitrine("export", kept, target, "--split", "1", "--prune")).code).toBe(1);
    expect(await readFile(path.join(target, "validation", name))).toEqual(picture);
    expect(await picturesIn(target)).toHaveLength(1);
  });

  it.each([[[]], [["--since", "2026-01-01"]], [["--since", "2026-11-05"]]])(
    "removes what people have come to disagree about, with %j",
    async (since) => {
      now = Date.parse("2026-11-01T12:00:00Z");
      await give("pants", null, 10);
      await give("hat", null, 20);
      await vitrine("export", kept, target);
      now += 5 * 86_400_000;
      await give("shorts", null, 10);
      const told = await vitrine("export", kept, target, ...since);
      expect(told.talk).toMatch(/^1 in .* are contradicted/m);
      expect(await picturesIn(target)).toHaveLength(2);
      const { out } = await vitrine("export", kept, target, "--prune", ...since);
      expect(out).toContain("pants, shorts");
      expect((await picturesIn(target)).map((name) => path.dirname(name))).toEqual(["hat"]);
    },
  );

  it("keeps a picture on its side when the one that tied it to its item is too old to be taken", async () => {
    now = Date.parse("2026-11-01T12:00:00Z");
    const shades = Array.from({ length: 20 }, (_, index) => 10 * index);
    for (const shade of shades) await give("pants", null, shade, shade + 2);
    now += 5 * 86_400_000;
    for (const shade of shades) await give("pants", null, shade);
    await vitrine("export", kept, target, "--split", "0.5");
    const before = await picturesIn(target);
    const options = ["--split", "0.5", "--since", "2026-11-05", "--prune"];
    expect((await vitrine("export", kept, target, ...options)).talk).toContain("0 copied");
    expect(await picturesIn(target)).toEqual(before);
  });

  it("keeps a photo on its side when it is given again beside another", async () => {
    now = Date.parse("2026-11-01T12:00:00Z");
    const shades = Array.from({ length: 20 }, (_, index) => 10 * index);
    for (const shade of shades) await give("pants", null, shade);
    await vitrine("export", kept, target, "--split", "0.5");
    const before = await picturesIn(target);
    now += 1000;
    for (const shade of shades) await give("pants", null, shade, shade + 2);
    await vitrine("export", kept, target, "--split", "0.5");
    expect(await picturesIn(target)).toHaveLength(40);
    expect(await picturesIn(target)).toEqual(expect.arrayContaining(before));
  });

  it("moves a photo that was joined to an older item, so that it lies on one side alone", async () => {
    now = Date.parse("2026-11-01T12:00:00Z");
    const shades = Array.from({ length: 20 }, (_, index) => 10 * index);
    for (const shade of shades) await give("pants", null, shade);
    now += 1000;
    for (const shade of shades) await give("pants", null, shade + 2);
    await vitrine("export", kept, target, "--split", "0.5");
    now += 1000;
    await give("pants", null, ...shades, ...shades.map((shade) => shade + 2));
    await vitrine("export", kept, target, "--split", "0.5");
    const sides = new Set((await picturesIn(target)).map((name) => name.split(path.sep)[0]));
    expect(await picturesIn(target)).toHaveLength(40);
    expect(sides.size).toBe(1);
  });

  it("does not take the folder of corrections for exported pictures, by whatever path", async () => {
    const inside = path.join(folder, "data", "train");
    await mkdir(path.dirname(inside));
    await rename(kept, inside);
    await symlink(inside, kept);
    await symlink(path.join(folder, "data"), target);
    for (const [from, to] of [
      [inside, path.join(folder, "data")],
      [kept, target],
      [kept, path.join(target, "train", "not", "there", "yet")],
    ] as const) {
      const { code, talk } = await vitrine("export", from, to, "--since", "2099-01-01", "--prune");
      expect([code, talk]).toEqual([2, expect.stringContaining("expected another place")]);
    }
  });

  it("lists them as CSV or JSON lines, without pictures", async () => {
    await give("pants", "shorts", 10);
    await give("hat", null, 20);
    const { out } = await vitrine("export", kept, "-", "--format", "csv", "--split", "1");
    const [header, ...rows] = out.trimEnd().split("\r\n");
    expect(header).toBe("file,label,predicted,agrees,model_version,stored_at,sha256,split");
    expect(rows[0]).toMatch(/^hat\/feedback-\w+\.png,hat,,,2,2026-\S+Z,\w{64},validation$/);
    expect(rows[1]).toMatch(/^pants\/feedback-\w+\.png,pants,shorts,false,2,/);
    const list = path.join(folder, "list.jsonl");
    await vitrine("export", kept, list, "--format", "jsonl");
    const lines = (await readFile(list, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { label: "hat", predicted: null, agrees: null },
      { label: "pants", predicted: "shorts", agrees: false },
    ]);
  });

  it("fails on a picture that is not as recorded, and says which", async () => {
    await give("pants", null, 10);
    const [name = ""] = await picturesIn(kept);
    await writeFile(path.join(kept, name), "damaged");
    const { code, talk } = await vitrine("export", kept, target);
    expect(code).toBe(1);
    expect(talk).toContain(`not found, or not as recorded: ${name}`);
  });

  it.each([
    [["export", "nowhere", "target"], /nowhere was no folder/],
    [["export"], /missing required argument 'folder'/],
    [["export", "KEPT"], /target was missing/],
    [["export", "KEPT", "target", "other"], /too many arguments/],
    [["export", "KEPT", "KEPT/inner"], /lay in the folder of corrections/],
    [["export", "KEPT", "-"], /target was -, expected a folder/],
    [["export", "KEPT", "x.csv", "--format", "csv", "--prune"], /--prune/],
    [["import", "KEPT"], /action was import, expected export or stats/],
    [["export", "KEPT", "target", "--split", "2"], /--split/],
    [["export", "KEPT", "target", "--since", "soon"], /--since/],
  ])("refuses %j as wrong usage", async (args, words) => {
    const { code, talk } = await vitrine(...args.map((arg) => arg.replace("KEPT", kept)));
    expect([code, talk]).toEqual([2, expect.stringMatching(words)]);
  });
});

it("shows each argument of vitrine feedback with its own name and meaning", async () => {
  const { code, out } = await vitrine("--help");
  expect(code).toBe(0);
  expect(out).toContain("Usage: vitrine feedback [options] <action> <folder> [target]\n");
  expect(out).toMatch(
    /^ {2}action +export or stats\n {2}folder +the folder of corrections\n {2}target +for export/m,
  );
});

describe("vitrine feedback stats", () => {
  it("counts pictures per label and says what the model took for what, most often first", async () => {
    await give("pants", "shorts", 10);
    await give("pants", "shorts", 20);
    await give("pants", "pants", 30);
    await give("hat", "t-shirt", 40);
    await give("hat", null, 50);
    const { code, out } = await vitrine("stats", kept);
    expect(code).toBe(0);
    expect(out).toContain("5 corrections, 5 pictures");
    expect(out).toMatch(/hat +2\npants +3\n/);
    expect(out).toContain("the model was right about 1 of 4 pictures");
    expect(out).toMatch(/shorts -> pants +2\nt-shirt -> hat +1\n/);
  });

  it("says that there are none", async () => {
    expect(await vitrine("stats", kept)).toMatchObject({ code: 0, out: "no corrections\n" });
  });
});
