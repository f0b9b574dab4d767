import type { InfoResponse } from "@vitrine/gateway/api";
import type { Fault } from "./fault.js";

/** A photo that a person gave: a file with a URL under which this page can show it, or a link. */
export type Photo =
  | {
      readonly kind: "file";
      readonly file: File;
      readonly previewUrl: string;
      /** How many pictures were given at once; only the first is read. */
      readonly givenCount: number;
    }
  | { readonly kind: "link"; readonly url: string };

export type Limits = InfoResponse["limits"];

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The address in a text that is one http or https URL and nothing else; undefined for any other text. */
export function parseLink(text: string): string | undefined {
  const trimmed = text.trim();
  return /^https?:\/\/\S+$/i.test(trimmed) && parseUrl(trimmed) !== undefined ? trimmed : undefined;
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

/**
 * The reason why the gateway would refuse this file, as far as its size and declared type tell, so that nobody
 * uploads in vain. A file without a declared type is left to the gateway, which looks at the bytes.
 */
export function faultOfFile(
  file: { readonly size: number; readonly type: string },
  limits: Limits | undefined,
): Fault | undefined {
  const isForeign =
    limits === undefined ? !file.type.startsWith("image/") : !limits.media_types.includes(file.type);
  if (file.type !== "" && isForeign) {
    return { reason: "IMAGE_TYPE_UNSUPPORTED" };
  }
  if (limits !== undefined && file.size > limits.max_image_bytes) {
    return { reason: "IMAGE_TOO_LARGE" };
  }
  return undefined;
}
