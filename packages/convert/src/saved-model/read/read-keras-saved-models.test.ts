import path from "node:path";
import { describe, expect, test } from "vitest";
import { runGraph } from "../../run-graph.js";
import { goldenNames, openGolden } from "../../testing/golden.js";
import { readSavedModel } from "./read-saved-model.js";
import { relativeDifference } from "./testing/tensorflow-golden.js";

const TOLERANCE = 1e-4;

describe("SavedModels that Keras wrote", () => {
  // Keras 3 leaves random layers active in what it exports.
  const RANDOM = new Set(["nested.keras3", "preprocessing.keras3", "sequential-course.keras3"]);

  test.for(goldenNames().filter((name) => !RANDOM.has(name)))(
    "%s gives Keras' answers",
    async (name, { skip }) => {
      const golden = openGolden(name);
      try {
        // Not every one could be written by TensorFlow.
        if (golden.signature === undefined) skip("no signature");
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
          // Keras 2 names outputs after layers: each of its answers has to be among ours.
          const differences = results.map((result) => relativeDifference(result, tensor));
          expect(Math.min(...differences)).toBeLessThanOrEqual(TOLERANCE);
        }
      } finally {
        golden.remove();
      }
    },
  );

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
