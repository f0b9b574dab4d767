/** Files that belong together, such as a certificate and its key, read again when one of them changes. */
import { readFile } from "node:fs/promises";
import { watchFile } from "@vitrine/runtime/file-watch";

interface FilesListener {
  /** Takes the files' texts, in order; may throw when they do not fit. */
  take(texts: readonly string[]): void;
  /** A later reading failed, or what was read did not fit: what was taken before goes on to count. */
  failed(error: unknown): void;
}

/**
 * Reads the files and follows them.
 *
 * @throws {Error} of the system, or of `take`, for the files as they are at first.
 */
export async function followFiles(
  files: readonly string[],
  { take, failed }: FilesListener,
): Promise<{ close(): void }> {
  const read = async () => await Promise.all(files.map((file) => readFile(file, "utf8")));
  let known: readonly string[] = [];
  let lastLook: Promise<void> = Promise.resolve();

  async function look(): Promise<void> {
    const texts = await read();
    if (texts.every((text, index) => text === known[index])) return;
    take(texts);
    known = texts;
  }

  // Before the first reading, so that no change falls between.
  const changed = () => {
    lastLook = lastLook.then(() => look().catch(failed));
  };
  const watches = await Promise.all(files.map((file) => watchFile(file, { changed, failed })));
  const close = () => {
    for (const watch of watches) watch.close();
  };
  try {
    await look();
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}
