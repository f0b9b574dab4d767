import { createHash } from "node:crypto";
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type { Io } from "@vitrine/runtime/lifecycle";
import { expect, onTestFinished, test } from "vitest";
import { classifyMerge } from "../commands/classify-merge.js";
import { classifyShard, describeShard } from "./classify-shard.js";
import type { GatewayClient } from "./gateway-client.js";
import { mergeShards } from "./merge-shards.js";
import type { Answer, Row } from "./row.js";
import { shardFilesIn } from "./shard-file.js";

const BROKEN: Answer = { error: { code: "INVALID_ARGUMENT", reason: "IMAGE_UNDECODABLE", message: "sorry" } };
const pants = (top_probability: number): Answer => ({
  top_class: "pants",
  top_probability,
  predictions: { pants: top_probability },
});

interface StubGateway extends GatewayClient {
  readonly asked: string[];
}

function gatewayThat(answer: (source: string, nth: number) => Answer | Promise<Answer>): StubGateway {
  const asked: string[] = [];
  return {
    asked,
    info: async () => ({
      labels: ["pants"],
      model: { name: "clothes", version: "1", signature: "serving_default" },
      contract: "sha256:0",
      limits: { max_image_bytes: 100, timeout_ms: 1_000 },
    }),
    async classify({ source }) {
      asked.push(source);
      return await answer(source, asked.length);
    },
  };
}

function ioOf(signal: AbortSignal = new AbortController().signal) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const io: Io = { stdout, stderr, env: {}, signal };
  const said = async () => {
    stdout.end();
    stderr.end();
    return { stdout: await text(stdout), stderr: await text(stderr) };
  };
  return { io, said };
}

async function bulkOf(entries: number) {
  const folder = await mkdtemp(path.join(tmpdir(), "shards-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const sources = Array.from({ length: entries }, (_, index) => `photos/${index}.jpg`);
  const list = path.join(folder, "list.txt");
  await writeFile(list, `${sources.join("\n")}\n`);
  const rows = path.join(folder, "rows");
  const workOf = (index: number, of: number, retryErrors = false) => ({
    list,
    shard: { index, of },
    folder: rows,
    retryErrors,
    concurrency: 3,
  });
  const merged = async (): Promise<Row[]> => {
    const found: Row[] = [];
    await mergeShards(
      list,
      await shardFilesIn(rows),
      async (row) => void found.push(row),
      () => {},
    );
    return found;
  };
  return { folder, sources, list, rows, workOf, merged };
}

test("the shards together answer each entry once, and merge to the order of the list", async () => {
  const { sources, workOf, merged } = await bulkOf(10);
  const gateway = gatewayThat(() => pants(1));
  for (const index of [2, 0, 1]) expect(await classifyShard(gateway, workOf(index, 3), ioOf().io)).toBe(0);
  expect([...gateway.asked].sort()).toEqual([...sources].sort());
  expect((await merged()).map(({ source }) => source)).toEqual(sources);
});

test("a picture that failed is a row, and the run is done", async () => {
  const { workOf, merged } = await bulkOf(2);
  const gateway = gatewayThat((source) => (source.endsWith("0.jpg") ? BROKEN : pants(1)));
  const { io, said } = ioOf();
  expect(await classifyShard(gateway, workOf(0, 1), io)).toBe(0);
  expect((await said()).stderr).toMatch(/2 of 2 entries have rows, 2 new in .* s, 1 errors/);
  expect((await merged())[0]).toMatchObject(BROKEN);
});

test("cut off at any byte, the rows are completed by another run, each entry once", async () => {
  const { sources, rows, workOf, merged } = await bulkOf(4);
  await classifyShard(
    gatewayThat(() => pants(0.25)),
    workOf(0, 1),
    ioOf().io,
  );
  const [file = ""] = await shardFilesIn(rows);
  const whole = await readFile(file);
  for (let length = whole.length - 1; length >= 0; length -= 7) {
    await truncate(file, length);
    const kept = whole.subarray(0, length).toString().split("\n").length - 2;
    const second = gatewayThat(() => pants(0.5));
    expect(await classifyShard(second, workOf(0, 1), ioOf().io)).toBe(0);
    expect(second.asked).toEqual(sources.slice(Math.max(0, kept)));
    expect((await merged()).map(({ source }) => source)).toEqual(sources);
    for (const other of await readdir(rows)) {
      if (path.join(rows, other) !== file) await rm(path.join(rows, other));
    }
  }
});

test("two runs of one shard at once leave each entry once in the merged rows", async () => {
  const { sources, rows, workOf, merged } = await bulkOf(20);
  const runs = [0, 1].map(() =>
    classifyShard(
      gatewayThat(() => new Promise((resolve) => setImmediate(() => resolve(pants(1))))),
      workOf(0, 1),
      ioOf().io,
    ),
  );
  expect(await Promise.all(runs)).toEqual([0, 0]);
  expect(await readdir(rows)).toHaveLength(2);
  expect((await merged()).map(({ source }) => source)).toEqual(sources);
});

test("a run that is interrupted ends with 1, and its rows stay", async () => {
  const { sources, workOf, merged } = await bulkOf(30);
  const controller = new AbortController();
  const gateway = gatewayThat((_, nth) => {
    if (nth === 5) controller.abort();
    return pants(1);
  });
  const { io, said } = ioOf(controller.signal);
  expect(await classifyShard(gateway, workOf(0, 1), io)).toBe(1);
  expect((await said()).stderr).toMatch(/interrupted: run it again to go on/);
  const second = gatewayThat(() => pants(1));
  expect(await classifyShard(second, workOf(0, 1), ioOf().io)).toBe(0);
  expect(gateway.asked.length + second.asked.length).toBe(30);
  expect((await merged()).map(({ source }) => source)).toEqual(sources);
});

test("a complete shard makes no further file and asks nobody", async () => {
  const { rows, workOf } = await bulkOf(3);
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 1),
    ioOf().io,
  );
  const again = gatewayThat(() => pants(1));
  expect(await classifyShard(again, workOf(0, 1), ioOf().io)).toBe(0);
  expect(again.asked).toEqual([]);
  expect(await readdir(rows)).toHaveLength(1);
});

test("errors are asked again only when told to, and what succeeds then counts", async () => {
  const { workOf, merged } = await bulkOf(3);
  await classifyShard(
    gatewayThat((source) => (source.endsWith("1.jpg") ? BROKEN : pants(0.1))),
    workOf(0, 1),
    ioOf().io,
  );
  const again = gatewayThat(() => pants(0.9));
  expect(await classifyShard(again, workOf(0, 1, true), ioOf().io)).toBe(0);
  expect(again.asked).toEqual(["photos/1.jpg"]);
  expect((await merged()).map((row) => ("error" in row ? "error" : row.top_probability))).toEqual([
    0.1, 0.9, 0.1,
  ]);
});

test("a row that the disk has spoilt is asked again", async () => {
  const { rows, workOf, merged } = await bulkOf(3);
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 1),
    ioOf().io,
  );
  const [file = ""] = await shardFilesIn(rows);
  const lines = (await readFile(file, "utf8")).split("\n");
  lines[2] = "\0".repeat(lines[2]?.length ?? 0);
  await writeFile(file, lines.join("\n"));
  const again = gatewayThat(() => pants(1));
  await classifyShard(again, workOf(0, 1), ioOf().io);
  expect(again.asked).toEqual(["photos/1.jpg"]);
  expect(await merged()).toHaveLength(3);
});

const ZEROS = Buffer.alloc(5_000_000);

test.each<[string, (whole: Buffer) => Buffer, number, string]>([
  [
    "its head",
    (whole) => Buffer.concat([Buffer.alloc(20), whole.subarray(20)]),
    0,
    "does not begin as vitrine classify --shard has written it, it does not count",
  ],
  [
    "the end, with many zeros",
    (whole) => Buffer.concat([whole.subarray(0, whole.lastIndexOf("{")), ZEROS]),
    2,
    "is no text from some line on, what comes after it does not count",
  ],
  ["all of it, with many zeros", () => ZEROS, 0, "is no text from some line on"],
])(
  "a file of rows of which the disk has spoilt %s is named and completed",
  async (_, spoil, kept, sentence) => {
    const { rows, workOf, merged, sources, list } = await bulkOf(3);
    await classifyShard(
      gatewayThat(() => pants(1)),
      workOf(0, 1),
      ioOf().io,
    );
    const [file = ""] = await shardFilesIn(rows);
    await writeFile(file, spoil(await readFile(file)));
    const dry = ioOf();
    await describeShard(workOf(0, 1), dry.io);
    expect(await dry.said()).toMatchObject({
      stdout: expect.stringContaining(`${kept} done (0 errors), ${3 - kept} to do`),
      stderr: expect.stringContaining(`${file} ${sentence}`),
    });
    const again = gatewayThat(() => pants(1));
    const { io, said } = ioOf();
    expect(await classifyShard(again, workOf(0, 1), io)).toBe(0);
    expect((await said()).stderr).toContain(`${file} ${sentence}`);
    expect(again.asked).toEqual(sources.slice(kept));
    expect(await merged()).toHaveLength(3);
    const check = ioOf();
    expect(await classifyMerge.run([rows, "--list", list, "--check"], check.io)).toBe(0);
    expect((await check.said()).stderr).toContain(`${file} ${sentence}`);
  },
);

test("a changed list, and another number of shards, are refused before anything is asked", async () => {
  const { list, workOf } = await bulkOf(4);
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 2),
    ioOf().io,
  );
  const gateway = gatewayThat(() => pants(1));
  await expect(classifyShard(gateway, workOf(1, 3), ioOf().io)).rejects.toThrow(
    /in 2 shards, expected .* in 3/,
  );
  await appendFile(list, "one-more.jpg\n");
  await expect(classifyShard(gateway, workOf(1, 2), ioOf().io)).rejects.toThrow(
    /of list sha256:.*\(4 entries\)/,
  );
  expect(gateway.asked).toEqual([]);
});

test("a list that changes during the run ends it", async () => {
  const { list, workOf } = await bulkOf(4);
  const gateway = gatewayThat(() => pants(1));
  const changing = {
    ...gateway,
    info: async () => {
      await appendFile(list, "one-more.jpg\n");
      return await gateway.info();
    },
  };
  await expect(classifyShard(changing, workOf(0, 1), ioOf().io)).rejects.toThrow(/changed during the run/);
});

test("a dry run says how much is to do", async () => {
  const { workOf, sources } = await bulkOf(5);
  await classifyShard(
    gatewayThat(() => BROKEN),
    workOf(0, 2),
    ioOf().io,
  );
  const digest = createHash("sha256")
    .update(`${sources.join("\n")}\n`)
    .digest("hex");
  for (const [work, done, open] of [
    [workOf(0, 2), "3 done (3 errors)", 0],
    [workOf(0, 2, true), "0 done (0 errors)", 3],
    [workOf(1, 2), "0 done (0 errors)", 2],
  ] as const) {
    const { io, said } = ioOf();
    expect(await describeShard(work, io)).toBe(0);
    expect((await said()).stdout).toBe(
      `list sha256:${digest} of 5 entries; shard ${work.shard.index} of 2: ${done}, ${open} to do\n`,
    );
  }
});

test("merging writes the rows as vitrine classify does, once nothing is missing", async () => {
  const { folder, list, rows, workOf, sources } = await bulkOf(3);
  const target = path.join(folder, "all.jsonl");
  const argv = [rows, "--list", list, "--output", target];
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 2),
    ioOf().io,
  );
  const early = ioOf();
  expect(await classifyMerge.run(argv, early.io)).toBe(1);
  expect((await early.said()).stderr).toBe(
    "2 of 3 entries have rows, 0 of them errors\nmissing: line 2, photos/1.jpg\nby shard: 1 lacks 1\n",
  );
  expect(await readdir(folder)).toEqual(["list.txt", "rows"]);

  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(1, 2),
    ioOf().io,
  );
  const { io, said } = ioOf();
  expect(await classifyMerge.run(argv, io)).toBe(0);
  expect((await said()).stderr).toBe("3 of 3 entries have rows, 0 of them errors\n");
  expect(await readFile(target, "utf8")).toBe(
    sources.map((source) => `${JSON.stringify({ source, ...pants(1) })}\n`).join(""),
  );
  expect((await readdir(folder)).sort()).toEqual(["all.jsonl", "list.txt", "rows"]);
});

test("an entry without a row is named by its line in the file, also where empty lines precede it", async () => {
  const { list, rows, workOf, sources } = await bulkOf(3);
  await writeFile(list, `\n${sources.join("\n\n")}\n`);
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 2),
    ioOf().io,
  );
  const { io, said } = ioOf();
  expect(await classifyMerge.run([rows, "--list", list, "--check"], io)).toBe(1);
  expect((await said()).stderr).toContain("missing: line 4, photos/1.jpg\n");
});

test("merging refuses rows of another list, and a row about another picture", async () => {
  const { folder, list, rows, workOf } = await bulkOf(3);
  await classifyShard(
    gatewayThat(() => pants(1)),
    workOf(0, 1),
    ioOf().io,
  );
  const other = path.join(folder, "other.txt");
  await writeFile(other, "photos/0.jpg\nphotos/1.jpg\n");
  await expect(classifyMerge.run([rows, "--list", other, "--check"], ioOf().io)).rejects.toThrow(
    /of list sha256:.* expected .*other\.txt/,
  );
  const [file = ""] = await shardFilesIn(rows);
  await writeFile(file, (await readFile(file, "utf8")).replace("photos/1.jpg", "photos/7.jpg"));
  await expect(classifyMerge.run([rows, "--list", list, "--check"], ioOf().io)).rejects.toThrow(
    /has photos\/7\.jpg as entry 1, expected photos\/1\.jpg/,
  );
});
