import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DataType, type Tensor } from "@vitrine/protocol/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { float32Constant } from "./graph/constant-values.js";
import type { Graph } from "./graph/graph.js";
import { GraphBuilder } from "./graph/graph-builder.js";
import { writeOnnx } from "./onnx/write-onnx.js";
import { compare, seededFeeds, TOLERANCE, verify, verifyRecorded } from "./verify.js";

const folder = mkdtempSync(path.join(tmpdir(), "vitrine-verify-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function scaled(factor: number, shape: readonly number[] = [-1, 3]): Graph {
  const builder = new GraphBuilder("scaled");
  const x = builder.input("x", "float32", shape);
  const weights = builder.constant("w", float32Constant([factor, 0, 1, factor, 2, 0], [3, 2]));
  builder.output("scores", builder.node("MatMul", "dense", [x, weights]), "float32", undefined);
  return builder.build();
}

async function written(graph: Graph, name: string): Promise<string> {
  const file = path.join(folder, name);
  await writeOnnx(graph, file);
  return file;
}

const matrix = (...values: number[]): Tensor => ({
  dtype: DataType.DT_FLOAT,
  shape: [values.length / 2, 2],
  data: Float32Array.from(values),
});

describe("verify", () => {
  it("runs what was written beside what was read, for one row and for two", async () => {
    const result = await verify(scaled(1), await written(scaled(1), "same.onnx"));
    expect(result.batchSizes).toEqual([1, 2]);
    expect(result.differences).toEqual([{ output: "scores", largest: 0, relative: 0, isTopEqual: true }]);
  });

  it("takes a graph that was read back", async () => {
    expect((await verify(scaled(1), scaled(1))).differences[0]?.largest).toBe(0);
  });

  it("tries a model of a fixed batch with its own", async () => {
    expect((await verify(scaled(1, [4, 3]), scaled(1, [4, 3]))).batchSizes).toEqual([1]);
  });

  it("refuses what differs by more than the tolerance", async () => {
    const file = await written(scaled(1.01), "other.onnx");
    await expect(verify(scaled(1), file)).rejects.toThrow(
      /output scores differed by .* expected at most 0.0001/,
    );
  });

  it("refuses a result that is not a number", async () => {
    await expect(verify(scaled(1), scaled(Number.NaN))).rejects.toThrow(/differed by NaN/);
  });

  it("gives ONNX Runtime's words when the model does not run", async () => {
    const builder = new GraphBuilder("broken");
    const x = builder.input("x", "float32", [-1, 3]);
    builder.output("scores", builder.node("NoSuchOperator", "odd", [x]), "float32", undefined);
    await expect(verify(scaled(1), builder.build())).rejects.toThrow(
      /ONNX Runtime refused .*NoSuchOperator/s,
    );
  });
});

describe("verifyRecorded", () => {
  const input: Tensor = { dtype: DataType.DT_FLOAT, shape: [1, 3], data: Float32Array.of(1, 2, 3) };

  it("reports how far the model is from a record", async () => {
    const output = matrix(9, 2.00001);
    const difference = await verifyRecorded(scaled(1), scaled(1), { input, output });
    expect(difference.largest).toBeCloseTo(1e-5, 6);
    expect(difference.relative).toBeLessThan(TOLERANCE);
  });

  it("refuses a record that the model does not give", async () => {
    await expect(verifyRecorded(scaled(1), scaled(1), { input, output: matrix(9, 3) })).rejects.toThrow(
      /differed/,
    );
  });

  it("turns a picture that was recorded in the other layout", async () => {
    const builder = new GraphBuilder("picture");
    const x = builder.input("x", "float32", [-1, 3, 2, 5]);
    const axes = builder.int64s("axes", [1, 2]);
    builder.output("y", builder.node("ReduceSum", "sum", [x, axes], { keepdims: 0 }), "float32", undefined);
    // Channel c of pixel p is 10 p + c; the sum over channels and rows is that of one column.
    const data = Float32Array.from({ length: 30 }, (_, index) => 10 * Math.floor(index / 3) + (index % 3));
    const output = Float32Array.from({ length: 5 }, (_, column) => 3 * (10 * column + 10 * (column + 5)) + 6);
    const difference = await verifyRecorded(builder.build(), builder.build(), {
      input: { dtype: DataType.DT_FLOAT, shape: [1, 2, 5, 3], data },
      output: { dtype: DataType.DT_FLOAT, shape: [1, 5], data: output },
    });
    expect(difference.largest).toBe(0);
  });

  it("says what input it wants when the record is another", async () => {
    const pixels = { dtype: DataType.DT_UINT8, shape: [1, 3], data: Uint8Array.of(1, 2, 3) };
    await expect(
      verifyRecorded(scaled(1), scaled(1), { input: pixels, output: matrix(9, 2) }),
    ).rejects.toThrow("the recorded input was uint8 [1,3], expected float32 [-1,3] for x");
  });

  it("refuses a record of another shape", async () => {
    const output = matrix(9, 2, 1, 1);
    await expect(verifyRecorded(scaled(1), scaled(1), { input, output })).rejects.toThrow(
      /shape \[1,2\], expected \[2,2\]/,
    );
  });
});

describe("compare", () => {
  const both = (wanted: Tensor, given: Tensor) =>
    compare(new Map([["y", wanted]]), new Map([["y", given]]))[0];

  it("measures against the range of what is expected", () => {
    expect(both(matrix(-4, 4), matrix(-4, 4.5))).toMatchObject({
      largest: 0.5,
      relative: 0.0625,
      isTopEqual: true,
    });
  });

  it("sees another class on top", () => {
    expect(both(matrix(1, 0, 0.5, 0.4), matrix(1, 0, 0.4, 0.5))?.isTopEqual).toBe(false);
  });

  it("takes equal infinities and not-a-numbers for equal", () => {
    const odd = matrix(Number.NaN, Number.POSITIVE_INFINITY);
    expect(both(odd, matrix(Number.NaN, Number.POSITIVE_INFINITY))?.largest).toBe(0);
    expect(both(odd, matrix(Number.NaN, 1))?.largest).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("seededFeeds", () => {
  const input = { value: "x", alias: "x", shape: [-1, -1, 2] };

  it("gives the same numbers each time, in the range of their type", () => {
    const [first, second] = [1, 2].map(() => seededFeeds([{ ...input, type: "uint8" as const }], 2).get("x"));
    expect(first).toEqual(second);
    expect(first?.shape).toEqual([2, 96, 2]);
    expect(Math.max(...(first!.data as Uint8Array))).toBeGreaterThan(250);
  });

  it("refuses an input of 100 GB before it takes memory", () => {
    const huge = { ...input, shape: [1, 160_000, 160_000], type: "float32" as const };
    expect(() => seededFeeds([huge], 1)).toThrow(/at most/);
  });
});
