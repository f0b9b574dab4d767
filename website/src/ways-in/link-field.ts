/** The field for a link: empty again once its link is taken, and filled with the one that failed, to be mended. */
import { parseLink } from "../photo.js";
import { find, setText } from "../render/find.js";
import type { GivenPhoto } from "./ways-in.js";

export function createLinkField() {
  const field = find("link", HTMLInputElement);
  const error = find("link-error", HTMLElement);
  /** The link to be mended at the moment. */
  let failed: string | undefined;
  return {
    /** Empties the field when what stands in it is among these; else somebody is still writing. */
    take(photos: readonly GivenPhoto[]): void {
      const url = parseLink(field.value);
      if (photos.some((photo) => photo.kind === "link" && photo.url === url)) field.value = "";
    },
    /** @param url undefined: there is none (any more). What the person wrote stays. */
    mend(url: string | undefined): void {
      if (url === failed) return;
      if (field.value === failed) field.value = "";
      if (url !== undefined && field.value === "") field.value = url;
      failed = url;
    },
    /** @param text what is wrong with what was typed; empty: nothing. */
    complain(text: string): void {
      setText(error, text);
      field.ariaInvalid = String(text !== "");
    },
    focus: () => field.focus(),
  };
}
