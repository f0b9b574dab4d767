/** The picture of one photo of an item, for a panel to show. */
import type { Picture } from "../pictures.js";
import type { Shown } from "./fold.js";

/**
 * Of a file as it was sent, so that what is said of it fits it; of a link as the page has it from the gateway. One that
 * is on its way comes with the next `fill`.
 *
 * @param signal aborts when the picture is not shown any more.
 */
export function pictureOf(
  { item, files }: Pick<Shown<unknown>, "item" | "files">,
  index: number,
  signal: AbortSignal,
): Picture | undefined {
  const file = files[index];
  return file === undefined ? item.pictures[index] : { name: "ready", url: temporaryUrl(file, signal) };
}

/** An address that lives until the signal aborts. */
export function temporaryUrl(blob: Blob, signal: AbortSignal): string {
  const url = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
  return url;
}
