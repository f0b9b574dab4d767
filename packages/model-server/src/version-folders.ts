/** Finds the versions of a model on disk. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";

export interface VersionFolder {
  readonly version: number;
  /** Holds the contract's files. */
  readonly folder: string;
  readonly modelFile: string;
}

/** Places of the model in a folder: ours, and where Hugging Face's exporter writes it. */
const MODEL_FILES = ["model.onnx", path.join("onnx", "model.onnx")];

/**
 * The highest version under a base path: `<base>/<number>/model.onnx`. A base path that itself holds `config.json`
 * and a model, as a Hugging Face export does, is version 1. Other children are ignored, as TensorFlow Serving does.
 *
 * @throws {ServeError} MODEL_INVALID that says what lies there and what was expected.
 */
export async function findLatestVersion(basePath: string): Promise<VersionFolder> {
  const names = await childNames(basePath);
  const latest = names
    .map((name) => ({ name, version: versionOf(name) }))
    .filter((child): child is { name: string; version: number } => child.version !== undefined)
    .sort((a, b) => b.version - a.version)[0];
  if (latest !== undefined) return openVersion(path.join(basePath, latest.name), latest.version);
  const modelFile = names.includes("config.json") ? await findModelFile(basePath) : undefined;
  if (modelFile !== undefined) return { version: 1, folder: basePath, modelFile };
  throw new ServeError(
    "MODEL_INVALID",
    `${basePath} had neither version folders nor config.json with a model, expected ${path.join(basePath, "1", "model.onnx")}`,
  );
}

/** Version number of a folder's name: digits, leading zeros are fine. Undefined beyond what a double holds exactly. */
export function versionOf(name: string): number | undefined {
  if (!/^\d+$/.test(name)) return undefined;
  const version = Number(name);
  return Number.isSafeInteger(version) ? version : undefined;
}

async function openVersion(folder: string, version: number): Promise<VersionFolder> {
  const modelFile = await findModelFile(folder);
  if (modelFile !== undefined) return { version, folder, modelFile };
  const isSavedModel =
    (await exists(path.join(folder, "saved_model.pb"))) ||
    (await exists(path.join(folder, "saved_model.pbtxt")));
  const expected = path.join(folder, "model.onnx");
  throw new ServeError(
    "MODEL_INVALID",
    isSavedModel
      ? `${folder} held a SavedModel, expected ${expected}: convert it to ONNX and put the file there`
      : `${folder} held no model, expected ${expected}`,
  );
}

async function findModelFile(folder: string): Promise<string | undefined> {
  for (const name of MODEL_FILES) {
    const file = path.join(folder, name);
    if (await exists(file)) return file;
  }
  return undefined;
}

async function childNames(basePath: string): Promise<string[]> {
  try {
    return await readdir(basePath);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new ServeError(
      "MODEL_INVALID",
      `${basePath} could not be read (${code}), expected the folder that holds the model's version folders`,
      { cause },
    );
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}
