/**
 * Corrections in a folder: pictures in a folder per label, which training reads as it is, and a record of each correction
 * beside them. Several gateways may share the folder: nothing in it is ever changed, only added, whole, and removed.
 *
 * No picture lies there without a record that says when it has to go: a record is written first and removed last.
 */
import { createHash, randomBytes } from "node:crypto";
import { access, constants, mkdir, readFile, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { ServeError } from "@vitrine/protocol/status";
import type { Logger } from "@vitrine/runtime/logger";
import { UsageError } from "@vitrine/runtime/settings";
import { abortError } from "../deadline.js";
import { findMetadata, type PictureFile } from "../pixels/picture-file.js";
import { timeSetAside, unlinkIfThere, writeDurably } from "./durable-files.js";
import { FeedbackIndex, type HeldRecord, heldRecordOf, RECORD_BYTES } from "./feedback-index.js";
import {
  type FeedbackRecord,
  isFeedbackId,
  isMissing,
  type KeptPicture,
  pictureFileOf,
  readRecord,
  recordNameOf,
} from "./feedback-record.js";
import { createFeedbackRemoval } from "./feedback-removal.js";
import { hasMark, markOf } from "./folder-mark.js";

export interface FeedbackStoreOptions {
  readonly folder: string;
  readonly keepDays: number;
  /** Of all pictures and records in the folder, other gateways' included as of the last look, which is not long ago. */
  readonly maxBytes: number;
  readonly logger: Pick<Logger, "warn" | "info" | "error">;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** One correction, with consent. */
export interface Correction
  extends Pick<FeedbackRecord, "label" | "predicted" | "model" | "contract" | "request_id"> {
  readonly files: readonly PictureFile[];
}

export interface FeedbackStore {
  /**
   * Keeps a correction, on the disk when the promise resolves.
   *
   * @param correction whose files hold no metadata; that is checked on what was written.
   * @param signal aborts the wait for its turn; what has begun is ended.
   * @throws {ServeError} FEEDBACK_FULL, FEEDBACK_UNWRITABLE, what `signal` was aborted with; nothing is kept then.
   */
  add(correction: Correction, signal?: AbortSignal): Promise<FeedbackRecord>;
  /**
   * Removes a correction and its pictures, but for pictures that another correction gave as well.
   *
   * @param mark of the folder that keeps it, where that is known.
   * @throws {ServeError} FEEDBACK_NOT_FOUND; FEEDBACK_ELSEWHERE where this is another folder.
   */
  withdraw(id: string, mark?: string): Promise<void>;
  /** Removes what has been kept for long enough, and looks how much is there; whatever else is asked for waits meanwhile. */
  sweep(): Promise<void>;
  /** What this folder is known by; those that share it have it in common. */
  readonly mark: string;
  /** Of all pictures, and `RECORD_BYTES` for each record, as far as known; 0 before the first look. */
  readonly bytes: number;
  /** Ends the looks, also one that is under way. */
  close(): void;
}

/** Records, between two looks at what was given meanwhile. */
const REMOVED_AT_A_TIME = 256;
const DAY_MS = 86_400_000;
const SWEEP_MS = 3_600_000;
/** Records of a folder that is listed before each correction. */
const LISTED_AT_ONCE = 2000;
/** Of a larger one as many are listed per millisecond: one of 20,000 every two seconds, which takes some 30 ms (measured). */
const LISTED_PER_MS = 10;
/** No file takes so long to write; its writer is dead. */
const PART_LIFE_MS = 3_600_000;
/** Nobody makes room within a second. */
const FULL_RETRY_SECONDS = 3600;

/**
 * Opens the folder and makes it where it is missing. The first look through it is under way when the promise resolves, so
 * that a large folder delays the corrections and not the predictions.
 *
 * @throws {UsageError} when it cannot be written.
 */
export async function openFeedbackStore(options: FeedbackStoreOptions): Promise<FeedbackStore> {
  const { folder, keepDays, maxBytes, logger, now = Date.now } = options;
  const index = new FeedbackIndex(folder);
  let isLookedThrough = false;
  let lookedAt = 0;
  let isClosed = false;
  /** One change after the other, so that a picture is not removed while it is given a second time. */
  let lastChange: Promise<unknown> = Promise.resolve();

  function inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = lastChange.then(change, change);
    lastChange = result.catch(() => {});
    return result;
  }

  const at = (name: string) => path.join(folder, name);

  const removeAll = createFeedbackRemoval({ folder, index, look, now });

  async function add(correction: Correction, signal?: AbortSignal): Promise<FeedbackRecord> {
    if (signal?.aborted === true) throw abortError(signal);
    const { files, ...said } = correction;
    const storedAt = now();
    // By their content: the same photo twice in one item is one.
    const pictures = new Map(
      files.map((file) => {
        const kept = keptPictureOf(file);
        return [pictureFileOf(said.label, kept), { file, kept }] as const;
      }),
    );
    const record: FeedbackRecord = {
      schema: 1,
      id: randomBytes(16).toString("base64url"),
      ...said,
      stored_at: new Date(storedAt).toISOString(),
      delete_after: new Date(storedAt + keepDays * DAY_MS).toISOString(),
      pictures: [...pictures.values()].map(({ kept }) => kept),
    };
    let isBegun = false;
    try {
      // The first look failed: without one nobody knows how much room there is.
      if (!isLookedThrough) await sweep();
      else if (isLookDue()) await look();
      let missingBytes = RECORD_BYTES;
      for (const [place, { kept }] of pictures) if (index.holdersOf(place) === 0) missingBytes += kept.bytes;
      if (index.bytes + missingBytes > maxBytes)
        throw full(`corrections would take more than ${maxBytes} bytes`);
      isBegun = true;
      await writeDurably(folder, recordNameOf(record.id), Buffer.from(`${JSON.stringify(record)}\n`));
      index.add(record);
      // Looked for now that the record is there: until then another gateway might have removed what nobody else had given.
      for (const [place, { file, kept }] of pictures) {
        if (await holds(at(place), kept)) continue;
        await writeDurably(folder, place, file.bytes);
        await checkWritten(at(place), kept.sha256);
      }
      return record;
    } catch (error) {
      if (isBegun) await takeBack(record);
      throw asStoreError(error);
    }
  }

  /** Of a large folder every now and then, so that the looks take no more of the time the more is kept. */
  function isLookDue(): boolean {
    return index.size <= LISTED_AT_ONCE || now() - lookedAt >= index.size / LISTED_PER_MS;
  }

  async function look(): Promise<readonly string[]> {
    const parts = await index.look();
    lookedAt = now();
    return parts;
  }

  /** What is not removed is named, and stays until its time is over. */
  async function takeBack(record: FeedbackRecord): Promise<void> {
    try {
      await removeOne(heldRecordOf(record));
    } catch (error) {
      logger.error({ err: error, id: record.id }, "correction could not be taken back");
    }
  }

  async function removeOne(record: HeldRecord): Promise<void> {
    for (const error of (await removeAll([record])).values()) throw error;
  }

  async function withdraw(id: string, ofMark?: string): Promise<void> {
    try {
      const record = isFeedbackId(id) ? await readRecord(at(recordNameOf(id))) : undefined;
      if (record === undefined || record === "broken") {
        const isElsewhere = ofMark !== undefined && ofMark !== mark && !(await hasMark(folder, ofMark));
        if (isElsewhere) throw elsewhere();
        throw new ServeError(
          "FEEDBACK_NOT_FOUND",
          "correction was not found, expected the id that was answered",
        );
      }
      // Others may have given the same picture since.
      await look();
      await removeOne(heldRecordOf(record));
    } catch (error) {
      throw asStoreError(error);
    }
  }

  async function sweep(): Promise<void> {
    index.forgetBroken();
    const parts = await look();
    const time = now();
    const expired = index.records.filter(({ deleteAfterMs }) => deleteAfterMs <= time);
    let removed = 0;
    for (let at = 0; at < expired.length; at += REMOVED_AT_A_TIME) {
      if (isClosed) return;
      const some = expired.slice(at, at + REMOVED_AT_A_TIME);
      const stuck = await removeAll(some);
      removed += some.length - stuck.size;
      // Stays and is counted; the next look tries again.
      for (const [id, error] of stuck)
        logger.error({ err: error, id }, "expired correction could not be removed");
    }
    for (const name of parts) await removeStale(name);
    isLookedThrough = true;
    const { broken } = index;
    if (removed > 0)
      logger.info({ removed, kept: index.size - broken.length }, "corrections expired and were removed");
    if (broken.length > 0) logger.warn({ broken }, "records of corrections cannot be read");
  }

  async function removeStale(name: string): Promise<void> {
    try {
      const since = timeSetAside(name) ?? (await stat(at(name))).mtimeMs;
      if (now() - since > PART_LIFE_MS) await unlink(at(name));
    } catch (error) {
      if (!isMissing(error)) logger.error({ err: error }, "unfinished correction could not be removed");
    }
  }

  function sweepInTurn(): void {
    inTurn(sweep).catch((error: unknown) =>
      logger.error({ err: error }, "corrections could not be looked through"),
    );
  }

  const mark = await prepareFolder(folder);
  sweepInTurn();
  const timer = setInterval(sweepInTurn, SWEEP_MS);
  timer.unref();

  return {
    add: (correction, signal) => inTurn(() => add(correction, signal)),
    withdraw: (id, ofMark) => inTurn(() => withdraw(id, ofMark)),
    sweep: () => inTurn(sweep),
    mark,
    get bytes() {
      return index.bytes;
    },
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

/** @returns the folder's mark. */
async function prepareFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    // A file system that is read-only, or lets nobody make a file, is found out by making one.
    await writeDurably(folder, ".feedback-probe.part", new Uint8Array());
    await unlinkIfThere(path.join(folder, ".feedback-probe.part"));
    return await markOf(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new UsageError([
      `--feedback-dir was ${folder}, expected a folder that the gateway can write to${code}`,
    ]);
  }
}

function keptPictureOf({ bytes, mediaType, width, height }: PictureFile): KeptPicture {
  return {
    sha256: sha256Of(bytes),
    media_type: mediaType === "image/png" ? "image/png" : "image/jpeg",
    bytes: bytes.byteLength,
    width,
    height,
  };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Whether the file is there and is the picture. */
async function holds(file: string, { sha256, bytes }: KeptPicture): Promise<boolean> {
  try {
    return (await stat(file)).size === bytes && sha256Of(await readFile(file)) === sha256;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Reads back what was written: it is the picture, and no more than the picture. */
async function checkWritten(file: string, sha256: string): Promise<void> {
  const found = await readFile(file);
  if (sha256Of(found) !== sha256) {
    throw new ServeError("FEEDBACK_UNWRITABLE", "picture was read back otherwise than it was written");
  }
  const metadata = await findMetadata(found);
  if (metadata.length > 0) throw new Error(`metadata was left in a picture to keep: ${metadata.join(", ")}`);
}

function elsewhere(): ServeError {
  return new ServeError(
    "FEEDBACK_ELSEWHERE",
    "correction was kept in another folder than this gateway's, expected the gateway that took it, or one that shares its folder",
  );
}

function full(what: string, cause?: unknown): ServeError {
  return new ServeError(
    "FEEDBACK_FULL",
    `${what}, expected room; whoever runs the gateway has to make some`,
    {
      cause,
      retryAfterSeconds: FULL_RETRY_SECONDS,
    },
  );
}

const NO_ROOM: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** The system's errors, without the paths in their messages. */
function asStoreError(error: unknown): unknown {
  if (error instanceof ServeError || !(error instanceof Error) || !("code" in error)) return error;
  return NO_ROOM.has(error.code)
    ? full("disk of the corrections was full", error)
    : new ServeError(
        "FEEDBACK_UNWRITABLE",
        "correction could not be kept, expected a folder that can be written",
        {
          cause: error,
        },
      );
}
