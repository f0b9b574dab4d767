/** Corrections as a folder of pictures per label, for training. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Corrections, type LabelledPicture, splitOf } from "./corrections.js";

export interface FolderExportOptions {
  readonly from: string;
  readonly to: string;
  /** Share of the items that goes below `validation`, the rest below `train`; undefined: no such folders. */
  readonly validationShare: number | undefined;
  /**
   * Removes what was exported before and is not kept any more, or is not agreed on any more. What is, and lies where another
   * `validationShare` had it, is moved; it is removed only when its own place holds it, too.
   */
  readonly prune: boolean;
  readonly signal: AbortSignal;
}

export interface FolderExport {
  readonly copied: number;
  readonly alreadyThere: number;
  /** Pictures that the folder of corrections does not hold as its records say. */
  readonly missing: readonly string[];
  /** Paths below `to` that were exported before and are not kept, not agreed on or not in their place any more. */
  readonly gone: readonly string[];
  /** How many of those were moved to their place, not removed; 0 without `prune`. */
  readonly moved: number;
}

/** Names that the gateway gives: nothing else in the folder is touched. */
const EXPORTED_NAME = /^feedback-[0-9a-f]{32}\.(?:jpg|png)$/;

/** Copies what is not there yet. Run twice, the second time does nothing. */
export async function exportFolders(
  { pictures, olderPictures }: Corrections,
  { from, to, validationShare, prune, signal }: FolderExportOptions,
): Promise<FolderExport> {
  const placeOf = (picture: LabelledPicture): string =>
    path.join(validationShare === undefined ? "" : splitOf(picture, validationShare), picture.file);
  let copied = 0;
  let alreadyThere = 0;
  const missing: string[] = [];
  // With --since a picture may be left out and still be kept.
  const places = new Set(olderPictures.map(placeOf));
  for (const picture of pictures) {
    signal.throwIfAborted();
    const place = path.join(to, placeOf(picture));
    places.add(placeOf(picture));
    if (await isPicture(place, picture)) {
      if (validationShare !== undefined) await takeFromOtherSide(to, placeOf(picture));
      alreadyThere += 1;
      continue;
    }
    const bytes = await readIfThere(path.join(from, picture.file));
    if (bytes === undefined || sha256Of(bytes) !== picture.sha256) {
      missing.push(picture.file);
      continue;
    }
    await writeWhole(place, bytes);
    if (validationShare !== undefined) await takeFromOtherSide(to, placeOf(picture));
    copied += 1;
  }
  const gone = (await exportedBefore(to)).filter((place) => !places.has(place));
  if (!prune) return { copied, alreadyThere, missing, gone, moved: 0 };
  const agreed = new Map<string, LabelledPicture>();
  for (const picture of [...pictures, ...olderPictures]) {
    for (const side of SIDES) agreed.set(path.join(side, picture.file), picture);
  }
  let moved = 0;
  for (const place of gone) {
    const picture = agreed.get(place);
    const from = path.join(to, place);
    // One that is too old, or damaged where it is kept, was not copied to its place just now: this may be the only one.
    if (picture === undefined || (await isPicture(path.join(to, placeOf(picture)), picture))) {
      await rm(from, { force: true });
    } else {
      await mkdir(path.dirname(path.join(to, placeOf(picture))), { recursive: true });
      await rename(from, path.join(to, placeOf(picture)));
      moved += 1;
    }
  }
  return { copied, alreadyThere, missing, gone, moved };
}

/** Below `to`; the empty one stands for an export without a split. */
const SIDES = ["", "train", "validation"];

/** A picture whose item was joined to an older one by now: on both sides it would be trained on and validated with. */
async function takeFromOtherSide(to: string, place: string): Promise<void> {
  const [side = "", ...rest] = place.split(path.sep);
  const other = side === "train" ? "validation" : "train";
  await rm(path.join(to, other, ...rest), { force: true });
}

async function exportedBefore(to: string): Promise<string[]> {
  const folders = await subfoldersOf(to);
  const splits = folders.filter((name) => name === "train" || name === "validation");
  const nested = await Promise.all(
    splits.map(async (split) =>
      (await subfoldersOf(path.join(to, split))).map((name) => path.join(split, name)),
    ),
  );
  const found: string[] = [];
  for (const folder of [...folders, ...nested.flat()]) {
    const names = await readdir(path.join(to, folder));
    found.push(...names.filter((name) => EXPORTED_NAME.test(name)).map((name) => path.join(folder, name)));
  }
  return found.sort();
}

async function subfoldersOf(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function isPicture(file: string, { sha256 }: LabelledPicture): Promise<boolean> {
  const bytes = await readIfThere(file);
  return bytes !== undefined && sha256Of(bytes) === sha256;
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function writeWhole(place: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(place), { recursive: true });
  const unfinished = `${place}.${randomUUID()}.part`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, place);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
