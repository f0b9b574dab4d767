/** A SavedModel opened for reading: its graph indexed, its functions and variables yet to be read. */
import path from "node:path";
import type { SignatureDef } from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import { MetaGraphIndex, type NodeIndex } from "../../gen/vitrine/saved_model_index.js";
import type { Constant } from "../../graph/graph.js";
import { BoundedReader, newBudget } from "./bounded-reader.js";
import { FunctionLibrary } from "./function-library.js";
import { attributeOf, GraphNodes, type Nodes } from "./nodes.js";
import { decoded, findMetaGraph, readMetaGraphs, SERVE_TAGS } from "./saved-model-file.js";
import { Scopes } from "./scopes.js";
import { TensorBundle } from "./tensor-bundle.js";
import { parseSliceSpec } from "./tensor-slices.js";
import { type Restored, restoredVariables } from "./variables.js";

export interface OpenedModel {
  readonly signatures: ReadonlyMap<string, SignatureDef>;
  readonly nodes: Nodes;
  readonly library: FunctionLibrary;
  /**
   * Reads the variables of these nodes. One that the checkpoint does not hold is left out.
   *
   * @throws {ServeError} MODEL_INVALID when the checkpoint is damaged.
   */
  readVariables(names: readonly string[]): Promise<ReadonlyMap<string, Constant>>;
}

/** @throws {ServeError} MODEL_INVALID when there is no SavedModel with these tags, or a damaged one. */
export async function openModel(folder: string, tags: readonly string[] = SERVE_TAGS): Promise<OpenedModel> {
  const budget = newBudget();
  const bytes = findMetaGraph(await readMetaGraphs(folder, budget), tags);
  const index = decoded("saved_model.pb", () => MetaGraphIndex.decode(new BoundedReader(bytes, budget)));
  const nodes = new GraphNodes(index.graphDef?.node ?? [], budget);
  const library = new FunctionLibrary(index.graphDef?.library?.function ?? [], budget);
  return {
    signatures: index.signatureDef,
    nodes,
    library,
    readVariables: async (names) => {
      if (names.length === 0) return new Map();
      const restored = restoredVariables(new Scopes(nodes, library), index.saverDef?.restoreOpName ?? "");
      return readFromBundle(path.join(folder, "variables", "variables"), nodes, restored, names);
    },
  };
}

async function readFromBundle(
  prefix: string,
  nodes: Nodes,
  restored: ReadonlyMap<string, Restored>,
  names: readonly string[],
): Promise<ReadonlyMap<string, Constant>> {
  const bundle = await TensorBundle.open(prefix);
  try {
    const variables = new Map<string, Constant>();
    for (const name of names) {
      const { key, spec } = restored.get(name) ?? byName(bundle, nodes.get(name), name);
      if (key === "") continue;
      variables.set(name, await bundle.read(key, parseSliceSpec(key, spec)));
    }
    return variables;
  } finally {
    await bundle.close();
  }
}

/** Without a restore operator, a variable of the same name as the checkpoint's key. */
function byName(bundle: TensorBundle, node: NodeIndex | undefined, name: string): Restored {
  const value = node === undefined ? undefined : attributeOf(node, "shared_name");
  const shared = value?.$case === "s" ? new TextDecoder().decode(value.value) : "";
  const key = [shared, name].find((candidate) => candidate !== "" && bundle.has(candidate));
  return { key: key ?? "", spec: "" };
}
