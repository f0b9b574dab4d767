import { rm } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runGraph } from "../../run-graph.js";
import { goldenNames, openGolden } from "../../testing/golden.js";
import { readSavedModel } from "./read-saved-model.js";
import { keras2Names, relativeDifference, unpackGolden } from "./testing/tensorflow-golden.js";

const TOLERANCE = 1e-4;
/** Narrow as it is here, this model multiplies roundings: TensorFlow with and without oneDNN differs by 4.2e-4 on it. */
const TOLERANCES = new Map([["efficientnet-v2-s.keras3", 5e-4]]);

describe("SavedModels that Keras wrote", () => {
  // Keras 3 leaves random layers active in what it exports.
  const RANDOM = new Set(["nested.keras3", "preprocessing.keras3", "sequential-course.keras3"]);

  test.each(goldenNames().filter((name) => name.endsWith(".keras3") && !RANDOM.has(name)))(
    "%s gives Keras' answers",
    async (name) => {
      const golden = openGolden(name);
      try {
        const graph = await readSavedModel(path.join(golden.folder, "saved-model"));
        const [only] = graph.inputs;
        const feeds = new Map(
          golden.inputs.map((input) => [
            graph.inputs.some(({ alias }) => alias === input.name) ? input.name : (only?.alias ?? ""),
            input.tensor,
          ]),
        );
        const results = [...(await runGraph(graph, feeds)).values()];
        for (const { tensor } of golden.outputs) {
          // An export names outputs by their order or by their keys: each answer has to be among ours.
          const differences = results.map((result) => relativeDifference(result, tensor));
          expect(Math.min(...differences)).toBeLessThanOrEqual(TOLERANCES.get(name) ?? TOLERANCE);
        }
      } finally {
        golden.remove();
      }
    },
  );

  test.each(keras2Names())("%s gives TensorFlow's answers", async (name) => {
    const golden = await unpackGolden(name);
    try {
      const graph = await readSavedModel(golden.folder);
      for (const { inputs, outputs } of golden.cases.serving_default ?? []) {
        const results = await runGraph(graph, new Map(Object.entries(inputs)));
        for (const [alias, expected] of Object.entries(outputs)) {
          expect(relativeDifference(results.get(alias), expected)).toBeLessThanOrEqual(TOLERANCE);
        }
      }
    } finally {
      await rm(golden.folder, { recursive: true });
    }
  });

  test("the course's model, saved by Keras 2 with the functions of all layers, keeps its own names", async () => {
    const golden = openGolden("course.keras2");
    try {
      const graph = await readSavedModel(path.join(golden.folder, "saved-model"));
      const [input] = golden.inputs;
      expect(graph.inputs.map(({ alias }) => alias)).toEqual(["input_8"]);
      expect(graph.outputs.map(({ alias, shape }) => [alias, shape])).toEqual([["dense_7", [-1, 10]]]);
      const results = await runGraph(graph, new Map([["input_8", input!.tensor]]));
      expect(relativeDifference(results.get("dense_7"), golden.outputs[0]!.tensor)).toBeLessThanOrEqual(
        TOLERANCE,
      );
      // Batch normalisation is folded or one operator: nothing of it is left in parts.
      expect(new Set(graph.nodes.map(({ op }) => op))).toEqual(
        new Set(["Conv", "BatchNormalization", "Relu", "MaxPool", "Add", "ReduceMean", "MatMul"]),
      );
    } finally {
      golden.remove();
    }
  });

  test("random layers in an export are refused by name, with what would help", async () => {
    const golden = openGolden("nested.keras3");
    try {
      await expect(readSavedModel(path.join(golden.folder, "saved-model"))).rejects.toThrow(
        /augmentation.*StatelessRandomGetKeyCounter, expected an operator of inference; convert the \.h5 or \.keras file/,
      );
    } finally {
      golden.remove();
    }
  });
});
