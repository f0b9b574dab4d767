/**
 * How V8 collects garbage in the model server's process.
 *
 * Each request of 196 KB (256 x 256 pixels) leaves about 400 KB of buffers, in a heap of only 15 MB. V8 lets a heap
 * of that size grow by little before it marks all of it, on five threads: every 40 requests, for 1 ms of CPU each.
 * Measured with the clothing model on one core, 8 requests in flight: 8.9 ms of CPU per request, 8.1 with both
 * settings here; a bare ONNX Runtime loop takes 8.1.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";

/**
 * Flags for whoever starts the process. A young generation of 1 MB instead of up to 16 is collected before its
 * buffers count as old.
 */
export const MODEL_SERVER_NODE_FLAGS: readonly string[] = ["--max-semi-space-size=1"];

/** Lets the heap grow to five times what survived the last collection: to some 75 MB, buffers included. */
export function collectGarbageLater(): void {
  // V8 reads this one anew at each collection; a V8 that does not know it says so on stderr and goes on.
  setFlagsFromString("--heap-growing-percent=400");
}

let collect: (() => void) | undefined;

/** Collects the whole heap at once, which pauses the process for 10 to 30 ms: after a version was unloaded. */
export function collectGarbageNow(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    // Contexts made from here on have the function; ours was made before.
    collect = z.custom<() => void>((value) => typeof value === "function").parse(runInNewContext("gc"));
  }
  collect();
}

/**
 * Environment for whoever starts the process, on Linux: how glibc hands memory back. By itself it raises the size from
 * which a block has a mapping of its own, up to 32 MB, once such a block was freed; the weights of the next version
 * then lie between small blocks, and what an unloaded version leaves stays with the process.
 *
 * Measured with the clothing model (float32) and two sessions, swapped ten times: 398 to 453 MB resident after each swap
 * and 304 MB with nothing loaded; with both settings 190 to 202 MB and 100 MB. A run takes as much CPU as before.
 */
export const MODEL_SERVER_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_ARENA_MAX: "2",
};
