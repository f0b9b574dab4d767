/** What `saved_model_cli show` of TensorFlow 2.21 prints, to the letter. */
import { ServeError } from "@vitrine/protocol/status";
import type { GraphDef } from "./gen/tensorflow/core/framework/graph.js";
import {
  MetaGraphDef,
  type SignatureDef,
  type TensorInfo,
} from "./gen/tensorflow/core/protobuf/meta_graph.js";
import { MetaGraphIndex } from "./gen/vitrine/saved_model_index.js";
import {
  boundedReader,
  decoded,
  type MetaGraphBytes,
  readMetaGraphs,
} from "./saved-model/read/saved-model-file.js";
import { concreteFunctionsText } from "./saved-model/show/concrete-functions.js";
import {
  compareCodePoints,
  compareLists,
  listRepr,
  setRepr,
  stringRepr,
} from "./saved-model/show/python-text.js";
import { dtypeEnumName } from "./saved-model/show/structured-value.js";

export interface ShowRequest {
  readonly all: boolean;
  /** As given: tags with commas between them; the empty text is the empty set. */
  readonly tagSet: string | undefined;
  readonly signatureDef: string | undefined;
  readonly listOps: boolean;
}

/**
 * Prints what was asked for.
 *
 * Two things TensorFlow prints in an order that changes with each of its runs, and these are sorted here: the line of
 * operators, and members of dicts among the arguments of concrete functions.
 *
 * @param print gets the text part by part: what TensorFlow has printed before it fails is printed here, too.
 * @throws {ServeError} MODEL_INVALID in TensorFlow's words.
 */
export async function showSavedModel(
  folder: string,
  { all, tagSet, signatureDef, listOps }: ShowRequest,
  print: (text: string) => void,
): Promise<void> {
  const metaGraphs = await readMetaGraphs(folder);
  if (all) {
    showAll(metaGraphs, print);
    return;
  }
  if (tagSet === undefined) {
    if (listOps) print("--list_ops must be paired with a tag-set or with --all.\n");
    print("The given SavedModel contains the following tag-sets:\n");
    for (const { tags } of sortedByTags(metaGraphs)) {
      print(`${stringRepr([...tags].sort(compareCodePoints).join(", "))}\n`);
    }
    return;
  }
  if (listOps) {
    const chosen = chosenMetaGraph(metaGraphs, trimmedTags(tagSet));
    print(opsText(chosen.tags, wholeMetaGraph(chosen).graphDef));
  }
  if (signatureDef === undefined) {
    const signatures = signaturesOf(chosenMetaGraph(metaGraphs, tagsOf(tagSet)));
    print("The given SavedModel MetaGraphDef contains SignatureDefs with the following keys:\n");
    for (const key of sortedKeys(signatures)) print(`SignatureDef key: "${key}"\n`);
    return;
  }
  const signatures = signaturesOf(chosenMetaGraph(metaGraphs, trimmedTags(tagSet)));
  const signature = signatures.get(signatureDef);
  if (signature === undefined) {
    throw new ServeError(
      "MODEL_INVALID",
      `Could not find signature "${signatureDef}". Please choose from: ${[...signatures.keys()].join(", ")}`,
    );
  }
  print(signatureText(signature, ""));
}

function showAll(metaGraphs: readonly MetaGraphBytes[], print: (text: string) => void): void {
  const whole = metaGraphs.map((bytes) => ({ tags: bytes.tags, metaGraph: wholeMetaGraph(bytes) }));
  for (const { tags, metaGraph } of sortedByTags(whole)) {
    print(`\nMetaGraphDef with tag-set: '${tags.join(", ")}' contains the following SignatureDefs:\n`);
    for (const key of sortedKeys(metaGraph.signatureDef)) {
      const signature = metaGraph.signatureDef.get(key);
      if (signature !== undefined) print(`\nsignature_def['${key}']:\n${signatureText(signature, "  ")}`);
    }
    print(opsText(tags, metaGraph.graphDef));
  }
  print(concreteFunctionsText(whole.map(({ metaGraph }) => metaGraph)));
}

function wholeMetaGraph({ bytes }: MetaGraphBytes): MetaGraphDef {
  return decoded("saved_model.pb", () => MetaGraphDef.decode(boundedReader(bytes)));
}

/** Signatures alone, without decoding what computes them. */
function signaturesOf({ bytes }: MetaGraphBytes): ReadonlyMap<string, SignatureDef> {
  return decoded("saved_model.pb", () => MetaGraphIndex.decode(boundedReader(bytes)).signatureDef);
}

function tagsOf(tagSet: string): string[] {
  return tagSet.split(",").filter((tag) => tag !== "");
}

function trimmedTags(tagSet: string): string[] {
  const tags = tagSet.split(",").map((tag) => tag.trim());
  const named = tags.filter((tag) => tag !== "");
  if (named.length > 0) return named;
  throw new ServeError("MODEL_INVALID", "tag_set must contain at least one non-empty item.");
}

function chosenMetaGraph(metaGraphs: readonly MetaGraphBytes[], tags: readonly string[]): MetaGraphBytes {
  const wanted = new Set(tags);
  const found = metaGraphs.find((metaGraph) => {
    const own = new Set(metaGraph.tags);
    return own.size === wanted.size && [...wanted].every((tag) => own.has(tag));
  });
  if (found !== undefined) return found;
  const known = listRepr(metaGraphs.map((metaGraph) => [...new Set(metaGraph.tags)].join(",")));
  throw new ServeError(
    "MODEL_INVALID",
    `MetaGraphDef associated with tag-set ${tags.join(",")} could not be found in the SavedModel. ` +
      `Please use one of the following tag-sets: ${known}`,
  );
}

function sortedByTags<T extends { readonly tags: readonly string[] }>(metaGraphs: readonly T[]): T[] {
  return [...metaGraphs].sort((a, b) => compareLists(a.tags, b.tags));
}

function sortedKeys(map: ReadonlyMap<string, unknown>): string[] {
  return [...map.keys()].sort(compareCodePoints);
}

function signatureText({ inputs, outputs, methodName }: SignatureDef, indent: string): string {
  return [
    `${indent}The given SavedModel SignatureDef contains the following input(s):\n`,
    ...tensorTexts("inputs", inputs, indent),
    `${indent}The given SavedModel SignatureDef contains the following output(s):\n`,
    ...tensorTexts("outputs", outputs, indent),
    `${indent}Method name is: ${methodName}\n`,
  ].join("");
}

function tensorTexts(kind: string, tensors: ReadonlyMap<string, TensorInfo>, indent: string): string[] {
  return sortedKeys(tensors).flatMap((alias) => {
    const info = tensors.get(alias);
    if (info === undefined) return [];
    const name = info.encoding?.$case === "name" ? info.encoding.value : "";
    return [
      `${indent}  ${kind}['${alias}'] tensor_info:\n`,
      `${indent}      dtype: ${dtypeEnumName(info.dtype)}\n`,
      `${indent}      shape: ${shapeText(info)}\n`,
      `${indent}      name: ${name}\n`,
    ];
  });
}

function shapeText({ tensorShape }: TensorInfo): string {
  if (tensorShape?.unknownRank === true) return "unknown_rank";
  return `(${(tensorShape?.dim ?? []).map(({ size }) => String(size)).join(", ")})`;
}

function opsText(tags: readonly string[], graph: GraphDef | undefined): string {
  return `The MetaGraph with tag set ${listRepr(tags)} contains the following ops: ${setRepr(opsOf(graph))}\n`;
}

/** Operators of the graph and of the functions that are reached by a call or by their name. */
function opsOf(graph: GraphDef | undefined): Set<string> {
  const functions = new Map(
    (graph?.library?.function ?? []).map((definition) => [definition.signature?.name ?? "", definition]),
  );
  const used = new Set<string>();
  const open = [graph?.node ?? []];
  const use = (op: string): void => {
    const definition = used.has(op) ? undefined : functions.get(op);
    if (definition !== undefined) open.push(definition.nodeDef);
    used.add(op);
  };
  for (let nodes = open.pop(); nodes !== undefined; nodes = open.pop()) {
    for (const node of nodes) {
      use(node.op);
      if (node.op !== "PartitionedCall" && node.op !== "StatefulPartitionedCall") continue;
      const called = node.attr.get("f")?.value;
      use(called?.$case === "func" ? called.value.name : "");
    }
  }
  return new Set([...used].filter((op) => !functions.has(op)));
}
