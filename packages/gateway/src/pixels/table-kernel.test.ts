import { describe, expect, it } from "vitest";
import { createTableKernel, fillRowsPlainly, type TableRows } from "./table-kernel.js";

/** @returns 1200 pixels of 40 x 30, and tables that tell the channels apart. */
function rows(change: Partial<TableRows> = {}): TableRows {
  const table = (channel: number) => Float32Array.from({ length: 256 }, (_, sample) => sample / 3 - channel);
  return {
    pixels: Uint8Array.from({ length: 40 * 30 * 3 }, (_, index) => (index * 31) % 256),
    stride: 40,
    columns: Int32Array.of(0, 3, 3, 17, 39),
    rows: Int32Array.of(0, 0, 12, 29),
    tables: [table(0), table(1), table(2)],
    from: 0,
    layout: "NHWC",
    ...change,
  };
}

describe("the table kernel", () => {
  const kernel = createTableKernel();

  it.each<Partial<TableRows>>([
    {},
    { layout: "NCHW" },
    { from: 2 },
    { from: 2, layout: "NCHW" },
    {
      columns: Int32Array.from({ length: 40 }, (_, x) => x),
      rows: Int32Array.from({ length: 30 }, (_, y) => y),
    },
    { columns: Int32Array.of(7), rows: Int32Array.of(5) },
  ])("gives what plain loops give: %j", (change) => {
    const given = rows(change);
    const length = 3 * given.columns.length * given.rows.length;
    const [plain, made] = [
      new Float32Array(length).fill(Number.NaN),
      new Float32Array(new SharedArrayBuffer(4 * length)),
    ];
    fillRowsPlainly(plain, given);
    kernel?.(made, given);
    expect(kernel).toBeDefined();
    expect([...made]).toEqual([...plain]);
    expect(plain).not.toContain(Number.NaN);
  });

  it("takes rows that are wider than its memory was at first", () => {
    const stride = 100_000;
    const given = rows({
      pixels: new Uint8Array(3 * stride).fill(9),
      stride,
      columns: Int32Array.of(0, 99_999),
      rows: Int32Array.of(0),
    });
    const made = new Float32Array(6);
    kernel?.(made, given);
    expect([...made]).toEqual([3, 2, 1, 3, 2, 1]);
  });
});
