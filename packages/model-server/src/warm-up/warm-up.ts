/** Runs on zeros, so that a session's first request finds memory and kernels ready. */
import { layoutOf, type ModelContract, type PreprocessorConfig } from "@vitrine/protocol/contract";
import { bytesOf, viewOf } from "../element-types.js";
import type { SessionJob } from "../engine/session-thread.js";
import type { GraphValue, SessionMetadata, SessionTensor } from "../engine/worker-messages.js";

/** A guess at a dynamic dimension that is not the first, and that no contract tells. */
const GUESSED_SIZE = 1;

/**
 * One job per number of rows; a single job when the graph's rows are fixed.
 *
 * @param contract tells the size of pictures where the graph leaves it open, as exports of Hugging Face do.
 */
export function warmUpJobs(
  metadata: SessionMetadata,
  rowCounts: readonly number[],
  contract: ModelContract | undefined,
): SessionJob[] {
  const fetches = metadata.outputs.map(({ name }) => name);
  const hasRows = metadata.inputs.some(({ shape }) => typeof shape[0] === "string");
  const counts = hasRows ? [...new Set(rowCounts)] : [1];
  return counts.map((rows) => ({
    fetches,
    feeds: () =>
      Object.fromEntries(
        metadata.inputs.map((input) => [input.name, zeroTensor(pictureOf(input, contract), rows)]),
      ),
  }));
}

/** The input with the sizes of the contract's pictures, where it takes some. */
function pictureOf(input: GraphValue, contract: ModelContract | undefined): GraphValue {
  const { shape } = input;
  const size = contract === undefined ? undefined : pictureSize(contract.preprocessor);
  if (contract === undefined || size === undefined || shape.length !== 4) return input;
  const known = shape.map((dim) => (typeof dim === "number" ? dim : -1));
  const { height, width } = size;
  const picture = layoutOf(contract.preprocessor, known) === "NHWC" ? [height, width, 3] : [3, height, width];
  return {
    ...input,
    shape: shape.map((dim, axis) => (typeof dim === "number" ? dim : (picture[axis - 1] ?? dim))),
  };
}

/** The last size that the preprocessing makes, as far as its keys say it plainly. */
function pictureSize(config: PreprocessorConfig): { height: number; width: number } | undefined {
  const { do_pad, pad_size, do_center_crop, crop_size, size } = config;
  const last =
    do_pad && pad_size !== undefined
      ? pad_size
      : do_center_crop && crop_size !== undefined
        ? crop_size
        : size;
  if (last === undefined) return undefined;
  if (typeof last === "number") return { height: last, width: last };
  if ("height" in last) return last;
  return "shortest_edge" in last ? { height: last.shortest_edge, width: last.shortest_edge } : undefined;
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
