/** The picture of one photo of an item, for a panel to show. */
import type { Shown } from "./fold.js";

/** Longer edge, in pixels, at which a linked picture is shown. */
const SHOWN_EDGE = 1024;

/**
 * Its address: of a file as it was sent, so that what is said of it fits it; of a link as the gateway shows it.
 *
 * @param signal aborts when the picture is not shown any more.
 */
export function pictureOf(
  { item, files }: Pick<Shown<unknown>, "item" | "files">,
  index: number,
  signal: AbortSignal,
): string {
  const file = files[index];
  if (file !== undefined) return temporaryUrl(file, signal);
  if (item.shownIndex === index && item.shownPictureUrl !== undefined) return item.shownPictureUrl;
  const photo = item.photos[index];
  return photo?.kind === "link"
    ? `/picture?${new URLSearchParams({ url: photo.url, edge: String(SHOWN_EDGE) })}`
    : "";
}

/** An address that lives until the signal aborts. */
export function temporaryUrl(blob: Blob, signal: AbortSignal): string {
  const url = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
  return url;
}
