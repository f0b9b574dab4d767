/** Headers that every answer carries, and the content security policies of the pages. */

export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Of everything that is no page: nothing in it may run or load. */
export const BARE_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Of a picture that is opened by itself: it is a document then, and may do nothing. */
export const PICTURE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'";

interface InlineHashes {
  readonly scripts: readonly string[];
  readonly styles: readonly string[];
}

/**
 * Of the website: its own files only, and pictures that the person chose. No text becomes a script or markup; the one address
 * that does is that of its thread, by the policy "vitrine" of website/src/upload/shrinker.ts.
 *
 * @param scripts, styles SHA-256 of each inside the page, in base64.
 */
export function websitePolicy({ scripts, styles }: InlineHashes): string {
  const own = (hashes: readonly string[]) =>
    ["'self'", ...hashes.map((hash) => `'sha256-${hash}'`)].join(" ");
  return [
    "default-src 'none'",
    `script-src ${own(scripts)}`,
    "worker-src 'self'",
    `style-src ${own(styles)}`,
    "img-src 'self' blob: data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types vitrine",
  ].join("; ");
}

/**
 * Of a page that carries its script and style inside.
 *
 * @param script, style SHA-256 of each, in base64.
 */
export function inlinePagePolicy(hashes: { readonly script: string; readonly style: string }): string {
  return [
    "default-src 'none'",
    `script-src 'sha256-${hashes.script}'`,
    `style-src 'sha256-${hashes.style}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
