/** Runs on zeros, so that a session's first request finds memory and kernels ready. */
import { bytesOf, viewOf } from "./element-types.js";
import type { SessionJob } from "./session-thread.js";
import type { GraphValue, SessionMetadata, SessionTensor } from "./worker-messages.js";

/** A guess at a dynamic dimension that is not the first. */
const GUESSED_SIZE = 1;

/** One job per number of rows; a single job when the graph's rows are fixed. */
export function warmUpJobs(metadata: SessionMetadata, rowCounts: readonly number[]): SessionJob[] {
  const fetches = metadata.outputs.map(({ name }) => name);
  const hasRows = metadata.inputs.some(({ shape }) => typeof shape[0] === "string");
  const counts = hasRows ? [...new Set(rowCounts)] : [1];
  return counts.map((rows) => ({
    fetches,
    feeds: () => Object.fromEntries(metadata.inputs.map((input) => [input.name, zeroTensor(input, rows)])),
  }));
}

/** Zeros for an input; a dynamic first dimension counts the rows, any other dynamic one is 1. */
export function zeroTensor({ type, shape }: GraphValue, rows: number): SessionTensor {
  const dims = shape.map((size, axis) => {
    if (typeof size === "number") return size;
    return axis === 0 ? rows : GUESSED_SIZE;
  });
  const elements = dims.reduce((product, size) => product * size, 1);
  const bytes = bytesOf(type);
  return bytes === undefined
    ? { type, dims, data: Array.from({ length: elements }, () => "") }
    : { type, dims, data: viewOf(type, new ArrayBuffer(elements * bytes), elements) };
}
