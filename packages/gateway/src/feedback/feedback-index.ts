/**
 * What lies in a folder of corrections, whoever put it there. A record never changes, so its name says all about one that
 * was read before: a look lists the names and reads what is new.
 */
import { type FeedbackRecord, namesIn, pictureFileOf, readRecords, recordNameOf } from "./feedback-record.js";

/** What a record is counted as: the block that a file of its size takes. */
export const RECORD_BYTES = 4096;

/** Of a record, what has to be known of all of them at a time. */
export interface HeldRecord {
  readonly id: string;
  readonly deleteAfterMs: number;
  readonly pictures: readonly { readonly place: string; readonly bytes: number }[];
}

interface HeldPicture {
  readonly bytes: number;
  /** Records that it belongs to. */
  holders: number;
}

export class FeedbackIndex {
  readonly #folder: string;
  /** By name of the file. */
  readonly #records = new Map<string, HeldRecord | "broken">();
  /** By place in the folder. */
  readonly #pictures = new Map<string, HeldPicture>();
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Learns what was added and removed since the last look.
   *
   * @returns names of files that are, or were, being written.
   * @throws the system's error when the folder, or a record in it, cannot be read.
   */
  async look(): Promise<readonly string[]> {
    const { recordNames, parts } = await namesIn(this.#folder);
    const found = new Set(recordNames);
    for (const name of this.#records.keys()) if (!found.has(name)) this.#drop(name);
    const added = recordNames.filter((name) => !this.#records.has(name));
    for await (const [name, record] of readRecords(this.#folder, added)) {
      this.#put(name, record === "broken" ? record : heldRecordOf(record));
    }
    return parts;
  }

  add(record: FeedbackRecord): void {
    this.#put(recordNameOf(record.id), heldRecordOf(record));
  }

  remove(id: string): void {
    this.#drop(recordNameOf(id));
  }

  /** Those that could not be read are read again at the next look. */
  forgetBroken(): void {
    for (const name of this.broken) this.#drop(name);
  }

  has(id: string): boolean {
    return this.#records.has(recordNameOf(id));
  }

  /** How many records a picture belongs to. */
  holdersOf(place: string): number {
    return this.#pictures.get(place)?.holders ?? 0;
  }

  get records(): HeldRecord[] {
    return [...this.#records.values()].filter((record) => record !== "broken");
  }

  /** Names of records that cannot be read. */
  get broken(): string[] {
    return [...this.#records].flatMap(([name, record]) => (record === "broken" ? [name] : []));
  }

  /** Number of records. */
  get size(): number {
    return this.#records.size;
  }

  /** Of all pictures, and {@link RECORD_BYTES} for each record. */
  get bytes(): number {
    return this.#bytes;
  }

  #put(name: string, record: HeldRecord | "broken"): void {
    this.#drop(name);
    this.#records.set(name, record);
    this.#bytes += RECORD_BYTES;
    for (const { place, bytes } of picturesOf(record)) {
      const held = this.#pictures.get(place);
      if (held !== undefined) held.holders += 1;
      else {
        this.#pictures.set(place, { bytes, holders: 1 });
        this.#bytes += bytes;
      }
    }
  }

  #drop(name: string): void {
    const record = this.#records.get(name);
    if (record === undefined) return;
    this.#records.delete(name);
    this.#bytes -= RECORD_BYTES;
    for (const { place } of picturesOf(record)) {
      const held = this.#pictures.get(place);
      if (held === undefined) continue;
      held.holders -= 1;
      if (held.holders > 0) continue;
      this.#pictures.delete(place);
      this.#bytes -= held.bytes;
    }
  }
}

function picturesOf(record: HeldRecord | "broken"): HeldRecord["pictures"] {
  return record === "broken" ? [] : record.pictures;
}

export function heldRecordOf({ id, label, delete_after: deleteAfter, pictures }: FeedbackRecord): HeldRecord {
  const bytesByPlace = new Map(pictures.map((picture) => [pictureFileOf(label, picture), picture.bytes]));
  return {
    id,
    deleteAfterMs: Date.parse(deleteAfter),
    // Each place once, whoever wrote the record.
    pictures: [...bytesByPlace].map(([place, bytes]) => ({ place, bytes })),
  };
}
