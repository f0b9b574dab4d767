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

/**
 * @param place file or folder, in a folder that exists.
 * @returns how many operators were written.
 * @throws {ServeError} MODEL_UNSUPPORTED when the format cannot say the graph.
 */
export async function writeModel(
  graph: Graph,
  place: string,
  { target, metadata, opset }: WriteModelOptions,
): Promise<number> {
  if (target.kind === "saved-model") {
    const { writeSavedModel } = await import("./saved-model/write/write-saved-model.js");
    return await writeSavedModel(graph, place, { metadata });
  }
  const prepared = preparedGraph(graph, "optimised");
  const isFolder = target.kind === "onnx-folder";
  if (isFolder) await mkdir(place);
  const file = isFolder ? path.join(place, "model.onnx") : place;
  await writeOnnx(prepared, file, { metadata, opset });
  return prepared.nodes.length;
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
