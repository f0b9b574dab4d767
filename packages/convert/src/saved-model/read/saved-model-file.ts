/** saved_model.pb: the one file that says what a SavedModel computes. */
import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import { MetaGraphDef } from "../../gen/tensorflow/core/protobuf/meta_graph.js";
import { MetaGraphTags, SavedModelIndex } from "../../gen/vitrine/saved_model_index.js";
import { BoundedReader, type Budget, newBudget } from "./bounded-reader.js";

/** Tags under which TensorFlow Serving looks for a graph. */
export const SERVE_TAGS: readonly string[] = ["serve"];

/** One MetaGraph of the file, not decoded yet. */
export interface MetaGraphBytes {
  readonly tags: readonly string[];
  /** A tensorflow.MetaGraphDef; a view of the file. */
  readonly bytes: Uint8Array;
}

/**
 * Reads the file and finds its MetaGraphs, in the file's order.
 *
 * @param folder holds `saved_model.pb`.
 * @throws {ServeError} MODEL_INVALID when there is none, or when it is not one.
 */
export async function readMetaGraphs(
  folder: string,
  budget: Budget = newBudget(),
): Promise<readonly MetaGraphBytes[]> {
  const file = await readPb(folder);
  return decoded("saved_model.pb", () =>
    SavedModelIndex.decode(new BoundedReader(file, budget)).metaGraphs.map((bytes) => ({
      tags: MetaGraphTags.decode(new BoundedReader(bytes, budget)).metaInfoDef?.tags ?? [],
      bytes,
    })),
  );
}

/**
 * The MetaGraph whose set of tags is exactly `tags`, as TensorFlow finds it.
 *
 * @throws {ServeError} MODEL_INVALID in TensorFlow's words when there is none.
 */
export function findMetaGraph(metaGraphs: readonly MetaGraphBytes[], tags: readonly string[]): Uint8Array {
  const wanted = new Set(tags);
  const found = metaGraphs.find((candidate) => {
    const own = new Set(candidate.tags);
    return own.size === wanted.size && [...wanted].every((tag) => own.has(tag));
  });
  if (found !== undefined) return found.bytes;
  const there = metaGraphs.map((candidate) => `{ ${candidate.tags.join(" ")} }`).join(", ");
  throw new ServeError(
    "MODEL_INVALID",
    `Could not find meta graph def matching supplied tags: { ${tags.join(" ")} }. The SavedModel has ${there || "none"}`,
  );
}

/** The whole of one MetaGraph, all functions and the object graph included: what `inspect` shows. */
export async function openMetaGraph(
  folder: string,
  tags: readonly string[] = SERVE_TAGS,
): Promise<MetaGraphDef> {
  const bytes = findMetaGraph(await readMetaGraphs(folder), tags);
  return decoded("saved_model.pb", () => MetaGraphDef.decode(boundedReader(bytes)));
}

/** A reader for one message of its own, with its own bound on the memory that it takes. */
export function boundedReader(bytes: Uint8Array): BoundedReader {
  return new BoundedReader(bytes, newBudget());
}

/**
 * Runs a decoder over bytes of `file`.
 *
 * @throws {ServeError} MODEL_INVALID for whatever it throws: truncated fields, wrong lengths, endless nesting, sizes
 *   above 2^53, more single values than memory has room for.
 */
export function decoded<T>(file: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new ServeError("MODEL_INVALID", `${file} was damaged (${words}), expected TensorFlow's messages`, {
      cause,
    });
  }
}

async function readPb(folder: string): Promise<Uint8Array> {
  try {
    const file = await readFile(path.join(folder, "saved_model.pb"));
    // Views of a Buffer would be Buffers, which are copied and compared otherwise.
    return new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  } catch (cause) {
    if (hasCode(cause, "ENOENT") && (await exists(path.join(folder, "saved_model.pbtxt")))) {
      throw new ServeError(
        "MODEL_UNSUPPORTED",
        "saved_model.pbtxt is text, expected saved_model.pb; save the model with as_text=False",
        { cause },
      );
    }
    if (hasCode(cause, "ENOENT") || hasCode(cause, "ENOTDIR")) {
      throw new ServeError(
        "MODEL_INVALID",
        `Could not find SavedModel .pb or .pbtxt at supplied export directory path: ${path.basename(folder)}`,
        { cause },
      );
    }
    throw new ServeError("MODEL_INVALID", "saved_model.pb could not be read, expected a readable file", {
      cause,
    });
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
