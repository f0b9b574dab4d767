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

/** Addresses of a list that are links, in order, and how many others there are. */
export interface LinkList {
  readonly links: readonly string[];
  readonly others: number;
}

/** The lines of a `text/uri-list`, or of a text, in which lines that begin with # are comments (RFC 2483, section 5). */
export function linksOf(list: string): LinkList {
  const lines = list.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const links = lines.map(parseLink).filter((link) => link !== undefined);
  return { links, others: lines.length - links.length };
}

/** Name of the website behind a link, for a person: no scheme, path or query. */
export function hostOf(url: string): string {
  return parseUrl(url)?.host ?? url;
}

const HEIC_NAME = /hei[cf]$/i;

/** Whether a photo is one as iPhones store them, by its type or name. Chromium leaves the type of such a file empty. */
export function isNamedHeic(photo: Photo): boolean {
  if (photo.kind === "file") return HEIC_NAME.test(photo.file.type || photo.file.name);
  return HEIC_NAME.test(parseUrl(photo.url)?.pathname ?? "");
}

/** Brands of HEVC pictures; `mif1` is of any codec and `avif` says which (ISO/IEC 23008-12, annex B; AVIF, section 4). */
const HEIC_BRAND = /^.{4}ftyp(?:he[iv]|mi[af]|msf1)/s;
const START_BYTES = 64;

/** Whether a file is a photo as iPhones store them, whatever it is called: by its first bytes. */
export async function isHeic(file: Blob): Promise<boolean> {
  const bytes = new Uint8Array(await file.slice(0, START_BYTES).arrayBuffer());
  const start = String.fromCharCode(...bytes);
  return HEIC_BRAND.test(start) && !start.includes("avif");
}

/**
 * The reason why the gateway would refuse this file, as far as its declared type tells, so that nobody uploads in
 * vain. A file without a declared type is left to the gateway, which looks at the bytes.
 */
export function faultOfKind(file: { readonly type: string }, limits: Limits | undefined): Fault | undefined {
  if (file.type === "") return undefined;
  const isForeign =
    limits === undefined ? !file.type.startsWith("image/") : !limits.media_types.includes(file.type);
  return isForeign ? { reason: "IMAGE_TYPE_UNSUPPORTED" } : undefined;
}
