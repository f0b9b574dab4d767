import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Graph, Shape } from "../graph/graph.js";
import { runGraph } from "../run-graph.js";
import { type GoldenModel, goldenNames, openGolden } from "../testing/golden.js";
import { compare, TOLERANCE } from "../verify.js";
import { readKeras } from "./read-keras.js";

const hdf5WorkerUrl = new URL("../../dist/keras/hdf5-worker.js", import.meta.url);
const DIFFERENCES = fileURLToPath(new URL("../../golden/keras/differences.json", import.meta.url));

/** Largest difference of each golden model and format, relative to the outputs' range. docs/converting.md shows them. */
const differences: Record<string, Record<string, number>> = {};

async function largestDifference(golden: GoldenModel, format: string): Promise<number> {
  const graph = await readKeras(join(golden.folder, format), { hdf5WorkerUrl });
  if (golden.name.endsWith("keras2")) expectNamesOf(golden, graph);
  const given = graph.inputs.map(({ alias }, index) => {
    const input = golden.inputs.find(({ name }) => name === alias) ?? golden.inputs[index];
    if (input === undefined) throw new Error(`${golden.name} has no input ${alias}`);
    return [alias, input.tensor] as const;
  });
  const results = await runGraph(graph, new Map(given));
  const wanted = golden.outputs.map(({ key, tensor }, index) => {
    const alias = /^\d+$/.test(key) ? (graph.outputs[index]?.alias ?? key) : key;
    return [alias, tensor] as const;
  });
  const found = compare(new Map(wanted), results);
  expect(
    found.filter(({ relative, isTopEqual }) => !(relative <= TOLERANCE) || isTopEqual === false),
  ).toEqual([]);
  for (const { alias, shape } of graph.outputs) {
    const result = results.get(alias);
    expect(result?.shape.map((size, axis) => (shape?.[axis] === -1 ? -1 : size))).toEqual(shape);
  }
  return Math.max(...found.map(({ relative }) => relative));
}

/** Inputs and outputs are called as TensorFlow's SavedModel of the same model calls them. */
function expectNamesOf({ signature }: GoldenModel, { inputs, outputs }: Graph): void {
  if (signature === undefined) return;
  const shapes = (ends: readonly { alias: string; shape: Shape | undefined }[]) =>
    Object.fromEntries(
      ends.map(({ alias, shape }) => [alias, shape?.map((size) => (size < 0 ? null : size))]),
    );
  expect(shapes(inputs)).toEqual(signature.inputs);
  expect(Object.keys(shapes(outputs)).sort()).toEqual(Object.keys(signature.outputs).sort());
}

describe("models that Keras wrote give Keras' answers", () => {
  for (const name of goldenNames()) {
    it(name, { timeout: 120_000 }, async () => {
      const golden = openGolden(name);
      try {
        const formats = golden.formats.filter((format) => format !== "saved-model");
        expect(formats).not.toEqual([]);
        const found: Record<string, number> = {};
        for (const format of formats) found[format] = await largestDifference(golden, format);
        differences[name] = found;
      } finally {
        golden.remove();
      }
    });
  }

  // A table that is written anew only when asked: other processors round otherwise.
  afterAll(() => {
    if (process.env.VITRINE_WRITE_DIFFERENCES === undefined) return;
    const rounded = Object.entries(differences).map(([name, found]) => [
      name,
      Object.fromEntries(
        Object.entries(found).map(([format, value]) => [format, Number(value.toPrecision(2))]),
      ),
    ]);
    writeFileSync(DIFFERENCES, `${JSON.stringify(Object.fromEntries(rounded), null, 2)}\n`);
  });
});

it("the table of differences names every golden model", () => {
  const table: unknown = JSON.parse(readFileSync(DIFFERENCES, "utf8"));
  expect(Object.keys(table ?? {}).sort()).toEqual(goldenNames());
});

describe("names", () => {
  it("of the course's model are those that its SavedModel has", async () => {
    const golden = openGolden("course.keras2");
    try {
      for (const format of ["model.h5", "model.keras"]) {
        const graph = await readKeras(join(golden.folder, format), { hdf5WorkerUrl });
        expect(graph.inputs).toMatchObject([{ alias: "input_8", shape: [-1, 75, 75, 3], type: "float32" }]);
        expect(graph.outputs).toMatchObject([{ alias: "dense_7", shape: [-1, 10], type: "float32" }]);
        expect(graph.nodes.map((node) => node.name)).toContain("xception/block14_sepconv2_act");
      }
    } finally {
      golden.remove();
    }
  });
});
