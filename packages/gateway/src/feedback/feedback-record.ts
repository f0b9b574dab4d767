/** What is noted of one correction, and where it and its pictures lie. `vitrine feedback` reads the same. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";

const keptPictureSchema = z.object({
  /** Of the file, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  media_type: z.enum(["image/jpeg", "image/png"]),
  bytes: z.int().nonnegative(),
  width: z.int().positive(),
  height: z.int().positive(),
});

/** No address, no browser, no name: nothing in it says who sent it. */
export const feedbackRecordSchema = z.object({
  schema: z.literal(1),
  /** Who knows it can take the correction back. */
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  /** What the person says it is. */
  label: z.string(),
  /** What the model had said; null: the sender did not tell. */
  predicted: z.string().nullable(),
  /** The one that said `predicted`, by its version and the digest of its contract; null: the sender did not tell. */
  model: z.object({ name: z.string(), version: z.string().nullable() }),
  contract: z.string().nullable(),
  request_id: z.string().nullable(),
  stored_at: z.iso.datetime(),
  delete_after: z.iso.datetime(),
  pictures: z.array(keptPictureSchema).min(1),
});

export type KeptPicture = z.output<typeof keptPictureSchema>;
export type FeedbackRecord = z.output<typeof feedbackRecordSchema>;

export function isFeedbackId(text: string): boolean {
  return feedbackRecordSchema.shape.id.safeParse(text).success;
}

/** A hidden file beside the class folders: loaders of training pictures pass files over, but not folders. */
export function recordNameOf(id: string): string {
  return `.feedback-${id}.json`;
}

const RECORD_NAME = /^\.feedback-[A-Za-z0-9_-]{22}\.json$/;

/** Name of a file that is being written. */
export const PART_NAME = /^\.feedback-[A-Za-z0-9_-]+\.part$/;

/** Named by its content, so that the same picture under the same label is one file however often it is sent. */
export function pictureFileOf(label: string, { sha256, media_type: mediaType }: KeptPicture): string {
  const suffix = mediaType === "image/png" ? "png" : "jpg";
  return path.join(folderOfLabel(label), `feedback-${sha256.slice(0, 32)}.${suffix}`);
}

const MAX_FOLDER_BYTES = 180;

/**
 * The label as the name of a folder, which it is letter for letter where it can be. What could leave the folder, hide it
 * or mean something to a shell or a file system becomes `%` and two hex digits, `%` itself too.
 */
export function folderOfLabel(label: string): string {
  const name = [...label.replace(/[^\p{L}\p{M}\p{N} _().,'&+-]/gu, escaped)].join("");
  const safe = name.replace(/^[. ]/, escaped).replace(/[. ]$/, escaped);
  if (safe === "") return "%";
  if (Buffer.byteLength(safe) <= MAX_FOLDER_BYTES) return safe;
  const digest = createHash("sha256").update(label).digest("hex").slice(0, 16);
  return `${Buffer.from(safe)
    .subarray(0, MAX_FOLDER_BYTES)
    .toString("utf8")
    .replace(/\uFFFD*$/, "")}%${digest}`;
}

function escaped(letter: string): string {
  return [...Buffer.from(letter)]
    .map((byte) => `%${byte.toString(16).padStart(2, "0").toUpperCase()}`)
    .join("");
}

export interface FeedbackRecords {
  /** In the order in which they were stored. */
  readonly records: readonly FeedbackRecord[];
  /** Names of records that cannot be read. */
  readonly broken: readonly string[];
  /** Names of files that are, or were, being written. */
  readonly parts: readonly string[];
}

/** Reads all records of a folder. @throws the system's error when the folder cannot be read. */
export async function readFeedback(folder: string): Promise<FeedbackRecords> {
  const { recordNames, parts } = await namesIn(folder);
  const records: FeedbackRecord[] = [];
  const broken: string[] = [];
  for await (const [name, record] of readRecords(folder, recordNames)) {
    if (record === "broken") broken.push(name);
    else records.push(record);
  }
  records.sort((a, b) =>
    a.stored_at < b.stored_at ? -1 : a.stored_at > b.stored_at ? 1 : a.id < b.id ? -1 : 1,
  );
  return { records, broken, parts };
}

/** What lies in the folder, by name. */
export async function namesIn(folder: string): Promise<{ recordNames: string[]; parts: string[] }> {
  const names = await readdir(folder);
  return {
    recordNames: names.filter((name) => RECORD_NAME.test(name)),
    parts: names.filter((name) => PART_NAME.test(name)),
  };
}

const READ_AT_A_TIME = 32;

/** Reads these records, in order, but for those that have gone meanwhile. */
export async function* readRecords(
  folder: string,
  names: readonly string[],
): AsyncGenerator<readonly [name: string, record: FeedbackRecord | "broken"]> {
  for (let at = 0; at < names.length; at += READ_AT_A_TIME) {
    const some = names.slice(at, at + READ_AT_A_TIME);
    const read = await Promise.all(some.map((name) => readRecord(path.join(folder, name))));
    for (const [index, record] of read.entries()) {
      if (record !== undefined) yield [some[index] ?? "", record];
    }
  }
}

/** @returns undefined when there is none: another gateway, or the person, was quicker. */
export async function readRecord(file: string): Promise<FeedbackRecord | "broken" | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Told by name to whoever runs the gateway.
    return "broken";
  }
  const parsed = feedbackRecordSchema.safeParse(json);
  return parsed.success ? parsed.data : "broken";
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
