/** HDF5 files, read whole: the texts of their groups and their arrays. */
import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { ServeError } from "@vitrine/protocol/status";
import type { Constant } from "../graph/graph.js";
import type { Hdf5Attributes, Hdf5Message, Hdf5Task } from "./hdf5-messages.js";

/** A damaged file may send the library round in circles; a sound one tells of something every few milliseconds. */
const SILENCE_MS = 30_000;

export interface Hdf5 {
  /** By path, "/" first. */
  readonly groups: ReadonlyMap<string, Hdf5Attributes>;
  /** Arrays by path. Whoever takes one for good deletes it, so that its memory can go. */
  readonly datasets: Map<string, Constant>;
}

export interface Hdf5Options {
  /** Groups whose contents are not read. */
  readonly skippedGroups: readonly string[];
  readonly workerUrl?: URL;
  readonly silenceMs?: number;
}

/**
 * Reads an HDF5 file in a thread of its own.
 *
 * Memory stays below the arrays' size plus about 100 MB: they are read in slices and handed over without a copy. Other
 * files that this one points at are never opened.
 *
 * @throws {ServeError} MODEL_INVALID when the file is damaged, states arrays it has no room for, or keeps the library
 *   busy for `silenceMs` without a result.
 */
export async function readHdf5(file: string, options: Hdf5Options): Promise<Hdf5> {
  const task: Hdf5Task = { file: resolve(file), skippedGroups: options.skippedGroups };
  const worker = new Worker(options.workerUrl ?? new URL("./hdf5-worker.js", import.meta.url), {
    workerData: task,
    name: "hdf5",
    stdout: true,
    stderr: true,
  });
  try {
    return await contents(worker, options.silenceMs ?? SILENCE_MS);
  } finally {
    await worker.terminate();
  }
}

function contents(worker: Worker, silenceMs: number): Promise<Hdf5> {
  return new Promise((settle, reject) => {
    const groups = new Map<string, Hdf5Attributes>();
    const datasets = new Map<string, Constant>();
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(silence);
      reject(new ServeError("MODEL_INVALID", `HDF5 file was unreadable, ${why}`, { cause }));
    };
    const silence = setTimeout(
      () => fail(`its reading took more than ${silenceMs / 1000} s without a result`),
      silenceMs,
    );
    worker.on("message", (message: Hdf5Message) => {
      silence.refresh();
      if (message.kind === "group") groups.set(message.path, message.attributes);
      else if (message.kind === "dataset") datasets.set(message.path, message.constant);
      else if (message.kind === "failure") fail(message.message);
      else {
        clearTimeout(silence);
        settle({ groups, datasets });
      }
    });
    worker.on("error", (error) => fail("the HDF5 library broke on it", error));
    worker.on("exit", () => fail("the HDF5 library stopped on it"));
  });
}
