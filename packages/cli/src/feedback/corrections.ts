/** The corrections of a folder as pictures with labels, each picture once. */
import { stat } from "node:fs/promises";
import {
  type FeedbackRecord,
  folderOfLabel,
  pictureFileOf,
  readFeedback,
} from "@vitrine/gateway/feedback/feedback-record";
import { UsageError } from "@vitrine/runtime/settings";

/** A picture that people gave, and what they said it is. */
export interface LabelledPicture {
  /** Path within the folder of corrections. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly label: string;
  /** Name of the label's folder. */
  readonly folder: string;
  /** What the model had said; of several, the last; null: nobody told. */
  readonly predicted: string | null;
  /** null: the sender did not tell. */
  readonly modelVersion: string | null;
  /** When it was given last. */
  readonly storedAt: string;
  /** The same for all photos of one item, and for items that share one: they belong on one side of a split. */
  readonly item: string;
}

export interface Corrections {
  /** Given since then, in the order of their paths. */
  readonly pictures: readonly LabelledPicture[];
  /** Given before alone: neither to be exported nor gone. */
  readonly olderPictures: readonly LabelledPicture[];
  /** Pictures that people gave different labels, whenever: nobody knows which is right. */
  readonly contradictions: readonly { readonly sha256: string; readonly labels: readonly string[] }[];
  /** Since then. */
  readonly records: readonly FeedbackRecord[];
  readonly broken: readonly string[];
}

/**
 * Reads a folder of corrections.
 *
 * @param since undefined: all of them.
 * @throws {UsageError} when there is no such folder.
 */
export async function readCorrections(folder: string, since: Date | undefined): Promise<Corrections> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    throw new UsageError([`${folder} was no folder, expected the one that --feedback-dir names`]);
  }
  const all = await readFeedback(folder);
  const isSince = (storedAt: string) => since === undefined || Date.parse(storedAt) >= since.getTime();
  // Of all of them: an older one may contradict, or tie a picture to an item.
  const items = itemsOf(all.records);
  const bySha = new Map<string, LabelledPicture[]>();
  for (const record of all.records) {
    for (const picture of record.pictures) {
      const labelled: LabelledPicture = {
        file: pictureFileOf(record.label, picture),
        sha256: picture.sha256,
        bytes: picture.bytes,
        label: record.label,
        folder: folderOfLabel(record.label),
        predicted: record.predicted,
        modelVersion: record.model.version,
        storedAt: record.stored_at,
        item: items.get(picture.sha256) ?? picture.sha256,
      };
      const given = bySha.get(picture.sha256);
      if (given === undefined) bySha.set(picture.sha256, [labelled]);
      else given.push(labelled);
    }
  }
  const agreed: LabelledPicture[] = [];
  const contradictions: { sha256: string; labels: string[] }[] = [];
  for (const [sha256, given] of bySha) {
    const labels = [...new Set(given.map(({ label }) => label))].sort();
    const [last] = given.slice(-1);
    const predicted = given.findLast((each) => each.predicted !== null) ?? last;
    if (labels.length > 1) contradictions.push({ sha256, labels });
    else if (last !== undefined && predicted !== undefined) {
      agreed.push({ ...predicted, storedAt: last.storedAt });
    }
  }
  agreed.sort((a, b) => (a.file < b.file ? -1 : 1));
  return {
    pictures: agreed.filter(({ storedAt }) => isSince(storedAt)),
    olderPictures: agreed.filter(({ storedAt }) => !isSince(storedAt)),
    contradictions,
    records: all.records.filter(({ stored_at: storedAt }) => isSince(storedAt)),
    broken: all.broken,
  };
}

/**
 * Picture to item: pictures that were given together, also in turns, are one. Its name is the first picture of its oldest record,
 * so that a photo given again, beside others, does not take its item to the other side of a split.
 *
 * @param records in the order in which they were given.
 */
function itemsOf(records: readonly FeedbackRecord[]): Map<string, string> {
  const parents = new Map<string, string>();
  const ages = new Map<string, number>();
  const rootOf = (sha256: string): string => {
    let root = sha256;
    for (let parent = parents.get(root); parent !== undefined; parent = parents.get(root)) root = parent;
    return root;
  };
  for (const { pictures } of records) {
    for (const { sha256 } of pictures) if (!ages.has(sha256)) ages.set(sha256, ages.size);
    const roots = [...new Set(pictures.map(({ sha256 }) => rootOf(sha256)))];
    roots.sort((a, b) => (ages.get(a) ?? 0) - (ages.get(b) ?? 0));
    for (const root of roots.slice(1)) parents.set(root, roots[0] ?? root);
  }
  return new Map([...ages.keys()].map((sha256) => [sha256, rootOf(sha256)]));
}

/** `validation` for that share of the items; an item stays where it is as others come, unless one joins it to an older. */
export function splitOf({ item }: LabelledPicture, validationShare: number): "train" | "validation" {
  return Number.parseInt(item.slice(0, 8), 16) / 2 ** 32 < validationShare ? "validation" : "train";
}
