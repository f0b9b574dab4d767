/** Reading numbers and words out of a picture's bytes. Reads past the end answer undefined or are refused, never throw RangeError. */
import { ServeError } from "@vitrine/protocol/status";

/** A view of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `bytes[start, end)` as Latin-1 text; shorter when the bytes end before. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", start, end);
}

/** The error for a file of a supported kind that is cut short or broken. */
export function undecodable(kind: string, problem: string, cause?: unknown): ServeError {
  return new ServeError(
    "IMAGE_UNDECODABLE",
    `picture was a ${kind} that could not be decoded (${problem}), expected a whole, sound file`,
    { cause },
  );
}
