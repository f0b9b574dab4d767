/** How much memory a model server needs for a model, by the size of its files. */

const MEBIBYTE = 1024 * 1024;

/** Node.js, ONNX Runtime, the server, and a batch of pictures in each of two sessions. */
const SERVER_BYTES = 280 * MEBIBYTE;
/** The sessions of a second version, which is loaded before the first one goes. */
const SECOND_VERSION_BYTES = 140 * MEBIBYTE;
/** Weights are read, and packed a second time for the kernels. */
const BYTES_PER_MODEL_BYTE = 2.5;

/**
 * Resident memory of a model server with one version of the model: a rule of thumb above what was measured on two
 * cores with two sessions (218 MiB of a model of 5 MiB with int8 weights, 321 MiB of one of 18 MiB, 515 MiB at the
 * load of one of 96 MiB). `vitrine bench --right-size` measures the model itself.
 *
 * @param modelBytes of the model's files, weights included.
 */
export function modelServerBytes(modelBytes: number): number {
  return SERVER_BYTES + modelBytes * BYTES_PER_MODEL_BYTE;
}

/** While a new version is loaded beside the old one; measured with the model of 18 MiB: 505 MiB. */
export function modelServerPeakBytes(modelBytes: number): number {
  return modelServerBytes(modelBytes) + SECOND_VERSION_BYTES + modelBytes * BYTES_PER_MODEL_BYTE;
}

/** Such as `349 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}

/** A limit to write into a manifest: above `bytes`, in steps of 64 MiB, such as `384Mi`. */
export function limitFor(bytes: number): string {
  return `${Math.ceil(bytes / (64 * MEBIBYTE)) * 64}Mi`;
}
