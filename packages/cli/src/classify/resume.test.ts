import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readDoneRows } from "./resume.js";
import { CSV_HEADER, type Row, rowFormatter } from "./row.js";

const pants = (source: string): Row => ({
  source,
  top_class: "pants",
  top_probability: 0.9,
  predictions: { hat: 0.1, pants: 0.9 },
});
const broken = (source: string, message: string): Row => ({
  source,
  error: { code: "INVALID_ARGUMENT", reason: "IMAGE_URL_FAILED", message },
});

async function outputFile(text: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "resume-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, "rows");
  await writeFile(file, text);
  return file;
}

const sources = async (file: string, format: "jsonl" | "csv") => [
  ...(await readDoneRows(file, format)).keys(),
];

test("a row that was cut off while it was written is cut away", async () => {
  const whole = rowFormatter("jsonl", 1)(pants("a.jpg"));
  const file = await outputFile(`${whole}{"source": "b.j`);
  expect(await sources(file, "jsonl")).toEqual(["a.jpg"]);
  expect(await readFile(file, "utf8")).toBe(whole);
});

test.each(["jsonl", "csv"] as const)(
  "%s that an editor saved with its own line ends keeps each byte and each row",
  async (format) => {
    const write = rowFormatter(format, 1);
    const names = Array.from({ length: 30 }, (_, index) => `photos/ä${index}.jpg`);
    const text = (format === "csv" ? CSV_HEADER : "") + names.map((name) => write(pants(name))).join("");
    const saved = `\ufeff${text.replaceAll("\n", "\r\n")}`;
    const file = await outputFile(saved);
    expect(await sources(file, format)).toEqual(names);
    expect(await readFile(file, "utf8")).toBe(saved);
    await appendFile(file, write(pants("next.jpg")).slice(0, -3));
    expect(await sources(file, format)).toEqual(names);
    expect(await readFile(file, "utf8")).toBe(saved);
  },
);

test("paths and messages with line ends are read back, however the row was cut off", async () => {
  const write = rowFormatter("csv", 1);
  const rows = [
    pants("a\nb.jpg"),
    broken("c\rd.jpg", 'the host said "no",\r\nand\nno more'),
    pants("\r\n"),
    pants('"\n"'),
  ];
  const whole = CSV_HEADER + rows.map(write).join("");
  const file = await outputFile(whole);
  expect(await sources(file, "csv")).toEqual(rows.map(({ source }) => source));
  const last = Buffer.byteLength(write(pants('"\n"')));
  for (let cut = 1; cut < last; cut++) {
    await writeFile(file, Buffer.from(whole).subarray(0, -cut));
    expect(await sources(file, "csv")).toEqual(rows.slice(0, -1).map(({ source }) => source));
    expect(await readFile(file)).toEqual(Buffer.from(whole).subarray(0, -last));
  }
});

test("rows longer than what is read at once are whole", async () => {
  const write = rowFormatter("csv", 1);
  const long = broken("a.jpg", `${"x".repeat(70_000)}\n${"y".repeat(70_000)}`);
  const file = await outputFile(
    CSV_HEADER + [long, pants("b.jpg"), long, pants("c.jpg")].map(write).join(""),
  );
  const rows = await readDoneRows(file, "csv");
  expect([...rows].map(([source, found]) => [source, found.length])).toEqual([
    ["a.jpg", 2],
    ["b.jpg", 1],
    ["c.jpg", 1],
  ]);
});

test("a file of something else is refused by the line that is no row, not appended to", async () => {
  for (const [text, line] of [
    ["dear diary\n", 1],
    [`${CSV_HEADER}${rowFormatter("csv", 1)(pants("a\nb.jpg"))}dear diary\n`, 4],
    [`${CSV_HEADER}${"\0".repeat(5_000_000)}`, 2],
  ] as const) {
    const file = await outputFile(text);
    await expect(readDoneRows(file, "csv")).rejects.toThrow(`line ${line} of ${file} is no csv row`);
    expect(await readFile(file, "utf8")).toBe(text);
  }
});

test("no file means no rows", async () => {
  expect((await readDoneRows("/no/such/file", "jsonl")).size).toBe(0);
});
