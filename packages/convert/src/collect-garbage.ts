/** Collecting garbage at a moment of our choice. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";

/**
 * Collects the whole heap at once. Weights are large buffers outside of V8's heap, which it counts but does not hurry
 * to give back; between two steps that each hold all weights, their memory would add up.
 */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  // Contexts made from here on have the function; ours was made before.
  const collect = z.custom<() => void>((value) => typeof value === "function").parse(runInNewContext("gc"));
  // The first finds the buffers and leaves it to a thread to free them; the second waits for that.
  collect();
  collect();
}
