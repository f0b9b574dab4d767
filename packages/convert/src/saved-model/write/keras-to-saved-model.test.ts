import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "@vitrine/protocol/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { readKeras } from "../../keras/read-keras.js";
import { runGraph } from "../../run-graph.js";
import { type GoldenModel, goldenNames, openGolden } from "../../testing/golden.js";
import { compare, type Difference, TOLERANCE } from "../../verify.js";
import { readSavedModel } from "../read/read-saved-model.js";
import { PYTHON, runInTensorFlow, type SavedModelRun } from "./testing/tensorflow.js";
import { writeSavedModel } from "./write-saved-model.js";

const hdf5WorkerUrl = new URL("../../../dist/keras/hdf5-worker.js", import.meta.url);
const DIFFERENCES = fileURLToPath(
  new URL("../../../golden/keras/saved-model-differences.json", import.meta.url),
);

/** Largest difference of each model: as our reader runs it, and as TensorFlow does. docs/converting.md shows them. */
const differences: Record<string, { exported?: number; vitrine?: number; tensorflow?: number }> = {};

const WRITES_TABLE = process.env.VITRINE_WRITE_DIFFERENCES !== undefined;

/** TensorFlow's fused kernels take sums in an order of their own, which the deepest of these narrow models show. */
const TENSORFLOW_TOLERANCE = 5e-4;

const scratch = mkdtempSync(path.join(tmpdir(), "vitrine-keras-"));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Converted extends SavedModelRun {
  readonly wanted: ReadonlyMap<string, Tensor>;
}

/** Writes the golden model's file of its Keras version as a SavedModel. */
async function converted(golden: GoldenModel): Promise<Converted> {
  const format = golden.formats.includes("model.h5") ? "model.h5" : "model.keras";
  const graph = await readKeras(path.join(golden.folder, format), { hdf5WorkerUrl });
  const folder = path.join(scratch, golden.name);
  await writeSavedModel(graph, folder);
  const feeds = graph.inputs.map(({ alias }, index) => {
    const input = golden.inputs.find(({ name }) => name === alias) ?? golden.inputs[index];
    return [alias, input?.tensor ?? expect.unreachable()] as const;
  });
  const wanted = golden.outputs.map(({ key, tensor }, index) => {
    return [/^\d+$/.test(key) ? (graph.outputs[index]?.alias ?? key) : key, tensor] as const;
  });
  return { folder, feeds: new Map(feeds), wanted: new Map(wanted) };
}

function worstOf(found: readonly Difference[]): number {
  expect(
    found.filter(({ relative, isTopEqual }) => !(relative <= TOLERANCE) || isTopEqual === false),
  ).toEqual([]);
  return Math.max(...found.map(({ relative }) => relative));
}

/** @returns undefined where Keras left random layers active, which cannot run. */
async function exportedDifference(golden: GoldenModel): Promise<number | undefined> {
  const graph = await readSavedModel(path.join(golden.folder, "saved-model")).catch(() => undefined);
  if (graph === undefined) return undefined;
  const [only] = graph.inputs;
  const feeds = golden.inputs.map(({ name, tensor }) => {
    return [graph.inputs.some(({ alias }) => alias === name) ? name : (only?.alias ?? ""), tensor] as const;
  });
  const results = [...(await runGraph(graph, new Map(feeds))).values()];
  // An export names outputs by their order or by their keys: each answer has to be among ours.
  const worst = golden.outputs.map(({ tensor }) => {
    const candidates = results.filter(({ shape }) => shape.join() === tensor.shape.join());
    const found = candidates.flatMap((result) => compare(new Map([["y", tensor]]), new Map([["y", result]])));
    return Math.min(...found.map(({ relative }) => relative));
  });
  return Math.max(...worst);
}

describe("Keras models written as SavedModels give Keras' answers", () => {
  test.each(goldenNames())("%s, read back", { timeout: 120_000 }, async (name) => {
    const golden = openGolden(name);
    try {
      const { folder, feeds, wanted } = await converted(golden);
      const results = await runGraph(await readSavedModel(folder), feeds);
      differences[name] = { vitrine: worstOf(compare(wanted, results)) };
    } finally {
      golden.remove();
    }
  });

  test.skipIf(PYTHON === undefined)("in TensorFlow (VITRINE_PYTHON)", { timeout: 1_200_000 }, async () => {
    const runs: Converted[] = [];
    for (const name of goldenNames()) {
      const golden = openGolden(name);
      runs.push(await converted(golden));
      golden.remove();
    }
    const results = await runInTensorFlow(runs, scratch);
    const failures: string[] = [];
    for (const [index, name] of goldenNames().entries()) {
      const result = results[index];
      const wanted = runs[index]?.wanted ?? new Map<string, Tensor>();
      if (typeof result !== "object") failures.push(`${name}: ${result}`);
      else {
        const found = compare(wanted, result);
        if (
          found.some(
            ({ relative, isTopEqual }) => !(relative <= TENSORFLOW_TOLERANCE) || isTopEqual === false,
          )
        ) {
          failures.push(`${name}: ${JSON.stringify(found)}`);
        }
        differences[name] = {
          ...differences[name],
          tensorflow: Math.max(...found.map(({ relative }) => relative)),
        };
      }
    }
    expect(failures).toEqual([]);
  });

  // Its own test is beside the reader; here it is a column of the table.
  test.runIf(WRITES_TABLE).each(goldenNames())(
    "%s, Keras' own SavedModel",
    { timeout: 120_000 },
    async (name) => {
      const golden = openGolden(name);
      try {
        if (!golden.formats.includes("saved-model")) return;
        const found = await exportedDifference(golden);
        if (found !== undefined) differences[name] = { ...differences[name], exported: found };
      } finally {
        golden.remove();
      }
    },
  );

  // A table that is written anew only when asked: other processors round otherwise.
  afterAll(() => {
    if (!WRITES_TABLE) return;
    writeFileSync(
      DIFFERENCES,
      `${JSON.stringify(differences, (_, value) => (typeof value === "number" ? Number(value.toPrecision(2)) : value), 2)}\n`,
    );
  });
});

test("the table of differences names every golden model", () => {
  const table: unknown = JSON.parse(readFileSync(DIFFERENCES, "utf8"));
  expect(Object.keys(table ?? {}).sort()).toEqual(goldenNames());
});
