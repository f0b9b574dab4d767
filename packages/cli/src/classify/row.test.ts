import { expect, test } from "vitest";
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
