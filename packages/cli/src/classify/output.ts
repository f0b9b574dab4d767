/** Where the rows go: standard output or a file, at the speed that it takes them. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";

export interface Output {
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
  return {
    write: (text) => writeTo(stream, text),
    async close() {
      stream.end();
      await finished(stream);
    },
  };
}

async function writeTo(stream: Writable, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, "drain");
}
