/** Where the rows go: standard output or a file, at the speed that it takes them. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";

export interface Output {
  /** @throws {Error} of the system when this or an earlier text could not be written, as on a full disk. */
  write(text: string): Promise<void>;
  /** Waits until everything is written. Leaves standard output open. */
  close(): Promise<void>;
}

/**
 * Opens a file, or wraps `stdout`.
 *
 * @param file   undefined writes to `stdout`.
 * @param append keeps what the file holds.
 * @throws {Error} of the system when the file cannot be written.
 */
export async function openOutput(
  file: string | undefined,
  append: boolean,
  stdout: Writable,
): Promise<Output> {
  if (file === undefined) return { write: (text) => writeTo(stdout, text), close: async () => {} };
  const stream = createWriteStream(file, { flags: append ? "a" : "w" });
  await once(stream, "open");
  // Also between two writes the stream may fail; the next one throws it.
  stream.on("error", () => {});
  return {
    write: (text) => writeTo(stream, text),
    async close() {
      stream.end();
      await finished(stream);
    },
  };
}

async function writeTo(stream: Writable, text: string): Promise<void> {
  if (stream.errored !== null) throw stream.errored;
  if (!stream.write(text)) await once(stream, "drain");
}
