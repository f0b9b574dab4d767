/** Finds out what kind of model a path holds, and reads it. */
import { open, readdir, stat } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { Graph } from "./graph/graph.js";
import { digestOfFile, digestOfSavedModel } from "./provenance.js";

export type ModelFormat = "keras-hdf5" | "keras-archive" | "saved-model" | "onnx";

export const FORMAT_NAMES: Readonly<Record<ModelFormat, string>> = {
  "keras-hdf5": "Keras model (HDF5)",
  "keras-archive": "Keras model (.keras archive)",
  "saved-model": "SavedModel",
  onnx: "ONNX model",
};

export interface ModelSource {
  readonly format: ModelFormat;
  /** The file, or a SavedModel's folder. */
  readonly path: string;
  /** Folder that may hold the model's contract. */
  readonly folder: string;
  /** On disk, weights included. */
  readonly bytes: number;
}

const HDF5_SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");
const ZIP_SIGNATURE = Buffer.from("PK\x03\x04", "latin1");

/** Files that people have at hand and that hold no model which could be read here: by their last part. */
const FOREIGN: Readonly<Record<string, string>> = {
  ".pt": "a PyTorch file; export it to ONNX with torch.onnx.export",
  ".pth": "a PyTorch file; export it to ONNX with torch.onnx.export",
  ".safetensors": "weights without their model; export the model to ONNX",
  ".tflite": "a TensorFlow Lite model; convert the model that it was made from",
  ".pb": "a frozen graph; save it as a SavedModel, which names its inputs and outputs",
  ".ckpt": "a checkpoint without its model; save the whole model",
};

/**
 * @param given a .h5, .keras or .onnx file, a SavedModel's folder, or a folder with version folders: the greatest
 *   version counts then.
 * @throws {ServeError} MODEL_INVALID that says what is there instead.
 */
export async function findSource(given: string): Promise<ModelSource> {
  const found = await stat(given).catch((cause: unknown) => {
    throw new ServeError("MODEL_INVALID", `${given} was not found, expected a model's file or folder`, {
      cause,
    });
  });
  return found.isDirectory() ? await inFolder(given) : await ofFile(given, found.size);
}

async function inFolder(folder: string): Promise<ModelSource> {
  const names = await readdir(folder);
  if (names.includes("saved_model.pb")) return await savedModel(folder);
  if (names.includes("saved_model.pbtxt")) {
    throw new ServeError(
      "MODEL_INVALID",
      `${folder} held a SavedModel in text form, expected saved_model.pb; TensorFlow writes it without as_text`,
    );
  }
  const onnx = names.includes("model.onnx")
    ? "model.onnx"
    : names.filter((name) => name.endsWith(".onnx")).length === 1
      ? names.find((name) => name.endsWith(".onnx"))
      : undefined;
  if (onnx !== undefined) return await onnxFile(path.join(folder, onnx));
  if (names.includes("onnx")) {
    const exported = path.join(folder, "onnx", "model.onnx");
    const isThere = await stat(exported).then(
      () => true,
      () => false,
    );
    if (isThere) return { ...(await onnxFile(exported)), folder };
  }
  const [latest] = names.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  if (latest !== undefined) return await inFolder(path.join(folder, latest));
  throw new ServeError(
    "MODEL_INVALID",
    `${folder} held no model, expected saved_model.pb, model.onnx or version folders with one`,
  );
}

async function ofFile(file: string, bytes: number): Promise<ModelSource> {
  if (path.basename(file) === "saved_model.pb") return await savedModel(path.dirname(file));
  const start = await firstBytes(file, HDF5_SIGNATURE.byteLength);
  const folder = path.dirname(file);
  if (start.equals(HDF5_SIGNATURE)) return { format: "keras-hdf5", path: file, folder, bytes };
  if (start.subarray(0, 4).equals(ZIP_SIGNATURE))
    return { format: "keras-archive", path: file, folder, bytes };
  const extension = path.extname(file).toLowerCase();
  if (extension === ".onnx") return await onnxFile(file);
  // A file that is named for a Keras model, and is none: its reader says what is wrong with it.
  if (extension === ".keras") return { format: "keras-archive", path: file, folder, bytes };
  if (extension === ".h5" || extension === ".hdf5")
    return { format: "keras-hdf5", path: file, folder, bytes };
  const what = FOREIGN[extension] ?? "no model that is known here";
  throw new ServeError(
    "MODEL_INVALID",
    `${file} was ${what}, expected .h5, .keras, .onnx or a SavedModel's folder`,
  );
}

async function savedModel(folder: string): Promise<ModelSource> {
  const variables = path.join(folder, "variables");
  const parts = await readdir(variables).catch(() => []);
  const files = [path.join(folder, "saved_model.pb"), ...parts.map((name) => path.join(variables, name))];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return {
    format: "saved-model",
    path: folder,
    folder,
    bytes: sizes.reduce((total, size) => total + size, 0),
  };
}

async function onnxFile(file: string): Promise<ModelSource> {
  const beside = await stat(`${file}.data`).then(
    ({ size }) => size,
    () => 0,
  );
  const { size } = await stat(file);
  return { format: "onnx", path: file, folder: path.dirname(file), bytes: size + beside };
}

async function firstBytes(file: string, count: number): Promise<Buffer> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

export interface ReadSourceOptions {
  /** Of a SavedModel. */
  readonly tags?: readonly string[] | undefined;
  readonly signature?: string | undefined;
}

/** Reads the model; each format's reader is loaded only when it is needed. @throws {ServeError} as the readers do. */
export async function readSource(source: ModelSource, options: ReadSourceOptions = {}): Promise<Graph> {
  switch (source.format) {
    case "onnx": {
      const { readOnnx } = await import("./onnx/read-onnx.js");
      return await readOnnx(source.path);
    }
    case "saved-model": {
      const { readSavedModel } = await import("./saved-model/read/read-saved-model.js");
      return await readSavedModel(source.path, options);
    }
    default: {
      const { readKeras } = await import("./keras/read-keras.js");
      return await readKeras(source.path);
    }
  }
}

/** SHA-256 of the file, or of a SavedModel's files. */
export async function digestOfSource(source: ModelSource, signal?: AbortSignal): Promise<string> {
  return source.format === "saved-model"
    ? await digestOfSavedModel(source.path, signal)
    : await digestOfFile(source.path, signal);
}
