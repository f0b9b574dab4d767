import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";

/** A photo that a person gave: a file or a link. `id` is its own in this browser, for as long as it is kept. */
export type Photo =
  | { readonly kind: "file"; readonly id: string; readonly file: File }
  | { readonly kind: "link"; readonly id: string; readonly url: string };

export type Limits = InfoResponse["limits"];

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** A host with a dot and no scheme, as people type it: `www.shop.example`, or `shop.example/` and a path. */
const BARE = /^[^\s/:@]+\.\p{L}[\p{L}\d-]+(?::\d+)?(?:[/?#]\S*)?$/iu;

/** The address in a text that is one http or https URL and nothing else, which may lack its https://; undefined for any other text. */
export function parseLink(text: string): string | undefined {
  const trimmed = text.trim();
  const isBare = BARE.test(trimmed) && (/^www\./i.test(trimmed) || trimmed.includes("/"));
  const address = isBare ? `https://${trimmed}` : trimmed;
  return /^https?:\/\/\S+$/i.test(address) && parseUrl(address) !== undefined ? address : undefined;
}

/** First address of a `text/uri-list`, in which lines that begin with # are comments (RFC 2483, section 5). */
export function firstOfUriList(list: string): string | undefined {
  const line = list.split(/\r?\n/).find((candidate) => candidate !== "" && !candidate.startsWith("#"));
  return line === undefined ? undefined : parseLink(line);
}

/** Name of the website behind a link, for a person: no scheme, path or query. */
export function hostOf(url: string): string {
  return parseUrl(url)?.host ?? url;
}

/** Whether a file is a photo as iPhones store them. Chromium leaves the type of such a file empty, so its name counts too. */
export function isHeic(file: { readonly type: string; readonly name: string }): boolean {
  return /hei[cf]$/i.test(file.type || file.name);
}

/**
 * The reason why the gateway would refuse this file, as far as its declared type tells, so that nobody uploads in
 * vain. A file without a declared type is left to the gateway, which looks at the bytes; a HEIC photo to the browser,
 * some of which can open it.
 */
export function faultOfKind(
  file: { readonly type: string; readonly name: string },
  limits: Limits | undefined,
): Fault | undefined {
  if (file.type === "" || isHeic(file)) return undefined;
  const isForeign =
    limits === undefined ? !file.type.startsWith("image/") : !limits.media_types.includes(file.type);
  return isForeign ? { reason: "IMAGE_TYPE_UNSUPPORTED" } : undefined;
}
