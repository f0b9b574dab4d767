/** A picture to ask about. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./cluster.js";

const photos = process.env.VITRINE_PHOTOS;

/** What {@link PHOTO} shows. */
export const PHOTO_CLASS = "pants";

/** A photo of trousers, from VITRINE_PHOTOS; without it the repository's drawing of some. */
export const PHOTO: Uint8Array = readFileSync(
  photos === undefined ? path.join(ROOT, "tests/e2e/pictures/trousers.jpg") : firstPhoto(photos),
);

function firstPhoto(folder: string): string {
  const pants = path.join(folder, "validation", PHOTO_CLASS);
  const [first = ""] = readdirSync(pants).sort();
  return path.join(pants, first);
}
