/** Files that are there whole or not at all, also after the power failed. */
import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, rmdir, unlink } from "node:fs/promises";
import path from "node:path";
import { isMissing } from "./feedback-record.js";

/**
 * Writes a file beside its place, has it reach the disk, and moves it there.
 *
 * @param folder where the unfinished file lies, on the same file system.
 * @param target path within `folder`; its own folder is made.
 */
export async function writeDurably(folder: string, target: string, bytes: Uint8Array): Promise<void> {
  const unfinished = path.join(folder, unfinishedName());
  const place = path.join(folder, target);
  try {
    // Of the group's business, as training may run as another user; of nobody else's.
    const file = await open(unfinished, "wx", 0o640);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await moveTo(place, unfinished);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(place));
}

function unfinishedName(what = ""): string {
  return `.feedback-${what}${randomUUID()}.part`;
}

/** Matched by PART_NAME, too. */
const ASIDE_NAME = /^\.feedback-aside-(\d{1,16})-/;

/** Since when a file is set aside, in milliseconds since 1970; undefined for other files. */
export function timeSetAside(name: string): number | undefined {
  const time = ASIDE_NAME.exec(name)?.[1];
  return time === undefined ? undefined : Number(time);
}

/** The folder may vanish between its making and the move: who removes the last picture of a label removes it. */
async function moveTo(place: string, unfinished: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await mkdir(path.dirname(place), { recursive: true, mode: 0o750 });
    try {
      return await rename(unfinished, place);
    } catch (error) {
      if (attempt === 3 || !isMissing(error)) throw error;
    }
  }
}

/** Some file systems of networks cannot sync a folder; their moves are as durable as they make them. */
const CANNOT_SYNC: ReadonlySet<unknown> = new Set(["EINVAL", "EISDIR", "ENOTSUP", "EPERM", "EBADF"]);

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const isTolerable = error instanceof Error && "code" in error && CANNOT_SYNC.has(error.code);
    if (!isTolerable && !isMissing(error)) throw error;
  }
}

/**
 * Moves a file out of its place, to where whatever is left unfinished lies.
 *
 * @param time in milliseconds since 1970. It stands in the name, so that nobody takes the file for what a dead writer left:
 *   its own time is of when it was written, and a file of another user's cannot be given a time.
 * @returns its name in `folder`; undefined when it was gone already, or could never be there.
 */
export async function setAside(folder: string, place: string, time: number): Promise<string | undefined> {
  const name = unfinishedName(`aside-${Math.round(time)}-`);
  try {
    await rename(path.join(folder, place), path.join(folder, name));
    return name;
  } catch (error) {
    const isInFile = error instanceof Error && "code" in error && error.code === "ENOTDIR";
    if (isInFile || isMissing(error)) return undefined;
    throw error;
  }
}

/** Moves it back, over what somebody else may have written there meanwhile. */
export async function putBack(folder: string, name: string, place: string): Promise<void> {
  await moveTo(path.join(folder, place), path.join(folder, name));
}

/** Removes the folder when nothing is in it any more. */
export async function removeEmptyFolder(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "ENOENT") throw error;
  }
}

export async function unlinkIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
