/** Writes a graph in the format that was asked for. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ModelContract } from "@vitrine/protocol/contract";
import type { Graph } from "./graph/graph.js";
import { writeOnnx } from "./onnx/write-onnx.js";
import { preparedGraph } from "./prepared-graph.js";
import type { Target } from "./version-folder.js";

export interface WriteModelOptions {
  readonly target: Target;
  readonly metadata: Readonly<Record<string, string>>;
  readonly opset: number | undefined;
}

/** A model that is ready to be written: from here on only the disk can fail it. */
export interface PreparedModel {
  readonly operators: number;
  /** @param place file or folder, in a folder that exists. */
  write(place: string): Promise<unknown>;
}

/** @throws {ServeError} MODEL_UNSUPPORTED when the format cannot say the graph. */
export async function prepareModel(
  graph: Graph,
  { target, metadata, opset }: WriteModelOptions,
): Promise<PreparedModel> {
  if (target.kind === "saved-model") {
    const { prepareSavedModel } = await import("./saved-model/write/write-saved-model.js");
    return prepareSavedModel(graph, { metadata });
  }
  const prepared = preparedGraph(graph, "optimised");
  return {
    operators: prepared.nodes.length,
    write: async (place) => {
      if (target.kind === "onnx-folder") await mkdir(place);
      return await writeOnnx(prepared, modelFile(place, target), { metadata, opset });
    },
  };
}

/** The ONNX model of a file or folder. */
export function modelFile(place: string, { kind }: Target): string {
  return kind === "onnx-folder" ? path.join(place, "model.onnx") : place;
}

/** Puts the contract's files where servers look for them. */
export async function writeContract(contract: ModelContract, place: string, target: Target): Promise<void> {
  if (target.kind === "onnx-file") return;
  const folder = target.kind === "saved-model" ? path.join(place, "assets.extra") : place;
  await mkdir(folder, { recursive: true });
  const write = (name: string, content: unknown) =>
    writeFile(path.join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
  await write("config.json", contract.files.config);
  await write("preprocessor_config.json", contract.files.preprocessor);
}
