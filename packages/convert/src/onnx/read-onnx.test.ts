import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Tensor } from "@vitrine/protocol/tensor";
import { describe, expect, it } from "vitest";
import type { Graph } from "../graph/graph.js";
import { toLayout } from "../graph/layout.js";
import { optimise } from "../graph/optimise.js";
import { readNpy } from "../npy.js";
import { runOnnx } from "../run-graph.js";
import { compare, TOLERANCE } from "../verify.js";
import { readOnnx } from "./read-onnx.js";
import { encodeOnnx, joinParts } from "./write-onnx.js";

const FOLDER = fileURLToPath(new URL("../../golden/onnx/", import.meta.url));
const CASES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".onnx"))
  .map((file) => file.slice(0, -".onnx".length));

function npy(name: string): Tensor {
  return readNpy(readFileSync(path.join(FOLDER, name)), name);
}

/** The ways by which a model may come out. */
const WAYS: Readonly<Record<string, (graph: Graph) => Graph>> = {
  "as it was read": (graph) => graph,
  optimised: (graph) => optimise(toLayout(optimise(graph), "NCHW")),
  "by way of NHWC": (graph) => optimise(toLayout(optimise(toLayout(optimise(graph), "NHWC")), "NCHW")),
};

describe("an ONNX model gives the outputs of the framework it comes from", () => {
  for (const name of CASES) {
    it.each(Object.entries(WAYS))(`${name}, %s`, async (_, way) => {
      const graph = await readOnnx(path.join(FOLDER, `${name}.onnx`));
      const [input] = graph.inputs;
      const [output] = graph.outputs;
      const shape = input!.shape!.with(0, 2);
      const feeds = new Map([[input!.alias, npy(`in-${shape.join("x")}.npy`)]]);
      const given = await runOnnx(joinParts(encodeOnnx(way(graph))), feeds);
      const [difference] = compare(new Map([[output!.alias, npy(`${name}.out.npy`)]]), given);
      expect(difference!.relative).toBeLessThanOrEqual(TOLERANCE);
      expect(difference!.isTopEqual).not.toBe(false);
    });
  }
});
