/**
 * A hidden file by whose name a folder of corrections is known again: gateways that share the folder have it in common, and
 * one that keeps another can tell "not here" from "removed".
 *
 * Two gateways that start at once may make one each. Both are the folder's then.
 */
import { randomBytes } from "node:crypto";
import { access, readdir } from "node:fs/promises";
import path from "node:path";
import { writeDurably } from "./durable-files.js";
import { isMissing } from "./feedback-record.js";

const NAME = /^\.feedback-folder-([A-Za-z0-9_-]{11})$/;

const nameOf = (mark: string) => `.feedback-folder-${mark}`;

/** One of the folder's marks; it is made where there is none. */
export async function markOf(folder: string): Promise<string> {
  const marks = (await readdir(folder)).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  const [first] = marks.sort();
  if (first !== undefined) return first;
  const mark = randomBytes(8).toString("base64url");
  await writeDurably(folder, nameOf(mark), new Uint8Array());
  return mark;
}

/** Whether this is the folder that the mark is of. */
export async function hasMark(folder: string, mark: string): Promise<boolean> {
  if (!NAME.test(nameOf(mark))) return false;
  try {
    await access(path.join(folder, nameOf(mark)));
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
