/** How much memory a model server needs for a model, by the size of its files. */

const MEBIBYTE = 1024 * 1024;

/** Node.js, ONNX Runtime and the server itself, with no model; measured as resident memory. */
const PROCESS_BYTES = 150 * MEBIBYTE;

/** Weights are read, and packed a second time for the kernels; what a run needs lies within. */
const BYTES_PER_MODEL_BYTE = 3;

/** Each session's threads and buffers for a batch of pictures. */
const SESSION_BYTES = 24 * MEBIBYTE;

/**
 * Resident memory of a model server with one version of the model: an estimate on the high side, from measurements
 * of models between 5 and 90 MB. `vitrine bench --right-size` measures the model itself.
 *
 * @param modelBytes of the model's files, weights included.
 */
export function modelServerBytes(modelBytes: number, sessions = 2): number {
  return PROCESS_BYTES + modelBytes * BYTES_PER_MODEL_BYTE + sessions * SESSION_BYTES;
}

/** While a new version is loaded beside the old one. */
export function modelServerPeakBytes(modelBytes: number, sessions = 2): number {
  return (
    modelServerBytes(modelBytes, sessions) + modelBytes * BYTES_PER_MODEL_BYTE + sessions * SESSION_BYTES
  );
}

/** Such as `349 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE)} MiB`;
}

/** A limit to write into a manifest: above `bytes`, in steps of 64 MiB, such as `384Mi`. */
export function limitFor(bytes: number): string {
  return `${Math.ceil(bytes / (64 * MEBIBYTE)) * 64}Mi`;
}
