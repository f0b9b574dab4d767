/** Reading numbers and words out of a picture's bytes. Reads past the end answer undefined or are refused, never throw RangeError. */
import { ServeError } from "@vitrine/protocol/status";

/**
 * Most chunks, boxes or segments that a file is read through for: headers are read between the requests, and a file of
 * nothing but empty ones would keep all of them waiting. A picture from a camera or an editor has some tens, an animation
 * some hundreds.
 */
export const MOST_PARTS = 32_768;

/** A view of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `bytes[start, end)` as Latin-1 text; shorter when the bytes end before. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", start, end);
}

/** @throws {ServeError} IMAGE_UNDECODABLE when there are more parts than {@link MOST_PARTS}. */
export function checkPartCount(kind: string, count: number): void {
  if (count > MOST_PARTS) throw undecodable(kind, `it is made of more than ${MOST_PARTS} parts`);
}

/** The error for a file of a supported kind that is cut short or broken. */
export function undecodable(kind: string, problem: string, cause?: unknown): ServeError {
  return new ServeError(
    "IMAGE_UNDECODABLE",
    `picture was a ${kind} that could not be decoded (${problem}), expected a whole, sound file`,
    { cause },
  );
}
