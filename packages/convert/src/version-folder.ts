/** Where a converted model goes, and how it gets there whole or not at all. */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { ModelFormat } from "./model-source.js";

export interface Target {
  /** An ONNX file, a folder with model.onnx, or a SavedModel's folder. */
  readonly kind: "onnx-file" | "onnx-folder" | "saved-model";
  /** The file or folder. */
  readonly path: string;
  readonly parent: string;
  readonly name: string;
  readonly replaces: boolean;
}

/**
 * Decides what DST means.
 *
 * A name that ends in .onnx is a file. Any other is a version folder; one that holds version folders gets the next
 * version inside it. What goes in: what `--to` says, else a SavedModel, or an ONNX model when a SavedModel is read.
 *
 * @throws {ServeError} MODEL_INVALID when something is there already and `--overwrite` is not given.
 */
export async function planTarget(
  request: {
    readonly destination: string;
    readonly to: "savedmodel" | "onnx" | undefined;
    readonly overwrite: boolean;
  },
  source: ModelFormat,
): Promise<Target> {
  const given = path.resolve(request.destination);
  const isFile = given.toLowerCase().endsWith(".onnx");
  if (isFile && request.to === "savedmodel") {
    throw new ServeError(
      "MODEL_INVALID",
      `${request.destination} was an ONNX file's name, expected a folder`,
    );
  }
  const entries = await entriesOf(given);
  const versions = (entries ?? []).filter((name) => /^\d+$/.test(name)).map(Number);
  const isBase = !isFile && versions.length > 0;
  const target = isBase ? path.join(given, String(Math.max(...versions) + 1)) : given;
  const isTaken = isFile
    ? await exists(given)
    : !isBase && (entries === undefined ? await exists(given) : entries.length > 0);
  if (isTaken && !request.overwrite) {
    throw new ServeError(
      "MODEL_INVALID",
      `${request.destination} was there already, expected a new name, or --overwrite`,
    );
  }
  const to = request.to ?? (isFile || source === "saved-model" ? "onnx" : "savedmodel");
  const parent = path.dirname(target);
  await mkdir(parent, { recursive: true });
  return {
    kind: isFile ? "onnx-file" : to === "onnx" ? "onnx-folder" : "saved-model",
    path: target,
    parent,
    name: path.basename(target),
    replaces: isTaken,
  };
}

/** Moves a finished draft to its place. What stood there is gone only once the draft stands in its stead. */
export async function placeModel(draft: string, target: Target): Promise<void> {
  if (!target.replaces || target.kind === "onnx-file") {
    await rename(draft, target.path);
    if (target.kind === "onnx-file") await placeWeights(draft, target.path);
    return;
  }
  const old = path.join(path.dirname(draft), "replaced");
  await rename(target.path, old);
  try {
    await rename(draft, target.path);
  } catch (error) {
    await rename(old, target.path);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** Weights above 2 GiB lie beside the model, under a name that the model holds. */
async function placeWeights(draft: string, file: string): Promise<void> {
  if (await exists(`${draft}.data`)) await rename(`${draft}.data`, `${file}.data`);
}

/** Names in a folder; undefined when it is none. */
async function entriesOf(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) {
      return undefined;
    }
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
