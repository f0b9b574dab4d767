/** Finds the versions of a model on disk. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { VersionPolicy } from "./model-config.js";

/** What a version's folder holds. */
export type ModelFiles =
  | { readonly kind: "onnx"; readonly file: string }
  /** `saved_model.pb` or its text form, with `variables/`. */
  | { readonly kind: "saved-model"; readonly folder: string };

/** Places of an ONNX model in a folder: ours, and where Hugging Face's exporter writes it. */
const MODEL_FILES = ["model.onnx", path.join("onnx", "model.onnx")];
const SAVED_MODEL_FILES = ["saved_model.pb", "saved_model.pbtxt"];

/**
 * The versions under a base path, whatever they hold: one folder for each number, leading zeros are fine, other
 * children are ignored as TensorFlow Serving does. A base path without any that itself holds `config.json` and a
 * model, as a Hugging Face export does, or a SavedModel, is version 1.
 *
 * @param modelFile as in {@link findModel}.
 * @returns folders by version; empty when there is none.
 * @throws {ServeError} MODEL_INVALID when the base path cannot be read.
 */
export async function listVersions(
  basePath: string,
  modelFile: string | undefined,
): Promise<ReadonlyMap<number, string>> {
  const entries = await readFolder(basePath);
  const folders = new Map<number, string>();
  for (const entry of entries.sort((a, b) => (a.name < b.name ? 1 : -1))) {
    const version = versionOf(entry.name);
    if (version === undefined || entry.isFile()) continue;
    folders.set(version, path.join(basePath, entry.name));
  }
  const isExport = entries.some(({ name }) => name === "config.json" || SAVED_MODEL_FILES.includes(name));
  if (folders.size === 0 && isExport && (await findModel(basePath, modelFile)) !== undefined)
    folders.set(1, basePath);
  return folders;
}

/** Version number of a folder's name: digits, leading zeros are fine. Undefined beyond what a double holds exactly. */
export function versionOf(name: string): number | undefined {
  if (!/^\d+$/.test(name)) return undefined;
  const version = Number(name);
  return Number.isSafeInteger(version) ? version : undefined;
}

/**
 * The versions that a policy may take, best first, and how many of them it takes.
 *
 * @param numbers of the versions that are there.
 */
export function candidatesOf(
  policy: VersionPolicy,
  numbers: Iterable<number>,
): { readonly versions: readonly number[]; readonly count: number } {
  const versions = [...numbers].sort((a, b) => b - a);
  if (policy.kind === "latest") return { versions, count: policy.count };
  const chosen =
    policy.kind === "all" ? versions : versions.filter((version) => policy.versions.includes(version));
  return { versions: chosen, count: chosen.length };
}

/**
 * Finds the model in a version's folder. An ONNX model goes before a SavedModel beside it: it needs no conversion.
 * Where there is no `model.onnx`, the only `.onnx` file that there is counts as it.
 *
 * @param modelFile path within the folder of the file to take instead, as for one of several quantised variants.
 * @returns undefined when there is none (yet).
 * @throws {ServeError} MODEL_INVALID when several files could be meant.
 */
export async function findModel(
  folder: string,
  modelFile: string | undefined,
): Promise<ModelFiles | undefined> {
  const isFile = (name: string) => exists(path.join(folder, name));
  if (modelFile !== undefined && (await isFile(modelFile))) {
    return { kind: "onnx", file: path.join(folder, modelFile) };
  }
  for (const name of MODEL_FILES) {
    if (await isFile(name)) return { kind: "onnx", file: path.join(folder, name) };
  }
  for (const name of SAVED_MODEL_FILES) if (await isFile(name)) return { kind: "saved-model", folder };
  const [first, ...others] = [...(await onnxFiles(folder)), ...(await onnxFiles(path.join(folder, "onnx")))];
  if (first !== undefined && others.length > 0) {
    const names = [first, ...others].map((file) => path.relative(folder, file)).join(", ");
    throw new ServeError(
      "MODEL_INVALID",
      `${folder} held ${names}, expected model.onnx or a choice by --model-file`,
    );
  }
  return first === undefined ? undefined : { kind: "onnx", file: first };
}

async function onnxFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(".onnx")).map((name) => path.join(folder, name));
}

async function readFolder(basePath: string) {
  try {
    return await readdir(basePath, { withFileTypes: true });
  } catch (cause) {
    throw new ServeError(
      "MODEL_INVALID",
      `${basePath} could not be read (${codeOf(cause)}), expected the folder that holds the model's version folders`,
      { cause },
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
