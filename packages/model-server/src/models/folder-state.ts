/** Whether somebody is still copying files into a folder. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";

export interface FolderState {
  /** Names, sizes and times of all files; it changes with each of them. */
  readonly fingerprint: string;
  /** When something in it changed last, in ms since 1970 by the clock of its disk. */
  readonly changedAt: number;
}

/** Deeper folders do not belong to a model. */
const MAX_DEPTH = 4;

/**
 * Reads the state of a folder.
 *
 * Of a file its change time counts, which copying with the old times does not set back; of a folder only the time of
 * its content, so that a whole folder renamed to its place is as old as its files are.
 *
 * @throws the system's error when it cannot be read.
 */
export async function readFolderState(folder: string): Promise<FolderState> {
  const lines: string[] = [];
  let changedAt = 0;
  const visit = async (directory: string, depth: number): Promise<void> => {
    changedAt = Math.max(changedAt, (await stat(directory)).mtimeMs);
    for (const name of (await readdir(directory)).sort()) {
      if (name.startsWith(".")) continue;
      const file = path.join(directory, name);
      const found = await stat(file);
      if (found.isDirectory()) {
        if (depth < MAX_DEPTH) await visit(file, depth + 1);
        continue;
      }
      changedAt = Math.max(changedAt, found.ctimeMs);
      lines.push(`${path.relative(folder, file)} ${found.size} ${found.mtimeMs} ${found.ino}`);
    }
  };
  await visit(folder, 0);
  return { fingerprint: lines.join("\n"), changedAt };
}
