/** Every family of keras.applications, at full depth: what the layout change leaves. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readKeras } from "../keras/read-keras.js";
import { goldenNames, openGolden } from "../testing/golden.js";
import { countTransposes, toLayout } from "./layout.js";
import { optimise } from "./optimise.js";

// A worker thread loads no .ts on Node 20.
const hdf5WorkerUrl = new URL("../../dist/keras/hdf5-worker.js", import.meta.url);

const FAMILIES = /^(xception|vgg|resnet|inception|mobilenet|densenet|nasnet|efficientnet|convnext|course)/;

describe("a family of keras.applications", () => {
  for (const name of goldenNames().filter((golden) => FAMILIES.test(golden))) {
    it(`${name} needs one Transpose, behind its input, and none when callers feed channels first`, async () => {
      const golden = openGolden(name);
      try {
        const graph = optimise(await readKeras(path.join(golden.folder, "model.keras"), { hdf5WorkerUrl }));
        const moved = optimise(toLayout(graph, "NCHW"));
        expect(countTransposes(moved)).toBe(1);
        expect(moved.nodes.find(({ op }) => op === "Transpose")?.inputs).toEqual([graph.inputs[0]!.value]);
        expect(countTransposes(optimise(toLayout(graph, "NCHW", { changeInputLayout: true })))).toBe(0);
      } finally {
        golden.remove();
      }
    });
  }
});
