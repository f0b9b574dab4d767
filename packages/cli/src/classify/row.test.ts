import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readDoneRows } from "./resume.js";
import { CSV_HEADER, type Row, readDoneRow, rowFormatter } from "./row.js";

const PANTS: Row = {
  source: 'photos/a,"b".jpg',
  top_class: "pants",
  top_probability: 0.9,
  predictions: { hat: 0.04, pants: 0.9, shirt: 0.06 },
};
const BROKEN: Row = {
  source: "b.jpg",
  error: { code: "INVALID_ARGUMENT", reason: "IMAGE_UNDECODABLE", message: "the picture was cut off, sorry" },
};

test("jsonl has source, top class, its probability and all predictions, or the error", () => {
  const format = rowFormatter("jsonl", 1);
  expect(format(PANTS)).toBe(
    '{"source":"photos/a,\\"b\\".jpg","top_class":"pants","top_probability":0.9,' +
      '"predictions":{"hat":0.04,"pants":0.9,"shirt":0.06}}\n',
  );
  expect(JSON.parse(format(BROKEN))).toEqual(BROKEN);
});

test("csv quotes what needs quotes", () => {
  const format = rowFormatter("csv", 1);
  expect(CSV_HEADER).toBe("source,top_class,top_probability,error\n");
  expect(format(PANTS)).toBe('"photos/a,""b"".jpg",pants,0.9,\n');
  expect(format(BROKEN)).toBe(
    'b.jpg,,,"INVALID_ARGUMENT IMAGE_UNDECODABLE: the picture was cut off, sorry"\n',
  );
});

test("the table shows the best labels first, as many as asked for", () => {
  const format = rowFormatter("table", 2);
  expect(format(PANTS)).toBe('photos/a,"b".jpg  pants 90.0%  shirt 6.0%\n');
  expect(format(BROKEN)).toBe("b.jpg             error IMAGE_UNDECODABLE: the picture was cut off, sorry\n");
});

test.each(["jsonl", "csv"] as const)("a %s row is read back", (format) => {
  const write = rowFormatter(format, 1);
  expect(readDoneRow(format, write(PANTS).trimEnd())).toEqual({ source: PANTS.source, topClass: "pants" });
  expect(readDoneRow(format, write(BROKEN).trimEnd())).toEqual({ source: "b.jpg", topClass: undefined });
  expect(readDoneRow(format, "something else")).toBeUndefined();
});

async function outputFile(text: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "resume-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, "rows"), text);
  return path.join(folder, "rows");
}

test("a row that was cut off while it was written is cut away", async () => {
  const whole = rowFormatter("jsonl", 1)(PANTS);
  const file = await outputFile(`${whole}{"source": "b.j`);
  expect([...(await readDoneRows(file, "jsonl")).keys()]).toEqual([PANTS.source]);
  expect(await readFile(file, "utf8")).toBe(whole);
});

test("a file of something else is refused, not appended to", async () => {
  const file = await outputFile("dear diary\n");
  await expect(readDoneRows(file, "csv")).rejects.toThrow(/line 1 of .* is no csv row/);
  expect(await readFile(file, "utf8")).toBe("dear diary\n");
});

test("no file means no rows", async () => {
  expect((await readDoneRows("/no/such/file", "jsonl")).size).toBe(0);
});
